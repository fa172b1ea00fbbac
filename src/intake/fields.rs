//! Reading of single fields: each gives its value, or leaves a violation with the field's path.
//!
//! **Invariant:** a reader that gives `None` has left a violation.

use std::net::IpAddr;

use icpgate_policy::calendar::parse_day;
use icpgate_policy::domain_name::{self, Host};
use icpgate_policy::field::{FieldProblem, Shown, is_control};
use icpgate_policy::identity::{
    Certificate, CertificateKind, Holder, Name, SealedCertificate, SealedName,
};
use icpgate_policy::numbers::NumberError;
use icpgate_policy::records::RecordDomain;
use jiff::Timestamp;
use jiff::civil::Date;
use pbjson_types::Timestamp as WireTimestamp;

use super::{Intake, Violation};
use crate::proto::convert::Coded;
use crate::proto::v1;

/// Longest text of a field without a limit of its own, in characters.
pub(super) const TEXT_LIMIT: usize = 500;

/// Seconds of 0001-01-01T00:00:00Z, the first instant of `google.protobuf.Timestamp`.
const FIRST_SECOND: i64 = -62_135_596_800;

/// Seconds of 9999-12-31T23:59:59Z, its last.
const LAST_SECOND: i64 = 253_402_300_799;

/// Place of a field; a list on the stack, written out only where something is wrong.
pub(super) struct Path<'a> {
    outer: Option<&'a Path<'a>>,
    name: &'static str,
    index: Option<usize>,
}

impl<'a> Path<'a> {
    pub(super) const fn root() -> Self {
        Self {
            outer: None,
            name: "",
            index: None,
        }
    }

    pub(super) const fn field(&'a self, name: &'static str) -> Self {
        Self {
            outer: Some(self),
            name,
            index: None,
        }
    }

    pub(super) const fn entry(&'a self, name: &'static str, index: usize) -> Self {
        Self {
            outer: Some(self),
            name,
            index: Some(index),
        }
    }

    fn write(&self, text: &mut String) {
        use std::fmt::Write as _;
        if let Some(outer) = self.outer {
            outer.write(text);
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(self.name);
        if let Some(index) = self.index {
            // Writing to a string cannot fail.
            let _ = write!(text, "[{index}]");
        }
    }
}

/// The reading of one record.
pub(super) struct Reading<'a> {
    intake: &'a Intake,
    /// Year in Beijing; numbers of later years are refused.
    pub(super) year: i16,
    violations: Vec<Violation>,
}

impl<'a> Reading<'a> {
    pub(super) const fn new(intake: &'a Intake, year: i16) -> Self {
        Self {
            intake,
            year,
            violations: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(self.violations)
        }
    }

    pub(super) fn refuse(&mut self, path: &Path<'_>, problem: FieldProblem) {
        let mut field = String::new();
        path.write(&mut field);
        self.violations.push(Violation { field, problem });
    }

