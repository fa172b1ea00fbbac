//! Values of flags: the contract's names in any case, with dashes or underscores.

use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use icpgate_policy::codes::{
    BusinessModel, DomainControl, Product, Purpose, RealName, Sector, ServiceArea,
};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::config::Setting as _;

/// Reads a member of a closed set.
#[derive(Clone)]
pub(super) struct Member<T: 'static> {
    members: &'static [T],
    name: fn(T) -> &'static str,
}

/// `--product`.
pub(super) const PRODUCT: Member<Product> = Member {
    members: Product::ALL,
    name: Product::as_str,
};
/// `--area`.
pub(super) const AREA: Member<ServiceArea> = Member {
    members: ServiceArea::ALL,
    name: ServiceArea::as_str,
};
/// `--purpose`.
pub(super) const PURPOSE: Member<Purpose> = Member {
    members: Purpose::ALL,
    name: Purpose::as_str,
};
/// `--model`.
pub(super) const MODEL: Member<BusinessModel> = Member {
    members: BusinessModel::ALL,
    name: BusinessModel::as_str,
};
/// `--sector`.
pub(super) const SECTOR: Member<Sector> = Member {
    members: Sector::ALL,
    name: Sector::as_str,
};
/// `--customer-real-name`.
pub(super) const REAL_NAME: Member<RealName> = Member {
    members: RealName::ALL,
    name: RealName::as_str,
};
/// `--domain-control`.
pub(super) const DOMAIN_CONTROL: Member<DomainControl> = Member {
    members: DomainControl::ALL,
    name: DomainControl::as_str,
};

impl<T: Copy + Send + Sync + 'static> TypedValueParser for Member<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<T, clap::Error> {
        let typed = value.to_string_lossy();
        let code = typed.trim().to_uppercase().replace(['-', ' '], "_");
        let found = self
            .members
            .iter()
            .copied()
            .find(|member| (self.name)(*member) == code);
        found.ok_or_else(|| {
            let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
            if let Some(arg) = arg {
                let name = ContextValue::String(arg.to_string());
                error.insert(ContextKind::InvalidArg, name);
            }
            let typed = super::output::clean(&typed).into_owned();
            error.insert(ContextKind::InvalidValue, ContextValue::String(typed));
            let valid = self
                .members
                .iter()
                .map(|member| dashed((self.name)(*member)))
                .collect();
            error.insert(ContextKind::ValidValue, ContextValue::Strings(valid));
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = self
            .members
            .iter()
            .map(|member| dashed((self.name)(*member)));
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

fn dashed(code: &str) -> String {
    code.to_ascii_lowercase().replace('_', "-")
}

/// Reads an instant such as `2026-11-22T08:00:00Z`, or a day, which begins at midnight in Beijing.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    day(text)
        .ok()
        .and_then(|day| jiff::tz::offset(8).to_timestamp(day.at(0, 0, 0, 0)).ok())
        .ok_or_else(|| {
            "give a day (`2026-11-22`, Beijing) or an instant (`2026-11-22T08:00:00Z`)".to_owned()
        })
}

/// Reads a day such as `2026-11-22`.
pub(super) fn day(text: &str) -> Result<Date, String> {
    let day = text.parse().ok();
    day.filter(|_| text.len() == "YYYY-MM-DD".len())
        .ok_or_else(|| "give a day, such as `2026-11-22`".to_owned())
}

/// Reads a span as the configuration has them.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    Duration::read(text).ok_or_else(|| format!("give {}", Duration::EXPECTED))
}

/// Reads `KEY=VALUE`.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give `section.key=value`")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_beijing() {
        assert_eq!(
            instant("2026-11-22").unwrap().to_string(),
            "2026-11-21T16:00:00Z"
        );
        assert_eq!(
            instant("2026-11-22T08:00:00Z").unwrap().to_string(),
            "2026-11-22T08:00:00Z"
        );
        for text in ["", "today", "2026-11-31", "2026-11-22T08:00", "22/11/2026"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }
}
