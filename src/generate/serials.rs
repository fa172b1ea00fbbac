//! Filing and licence numbers, each given out once.
//!
//! Memory: one counter for each issuer and year, however many numbers are given out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use icpgate_policy::numbers::Province;

/// First year of filing (MII Order 33, in force since 20 March 2005).
pub(super) const FIRST_YEAR: i16 = 2005;

/// First year whose filing numbers are written with four digits.
const FOUR_DIGIT_YEARS: i16 = 2020;

/// Serials of a province in a year: six digits, without 000000, which stands in templates.
const FILINGS: u32 = 999_999;

/// Serials of an issuer in a year: four digits, without 0000.
const LICENCES: u32 = 9_999;

/// Prime to [`FILINGS`], so that its multiples run through all serials.
const STEP: u64 = 618_031;

/// Year and serial of 12345678, which stands in templates too.
const TEMPLATE: (i16, u64) = (2012, 345_678);

/// Who issues a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Issuer {
    /// The authority of a province.
    Province(Province),
    /// The ministry.
    Ministry,
    /// The ministry, for a foreign-invested company.
    MinistryForeign,
}

/// What has been given out.
#[derive(Debug, Default)]
pub(super) struct Serials {
    filings: BTreeMap<(Province, i16), u32>,
    licences: BTreeMap<(Issuer, i16), u32>,
}

impl Serials {
    /// A subject number of the province and the year. Where these have run out, of the years
    /// before, then of those after, up to `last_year`; none where the province has run out.
    pub(super) fn filing(
        &mut self,
        province: Province,
        year: i16,
        last_year: i16,
    ) -> Option<String> {
        let year = nearest(year, FIRST_YEAR..=last_year, |year| {
            self.filings.get(&(province, year)).copied().unwrap_or(0) < FILINGS
        })?;
        let given = self.filings.entry((province, year)).or_default();
        let mut number = serial(*given);
        if (year, number) == TEMPLATE {
            // INVARIANT: it is not the last one.
            *given += 1;
            number = serial(*given);
        }
        *given += 1;
        let prefix = province.icp_prefix();
        Some(if year < FOUR_DIGIT_YEARS {
            format!("{prefix}ICP备{:02}{number:06}号", year % 100)
        } else {
            format!("{prefix}ICP备{year:04}{number:06}号")
        })
    }

    /// A licence number of the issuer and exactly the year, which is the year in which the licence
    /// was issued; none where these have run out.
    pub(super) fn licence(&mut self, issuer: Issuer, year: i16) -> Option<String> {
        let given = self.licences.entry((issuer, year)).or_default();
        if *given >= LICENCES {
            return None;
        }
        *given += 1;
        let serial = *given;
        Some(match issuer {
            Issuer::Province(province) => {
                format!("{}B2-{year:04}{serial:04}", province.icp_prefix())
            }
            Issuer::Ministry => format!("B1.B2-{year:04}{serial:04}"),
            Issuer::MinistryForeign => format!("合字B2-{year:04}{serial:04}"),
        })
    }
}

/// The serial that is given out after so many others of its year: 1 to 999999, each once.
fn serial(given: u32) -> u64 {
    u64::from(given) * STEP % u64::from(FILINGS) + 1
}

/// The year, or the nearest one before it, or else after it, that will do.
fn nearest(year: i16, years: RangeInclusive<i16>, will_do: impl Fn(i16) -> bool) -> Option<i16> {
    let (first, last) = years.into_inner();
    let year = year.clamp(first, last);
    (first..=year)
        .rev()
        .chain(year..=last)
        .find(|year| will_do(*year))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use icpgate_policy::numbers::{LicenceNumber, SubjectNumber};

    use super::*;

    #[test]
    fn every_serial_is_given_once() {
        let mut seen = vec![false; 1_000_000];
        for given in 0..FILINGS {
            let serial = usize::try_from(serial(given)).unwrap();
            assert!(!seen[serial], "{serial} twice");
            seen[serial] = true;
        }
        assert_eq!(seen.iter().position(|seen| !seen), Some(0));
    }

    #[test]
    fn the_number_of_templates_is_left_out() {
        let at = (0..FILINGS)
            .find(|given| serial(*given) == 345_678)
            .unwrap();
        assert!(at + 1 < FILINGS, "{at}");
        for year in [2012, 2013] {
            let mut serials = Serials::default();
            serials.filings.insert((Province::Beijing, year), at);
            let number = serials.filing(Province::Beijing, year, 2026).unwrap();
            assert_eq!(number == "京ICP备13345678号", year == 2013, "{number}");
            assert!(SubjectNumber::parse(&number, 2026).is_ok(), "{number}");
        }
    }

    #[test]
    fn where_a_year_has_run_out_its_neighbours_serve() {
        let mut serials = Serials::default();
        serials.filings.insert((Province::Tibet, 2020), FILINGS);
        let mut given = |year| serials.filing(Province::Tibet, year, 2021).unwrap();
        assert_eq!(given(2020), "藏ICP备19000001号");
        assert_eq!(given(2019), "藏ICP备19618032号");
        // No number is of a later year than the registry.
        assert_eq!(given(2030), "藏ICP备2021000001号");
        serials
            .filings
            .extend((2005..2021).map(|year| ((Province::Tibet, year), FILINGS)));
        let next = serials.filing(Province::Tibet, 2006, 2021).unwrap();
        assert_eq!(next, "藏ICP备2021618032号");
    }

    #[test]
    fn a_province_may_run_out() {
        let mut serials = Serials::default();
        serials.filings.insert((Province::Tibet, 2005), FILINGS);
        assert_eq!(serials.filing(Province::Tibet, 2005, 2005), None);
        assert!(serials.filing(Province::Tibet, 2005, 2006).is_some());
    }

    #[test]
    fn numbers_are_well_formed() {
        let mut serials = Serials::default();
        for province in Province::all() {
            for year in [2005, 2009, 2010, 2019, 2020, 2021, 2026] {
                let number = serials.filing(province, year, 2026).unwrap();
                let parsed = SubjectNumber::parse(&number, 2026).unwrap();
                assert_eq!(parsed.as_str(), number);
                assert_eq!(
                    (parsed.province(), parsed.year()),
                    (Some(province), Some(year))
                );
            }
        }
        for issuer in [
            Issuer::Province(Province::Sichuan),
            Issuer::Ministry,
            Issuer::MinistryForeign,
        ] {
            let number = serials.licence(issuer, 2026).unwrap();
            assert_eq!(
                LicenceNumber::parse(&number, 2026).unwrap().as_str(),
                number
            );
        }
    }

    #[test]
    fn licences_of_a_year_run_out() {
        let mut serials = Serials::default();
        let given: BTreeSet<_> = (0..LICENCES)
            .map(|_| serials.licence(Issuer::Ministry, 2024).unwrap())
            .collect();
        assert_eq!(given.len(), 9_999);
        assert_eq!(serials.licence(Issuer::Ministry, 2024), None);
        assert!(serials.licence(Issuer::Ministry, 2023).is_some());
    }
}
