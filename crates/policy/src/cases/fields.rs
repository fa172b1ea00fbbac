//! The fields of one table of a case file, and the list of everything that is wrong with them.

use std::str::FromStr as _;

use jiff::Timestamp;
use jiff::civil::Date;
use toml::{Table, Value};

use super::{CaseError, CaseProblem, Expected};
use crate::calendar::parse_day;
use crate::domain_name::{self, Host, HostError, Suffixes};
use crate::identity::Sealer;
use crate::records::RecordDomain;

/// Likeness from which on a key is perhaps the one that was meant.
const LIKE: f64 = 0.8;

/// What the readers of all tables share.
pub(super) struct Context<'c> {
    pub(super) errors: Vec<CaseError>,
    /// The case that is read.
    pub(super) case: Option<String>,
    pub(super) sealer: &'c Sealer,
    pub(super) suffixes: &'c Suffixes,
}

/// The fields of a table. Each getter notes what is wrong and then gives nothing.
pub(super) struct Fields<'t, 'c, 'x> {
    pub(super) context: &'x mut Context<'c>,
    table: &'t Table,
    path: String,
    known: Vec<&'static str>,
}

impl Context<'_> {
    pub(super) fn error(&mut self, path: String, problem: CaseProblem) {
        let case = self.case.clone();
        self.errors.push(CaseError {
            case,
            path,
            problem,
        });
    }
}

impl<'t, 'c, 'x> Fields<'t, 'c, 'x> {
    /// Reads the fields of a table with `read` and notes the keys that it does not know.
    pub(super) fn read<T>(
        context: &'x mut Context<'c>,
        table: &'t Table,
        path: String,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut fields = Self {
            context,
            table,
            path,
            known: Vec::new(),
        };
        let value = read(&mut fields);
        fields.finish();
        value
    }

    /// Notes what is wrong with a field; an empty key means the table.
    pub(super) fn error(&mut self, key: &str, problem: CaseProblem) {
        let path = self.path_of(key);
        self.context.error(path, problem);
    }

    /// Notes the fields that must be there and are not.
    pub(super) fn require(&mut self, keys: &[&'static str]) {
        for key in keys {
            if !self.table.contains_key(*key) {
                self.error(key, CaseProblem::Missing);
            }
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'t Value> {
        self.known.push(key);
        self.table.get(key)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<&'t str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            self.error(key, CaseProblem::WrongType(Expected::Text));
        }
        text
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.error(key, CaseProblem::WrongType(Expected::Flag));
        }
        flag
    }

