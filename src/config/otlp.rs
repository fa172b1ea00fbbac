//! The types of what is configured about log lines of requests and about OpenTelemetry.

use super::setting::Setting;

/// Which requests the log tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRequests {
    /// Every one.
    All,
    /// Those that went wrong on this side, were turned away for load, or could not be decided.
    Failed,
    /// None.
    Off,
}

/// How OTLP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Over gRPC.
    Grpc,
    /// In protobuf over HTTP.
    Http,
}

/// Address of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint(String);

/// A part of all, from 0 to 1.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// As it was written.
    text: String,
    value: f64,
}

/// Name of a service: 1 to 128 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

/// Names and values that are sent with everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes(Vec<(String, String)>);

impl OtlpEndpoint {
    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ratio {
    /// The part.
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Ratio {}

impl ServiceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceAttributes {
    /// The names with their values.
    #[must_use]
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }
}

impl Setting for LogRequests {
    const EXPECTED: &'static str = "`off`, `failed` or `all`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "failed" => Some(Self::Failed),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Off => "off".to_owned(),
        }
    }
}

impl Setting for OtlpProtocol {
    const EXPECTED: &'static str = "`grpc` or `http`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "grpc" => Some(Self::Grpc),
            "http" => Some(Self::Http),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Grpc => "grpc".to_owned(),
            Self::Http => "http".to_owned(),
        }
    }
}

impl Setting for OtlpEndpoint {
    const EXPECTED: &'static str = "an address such as `http://127.0.0.1:4317` or \
         `https://collector.example:4318`, without user and password";

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let fits = ["http", "https"].contains(&scheme)
            && !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.contains(['@', '?', '#'])
            && text.parse::<http::Uri>().is_ok();
        fits.then(|| Self(text.trim_end_matches('/').to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for Ratio {
    const EXPECTED: &'static str = "a number from 0 to 1, such as `0.01`";
    const BARE: bool = true;

    fn read(text: &str) -> Option<Self> {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value: f64 = text.parse().ok().filter(|_| plain)?;
        (0.0..=1.0).contains(&value).then(|| Self {
            text: text.to_owned(),
            value,
        })
    }

    fn show(&self) -> String {
        self.text.clone()
    }
}

impl Setting for ServiceName {
    const EXPECTED: &'static str = "1 to 128 characters without spaces at either end";

    fn read(text: &str) -> Option<Self> {
        is_plain(text, 128).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for ResourceAttributes {
    const EXPECTED: &'static str = "names with values, separated by commas, such as \
         `deployment.environment.name=production`, or `none`";
    const LIST: bool = true;

    fn read(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::default());
        }
        let mut attributes = Vec::new();
        for attribute in text.split(',') {
            let (name, value) = attribute.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let fits = is_plain(name, 128) && name.bytes().all(named) && is_plain(value, 256);
            if !fits || attributes.iter().any(|(known, _)| known == name) {
                return None;
            }
            attributes.push((name.to_owned(), value.to_owned()));
        }
        Some(Self(attributes))
    }

    fn show(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        let attributes = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        attributes.collect::<Vec<_>>().join(",")
    }
}

fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_parts_of_all() {
        for text in ["0", "1", "0.01", "1.0", "0.000001"] {
            assert_eq!(Ratio::read(text).expect(text).show(), text);
        }
        for wrong in ["", "-0.1", "1.1", "nan", "inf", "1e-3", "1%", ".", "0,1"] {
            assert!(Ratio::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn addresses_hold_no_password() {
        for (text, shown) in [
            ("http://127.0.0.1:4317", "http://127.0.0.1:4317"),
            ("https://otlp.example/base/", "https://otlp.example/base"),
        ] {
            assert_eq!(OtlpEndpoint::read(text).expect(text).show(), shown);
        }
        for wrong in [
            "",
            "127.0.0.1:4317",
            "grpc://a",
            "http://",
            "http:///v1",
            "https://u:p@a",
            "http://a b",
            "http://a?b",
        ] {
            assert_eq!(OtlpEndpoint::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn attributes_read_back() {
        for text in ["none", "a.b=c", "a=1,b=x y"] {
            assert_eq!(ResourceAttributes::read(text).expect(text).show(), text);
        }
        for wrong in ["", "a", "a=", "=a", "a=1,a=2", "a b=c", "a=b,"] {
            assert_eq!(ResourceAttributes::read(wrong), None, "{wrong}");
        }
    }
}
