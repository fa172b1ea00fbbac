//! The types of what is configured about metrics.

use std::time::Duration;

use super::setting::Setting;

/// How often something is done, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Never.
    Off,
    /// So often.
    Interval(Duration),
}

impl Setting for Every {
    const EXPECTED: &'static str = "a duration above zero, such as `6h` or `1d`, or `off`";

    fn read(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::Off);
        }
        Duration::read(text).map(Self::Interval)
    }

    fn show(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Interval(interval) => interval.show(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["off", "6h", "1500ms"] {
            assert_eq!(Every::read(text).unwrap().show(), text);
        }
        for text in ["", "OFF", "0s", "6"] {
            assert_eq!(Every::read(text), None, "{text}");
        }
    }
}
