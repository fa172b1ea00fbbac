//! Reading of the ten kinds of record.
//!
//! Every field is read before the record is put together, so that all violations are reported at
//! once.

mod evidence;
mod filing;

use std::collections::BTreeSet;

use icpgate_policy::field::FieldProblem;
use icpgate_policy::identity::Holder;
use icpgate_policy::records::{Person, Record};

use super::fields::{Path, Reading, TEXT_LIMIT, kind_of};
use crate::proto::v1;
use evidence::{
    approval, block, display_observation, licence, public_security_filing, registration,
};
use filing::{access, application, service, subject};

/// Most content types, businesses or statuses; the longest of these catalogues has fewer.
const CODES_LIMIT: usize = 100;

const PEOPLE_LIMIT: usize = 200;

/// Fields of which a record has one.
const KINDS: &[&str] = &[
    "subject",
    "service",
    "access",
    "application",
    "licence",
    "registration",
    "block",
    "approval",
    "public_security_filing",
    "display_observation",
];

pub(super) fn record(
    reading: &mut Reading<'_>,
    root: &Path<'_>,
    wire: Option<v1::record::Record>,
) -> Option<Record> {
    use v1::record::Record as Wire;
    match wire {
        Some(Wire::Subject(wire)) => {
            subject(reading, &root.field("subject"), &wire).map(Record::Subject)
        }
        Some(Wire::Service(wire)) => {
            service(reading, &root.field("service"), &wire).map(Record::Service)
        }
        Some(Wire::Access(wire)) => {
            access(reading, &root.field("access"), &wire).map(Record::Access)
        }
        Some(Wire::Application(wire)) => {
            application(reading, &root.field("application"), &wire).map(Record::Application)
        }
        Some(Wire::Licence(wire)) => {
            licence(reading, &root.field("licence"), &wire).map(Record::Licence)
        }
        Some(Wire::Registration(wire)) => {
            registration(reading, &root.field("registration"), &wire).map(Record::Registration)
        }
        Some(Wire::Block(wire)) => block(reading, &root.field("block"), &wire).map(Record::Block),
        Some(Wire::Approval(wire)) => {
            approval(reading, &root.field("approval"), &wire).map(Record::Approval)
        }
        Some(Wire::PublicSecurityFiling(wire)) => {
            public_security_filing(reading, &root.field("public_security_filing"), &wire)
                .map(Record::PublicSecurityFiling)
        }
        Some(Wire::DisplayObservation(wire)) => {
            display_observation(reading, &root.field("display_observation"), &wire)
                .map(Record::DisplayObservation)
        }
        None => {
            reading.refuse(
                &root.field("record"),
                FieldProblem::NoneOf { fields: KINDS },
            );
            None
        }
    }
}

/// Persons and companies behind an organisation, in the field `people`.
pub(super) fn people(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &[v1::Person],
) -> Option<Vec<Person>> {
    reading.bounded(&at.field("people"), wire, PEOPLE_LIMIT)?;
    all(wire, |index, wire| {
        person(reading, &at.entry("people", index), wire)
    })
}

fn person(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Person) -> Option<Person> {
    let role = reading.code(&at.field("role"), wire.role);
    let holder = Holder::of(kind_of(wire.certificate.as_ref()));
    let name = reading.name_or_none(&at.field("name"), &wire.name, holder);
    let certificate =
        reading.certificate_or_none(&at.field("certificate"), wire.certificate.as_ref());
    Some(Person {
        role: role?,
        name: name?,
        certificate: certificate?,
    })
}

fn texts(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    name: &'static str,
    wire: &[String],
) -> Option<Vec<Box<str>>> {
    reading.bounded(&at.field(name), wire, CODES_LIMIT)?;
    all(wire, |index, text| {
        reading
            .text(&at.entry(name, index), text, TEXT_LIMIT)
            .map(Into::into)
    })
}

/// Reads every entry, also behind one that is refused; `None` if any was.
fn all<W, T>(wire: &[W], mut read: impl FnMut(usize, &W) -> Option<T>) -> Option<Vec<T>> {
    let mut entries = Some(Vec::with_capacity(wire.len()));
    for (index, wire) in wire.iter().enumerate() {
        match (read(index, wire), &mut entries) {
            (Some(entry), Some(entries)) => entries.push(entry),
            (Some(_), None) => {}
            (None, _) => entries = None,
        }
    }
    entries
}

/// Keeps the first of equal entries.
fn drop_repeats<T: Ord + Clone>(entries: &mut Vec<T>) {
    let mut seen = BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.clone()));
}
