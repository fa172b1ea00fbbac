//! Days as the law counts them: calendar days and working days in Beijing.
//!
//! **Invariant:** Beijing is UTC+8 at every instant; China has had no summer time since 1991, and
//! no date here is older. **Never here:** a clock, a time zone database, or a panic at the ends of
//! time: what lies beyond is the last representable instant or day. Start at [`beijing_day`] for
//! instants and at [`WorkingCalendar`] for working days.

mod working;

pub use working::{CalendarError, CalendarList, CalendarProblem, CalendarYear, WorkingCalendar};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use thiserror::Error;

/// Beijing time, UTC+8.
const BEIJING: Offset = Offset::constant(8);

/// Why a text is no day.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DayError {
    /// It is not of the form `YYYY-MM-DD`.
    #[error("not of the form YYYY-MM-DD")]
    Form,
    /// There is no such day, such as 30 February.
    #[error("no such day")]
    NoSuchDay,
}

/// The calendar day in Beijing at an instant.
#[must_use]
pub fn beijing_day(instant: Timestamp) -> Date {
    BEIJING.to_datetime(instant).date()
}

/// The first instant of a day in Beijing.
#[must_use]
pub fn start_of(day: Date) -> Timestamp {
    match BEIJING.to_timestamp(day.at(0, 0, 0, 0)) {
        Ok(instant) => instant,
        Err(_) if day < Date::ZERO => Timestamp::MIN,
        Err(_) => Timestamp::MAX,
    }
}

/// The first instant after a day in Beijing: what lasts to the end of a day, that day included,
/// is over at this instant.
#[must_use]
pub fn end_of(day: Date) -> Timestamp {
    day.tomorrow().map_or(Timestamp::MAX, start_of)
}

/// Reads a day of the form `YYYY-MM-DD`, and no other.
///
/// # Errors
///
/// [`DayError::Form`] for another form, [`DayError::NoSuchDay`] for a day that does not exist.
pub fn parse_day(text: &str) -> Result<Date, DayError> {
    let form = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !form {
        return Err(DayError::Form);
    }
    let year = text
        .get(..4)
        .and_then(|part| part.parse().ok())
        .ok_or(DayError::Form)?;
    let month = text
        .get(5..7)
        .and_then(|part| part.parse().ok())
        .ok_or(DayError::Form)?;
    let day = text
        .get(8..)
        .and_then(|part| part.parse().ok())
        .ok_or(DayError::Form)?;
    Date::new(year, month, day).map_err(|_| DayError::NoSuchDay)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_day_begins_at_sixteen_hours_universal_time() {
        let before: Timestamp = "2026-11-21T15:59:59.999999999Z".parse().unwrap();
        let at: Timestamp = "2026-11-21T16:00:00Z".parse().unwrap();
        assert_eq!(beijing_day(before), date(2026, 11, 21));
        assert_eq!(beijing_day(at), date(2026, 11, 22));
        assert_eq!(start_of(date(2026, 11, 22)), at);
        assert_eq!(end_of(date(2026, 11, 21)), at);
    }

    #[test]
    fn the_ends_of_time_saturate() {
        assert_eq!(end_of(Date::MAX), Timestamp::MAX);
        assert_eq!(start_of(Date::MIN), Timestamp::MIN);
        assert!(beijing_day(Timestamp::MAX) <= Date::MAX);
        assert!(beijing_day(Timestamp::MIN) >= Date::MIN);
    }

    #[test]
    fn only_one_form_of_day_is_read() {
        assert_eq!(parse_day("2024-02-29"), Ok(date(2024, 2, 29)));
        for text in ["2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31"] {
            assert_eq!(parse_day(text), Err(DayError::NoSuchDay), "{text}");
        }
        for text in [
            "",
            "2026-2-9",
            "20260209",
            "2026/02/09",
            " 2026-02-09",
            "2026-02-09T00",
            "+026-02-09",
            "二〇二六-02-09",
            "２026-02-09",
        ] {
            assert_eq!(parse_day(text), Err(DayError::Form), "{text}");
        }
    }

    proptest! {
        #[test]
        fn start_and_day_are_inverse(days in -700_000_i32..2_900_000) {
            let day = date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
            prop_assert_eq!(beijing_day(start_of(day)), day);
            let last = end_of(day).checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap();
            prop_assert_eq!(beijing_day(last), day);
        }

        #[test]
        fn any_text_is_a_day_or_an_error(text in "\\PC{0,12}") {
            if let Ok(day) = parse_day(&text) {
                prop_assert_eq!(day.to_string(), text);
            }
        }
    }
}
