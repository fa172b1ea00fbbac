//! Sample records to try the program with.
//!
//! But for two well-known sites whose filing number is a licence number, companies and persons in
//! them are invented and say so. Days and instants are written relative to the moment of loading,
//! so that the sample never rots: `{{now-10d}}` is an instant ten days back, `{{day+30}}` a
//! Beijing day thirty days ahead, `{{provider}}` this provider.

use icpgate_policy::calendar::beijing_day;
use jiff::{SignedDuration, Timestamp};

const RECORDS: &str = include_str!("records.ndjson");

/// The sample as NDJSON, with its days and instants set for `now`.
#[must_use]
pub fn records(now: Timestamp, provider_id: &str) -> String {
    let mut text = String::with_capacity(RECORDS.len());
    let mut rest = RECORDS;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((mark, after)) = after.split_once("}}") else {
            break;
        };
        text.push_str(&value(mark, now, provider_id));
        rest = after;
    }
    text.push_str(rest);
    text
}

fn value(mark: &str, now: Timestamp, provider_id: &str) -> String {
    let days = |text: &str| {
        text.trim_end_matches('d')
            .parse::<i64>()
            .unwrap_or_default()
    };
    let after = |days: i64| {
        now.saturating_add(SignedDuration::from_hours(24 * days))
            .unwrap_or(now)
    };
    if mark == "provider" {
        provider_id.to_owned()
    } else if let Some(offset) = mark.strip_prefix("day") {
        beijing_day(after(days(offset))).to_string()
    } else if let Some(offset) = mark.strip_prefix("now") {
        after(days(offset)).to_string()
    } else {
        // Left as it stands, so that the import names it.
        format!("{{{{{mark}}}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_set_for_the_moment_of_loading() {
        let now: Timestamp = "2031-12-31T20:00:00Z".parse().unwrap();
        let text = records(now, "us");
        assert!(!text.contains("{{"), "{text}");
        assert!(text.contains("\"expires_on\": \"2032-01-31\""), "{text}");
        assert!(text.contains("\"2031-12-21T20:00:00Z\""), "{text}");
        assert!(text.contains("\"provider_id\": \"us\""), "{text}");
    }
}
