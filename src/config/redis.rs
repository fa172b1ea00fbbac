//! The types of what is configured about Redis.

use super::setting::Setting;

/// How the servers of Redis are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisMode {
    /// Redis Cluster.
    Cluster,
    /// A master and replicas that Sentinels watch over.
    Sentinel,
    /// One server.
    Standalone,
}

/// Addresses of Redis; may hold passwords, and show none.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrls(Vec<String>);

/// Name under which Sentinels know a master: 1 to 64 letters, digits, `.`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelService(String);

impl RedisUrls {
    /// The addresses whole, for the driver; not to be shown. Empty: no Redis.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl std::fmt::Debug for RedisUrls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RedisUrls({} hidden)", self.0.len())
    }
}

impl SentinelService {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for RedisMode {
    const EXPECTED: &'static str = "`standalone`, `sentinel` or `cluster`";

    fn read(text: &str) -> Option<Self> {
        match text {
            "cluster" => Some(Self::Cluster),
            "sentinel" => Some(Self::Sentinel),
            "standalone" => Some(Self::Standalone),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Cluster => "cluster".to_owned(),
            Self::Sentinel => "sentinel".to_owned(),
            Self::Standalone => "standalone".to_owned(),
        }
    }
}

/// An empty text, and `none` as which an empty list is read, are no addresses.
impl Setting for RedisUrls {
    const EXPECTED: &'static str = "addresses separated by commas: \
         `redis://user:password@host:6379/0`, with TLS `rediss://user:password@host:6379/0`";
    const LIST: bool = true;
    const SECRET: bool = true;

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() || text == "none" {
            return Some(Self(Vec::new()));
        }
        let address = |part: &str| {
            let part = part.trim();
            let (scheme, rest) = part.split_once("://")?;
            let known = ["redis", "rediss", "unix"].contains(&scheme);
            (known && !rest.is_empty()).then(|| part.to_owned())
        };
        text.split(',')
            .map(address)
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    fn show(&self) -> String {
        self.0.join(",")
    }
}

impl Setting for SentinelService {
    const EXPECTED: &'static str = "1 to 64 letters, digits, `.`, `-` and `_`";

    fn read(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
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
    fn addresses_are_read_and_never_shown() {
        let text = "redis://icp:hunter2@a:6379,rediss://b/1";
        let urls = RedisUrls::read(text).expect("two addresses");
        assert_eq!(urls.as_slice().len(), 2);
        assert_eq!(urls.show(), text);
        assert!(!format!("{urls:?}").contains("hunter2"));
        let spaced = RedisUrls::read("redis://icp:hunter2@a:6379, rediss://b/1");
        assert_eq!(spaced, Some(urls));
        for none in ["", "none"] {
            assert_eq!(RedisUrls::read(none), Some(RedisUrls(Vec::new())), "{none}");
        }
        for wrong in [
            "a:6379",
            "http://a",
            "redis://",
            "redis://a,",
            ",redis://a",
            "redis://a,,redis://b",
            "REDIS://a",
        ] {
            assert_eq!(RedisUrls::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn modes_and_names_read_back() {
        for mode in ["standalone", "sentinel", "cluster"] {
            assert_eq!(
                RedisMode::read(mode).map(|mode| mode.show()),
                Some(mode.to_owned())
            );
        }
        assert_eq!(RedisMode::read("Cluster"), None);
        let name = SentinelService::read("my-master.1_a").expect("a name");
        assert_eq!(name.show(), "my-master.1_a");
        for wrong in ["", "a b", "名", &"x".repeat(65)] {
            assert_eq!(SentinelService::read(wrong), None, "{wrong}");
        }
    }
}
