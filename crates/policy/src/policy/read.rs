//! Reads policy documents and gathers everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use toml::{Table, Value};

use super::{
    Effect, LicencePolicy, LicenceRequirement, Mode, Policy, PolicySource, Retry, SectorEffect,
    Staleness, Validity, default_effect, shipped,
};
use crate::calendar::{CalendarYear, WorkingCalendar};
use crate::codes::{BusinessModel, PersonRole, Reason, Sector, SubjectNature, TelecomBusiness};
use crate::domain_name::{SuffixList, Suffixes};
use crate::numbers::Province;
use crate::rules::{RULES, RuleId};

/// Longest chain of documents that extend each other.
const LONGEST_CHAIN: usize = 4;

/// Everything that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy has {} problem(s)", .problems.len())]
pub struct PolicyError {
    /// The problems, in the order of their paths.
    pub problems: Vec<(String, PolicyProblem)>,
}

/// What is wrong at one path of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyProblem {
    /// The text is not TOML.
    Syntax {
        /// What the parser says, with line and column.
        message: String,
    },
    /// A key that means nothing here.
    UnknownKey {
        /// The key that was perhaps meant.
        nearest: Option<String>,
    },
    /// A key is missing and no base document has it.
    Missing,
    /// A value of the wrong type.
    WrongType {
        /// What is expected, such as `a duration like 45d`.
        expected: &'static str,
    },
    /// A value outside what is allowed.
    NotAllowed {
        /// The value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// The base is not a shipped document, or documents extend each other in a circle.
    UnknownBase {
        /// The name.
        found: String,
    },
    /// The rule or reason cannot be weakened.
    Fixed,
    /// Not a suffix.
    NotASuffix {
        /// The value.
        found: String,
    },
    /// A calendar entry that cannot stand.
    Calendar {
        /// The entry.
        found: String,
        /// What is wrong with it.
        problem: crate::calendar::CalendarProblem,
    },
}

pub(super) fn compile(document: &str, provider_id: &str) -> Result<Policy, PolicyError> {
    let mut documents = vec![document.to_owned()];
    loop {
        let newest = documents.last().map_or("", String::as_str);
        let table = parse(newest)?;
        let Some(base) = table.get("extends") else {
            break;
        };
        let text = base.as_str().and_then(shipped);
        match text {
            Some(text) if documents.len() < LONGEST_CHAIN => documents.push(text.to_owned()),
            Some(_) | None => {
                return Err(PolicyError {
                    problems: vec![(
                        "extends".to_owned(),
                        PolicyProblem::UnknownBase { found: plain(base) },
                    )],
                });
            }
        }
    }
    documents.reverse();
    from_source(PolicySource {
        documents,
        provider_id: provider_id.to_owned(),
    })
}

