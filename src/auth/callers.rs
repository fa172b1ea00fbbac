//! The file of callers: who there is, how each is recognised, and what each may.
//!
//! **Invariant:** a [`Callers`] is complete and unambiguous: no name, certificate or subject belongs
//! to two callers. A file is taken whole or not at all, and everything that is wrong with it is told
//! at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use toml::Value;

use super::Caller;
use super::rate::{Rate, RateLimit};
use super::role::{Role, Roles};

/// Name of everybody where no authentication is configured; no caller of the file may have it.
pub const LOCAL: &str = "local";

/// Longest name of a caller, in octets.
const NAME_LIMIT: usize = 64;

/// Longest subject or name of a certificate, in octets: that of a SPIFFE ID.
const IDENTITY_LIMIT: usize = 2048;

const FIELDS: [&str; 6] = ["name", "roles", "certificates", "subjects", "rate", "burst"];

/// Everyone who may come in.
#[derive(Debug, Default)]
pub struct Callers {
    all: Vec<Arc<Caller>>,
    certificates: HashMap<String, Arc<Caller>>,
    subjects: HashMap<String, Arc<Caller>>,
}

/// Everything that is wrong with a file of callers; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerProblems(pub Vec<CallerProblem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerProblem {
    /// Which caller, from 1, and its name where it has one; `None`: the file as a whole.
    pub caller: Option<(usize, Option<String>)>,
    /// The field; empty where it is about the entry.
    pub field: String,
    /// The value; empty where there is none to show.
    pub value: String,
    /// What is wrong.
    pub kind: CallerProblemKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerProblemKind {
    /// The identity names more than one host or identity.
    CertificateForm,
    /// Another caller has it.
    Duplicate {
        /// Its name.
        of: String,
    },
    /// The text is empty or too long, or holds what cannot stand in it.
    Identity,
    /// The name is not one.
    Name,
    /// The name is taken by the program.
    NameReserved,
    /// Nothing would recognise the caller.
    NoIdentity,
    /// There is no caller.
    NoCallers,
    /// The field must be given.
    Required,
    /// The burst says more about a rate, which is not given.
    BurstWithoutRate,
    /// The file is not TOML.
    Syntax,
    /// There is no such field.
    UnknownField,
    /// There is no such role.
    UnknownRole,
    /// The value is of another type.
    WrongType {
        /// What it should be.
        expected: &'static str,
    },
}

impl Callers {
    /// Reads a file. Callers without a rate of their own get `default_rate`; what is left of the
    /// rates of `before` is kept where they are the same.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(
        text: &str,
        default_rate: Option<RateLimit>,
        before: Option<&Self>,
    ) -> Result<Self, CallerProblems> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let value = error.to_string();
            CallerProblems(vec![CallerProblem {
                caller: None,
                field: String::new(),
                value: value.trim_end().to_owned(),
                kind: CallerProblemKind::Syntax,
            }])
        })?;
        let mut reading = Reading {
            default_rate,
            before,
            callers: Self::default(),
            names: BTreeMap::new(),
            problems: Vec::new(),
        };
        for key in table.keys().filter(|key| *key != "caller") {
            reading.problem(None, key, String::new(), CallerProblemKind::UnknownField);
        }
        match table.get("caller") {
            Some(Value::Array(entries)) if !entries.is_empty() => {
                for (entry, place) in entries.iter().zip(1..) {
                    reading.caller(place, entry);
                }
            }
            Some(Value::Array(_)) | None => {
                reading.problem(None, "caller", String::new(), CallerProblemKind::NoCallers);
            }
            Some(_) => {
                let kind = CallerProblemKind::WrongType {
                    expected: "a list of tables, each under `[[caller]]`",
                };
                reading.problem(None, "caller", String::new(), kind);
            }
        }
        if reading.problems.is_empty() {
            Ok(reading.callers)
        } else {
            Err(CallerProblems(reading.problems))
        }
    }

    /// The callers, in the order of the file.
    #[must_use]
    pub fn all(&self) -> &[Arc<Caller>] {
        &self.all
    }

    /// The caller whom a name of a certificate belongs to: `dns:…` or `spiffe://…`.
    #[must_use]
    pub fn of_certificate(&self, name: &str) -> Option<&Arc<Caller>> {
        self.certificates.get(name)
    }

    /// The caller whom the subject of a token belongs to.
    #[must_use]
    pub fn of_subject(&self, subject: &str) -> Option<&Arc<Caller>> {
        self.subjects.get(subject)
    }
}

