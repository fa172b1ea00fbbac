//! The types of configured values: how each is read from text and written back.
//!
//! Every source speaks text: environment variables and flags by nature, the file after its TOML
//! values are flattened. So a value means the same wherever it stands.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use icpgate_policy::codes::RecordKind;
use icpgate_policy::policy::shipped;
use tracing_subscriber::filter::EnvFilter;

/// A type of configured value.
pub trait Setting: Sized {
    /// What the value looks like, for reports and the reference: "an address and port, …".
    const EXPECTED: &'static str;
    /// Whether the file may give it as a list.
    const LIST: bool = false;
    /// Whether the file gives it without quotes.
    const BARE: bool = false;
    /// Whether the value may hold a password and is never shown.
    const SECRET: bool = false;

    /// Reads the value; `None` if the text does not look as [`Self::EXPECTED`] says.
    fn read(text: &str) -> Option<Self>;

    /// The value as text that [`Setting::read`] reads back.
    fn show(&self) -> String;
}

/// How old the last sync of a registry may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxAge {
    /// Any age.
    Unlimited,
    /// At most this old.
    Within(Duration),
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// The size of a frame of HTTP/2, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize(pub u32);

/// How many bytes a cache may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheSize {
    /// There is no cache.
    Off,
    /// At most so many bytes.
    Bytes(ByteSize),
}

/// What an import does with certificates that break a rule of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateCheck {
    /// Keep them, marked.
    Accept,
    /// Refuse the record.
    Refuse,
}

/// Kinds of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindSet(pub BTreeSet<RecordKind>);

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

/// Which log lines are written: a level, or levels by module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// The directives, such as `info` or `info,icpgate::store=debug`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Name of a policy that is shipped with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyName(String);

impl PolicyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Identifier of an access provider, as in `access` and `application` records: 1 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderId(String);

impl ProviderId {
    /// The identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Address of a database server; may hold a password, and shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The address whole, for the driver; not to be shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerUrl(hidden)")
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an IP address and port, such as `127.0.0.1:50051`";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "the path of a file";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number from 1 to 4294967295";
    const BARE: bool = true;

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    const BARE: bool = true;

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// An empty text is a value that is not set.
impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const LIST: bool = T::LIST;
    const BARE: bool = T::BARE;
    const SECRET: bool = T::SECRET;

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        T::read(text).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str =
        "a time span above zero with its unit: `500ms`, `30s`, `15m`, `24h` or `7d`";

    fn read(text: &str) -> Option<Self> {
        let split = text.find(|character: char| !character.is_ascii_digit())?;
        let (count, unit) = text.split_at_checked(split)?;
        let count: u64 = count.parse().ok()?;
        let milliseconds = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        // A century is beyond any use, and keeps every sum of instants within its range.
        let longest = 36_525 * 86_400_000;
        let span = count.checked_mul(milliseconds)?;
        (1..=longest)
            .contains(&span)
            .then(|| Duration::from_millis(span))
    }

    fn show(&self) -> String {
        let milliseconds = self.as_millis();
        let units = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1_000, "s"),
        ];
        units
            .into_iter()
            .find(|(length, _)| milliseconds.is_multiple_of(*length))
            .map_or_else(
                || format!("{milliseconds}ms"),
                |(length, unit)| format!("{}{unit}", milliseconds / length),
            )
    }
}

impl Setting for MaxAge {
    const EXPECTED: &'static str =
        "a time span above zero with its unit, such as `15m`, `24h` or `7d`, or `unlimited`";

    fn read(text: &str) -> Option<Self> {
        if text == "unlimited" {
            return Some(Self::Unlimited);
        }
        Duration::read(text).map(Self::Within)
    }

    fn show(&self) -> String {
        match self {
            Self::Unlimited => "unlimited".to_owned(),
            Self::Within(span) => span.show(),
        }
    }
}

impl Setting for ByteSize {
    const EXPECTED: &'static str = "a size above zero: `4096`, `64KiB`, `8MiB` or `64GiB`";

    fn read(text: &str) -> Option<Self> {
        let split = text
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len());
        let (count, unit) = text.split_at_checked(split)?;
        let count: u64 = count.parse().ok()?;
        let shift = match unit.trim() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return None,
        };
        let size = count.checked_mul(1 << shift)?;
        (size > 0).then_some(Self(size))
    }

    fn show(&self) -> String {
        let units = [
            (1_u64 << 40, "TiB"),
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
        ];
        units
            .into_iter()
            .find(|(size, _)| self.0.is_multiple_of(*size))
            .map_or_else(
                || self.0.to_string(),
                |(size, unit)| format!("{}{unit}", self.0 / size),
            )
    }
}

impl Setting for FrameSize {
    const EXPECTED: &'static str = "a size from `16KiB` to `8MiB`";

    fn read(text: &str) -> Option<Self> {
        let ByteSize(size) = ByteSize::read(text)?;
        // The protocol allows no less than the former.
        let size = u32::try_from(size).ok()?;
        (16_384..=8_388_608).contains(&size).then_some(Self(size))
    }

    fn show(&self) -> String {
        ByteSize(self.0.into()).show()
    }
}

impl Setting for CertificateCheck {
    const EXPECTED: &'static str = "`refuse` or `accept`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "accept" => Some(Self::Accept),
            "refuse" => Some(Self::Refuse),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Accept => "accept".to_owned(),
            Self::Refuse => "refuse".to_owned(),
        }
    }
}