    /// Percent, 0 to 100, in hundredths of a percent.
    pub(super) fn share(&mut self, key: &'static str) -> Option<u16> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a percentage that is not exact is out of range"
        )]
        let share = match self.value(key)? {
            Value::Integer(whole) => *whole as f64,
            Value::Float(share) => *share,
            Value::String(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => f64::NAN,
        };
        if !(0.0..=100.0).contains(&share) {
            self.error(key, CaseProblem::Share);
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 10000"
        )]
        Some((share * 100.0).round() as u16)
    }

    /// An instant, quoted or as TOML writes it.
    pub(super) fn instant(&mut self, key: &'static str) -> Option<Timestamp> {
        let instant = self.value(key).map(read_instant)?;
        if instant.is_none() {
            self.error(key, CaseProblem::Instant);
        }
        instant
    }

    /// A day, quoted or as TOML writes it.
    pub(super) fn day(&mut self, key: &'static str) -> Option<Date> {
        let text = match self.value(key)? {
            Value::Datetime(day) => day.to_string(),
            Value::String(text) => text.clone(),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Array(_)
            | Value::Table(_) => String::new(),
        };
        match parse_day(&text) {
            Ok(day) => Some(day),
            Err(error) => {
                self.error(key, CaseProblem::Day(error));
                None
            }
        }
    }

    /// One of a closed set of codes.
    pub(super) fn code<T: Copy>(
        &mut self,
        key: &'static str,
        all: &[T],
        code: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(key)?;
        let found = read_code(text, all, &code);
        if found.is_none() {
            self.not_allowed(key, all, code);
        }
        found
    }

    /// A list of codes.
    pub(super) fn codes<T: Copy>(
        &mut self,
        key: &'static str,
        all: &[T],
        code: impl Fn(T) -> &'static str,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for (index, text) in self.texts(key).into_iter().enumerate() {
            match read_code(text, all, &code) {
                Some(value) => found.push(value),
                None => self.not_allowed(&format!("{key}[{index}]"), all, &code),
            }
        }
        found
    }

    /// Text that `parse` reads.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, CaseProblem>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(text).map_err(|problem| self.error(key, problem)).ok()
    }

    pub(super) fn domain(&mut self, key: &'static str) -> Option<RecordDomain> {
        let suffixes = self.context.suffixes;
        self.parsed(key, |text| read_domain(text, suffixes))
    }

    pub(super) fn domains(&mut self, key: &'static str) -> Vec<RecordDomain> {
        let suffixes = self.context.suffixes;
        let mut domains = Vec::new();
        for (index, text) in self.texts(key).into_iter().enumerate() {
            match read_domain(text, suffixes) {
                Ok(domain) => domains.push(domain),
                Err(problem) => self.error(&format!("{key}[{index}]"), problem),
            }
        }
        domains
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<&'t str> {
        let mut texts = Vec::new();
        for (index, value) in self.list(key).iter().enumerate() {
            match value.as_str() {
                Some(text) => texts.push(text),
                None => self.error(
                    &format!("{key}[{index}]"),
                    CaseProblem::WrongType(Expected::Text),
                ),
            }
        }
        texts
    }

    pub(super) fn list(&mut self, key: &'static str) -> &'t [Value] {
        match self.value(key) {
            Some(Value::Array(list)) => list,
            Some(
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Table(_),
            ) => {
                self.error(key, CaseProblem::WrongType(Expected::List));
                &[]
            }
            None => &[],
        }
    }

    /// An inner table.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Fields<'t, 'c, '_>) -> T,
    ) -> Option<T> {
        match self.value(key)? {
            Value::Table(table) => {
                let path = self.path_of(key);
                Some(Fields::read(self.context, table, path, read))
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                self.error(key, CaseProblem::WrongType(Expected::Table));
                None
            }
        }
    }

    /// A list of inner tables; what cannot be read is left out.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Fields<'t, 'c, '_>) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for (index, value) in self.list(key).iter().enumerate() {
            let path = self.path_of(&format!("{key}[{index}]"));
            if let Some(table) = value.as_table() {
                found.extend(Fields::read(self.context, table, path, &read));
            } else {
                self.context
                    .error(path, CaseProblem::WrongType(Expected::Tables));
            }
        }
        found
    }

    fn not_allowed<T: Copy>(&mut self, key: &str, all: &[T], code: impl Fn(T) -> &'static str) {
        let allowed = all.iter().map(|member| code(*member)).collect();
        self.error(key, CaseProblem::NotAllowed { allowed });
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    fn finish(&mut self) {
        for key in self.table.keys() {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::jaro_winkler(key, known), *known))
                .filter(|(likeness, _)| *likeness > LIKE)
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, known)| known.to_owned());
            let path = self.path_of(key);
            self.context
                .error(path, CaseProblem::UnknownKey { nearest });
        }
    }
}

pub(super) fn read_instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Datetime(instant) => Timestamp::from_str(&instant.to_string()).ok(),
        Value::String(text) => Timestamp::from_str(text).ok(),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Array(_)
        | Value::Table(_) => None,
    }
}

pub(super) fn read_code<T: Copy>(
    text: &str,
    all: &[T],
    code: impl Fn(T) -> &'static str,
) -> Option<T> {
    all.iter().copied().find(|member| code(*member) == text)
}

fn read_domain(text: &str, suffixes: &Suffixes) -> Result<RecordDomain, CaseProblem> {
    match domain_name::parse(text, suffixes) {
        Ok(Host::Name(name)) if !name.is_wildcard() => Ok(RecordDomain::new(name.ascii())),
        Ok(Host::Name(_)) => Err(CaseProblem::Domain(HostError::WildcardPosition {
            position: 1,
        })),
        Ok(Host::Ip(_)) => Err(CaseProblem::Domain(HostError::Numeric)),
        Err(error) => Err(CaseProblem::Domain(error)),
    }
}