/// A file that is being read.
struct Reading<'b> {
    default_rate: Option<RateLimit>,
    before: Option<&'b Callers>,
    callers: Callers,
    /// Names with the places where they stand.
    names: BTreeMap<String, usize>,
    problems: Vec<CallerProblem>,
}

type Place = Option<(usize, Option<String>)>;

impl Reading<'_> {
    fn problem(&mut self, caller: Place, field: &str, value: String, kind: CallerProblemKind) {
        self.problems.push(CallerProblem {
            caller,
            field: field.to_owned(),
            value,
            kind,
        });
    }

    fn caller(&mut self, number: usize, entry: &Value) {
        let Value::Table(entry) = entry else {
            let kind = CallerProblemKind::WrongType {
                expected: "a table",
            };
            self.problem(Some((number, None)), "", String::new(), kind);
            return;
        };
        let given = entry.get("name").and_then(Value::as_str);
        let place: Place = Some((number, given.map(str::to_owned)));
        for field in entry
            .keys()
            .filter(|field| !FIELDS.contains(&field.as_str()))
        {
            let kind = CallerProblemKind::UnknownField;
            self.problem(place.clone(), field, String::new(), kind);
        }
        let name = self.name(&place, entry.get("name"));
        let roles = self.roles(&place, entry.get("roles"));
        let certificates = self.texts(&place, "certificates", entry.get("certificates"));
        let subjects = self.texts(&place, "subjects", entry.get("subjects"));
        if certificates.is_empty() && subjects.is_empty() {
            self.problem(
                place.clone(),
                "",
                String::new(),
                CallerProblemKind::NoIdentity,
            );
        }
        let limit = self.limit(&place, entry);
        let name = name.unwrap_or_default();
        let caller = Arc::new(Caller {
            rate: limit.map(|limit| self.rate(&name, limit)),
            name: name.into(),
            roles,
            label: OnceLock::new(),
        });
        for certificate in certificates {
            let Some(certificate) = certificate_name(&certificate) else {
                let kind = CallerProblemKind::CertificateForm;
                self.problem(place.clone(), "certificates", certificate, kind);
                continue;
            };
            let known = self.callers.certificates.get(&certificate).cloned();
            self.unless_known(&place, "certificates", &certificate, known);
            let map = &mut self.callers.certificates;
            map.insert(certificate, Arc::clone(&caller));
        }
        for subject in subjects {
            let known = self.callers.subjects.get(&subject).cloned();
            self.unless_known(&place, "subjects", &subject, known);
            self.callers.subjects.insert(subject, Arc::clone(&caller));
        }
        self.callers.all.push(caller);
    }

    fn unless_known(
        &mut self,
        place: &Place,
        field: &str,
        value: &str,
        known: Option<Arc<Caller>>,
    ) {
        if let Some(known) = known {
            let of = known.name.to_string();
            let kind = CallerProblemKind::Duplicate { of };
            self.problem(place.clone(), field, value.to_owned(), kind);
        }
    }

    fn name(&mut self, place: &Place, value: Option<&Value>) -> Option<String> {
        let Some(value) = value else {
            self.problem(
                place.clone(),
                "name",
                String::new(),
                CallerProblemKind::Required,
            );
            return None;
        };
        let Value::String(name) = value else {
            let kind = CallerProblemKind::WrongType { expected: "a text" };
            self.problem(place.clone(), "name", value.to_string(), kind);
            return None;
        };
        let number = place.as_ref().map_or(0, |(number, _)| *number);
        let kind = if !is_name(name) {
            CallerProblemKind::Name
        } else if name == LOCAL {
            CallerProblemKind::NameReserved
        } else if let Some(other) = self.names.insert(name.clone(), number) {
            CallerProblemKind::Duplicate {
                of: format!("caller {other}"),
            }
        } else {
            return Some(name.clone());
        };
        self.problem(place.clone(), "name", name.clone(), kind);
        None
    }

    fn roles(&mut self, place: &Place, value: Option<&Value>) -> Roles {
        let mut roles = Roles::NONE;
        if value.is_none() {
            self.problem(
                place.clone(),
                "roles",
                String::new(),
                CallerProblemKind::Required,
            );
        }
        for name in self.texts(place, "roles", value) {
            match Role::from_name(&name) {
                Some(role) => {
                    roles.insert(role);
                }
                None => {
                    let kind = CallerProblemKind::UnknownRole;
                    self.problem(place.clone(), "roles", name, kind);
                }
            }
        }
        roles
    }

    fn texts(&mut self, place: &Place, field: &str, value: Option<&Value>) -> Vec<String> {
        let Some(value) = value else {
            return Vec::new();
        };
        let wrong = CallerProblemKind::WrongType {
            expected: "a list of texts",
        };
        let Value::Array(values) = value else {
            self.problem(place.clone(), field, value.to_string(), wrong);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in values {
            match value.as_str() {
                Some(text) if is_identity(text) => texts.push(text.to_owned()),
                Some(text) => {
                    let kind = CallerProblemKind::Identity;
                    self.problem(place.clone(), field, text.to_owned(), kind);
                }
                None => self.problem(place.clone(), field, value.to_string(), wrong.clone()),
            }
        }
        texts
    }

    fn limit(&mut self, place: &Place, entry: &toml::Table) -> Option<RateLimit> {
        let rate = self.count(place, "rate", entry.get("rate"));
        let burst = self.count(place, "burst", entry.get("burst"));
        match (rate, burst) {
            (Some(per_second), Some(burst)) => Some(RateLimit { per_second, burst }),
            (Some(per_second), None) => Some(RateLimit::per_second(per_second)),
            (None, Some(_)) => {
                if !entry.contains_key("rate") {
                    let kind = CallerProblemKind::BurstWithoutRate;
                    self.problem(place.clone(), "burst", String::new(), kind);
                }
                None
            }
            (None, None) => self.default_rate,
        }
    }

    fn count(&mut self, place: &Place, field: &str, value: Option<&Value>) -> Option<NonZeroU32> {
        let value = value?;
        let count = value
            .as_integer()
            .and_then(|count| u32::try_from(count).ok());
        let count = count.and_then(NonZeroU32::new);
        if count.is_none() {
            let kind = CallerProblemKind::WrongType {
                expected: "a whole number from 1 to 4294967295",
            };
            self.problem(place.clone(), field, value.to_string(), kind);
        }
        count
    }

    /// The rate of a caller; what it has used up before is not given back by a new file.
    fn rate(&self, name: &str, limit: RateLimit) -> Arc<Rate> {
        let before = self.before.map(Callers::all).unwrap_or_default();
        let same = before
            .iter()
            .filter(|caller| &*caller.name == name)
            .find_map(|caller| caller.rate.as_ref().filter(|rate| rate.limit == limit));
        same.map_or_else(|| Arc::new(Rate::new(limit)), Arc::clone)
    }
}