pub(super) fn from_source(source: PolicySource) -> Result<Policy, PolicyError> {
    let mut merged = Table::new();
    for document in &source.documents {
        merge(&mut merged, parse(document)?);
    }
    let mut reader = Reader {
        problems: Vec::new(),
        known: BTreeSet::new(),
        table: &merged,
    };
    let policy = reader.policy(source);
    reader.report_unknown_keys();
    match policy {
        Some(policy) if reader.problems.is_empty() => Ok(policy),
        Some(_) | None => {
            reader.problems.sort_by(|a, b| a.0.cmp(&b.0));
            // Equal ones need not stand side by side: an entry may be there twice.
            let mut problems = Vec::with_capacity(reader.problems.len());
            for problem in reader.problems {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            Err(PolicyError { problems })
        }
    }
}

fn parse(document: &str) -> Result<Table, PolicyError> {
    document.parse::<Table>().map_err(|error| PolicyError {
        problems: vec![(
            String::new(),
            PolicyProblem::Syntax {
                message: error.to_string(),
            },
        )],
    })
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

struct Reader<'a> {
    problems: Vec<(String, PolicyProblem)>,
    known: BTreeSet<String>,
    table: &'a Table,
}

impl<'a> Reader<'a> {
    fn policy(&mut self, source: PolicySource) -> Option<Policy> {
        self.known.insert("extends".to_owned());
        let name = self.text("name");
        let version = self.text("version");
        let _ = self.text("description");
        let validity = Validity {
            longest: self.duration("validity.longest", Some(SignedDuration::from_hours(24))),
            step: self.duration("validity.step", Some(SignedDuration::from_hours(1))),
            empty_shell: self
                .duration("validity.empty_shell", Some(SignedDuration::from_hours(24))),
        };
        let retry = Retry {
            facts_unavailable: self.duration("retry.facts_unavailable", None),
            filing_not_found: self.duration("retry.filing_not_found", None),
            filing_in_progress: self.duration("retry.filing_in_progress", None),
            recheck_confirmation: self.duration("retry.recheck_confirmation", None),
        };
        self.check_steps(&validity, &retry);
        let staleness = Staleness {
            max_stale: self.duration("staleness.max_stale", None),
            max_stale_recheck: self.duration("staleness.max_stale_recheck", None),
        };
        let access_grace = self.duration("access.grace", None);
        let licence = self.licence();
        let library_sync_working_days = self.whole("registration.library_sync_working_days", 60);
        let blocking_statuses = self
            .texts("registration.blocking_statuses")
            .into_iter()
            .map(|status| status.to_ascii_lowercase().into())
            .collect();
        let accepted_roles = self.codes("registrant.accepted_roles", PersonRole::from_code, || {
            joined(PersonRole::ALL.iter().map(|role| role.as_str()))
        });
        let province_roles = self.province_roles();
        let undeclared_real_name = self.undeclared("customer.undeclared_real_name");
        let undeclared_domain_control = self.undeclared("customer.undeclared_domain_control");
        let undeclared_origin_in_mainland = self.choice(
            "origin.undeclared_location",
            &[("mainland", true), ("outside", false)],
            true,
        );
        let sectors = self.sectors();
        let display_due = self.duration("display.due", None);
        let subject_form_provinces = self.provinces("display.subject_form_provinces");
        let public_security_due = self.duration("public_security.due", None);
        let suffixes = self.suffixes();
        let approved_tlds = self.suffix_set("suffixes.approved");
        let nature_suffixes = self.nature_suffixes();
        let modes = self.modes();
        let effects = self.effects("reasons", false);
        let pre_filing_effects = self.effects("reasons.pre_filing", true);
        let calendar = self.calendar();
        let fingerprint = fingerprint(&source);
        Some(Policy {
            version: Arc::from(format!("{name}@{version}+{fingerprint}")),
            source,
            validity,
            retry,
            staleness,
            access_grace,
            licence,
            library_sync_working_days,
            blocking_statuses,
            accepted_roles,
            province_roles,
            undeclared_real_name,
            undeclared_domain_control,
            undeclared_origin_in_mainland,
            sectors,
            display_due,
            subject_form_provinces,
            public_security_due,
            suffixes: suffixes?,
            approved_tlds,
            nature_suffixes,
            calendar: calendar?,
            running: running(&modes),
            modes,
            effects,
            pre_filing_effects,
        })
    }

    /// An answer may be one window old when it is given; what it promises for later must be
    /// later still.
    fn check_steps(&mut self, validity: &Validity, retry: &Retry) {
        let least = validity.step.saturating_mul(2);
        for (path, duration) in [
            ("validity.longest", validity.longest),
            ("validity.empty_shell", validity.empty_shell),
            ("retry.filing_not_found", retry.filing_not_found),
            ("retry.filing_in_progress", retry.filing_in_progress),
            ("retry.recheck_confirmation", retry.recheck_confirmation),
        ] {
            if duration < least && !duration.is_zero() {
                self.problem(
                    path,
                    PolicyProblem::NotAllowed {
                        found: format!("{}s", duration.as_secs()),
                        allowed: format!(
                            "at least twice validity.step, that is {}s",
                            least.as_secs()
                        ),
                    },
                );
            }
        }
    }

    fn licence(&mut self) -> LicencePolicy {
        let requirement = self.choice(
            "licence.requirement",
            &[
                ("any-payment", LicenceRequirement::AnyPayment),
                ("by-business-model", LicenceRequirement::ByBusinessModel),
            ],
            LicenceRequirement::AnyPayment,
        );
        let expiring = self.duration("licence.expiring", None);
        let path = "licence.parent_share_percent";
        let share = match self.value(path) {
            Some(Value::Float(share)) => Some(*share),
            #[expect(clippy::cast_precision_loss, reason = "percents are small")]
            Some(Value::Integer(share)) => Some(*share as f64),
            Some(
                Value::String(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_)
                | Value::Table(_),
            ) => {
                self.problem(
                    path,
                    PolicyProblem::WrongType {
                        expected: "a percentage",
                    },
                );
                None
            }
            None => None,
        };
        let share = share.unwrap_or(100.0);
        if !(0.0..=100.0).contains(&share) {
            self.problem(
                path,
                PolicyProblem::NotAllowed {
                    found: share.to_string(),
                    allowed: "0 to 100".to_owned(),
                },
            );
        }
        let business = self
            .coded_table("licence.business", BusinessModel::from_code, || {
                joined(BusinessModel::ALL.iter().map(|model| model.as_str()))
            })
            .into_iter()
            .filter_map(|(model, path, value)| {
                let business = value.as_str().and_then(TelecomBusiness::from_code);
                if business.is_none() {
                    self.problem(
                        &path,
                        PolicyProblem::NotAllowed {
                            found: plain(value),
                            allowed: joined(TelecomBusiness::ALL.iter().map(|b| b.as_str())),
                        },
                    );
                }
                Some((model, business?))
            })
            .collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0 to 10000"
        )]
        let parent_share_basis_points = (share.clamp(0.0, 100.0) * 100.0).round() as u16;
        LicencePolicy {
            requirement,
            expiring,
            parent_share_basis_points,
            business,
        }
    }

    fn province_roles(&mut self) -> BTreeMap<u8, BTreeSet<PersonRole>> {
        let Some(table) = self.table("registrant.province_roles") else {
            return BTreeMap::new();
        };
        let mut provinces = BTreeMap::new();
        for (key, _) in table {
            let path = format!("registrant.province_roles.{key}");
            let roles = self.codes(&path, PersonRole::from_code, || {
                joined(PersonRole::ALL.iter().map(|role| role.as_str()))
            });
            if let Some(code) = self.province(&path, key) {
                provinces.insert(code, roles);
            }
        }
        provinces
    }

    fn provinces(&mut self, path: &str) -> BTreeSet<u8> {
        self.texts(path)
            .iter()
            .filter_map(|code| self.province(path, code))
            .collect()
    }

    fn province(&mut self, path: &str, text: &str) -> Option<u8> {
        let code = text
            .parse()
            .ok()
            .filter(|code| Province::from_code(*code).is_some());
        if code.is_none() {
            self.problem(
                path,
                PolicyProblem::NotAllowed {
                    found: text.to_owned(),
                    allowed: "a GB/T 2260 province code such as 44".to_owned(),
                },
            );
        }
        code
    }

    fn undeclared(&mut self, path: &str) -> Effect {
        self.choice(
            path,
            &[
                ("pass", Effect::Off),
                ("review", Effect::Review),
                ("deny", Effect::Deny),
            ],
            Effect::Off,
        )
    }

    fn sectors(&mut self) -> BTreeMap<Sector, SectorEffect> {
        let mut sectors = BTreeMap::new();
        for (sector, path, _) in self.coded_table("sectors", Sector::from_code, || {
            joined(Sector::ALL.iter().map(|sector| sector.as_str()))
        }) {
            let effect = self.choice(
                &path,
                &[
                    ("none", SectorEffect::None),
                    ("review", SectorEffect::Review),
                    ("deny", SectorEffect::Deny),
                    ("deny-with-payment", SectorEffect::DenyWithPayment),
                ],
                SectorEffect::Deny,
            );
            sectors.insert(sector, effect);
        }
        for sector in Sector::ALL {
            if !sectors.contains_key(sector) {
                self.problem(&format!("sectors.{sector}"), PolicyProblem::Missing);
            }
        }
        sectors
    }

    fn suffixes(&mut self) -> Option<Suffixes> {
        let extra = self.texts("names.extra_suffixes");
        let government = self.texts("names.government_suffixes");
        match Suffixes::new(&extra, &government) {
            Ok(suffixes) => Some(suffixes),
            Err(errors) => {
                for error in errors {
                    let path = match error.list {
                        SuffixList::Extra => "names.extra_suffixes",
                        SuffixList::Government => "names.government_suffixes",
                    };
                    self.problem(path, PolicyProblem::NotASuffix { found: error.entry });
                }
                None
            }
        }
    }

    fn suffix_set(&mut self, path: &str) -> BTreeSet<Box<str>> {
        let mut set = BTreeSet::new();
        for text in self.texts(path) {
            match idna::domain_to_ascii(text.trim().trim_start_matches('.')) {
                Ok(ascii) if !ascii.is_empty() => {
                    set.insert(ascii.into());
                }
                Ok(_) | Err(_) => {
                    self.problem(path, PolicyProblem::NotASuffix { found: text });
                }
            }
        }
        set
    }

    fn nature_suffixes(&mut self) -> BTreeMap<SubjectNature, BTreeSet<Box<str>>> {
        self.coded_table("suffixes.nature", SubjectNature::from_code, || {
            joined(SubjectNature::ALL.iter().map(|nature| nature.as_str()))
        })
        .into_iter()
        .map(|(nature, path, _)| (nature, self.suffix_set(&path)))
        .collect()
    }

    fn modes(&mut self) -> Vec<Mode> {
        let mut modes = vec![Mode::Enforce; RULES.len()];
        for (rule, path, _) in self.coded_table("rules", RuleId::from_code, || {
            joined(RULES.iter().map(|rule| rule.id.as_str()))
        }) {
            let mode = self.choice(
                &path,
                &[
                    ("enforce", Mode::Enforce),
                    ("review", Mode::Review),
                    ("warn", Mode::Warn),
                    ("off", Mode::Off),
                ],
                Mode::Enforce,
            );
            let fixed = RULES.get(rule.place()).is_some_and(|rule| rule.fixed);
            if fixed && mode != Mode::Enforce {
                self.problem(&path, PolicyProblem::Fixed);
            }
            if let Some(place) = modes.get_mut(rule.place()) {
                *place = mode;
            }
        }
        modes
    }

    fn effects(&mut self, path: &str, pre_filing: bool) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Reason::ALL
            .iter()
            .map(|reason| default_effect(*reason, pre_filing))
            .collect();
        let Some(table) = self.table(path) else {
            return effects;
        };
        for (key, _) in table {
            if !pre_filing && key == "pre_filing" {
                continue;
            }
            let path = format!("{path}.{key}");
            let Some(reason) = Reason::from_code(key) else {
                self.known.insert(path.clone());
                self.problem(
                    &path,
                    PolicyProblem::UnknownKey {
                        nearest: nearest_reason(key),
                    },
                );
                continue;
            };
            let effect = self.choice(
                &path,
                &[
                    ("deny", Effect::Deny),
                    ("review", Effect::Review),
                    ("warn", Effect::Obligation),
                    ("off", Effect::Off),
                ],
                Effect::Deny,
            );
            if fixed_reason(reason) {
                self.problem(&path, PolicyProblem::Fixed);
            }
            if let Some(place) = effects.get_mut(reason as usize) {
                *place = effect;
            }
        }
        effects
    }

    fn calendar(&mut self) -> Option<WorkingCalendar> {
        let mut years = BTreeMap::new();
        if let Some(table) = self.table("calendar") {
            for (year, _) in table {
                let holidays = self.texts(&format!("calendar.{year}.holidays"));
                let make_up_days = self.texts(&format!("calendar.{year}.make_up_days"));
                years.insert(
                    year.clone(),
                    CalendarYear {
                        holidays,
                        make_up_days,
                    },
                );
            }
        }
        match WorkingCalendar::new(&years) {
            Ok(calendar) => Some(calendar),
            Err(errors) => {
                for error in errors {
                    let (path, found) = match error.entry {
                        Some((list, _, entry)) => {
                            (format!("calendar.{}.{}", error.year, list.key()), entry)
                        }
                        None => (format!("calendar.{}", error.year), error.year),
                    };
                    self.problem(
                        &path,
                        PolicyProblem::Calendar {
                            found,
                            problem: error.problem,
                        },
                    );
                }
                None
            }
        }
    }

    fn value(&mut self, path: &str) -> Option<&'a Value> {
        self.known.insert(path.to_owned());
        let found = lookup(self.table, path);
        if found.is_none() {
            self.problem(path, PolicyProblem::Missing);
        }
        found
    }

    fn table(&mut self, path: &str) -> Option<&'a Table> {
        match lookup(self.table, path)? {
            Value::Table(table) => Some(table),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                self.known.insert(path.to_owned());
                self.problem(
                    path,
                    PolicyProblem::WrongType {
                        expected: "a table",
                    },
                );
                None
            }
        }
    }

    fn text(&mut self, path: &str) -> String {
        match self.value(path) {
            Some(Value::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            Some(_) => {
                self.problem(path, PolicyProblem::WrongType { expected: "a text" });
                String::new()
            }
            None => String::new(),
        }
    }

    fn texts(&mut self, path: &str) -> Vec<String> {
        let Some(value) = self.value(path) else {
            return Vec::new();
        };
        let texts = value.as_array().and_then(|values| {
            values
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<_>>()
        });
        texts.unwrap_or_else(|| {
            self.problem(
                path,
                PolicyProblem::WrongType {
                    expected: "a list of texts",
                },
            );
            Vec::new()
        })
    }

    fn whole(&mut self, path: &str, most: u32) -> u32 {
        let Some(value) = self.value(path) else {
            return 0;
        };
        let number = value
            .as_integer()
            .and_then(|number| u32::try_from(number).ok());
        match number {
            Some(number) if number <= most => number,
            Some(_) | None => {
                self.problem(
                    path,
                    PolicyProblem::NotAllowed {
                        found: plain(value),
                        allowed: format!("a whole number from 0 to {most}"),
                    },
                );
                0
            }
        }
    }

    fn duration(&mut self, path: &str, most: Option<SignedDuration>) -> SignedDuration {
        let Some(value) = self.value(path) else {
            return SignedDuration::ZERO;
        };
        let Some(duration) = value.as_str().and_then(parse_duration) else {
            self.problem(
                path,
                PolicyProblem::WrongType {
                    expected: "a duration of at least 1s such as 45d",
                },
            );
            return SignedDuration::ZERO;
        };
        if let Some(most) = most
            && duration > most
        {
            self.problem(
                path,
                PolicyProblem::NotAllowed {
                    found: plain(value),
                    allowed: format!("at most {}h", most.as_hours()),
                },
            );
        }
        duration
    }

    fn choice<T: Copy>(&mut self, path: &str, choices: &[(&str, T)], fallback: T) -> T {
        let Some(value) = self.value(path) else {
            return fallback;
        };
        let chosen = value
            .as_str()
            .and_then(|text| choices.iter().find(|(name, _)| *name == text))
            .map(|(_, chosen)| *chosen);
        chosen.unwrap_or_else(|| {
            self.problem(
                path,
                PolicyProblem::NotAllowed {
                    found: plain(value),
                    allowed: joined(choices.iter().map(|(name, _)| *name)),
                },
            );
            fallback
        })
    }

    fn codes<T: Ord>(
        &mut self,
        path: &str,
        read: impl Fn(&str) -> Option<T>,
        allowed: impl Fn() -> String,
    ) -> BTreeSet<T> {
        let mut codes = BTreeSet::new();
        for text in self.texts(path) {
            match read(&text) {
                Some(code) => {
                    codes.insert(code);
                }
                None => self.problem(
                    path,
                    PolicyProblem::NotAllowed {
                        found: text,
                        allowed: allowed(),
                    },
                ),
            }
        }
        codes
    }

    fn coded_table<T>(
        &mut self,
        path: &str,
        read: impl Fn(&str) -> Option<T>,
        allowed: impl Fn() -> String,
    ) -> Vec<(T, String, &'a Value)> {
        let Some(table) = self.table(path) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, value) in table {
            let path = format!("{path}.{key}");
            self.known.insert(path.clone());
            match read(key) {
                Some(code) => entries.push((code, path, value)),
                None => self.problem(
                    &path,
                    PolicyProblem::NotAllowed {
                        found: key.clone(),
                        allowed: allowed(),
                    },
                ),
            }
        }
        entries
    }

    fn problem(&mut self, path: &str, problem: PolicyProblem) {
        self.problems.push((path.to_owned(), problem));
    }

    fn report_unknown_keys(&mut self) {
        let mut paths = Vec::new();
        leaves(self.table, "", &mut paths);
        for path in paths {
            let known = self.known.iter().any(|known| {
                *known == path
                    || path
                        .strip_prefix(known.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
            });
            if !known {
                let nearest = nearest(&path, self.known.iter().map(String::as_str));
                self.problem(&path, PolicyProblem::UnknownKey { nearest });
            }
        }
    }
}