impl Setting for KindSet {
    const EXPECTED: &'static str = "`all`, `none`, or kinds of record separated by commas: `subject`, `service`, \
         `access`, `application`, `licence`, `registration`, `block`, `approval`, \
         `public_security_filing`, `display_observation`";
    const LIST: bool = true;

    fn read(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self(RecordKind::ALL.iter().copied().collect())),
            "none" => Some(Self(BTreeSet::new())),
            _ => text
                .split(',')
                .map(|kind| RecordKind::from_code(kind.trim()))
                .collect::<Option<BTreeSet<_>>>()
                .map(Self),
        }
    }

    fn show(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        if self.0.len() == RecordKind::ALL.len() {
            return "all".to_owned();
        }
        let kinds: Vec<&str> = self.0.iter().map(|kind| kind.as_str()).collect();
        kinds.join(",")
    }
}

impl Setting for LogFormat {
    const EXPECTED: &'static str = "`text` or `json`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Json => "json".to_owned(),
            Self::Text => "text".to_owned(),
        }
    }
}

impl Setting for LogLevel {
    const EXPECTED: &'static str = "`error`, `warn`, `info`, `debug`, `trace` or `off`, also by \
         module: `info,icpgate::store=debug`";

    fn read(text: &str) -> Option<Self> {
        // A bare word that is no level would be taken as the name of a module, and a typing
        // error would silence everything.
        const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
        let plain = text.split(',').all(|directive| {
            let level = directive
                .rsplit_once('=')
                .map_or(directive, |(_, level)| level);
            LEVELS.contains(&level.trim())
        });
        (plain && EnvFilter::try_new(text).is_ok()).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for PolicyName {
    const EXPECTED: &'static str = "`mainland-strict` or `mainland-business-model`";

    fn read(text: &str) -> Option<Self> {
        shipped(text).map(|_| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for ProviderId {
    const EXPECTED: &'static str = "1 to 64 characters without spaces at either end";

    fn read(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Setting for CacheSize {
    const EXPECTED: &'static str =
        "a size above zero, such as `64MiB` or `1GiB`, or `off` for no cache";

    fn read(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::Off);
        }
        ByteSize::read(text).map(Self::Bytes)
    }

    fn show(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Bytes(size) => size.show(),
        }
    }
}

impl Setting for ServerUrl {
    const EXPECTED: &'static str =
        "the address of a PostgreSQL database, `postgres://user@host/database?sslmode=verify-full`";
    const SECRET: bool = true;

    fn read(text: &str) -> Option<Self> {
        let scheme = text.split_once("://")?.0;
        ["postgres", "postgresql"]
            .contains(&scheme)
            .then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        fn round<T: Setting>(texts: &[&str]) {
            for text in texts {
                assert_eq!(T::read(text).expect(text).show(), *text);
            }
        }
        round::<Duration>(&["1ms", "1500ms", "30s", "15m", "23h", "7d"]);
        round::<MaxAge>(&["unlimited", "1d"]);
        round::<ByteSize>(&["1", "1023", "1KiB", "8MiB", "64GiB"]);
        round::<FrameSize>(&["16KiB", "8MiB"]);
        round::<CacheSize>(&["off", "128MiB"]);
        round::<KindSet>(&["all", "none", "subject,service", "public_security_filing"]);
        round::<LogLevel>(&["info", "warn,icpgate::store=debug"]);
        round::<Option<PathBuf>>(&["", "a/b"]);
        round::<SocketAddr>(&["127.0.0.1:0", "[::1]:50051"]);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "",
            "15",
            "m",
            "0s",
            "1 year",
            "-1s",
            "99999999999d",
            "1.5h",
            "１５m",
        ] {
            assert_eq!(Duration::read(text), None, "{text}");
        }
        for text in ["", "0", "8MB", "8mib", "99999999999TiB", "-1"] {
            assert_eq!(ByteSize::read(text), None, "{text}");
        }
        for text in ["", "subjects", "subject,", "subject,,service", "ALL"] {
            assert_eq!(KindSet::read(text), None, "{text}");
        }
        for text in ["", "inof", "info,", "icpgate", "icpgate=loud", "INFO"] {
            assert_eq!(LogLevel::read(text), None, "{text}");
        }
        for text in ["", " self", "a\u{7}b", &"x".repeat(65)] {
            assert_eq!(ProviderId::read(text), None, "{text}");
        }
        for text in ["16383", "8193KiB", "1TiB", "off"] {
            assert_eq!(FrameSize::read(text), None, "{text}");
        }
        assert_eq!(u32::read("0"), None);
        assert_eq!(PathBuf::read("a\0b"), None);
    }

    #[test]
    fn every_shipped_policy_can_be_named_and_is_told() {
        for (name, _) in icpgate_policy::policy::SHIPPED {
            assert!(PolicyName::read(name).is_some(), "{name}");
            assert!(PolicyName::EXPECTED.contains(name), "{name}");
        }
        assert_eq!(PolicyName::read("mainland"), None);
    }

    #[test]
    fn an_address_with_a_password_is_not_debugged() {
        let url = ServerUrl::read("postgres://icp:hunter2@db/icp").expect("a URL");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
