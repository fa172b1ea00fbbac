//! Working days by the holiday arrangement that the State Council publishes each year.
//!
//! A holiday takes a weekday off, and a make-up day (调休) makes a Saturday or Sunday a working
//! day. In a year without an entry, Monday to Friday are working days and nothing else is known;
//! ask [`WorkingCalendar::has_year`] before a promise rests on it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{DayError, parse_day};

/// The arrangement of one year as it is written in a policy document.
///
/// ```toml
/// [calendar.2026]
/// holidays = ["2026-01-01..2026-01-03", "2026-02-15..2026-02-23"]
/// make_up_days = ["2026-01-04"]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarYear {
    /// Days off: days `YYYY-MM-DD`, or ranges of them that include both ends.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// Saturdays and Sundays that are worked, written in the same way.
    #[serde(default)]
    pub make_up_days: Vec<String>,
}

/// Which list of a year an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarList {
    /// `holidays`.
    Holidays,
    /// `make_up_days`.
    MakeUpDays,
}

impl CalendarList {
    /// The key of the list in a document.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            CalendarList::Holidays => "holidays",
            CalendarList::MakeUpDays => "make_up_days",
        }
    }
}

/// An entry of the calendar that cannot stand.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("calendar.{year}{}: {problem}", self.place())]
pub struct CalendarError {
    /// The year as written in the document.
    pub year: String,
    /// List, index in it from 0, and text of the entry; none when the year itself is wrong.
    pub entry: Option<(CalendarList, usize, String)>,
    /// What is wrong.
    pub problem: CalendarProblem,
}

impl CalendarError {
    fn place(&self) -> String {
        self.entry
            .as_ref()
            .map(|(list, index, text)| format!(".{}[{index}] `{text}`", list.key()))
            .unwrap_or_default()
    }
}

/// What can be wrong with a calendar entry.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CalendarProblem {
    /// A day that is no day.
    #[error(transparent)]
    Day(DayError),
    /// A make-up day that is a holiday too.
    #[error("{0} is a holiday too")]
    MakeUpOnHoliday(Date),
    /// A make-up day from Monday to Friday, when people work anyway.
    #[error("{0} is not a Saturday or Sunday")]
    MakeUpOnWeekday(Date),
    /// A day of another year than the table it stands in.
    #[error("{0} is not in this year")]
    OtherYear(Date),
    /// A range that ends before it begins.
    #[error("ends before it begins")]
    RangeBackwards,
    /// A day that the list names twice.
    #[error("{0} stands in the list twice")]
    Twice(Date),
    /// The key is not a year of four digits.
    #[error("not a year of four digits")]
    Year,
}

/// Which days are worked.
///
/// Two calendars are equal when they hold the same days, however these were written. Serialised
/// as the table of [`CalendarYear`] by year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, CalendarYear>",
    into = "BTreeMap<String, CalendarYear>"
)]
pub struct WorkingCalendar {
    years: BTreeSet<i16>,
    holidays: BTreeSet<Date>,
    make_up_days: BTreeSet<Date>,
}

impl WorkingCalendar {
    /// Builds a calendar from the tables of a document.
    ///
    /// # Errors
    ///
    /// All entries that cannot stand, in the order of the document's years.
    pub fn new(tables: &BTreeMap<String, CalendarYear>) -> Result<Self, Vec<CalendarError>> {
        let mut calendar = Self::default();
        let mut errors = Vec::new();
        for (year, table) in tables {
            calendar.add(year, table, &mut errors);
        }
        if errors.is_empty() {
            Ok(calendar)
        } else {
            Err(errors)
        }
    }

    /// Whether there is an arrangement for a year.
    #[must_use]
    pub fn has_year(&self, year: i16) -> bool {
        self.years.contains(&year)
    }

    /// Whether a day is worked; without an arrangement for its year, from Monday to Friday.
    #[must_use]
    pub fn is_working_day(&self, day: Date) -> bool {
        // INVARIANT: make-up days are Saturdays and Sundays, so one list tells for each day.
        if is_weekend(day) {
            self.make_up_days.contains(&day)
        } else {
            !self.holidays.contains(&day)
        }
    }

    /// The first working day after a day, never the day itself.
    #[must_use]
    pub fn next_working_day(&self, day: Date) -> Date {
        self.working_days_after(day, 1)
    }

