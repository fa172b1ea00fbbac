//! The types of what is configured about callers.

use std::num::NonZeroU32;

use super::setting::Setting;

/// Whether the service describes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reflection {
    /// On loopback while nobody has to show who they are.
    Auto,
    /// Never.
    Off,
    /// Always.
    On,
}

/// How many calls a second a caller may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallRate {
    /// So many.
    PerSecond(NonZeroU32),
    /// Any number.
    Unlimited,
}

/// Address of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysUrl(String);

/// Algorithms that may sign tokens; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAlgorithms(Vec<&'static str>);

/// An issuer or an audience: 1 to 512 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenText(String);

/// Those with a public key. Where the secret is shared, whoever checks tokens could make some.
const ALGORITHMS: [&str; 9] = [
    "ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
];

impl KeysUrl {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TokenAlgorithms {
    /// Their names, as RFC 7518 and RFC 8037 write them.
    #[must_use]
    pub fn as_slice(&self) -> &[&'static str] {
        &self.0
    }
}

impl TokenText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Reflection {
    const EXPECTED: &'static str = "`auto`, `on` or `off`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "off" => Some(Self::Off),
            "on" => Some(Self::On),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Off => "off".to_owned(),
            Self::On => "on".to_owned(),
        }
    }
}

impl Setting for CallRate {
    const EXPECTED: &'static str =
        "a whole number of calls a second, from 1 to 4294967295, or `unlimited`";

    fn read(text: &str) -> Option<Self> {
        if text == "unlimited" {
            return Some(Self::Unlimited);
        }
        u32::read(text)
            .and_then(NonZeroU32::new)
            .map(Self::PerSecond)
    }

    fn show(&self) -> String {
        match self {
            Self::PerSecond(rate) => rate.to_string(),
            Self::Unlimited => "unlimited".to_owned(),
        }
    }
}

impl Setting for KeysUrl {
    const EXPECTED: &'static str = "an address such as `https://id.example/jwks.json`, without user \
         and password; `http://` only for this machine";

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let fits = ["http", "https"].contains(&scheme)
            && !rest.is_empty()
            && !rest.contains('@')
            && !text.contains(char::is_whitespace);
        fits.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for TokenAlgorithms {
    const EXPECTED: &'static str = "algorithms separated by commas: `ES256`, `ES384`, `EdDSA`, \
         `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`";
    const LIST: bool = true;

    fn read(text: &str) -> Option<Self> {
        let known = |name: &str| ALGORITHMS.into_iter().find(|known| *known == name.trim());
        let mut names: Vec<&'static str> = text.split(',').map(known).collect::<Option<_>>()?;
        names.sort_unstable();
        names.dedup();
        Some(Self(names))
    }

    fn show(&self) -> String {
        self.0.join(",")
    }
}

impl Setting for TokenText {
    const EXPECTED: &'static str = "1 to 512 characters without spaces at either end";

    fn read(text: &str) -> Option<Self> {
        let fits = (1..=512).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_algorithms_with_a_public_key_can_be_named() {
        let all = ALGORITHMS.join(",");
        let read = TokenAlgorithms::read(&all).expect("all");
        assert_eq!(read.show(), all);
        assert_eq!(
            TokenAlgorithms::read("RS256, ES256,RS256").map(|read| read.show()),
            Some("ES256,RS256".to_owned())
        );
        for wrong in ["", "none", "HS256", "RS256,none", "rs256", "RS256,"] {
            assert_eq!(TokenAlgorithms::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn rates_and_addresses_read_back() {
        for text in ["unlimited", "1", "500"] {
            assert_eq!(CallRate::read(text).expect(text).show(), text);
        }
        for wrong in ["", "0", "-1", "500/s", "Unlimited"] {
            assert_eq!(CallRate::read(wrong), None, "{wrong}");
        }
        for wrong in [
            "id.example",
            "ftp://id",
            "https://",
            "https://u:p@id",
            "https://a b",
        ] {
            assert_eq!(KeysUrl::read(wrong), None, "{wrong}");
        }
        assert!(KeysUrl::read("https://id.example/jwks").is_some());
    }
}