    /// Free text: trimmed, bounded, without controls. Empty where not given.
    pub(super) fn text<'t>(
        &mut self,
        path: &Path<'_>,
        text: &'t str,
        limit: usize,
    ) -> Option<&'t str> {
        let text = text.trim();
        if text.len() > limit {
            let found = text.chars().count();
            if found > limit {
                self.refuse(path, FieldProblem::TooLong { limit, found });
                return None;
            }
        }
        if let Some(at) = text.chars().position(is_control) {
            self.refuse(
                path,
                FieldProblem::Control {
                    position: at.saturating_add(1),
                },
            );
            return None;
        }
        Some(text)
    }

    /// Free text that is a key or part of one: white space inside is one space each.
    pub(super) fn key(&mut self, path: &Path<'_>, text: &str, limit: usize) -> Option<Box<str>> {
        let text = self.text(path, text, limit)?;
        if text.is_empty() {
            self.refuse(path, FieldProblem::Missing);
            return None;
        }
        Some(text.split_whitespace().collect::<Vec<_>>().join(" ").into())
    }

    /// Whether a list is short enough to be read.
    pub(super) fn bounded<T>(&mut self, path: &Path<'_>, list: &[T], limit: usize) -> Option<()> {
        if list.len() > limit {
            self.refuse(
                path,
                FieldProblem::TooMany {
                    limit,
                    found: list.len(),
                },
            );
            return None;
        }
        Some(())
    }

    /// A number, by the parser of its kind.
    pub(super) fn number<T>(
        &mut self,
        path: &Path<'_>,
        text: &str,
        parse: impl Fn(&str, i16) -> Result<T, NumberError>,
    ) -> Option<T> {
        if text.trim().is_empty() {
            self.refuse(path, FieldProblem::Missing);
            return None;
        }
        match parse(text, self.year) {
            Ok(number) => Some(number),
            Err(error) => {
                self.refuse(
                    path,
                    FieldProblem::Number {
                        error,
                        text: Shown::new(text),
                    },
                );
                None
            }
        }
    }

    /// A name below a public suffix.
    pub(super) fn domain(&mut self, path: &Path<'_>, text: &str) -> Option<RecordDomain> {
        let problem = match domain_name::parse(text, &self.intake.suffixes) {
            Ok(Host::Name(name)) if !name.is_wildcard() => {
                return Some(RecordDomain::new(name.ascii()));
            }
            Ok(Host::Name(name)) => FieldProblem::DomainIsWildcard {
                host: name.ascii().into(),
            },
            Ok(Host::Ip(address)) => FieldProblem::DomainIsAddress(IpAddr::to_canonical(&address)),
            Err(_) if text.trim().is_empty() => FieldProblem::Missing,
            Err(error) => FieldProblem::Domain(error),
        };
        self.refuse(path, problem);
        None
    }

    /// A member of a closed set that must be given.
    pub(super) fn code<C: Coded>(&mut self, path: &Path<'_>, number: i32) -> Option<C> {
        let code = self.code_or_none(path, number)?;
        if code.is_none() {
            self.refuse(path, FieldProblem::Missing);
        }
        code
    }

    /// A member of a closed set; `Some(None)` where not given.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the field was refused"
    )]
    pub(super) fn code_or_none<C: Coded>(
        &mut self,
        path: &Path<'_>,
        number: i32,
    ) -> Option<Option<C>> {
        let code = C::from_number(number);
        if code.is_none() && number != 0 {
            self.refuse(path, FieldProblem::UnknownCode { found: number });
            return None;
        }
        Some(code)
    }

    /// A member of a closed set with a default.
    pub(super) fn code_or<C: Coded>(
        &mut self,
        path: &Path<'_>,
        number: i32,
        default: C,
    ) -> Option<C> {
        self.code_or_none(path, number)
            .map(|code| code.unwrap_or(default))
    }

    /// An instant; `Some(None)` where not given.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the field was refused"
    )]
    pub(super) fn instant(
        &mut self,
        path: &Path<'_>,
        wire: Option<WireTimestamp>,
    ) -> Option<Option<Timestamp>> {
        let Some(wire) = wire else {
            return Some(None);
        };
        let in_range = (FIRST_SECOND..=LAST_SECOND).contains(&wire.seconds)
            && (0..1_000_000_000).contains(&wire.nanos);
        match Timestamp::new(wire.seconds, wire.nanos) {
            Ok(instant) if in_range => Some(Some(instant)),
            Ok(_) | Err(_) => {
                self.refuse(path, FieldProblem::Instant);
                None
            }
        }
    }

    /// A day; `Some(None)` where not given.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the field was refused"
    )]
    pub(super) fn day(&mut self, path: &Path<'_>, text: &str) -> Option<Option<Date>> {
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        match parse_day(text) {
            Ok(day) => Some(Some(day)),
            Err(error) => {
                self.refuse(
                    path,
                    FieldProblem::Day {
                        error,
                        text: Shown::new(text),
                    },
                );
                None
            }
        }
    }

    /// A name that must be given.
    pub(super) fn name(
        &mut self,
        path: &Path<'_>,
        text: &str,
        holder: Holder,
    ) -> Option<SealedName> {
        if text.trim().is_empty() {
            self.refuse(path, FieldProblem::Missing);
            return None;
        }
        self.name_or_none(path, text, holder).flatten()
    }

    /// A name; `Some(None)` where not given.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the field was refused"
    )]
    pub(super) fn name_or_none(
        &mut self,
        path: &Path<'_>,
        text: &str,
        holder: Holder,
    ) -> Option<Option<SealedName>> {
        if text.trim().is_empty() {
            return Some(None);
        }
        match Name::parse(text) {
            Ok(name) => Some(Some(self.intake.sealer.seal_name(&name, holder))),
            Err(error) => {
                self.refuse(path, FieldProblem::Name(error));
                None
            }
        }
    }

    /// A certificate that must be given.
    pub(super) fn certificate(
        &mut self,
        path: &Path<'_>,
        wire: Option<&v1::Certificate>,
    ) -> Option<SealedCertificate> {
        let certificate = self.certificate_or_none(path, wire)?;
        if certificate.is_none() {
            self.refuse(path, FieldProblem::Missing);
        }
        certificate
    }

    /// A certificate; `Some(None)` where not given.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the field was refused"
    )]
    pub(super) fn certificate_or_none(
        &mut self,
        path: &Path<'_>,
        wire: Option<&v1::Certificate>,
    ) -> Option<Option<SealedCertificate>> {
        match wire.filter(|wire| is_given(wire)) {
            Some(wire) => self.given_certificate(path, wire).map(Some),
            None => Some(None),
        }
    }

    fn given_certificate(
        &mut self,
        path: &Path<'_>,
        wire: &v1::Certificate,
    ) -> Option<SealedCertificate> {
        let kind: Option<CertificateKind> = self.code(&path.field("kind"), wire.kind);
        let path = path.field("number");
        if wire.number.trim().is_empty() {
            self.refuse(&path, FieldProblem::Missing);
            return None;
        }
        if wire.number.contains(['*', '＊']) {
            self.refuse(&path, FieldProblem::Masked);
            return None;
        }
        match Certificate::parse(kind?, &wire.number, self.intake.check_digits) {
            Ok(certificate) => Some(self.intake.sealer.seal_certificate(&certificate)),
            Err(error) => {
                self.refuse(&path, FieldProblem::Certificate(error));
                None
            }
        }
    }
}

/// Whether anything stands in a certificate; clients send empty messages for none.
fn is_given(wire: &v1::Certificate) -> bool {
    wire.kind != 0 || !wire.number.trim().is_empty()
}

/// The kind of a certificate, for whose name stands beside it; `None` where not known.
pub(super) fn kind_of(wire: Option<&v1::Certificate>) -> Option<CertificateKind> {
    wire.and_then(|wire| CertificateKind::from_number(wire.kind))
}
