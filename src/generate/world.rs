//! What all holders share: the parameters, the numbers given out, and the time.

use icpgate_policy::calendar::start_of;
use jiff::ToSpan as _;
use jiff::civil::Date;
use pbjson_types::Timestamp;

use super::dice::Dice;
use super::serials::Serials;
use super::{FIRST_DAY, LAST_DAY, Parameters, SOURCE};
use crate::proto::v1;
use crate::proto::v1::record::Record;

/// Seconds of a day.
const DAY: u32 = 86_400;

/// What all holders share.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) provider_id: String,
    pub(super) serials: Serials,
    as_of: Date,
    /// Second at which `as_of` begins in Beijing.
    midnight: i64,
}

impl World {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let as_of = parameters.as_of.clamp(FIRST_DAY, LAST_DAY);
        Self {
            seed: parameters.seed,
            provider_id: parameters.provider_id.clone(),
            serials: Serials::default(),
            as_of,
            midnight: start_of(as_of).as_second(),
        }
    }

    /// The year of the registry.
    pub(super) fn year(&self) -> i16 {
        self.as_of.year()
    }

    /// A moment on the Beijing day so many days ago; 1 is yesterday.
    pub(super) fn ago(&self, dice: &mut Dice, days: u32) -> Timestamp {
        self.at(-i64::from(days), dice.below(DAY))
    }

    /// A moment on the Beijing day so many days ahead; 0 is today.
    pub(super) fn ahead(&self, dice: &mut Dice, days: u32) -> Timestamp {
        self.at(i64::from(days), dice.below(DAY))
    }

    /// The Beijing day so many days ago.
    pub(super) fn day_ago(&self, days: u32) -> Date {
        self.as_of.saturating_sub(i64::from(days).days())
    }

    /// The Beijing day so many days ahead.
    pub(super) fn day_ahead(&self, days: u32) -> Date {
        self.as_of.saturating_add(i64::from(days).days())
    }

    fn at(&self, days: i64, second: u32) -> Timestamp {
        Timestamp {
            seconds: self.midnight + days * i64::from(DAY) + i64::from(second),
            nanos: 0,
        }
    }
}

/// A record as it is reported.
pub(super) fn reported(record: Record) -> v1::Record {
    v1::Record {
        record: Some(record),
        source: SOURCE.to_owned(),
        observed_at: None,
    }
}