/// Names stand in logs and as labels of metrics: letters, digits, `.`, `-` and `_`.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(fits)
}

fn is_identity(text: &str) -> bool {
    (1..=IDENTITY_LIMIT).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// A name of a certificate in the form in which it is looked up. Exact names only: a pattern would
/// let in whoever gets a certificate for some name below.
fn certificate_name(text: &str) -> Option<String> {
    if let Some(host) = text.strip_prefix("dns:") {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_host = (1..=253).contains(&host.len()) && host.bytes().all(fits);
        return is_host.then(|| text.to_ascii_lowercase());
    }
    // SPIFFE-ID, section 2: a trust domain in lower case, and a path without empty segments.
    let (domain, path) = text.strip_prefix("spiffe://")?.split_once('/')?;
    let in_domain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let segment = |segment: &str| {
        !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(in_path)
    };
    let fits = !domain.is_empty() && domain.bytes().all(in_domain) && path.split('/').all(segment);
    fits.then(|| text.to_owned())
}

impl std::error::Error for CallerProblems {}

impl fmt::Display for CallerProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the file of callers has a problem")?,
            count => write!(f, "the file of callers has {count} problems")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Where, value, what is wrong, remedy.
impl fmt::Display for CallerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.caller {
            Some((number, Some(name))) => write!(f, "caller {number} (`{}`)", name.escape_debug())?,
            Some((number, None)) => write!(f, "caller {number}")?,
            None => f.write_str("file")?,
        }
        if !self.field.is_empty() {
            write!(f, ", {}", self.field.escape_debug())?;
        }
        if !self.value.is_empty() && self.kind != CallerProblemKind::Syntax {
            write!(f, " = `{}`", self.value.escape_debug())?;
        }
        f.write_str(": ")?;
        match &self.kind {
            CallerProblemKind::BurstWithoutRate => {
                f.write_str("means nothing without `rate`; give it, or remove this one")
            }
            CallerProblemKind::CertificateForm => f.write_str(
                "not a name of a certificate; give an exact one, `dns:shop.example` or \
                 `spiffe://example/shop`",
            ),
            CallerProblemKind::Duplicate { of } => {
                write!(f, "belongs to `{of}` already; give it to one of them only")
            }
            CallerProblemKind::Identity => write!(
                f,
                "empty, longer than {IDENTITY_LIMIT} bytes, or with spaces at an end or control \
                 characters; write it as it stands in the certificate or the token"
            ),
            CallerProblemKind::Name => write!(
                f,
                "not a name; give 1 to {NAME_LIMIT} letters, digits, `.`, `-` and `_`"
            ),
            CallerProblemKind::NameReserved => f.write_str(
                "the name of everybody where there is no authentication; give another one",
            ),
            CallerProblemKind::NoCallers => f.write_str(
                "names nobody, so that nobody could call; add a table under `[[caller]]`",
            ),
            CallerProblemKind::NoIdentity => f.write_str(
                "nothing would recognise this caller; give `certificates` or `subjects`",
            ),
            CallerProblemKind::Required => {
                f.write_str("missing; give it (`roles = []` is a caller who may do nothing)")
            }
            CallerProblemKind::Syntax => write!(f, "not TOML: {}", self.value),
            CallerProblemKind::UnknownField => {
                write!(f, "unknown field; there are `{}`", FIELDS.join("`, `"))
            }
            CallerProblemKind::UnknownRole => {
                let names = Role::ALL.map(Role::as_str).join("`, `");
                write!(f, "not a role; give some of `{names}`")
            }
            CallerProblemKind::WrongType { expected } => {
                write!(f, "of the wrong type; give {expected}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallerProblemKind as K;
    use super::*;

    const GOOD: &str = r#"
[[caller]]
name = "shop"
roles = ["checker"]
certificates = ["dns:Shop.example", "spiffe://example.org/ns/shop/sa/orders"]
rate = 500
burst = 1000

[[caller]]
name = "registrar-feed"
roles = ["importer", "auditor"]
subjects = ["feed@example"]
"#;

    fn limit(per_second: u32) -> RateLimit {
        RateLimit::per_second(NonZeroU32::new(per_second).unwrap())
    }

    #[test]
    fn callers_are_found_by_what_they_show() {
        let callers = Callers::read(GOOD, Some(limit(7)), None).unwrap();
        let shop = callers.of_certificate("dns:shop.example").unwrap();
        assert_eq!(&*shop.name, "shop");
        assert!(shop.roles.contains(Role::Checker) && !shop.roles.contains(Role::Importer));
        assert_eq!(shop.rate.as_ref().unwrap().limit.burst.get(), 1000);
        let feed = callers.of_subject("feed@example").unwrap();
        assert_eq!(feed.rate.as_ref().unwrap().limit, limit(7));
        assert!(callers.of_certificate("dns:other.shop.example").is_none());
        assert!(callers.of_subject("shop").is_none());
    }

    #[test]
    fn a_new_file_gives_no_rate_back() {
        let before = Callers::read(GOOD, None, None).unwrap();
        let shop = |callers: &Callers| callers.all()[0].rate.clone().unwrap();
        shop(&before).take(1000).unwrap();
        let after = Callers::read(GOOD, None, Some(&before)).unwrap();
        assert!(shop(&after).take(1000).is_err());
        let changed = GOOD.replace("burst = 1000", "burst = 1001");
        let after = Callers::read(&changed, None, Some(&before)).unwrap();
        shop(&after).take(1000).unwrap();
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let text = r#"
colour = "blue"
[[caller]]
name = "a b"
roles = ["chekcer"]
certificates = ["shop.example", "dns:*.example", "spiffe://Example/x", "spiffe://x", "spiffe://x//y"]
[[caller]]
name = "local"
subjects = [""]
burst = 5
[[caller]]
name = "twin"
roles = []
subjects = ["s"]
rate = 0
[[caller]]
name = "twin"
roles = "checker"
subjects = ["s", 7]
colour = "red"
"#;
        let CallerProblems(problems) = Callers::read(text, None, None).unwrap_err();
        let told: Vec<(usize, &str, &CallerProblemKind)> = problems
            .iter()
            .map(|problem| {
                let number = problem.caller.as_ref().map_or(0, |(number, _)| *number);
                (number, problem.field.as_str(), &problem.kind)
            })
            .collect();
        let count = |number, field, kind: &CallerProblemKind| {
            let same = |told: &&(usize, &str, &CallerProblemKind)| **told == (number, field, kind);
            told.iter().filter(same).count()
        };
        assert_eq!(count(0, "colour", &K::UnknownField), 1, "{told:#?}");
        assert_eq!(count(1, "name", &K::Name), 1);
        assert_eq!(count(1, "roles", &K::UnknownRole), 1);
        assert_eq!(count(1, "certificates", &K::CertificateForm), 5);
        assert_eq!(count(2, "name", &K::NameReserved), 1);
        assert_eq!(count(2, "roles", &K::Required), 1);
        assert_eq!(count(2, "subjects", &K::Identity), 1);
        assert_eq!(count(2, "", &K::NoIdentity), 1);
        assert_eq!(count(2, "burst", &K::BurstWithoutRate), 1);
        assert_eq!(count(4, "colour", &K::UnknownField), 1);
        let of = "caller 3".to_owned();
        assert_eq!(count(4, "name", &K::Duplicate { of }), 1);
        let of = "twin".to_owned();
        assert_eq!(count(4, "subjects", &K::Duplicate { of }), 1);
        assert_eq!(problems.len(), 19, "{told:#?}");
        let shown = CallerProblems(problems).to_string();
        assert!(shown.contains("caller 1 (`a b`), roles = `chekcer`: not a role; give some of"));
    }

    #[test]
    fn a_file_without_callers_is_refused() {
        for text in ["", "caller = []", "caller = 1", "[[caller"] {
            assert!(Callers::read(text, None, None).is_err(), "{text}");
        }
    }
}
