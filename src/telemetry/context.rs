//! Trace context as it travels between services: W3C Trace Context, levels 1 and 2.

use http::{HeaderMap, HeaderName};

/// Header with the trace and the caller's span.
static PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Header with what others keep about the trace.
static STATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest state that is passed on, in octets: as much as everybody has to.
const LONGEST_STATE: usize = 512;

/// The caller's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    /// The trace.
    pub(crate) trace_id: u128,
    /// The caller's span.
    pub(crate) span_id: u64,
    /// Whether the caller keeps the trace.
    pub(crate) sampled: bool,
}

/// A number in hexadecimal digits, as identifiers of traces are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hex(pub(crate) u128);

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Parent {
    /// The caller's place, if the headers tell one. What is malformed tells none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(&PARENT).iter();
        let parent = given.next()?;
        if given.next().is_some() {
            return None;
        }
        Self::read(parent.to_str().ok()?)
    }

    fn read(text: &str) -> Option<Self> {
        let (version, rest) = text.split_once('-')?;
        let (trace_id, rest) = rest.split_once('-')?;
        let (span_id, rest) = rest.split_once('-')?;
        let flags = match (version, rest.split_once('-')) {
            // This version has nothing behind the flags, later ones may.
            ("00", Some(_)) | ("ff", _) => return None,
            (_, Some((flags, _))) => flags,
            (_, None) => rest,
        };
        digits(version, 2)?;
        let flags = digits(flags, 2)?;
        let trace_id = digits(trace_id, 32).filter(|id| *id != 0)?;
        let span_id = digits(span_id, 16).filter(|id| *id != 0)?;
        Some(Self {
            trace_id,
            span_id: u64::try_from(span_id).ok()?,
            sampled: flags & 1 == 1,
        })
    }
}

/// What others keep about the trace, in one line; empty where that is too long or no text.
pub(crate) fn state(headers: &HeaderMap) -> String {
    let mut state = String::new();
    for part in headers.get_all(&STATE) {
        let Ok(part) = part.to_str() else {
            return String::new();
        };
        if !state.is_empty() {
            state.push(',');
        }
        state.push_str(part);
    }
    if state.len() > LONGEST_STATE {
        state.clear();
    }
    state
}

/// A number of so many hexadecimal digits, in small letters.
fn digits(text: &str, count: usize) -> Option<u128> {
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == count && text.bytes().all(plain))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read_as_the_standard_writes_them() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = Parent::read(good).expect("a parent");
        assert_eq!(Hex(parent.trace_id).to_string(), trace);
        assert_eq!(
            (parent.span_id, parent.sampled),
            (0x00f0_67aa_0ba9_02b7, true)
        );
        let flags = |flags: &str| Parent::read(&good.replace("-01", flags));
        assert_eq!(flags("-00").map(|parent| parent.sampled), Some(false));
        assert_eq!(flags("-03").map(|parent| parent.sampled), Some(true));
        // A later version, with more behind.
        let later = good.replace("00-4b", "01-4b") + "-what";
        assert!(Parent::read(&later).is_some());
        for wrong in [
            "",
            "00",
            good.trim_end_matches('1'),
            &(good.to_owned() + "-what"),
            &good.replace("00-4b", "ff-4b"),
            &good.replace("4bf9", "4BF9"),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &good.replace("00f067aa0ba902b7", "+0f067aa0ba902b7"),
            &good.replace("-01", "-1"),
        ] {
            assert_eq!(Parent::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn two_parents_are_none_and_two_states_are_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = HeaderMap::new();
        headers.append(&PARENT, good.parse().expect("a value"));
        headers.append(&STATE, "a=1".parse().expect("a value"));
        headers.append(&STATE, "b=2".parse().expect("a value"));
        assert!(Parent::of(&headers).is_some());
        assert_eq!(state(&headers), "a=1,b=2");
        headers.append(&PARENT, good.parse().expect("a value"));
        assert_eq!(Parent::of(&headers), None);
        headers.append(&STATE, "c".repeat(600).parse().expect("a value"));
        assert_eq!(state(&headers), "");
    }
}