    /// The `count`th working day after a day, which itself never counts; with a `count` of 0 the
    /// day itself if it is worked, else the next working day. Ends at [`Date::MAX`].
    #[must_use]
    pub fn working_days_after(&self, day: Date, count: u16) -> Date {
        if count == 0 && self.is_working_day(day) {
            return day;
        }
        let mut left = count.max(1);
        let mut day = day;
        while let Ok(tomorrow) = day.tomorrow() {
            day = tomorrow;
            if self.is_working_day(day) {
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        day
    }

    fn add(&mut self, key: &str, table: &CalendarYear, errors: &mut Vec<CalendarError>) {
        let is_year = key.len() == 4 && key.bytes().all(|byte| byte.is_ascii_digit());
        let Some(year) = key.parse::<i16>().ok().filter(|_| is_year) else {
            let problem = CalendarProblem::Year;
            errors.push(CalendarError {
                year: key.to_owned(),
                entry: None,
                problem,
            });
            return;
        };
        self.years.insert(year);
        let lists = [
            (CalendarList::Holidays, &table.holidays),
            (CalendarList::MakeUpDays, &table.make_up_days),
        ];
        for (list, entries) in lists {
            for (index, text) in entries.iter().enumerate() {
                if let Err(problem) = self.add_entry(year, list, text) {
                    let entry = Some((list, index, text.clone()));
                    errors.push(CalendarError {
                        year: key.to_owned(),
                        entry,
                        problem,
                    });
                }
            }
        }
    }

    fn add_entry(
        &mut self,
        year: i16,
        list: CalendarList,
        text: &str,
    ) -> Result<(), CalendarProblem> {
        let (begin, end) = text.split_once("..").unwrap_or((text, text));
        let begin = parse_day(begin).map_err(CalendarProblem::Day)?;
        let end = parse_day(end).map_err(CalendarProblem::Day)?;
        // INVARIANT: both ends in one year, so that a range has at most 366 days.
        for day in [begin, end] {
            if day.year() != year {
                return Err(CalendarProblem::OtherYear(day));
            }
        }
        if end < begin {
            return Err(CalendarProblem::RangeBackwards);
        }
        for day in begin
            .series(jiff::Span::new().days(1))
            .take_while(|&day| day <= end)
        {
            self.add_day(list, day)?;
        }
        Ok(())
    }

    fn add_day(&mut self, list: CalendarList, day: Date) -> Result<(), CalendarProblem> {
        let is_new = match list {
            CalendarList::Holidays => self.holidays.insert(day),
            CalendarList::MakeUpDays if self.holidays.contains(&day) => {
                return Err(CalendarProblem::MakeUpOnHoliday(day));
            }
            CalendarList::MakeUpDays if !is_weekend(day) => {
                return Err(CalendarProblem::MakeUpOnWeekday(day));
            }
            CalendarList::MakeUpDays => self.make_up_days.insert(day),
        };
        if is_new {
            Ok(())
        } else {
            Err(CalendarProblem::Twice(day))
        }
    }
}

impl TryFrom<BTreeMap<String, CalendarYear>> for WorkingCalendar {
    type Error = CalendarError;

    /// The first of the errors of [`WorkingCalendar::new`].
    fn try_from(tables: BTreeMap<String, CalendarYear>) -> Result<Self, CalendarError> {
        Self::new(&tables).or_else(|errors| match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(Self::default()),
        })
    }
}

impl From<WorkingCalendar> for BTreeMap<String, CalendarYear> {
    fn from(calendar: WorkingCalendar) -> Self {
        let of_year = |days: &BTreeSet<Date>, year: i16| ranges(days, year);
        calendar
            .years
            .iter()
            .map(|&year| {
                let table = CalendarYear {
                    holidays: of_year(&calendar.holidays, year),
                    make_up_days: of_year(&calendar.make_up_days, year),
                };
                (format!("{year:04}"), table)
            })
            .collect()
    }
}

/// The days of a year, with days in a row written as a range.
fn ranges(days: &BTreeSet<Date>, year: i16) -> Vec<String> {
    let mut runs: Vec<(Date, Date)> = Vec::new();
    for &day in days.iter().filter(|day| day.year() == year) {
        match runs.last_mut() {
            Some((_, last)) if last.tomorrow().is_ok_and(|next| next == day) => *last = day,
            Some(_) | None => runs.push((day, day)),
        }
    }
    runs.iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}..{last}")
            }
        })
        .collect()
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    /// General Office of the State Council, arrangement for 2026.
    const ARRANGEMENT: &str = r#"
        [2026]
        holidays = [
            "2026-01-01..2026-01-03", "2026-02-15..2026-02-23", "2026-04-04..2026-04-06",
            "2026-05-01..2026-05-05", "2026-06-19..2026-06-21", "2026-09-25..2026-09-27",
            "2026-10-01..2026-10-07",
        ]
        make_up_days = [
            "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
        ]
    "#;

    fn calendar() -> WorkingCalendar {
        toml::from_str(ARRANGEMENT).unwrap()
    }

    fn problems(text: &str) -> Vec<String> {
        let tables: BTreeMap<String, CalendarYear> = toml::from_str(text).unwrap();
        let errors = WorkingCalendar::new(&tables).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn working_days_around_spring_festival() {
        let calendar = calendar();
        // Friday; Saturday is worked, then nine days are off, then Tuesday.
        let friday = date(2026, 2, 13);
        assert_eq!(calendar.next_working_day(friday), date(2026, 2, 14));
        assert_eq!(calendar.working_days_after(friday, 2), date(2026, 2, 24));
        assert_eq!(calendar.working_days_after(friday, 6), date(2026, 2, 28));
        assert_eq!(calendar.working_days_after(friday, 7), date(2026, 3, 2));
        assert_eq!(
            calendar.working_days_after(date(2026, 2, 17), 0),
            date(2026, 2, 24)
        );
        assert_eq!(calendar.working_days_after(friday, 0), friday);
    }

    #[test]
    fn working_days_around_national_day() {
        let calendar = calendar();
        assert_eq!(
            calendar.working_days_after(date(2026, 9, 30), 1),
            date(2026, 10, 8)
        );
        assert_eq!(
            calendar.working_days_after(date(2026, 9, 30), 3),
            date(2026, 10, 10)
        );
        assert_eq!(
            calendar.working_days_after(date(2026, 9, 30), 4),
            date(2026, 10, 12)
        );
        assert!(calendar.is_working_day(date(2026, 9, 20)));
        assert!(!calendar.is_working_day(date(2026, 9, 19)));
        assert!(!calendar.is_working_day(date(2026, 9, 25)));
    }

    #[test]
    fn a_year_without_arrangement_has_weekends_only() {
        let calendar = calendar();
        assert!(calendar.has_year(2026));
        assert!(!calendar.has_year(2027));
        assert!(calendar.is_working_day(date(2027, 10, 1)));
        assert!(!calendar.is_working_day(date(2027, 10, 2)));
    }

    #[test]
    fn an_end_of_time_ends_the_count() {
        assert_eq!(
            WorkingCalendar::default().working_days_after(Date::MAX, 9),
            Date::MAX
        );
        let day = date(9999, 12, 30);
        assert_eq!(
            WorkingCalendar::default().working_days_after(day, u16::MAX),
            Date::MAX
        );
    }

    #[test]
    fn serialised_form_reads_back() {
        let calendar = calendar();
        let text = toml::to_string(&calendar).unwrap();
        assert!(text.contains("2026-02-15..2026-02-23"), "{text}");
        assert_eq!(toml::from_str::<WorkingCalendar>(&text).unwrap(), calendar);
    }

    #[test]
    fn every_wrong_entry_is_named() {
        assert_eq!(
            problems(
                r#"
                [2026]
                holidays = ["2026-01-01", "2025-12-31..2026-01-01", "2026-02-30", "2026-03-05..2026-03-02", "2026-01-01..2026-01-02", "May 1"]
                make_up_days = ["2026-01-05", "2026-01-03", "2026-01-03", "2026-01-01"]
                [26]
                "#
            ),
            [
                "calendar.2026.holidays[1] `2025-12-31..2026-01-01`: 2025-12-31 is not in this year",
                "calendar.2026.holidays[2] `2026-02-30`: no such day",
                "calendar.2026.holidays[3] `2026-03-05..2026-03-02`: ends before it begins",
                "calendar.2026.holidays[4] `2026-01-01..2026-01-02`: 2026-01-01 stands in the list twice",
                "calendar.2026.holidays[5] `May 1`: not of the form YYYY-MM-DD",
                "calendar.2026.make_up_days[0] `2026-01-05`: 2026-01-05 is not a Saturday or Sunday",
                "calendar.2026.make_up_days[2] `2026-01-03`: 2026-01-03 stands in the list twice",
                "calendar.2026.make_up_days[3] `2026-01-01`: 2026-01-01 is a holiday too",
                "calendar.26: not a year of four digits",
            ]
        );
        let error = toml::from_str::<WorkingCalendar>("[2026]\nholidays = [\"2027-01-01\"]");
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("calendar.2026.holidays[0] `2027-01-01`")
        );
        assert!(toml::from_str::<WorkingCalendar>("[2026]\nholiday = []").is_err());
    }

    proptest! {
        #[test]
        fn counting_on_is_the_same_as_counting_at_once(
            offset in 0_i32..400, first in 1_u16..40, second in 1_u16..40,
        ) {
            let calendar = calendar();
            let day = date(2026, 1, 1).saturating_add(jiff::Span::new().days(offset));
            let middle = calendar.working_days_after(day, first);
            prop_assert!(calendar.is_working_day(middle));
            prop_assert_eq!(
                calendar.working_days_after(middle, second),
                calendar.working_days_after(day, first + second)
            );
        }
    }
}