fn running(modes: &[Mode]) -> u64 {
    modes
        .iter()
        .enumerate()
        .fold(0, |bits, (place, mode)| match mode {
            Mode::Enforce | Mode::Review | Mode::Warn => bits | 1 << place,
            Mode::Off => bits,
        })
}

/// Reads `90s`, `15m`, `24h` or `45d`; `None` for anything else, zero included.
fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    // A hundred years bound what is added to instants.
    number
        .checked_mul(seconds)
        .filter(|total| *total <= 100 * 366 * 86_400)
        .map(SignedDuration::from_secs)
}

fn fixed_reason(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::DomainBlacklisted
            | Reason::SubjectBlacklisted
            | Reason::FactsUnavailable
            | Reason::FactsStale
            | Reason::RealNameSyncing
    )
}

fn fingerprint(source: &PolicySource) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in source
        .documents
        .iter()
        .chain(std::iter::once(&source.provider_id))
    {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(12).collect()
}

fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((head, rest)) => lookup(table.get(head)?.as_table()?, rest),
    }
}

fn leaves(table: &Table, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => leaves(inner, &path, paths),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => paths.push(path),
        }
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn joined<'t>(names: impl Iterator<Item = &'t str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn nearest_reason(key: &str) -> Option<String> {
    nearest(key, Reason::ALL.iter().map(|reason| reason.as_str()))
}

/// The candidate that shares most of its text with `key`, where it shares enough to be meant.
fn nearest<'c>(key: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}
