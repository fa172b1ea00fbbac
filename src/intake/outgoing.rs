//! Stored records as they leave: everything as stored, personal data masked.

use icpgate_policy::facts::Fact;
use icpgate_policy::identity::{SealedCertificate, SealedName};
use icpgate_policy::records::{
    Access, Application, Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Licence,
    Parent, Person, PublicSecurityFiling, Record, RecordDomain, Registration, Service, ShownNumber,
    Subject,
};
use jiff::Timestamp;
use jiff::civil::Date;
use pbjson_types::Timestamp as WireTimestamp;

use crate::proto::convert::Coded;
use crate::proto::v1;

/// A stored record on the wire. Certificate numbers and names of persons are their masks; such a
/// record is refused where it is sent back.
#[must_use]
pub fn outgoing(fact: &Fact<Record>) -> v1::Record {
    use v1::record::Record as Wire;
    let record = match &fact.value {
        Record::Subject(record) => Wire::Subject(subject(record)),
        Record::Service(record) => Wire::Service(service(record)),
        Record::Access(record) => Wire::Access(access(record)),
        Record::Application(record) => Wire::Application(application(record)),
        Record::Licence(record) => Wire::Licence(licence(record)),
        Record::Registration(record) => Wire::Registration(registration(record)),
        Record::Block(record) => Wire::Block(block(record)),
        Record::Approval(record) => Wire::Approval(approval(record)),
        Record::PublicSecurityFiling(record) => {
            Wire::PublicSecurityFiling(public_security_filing(record))
        }
        Record::DisplayObservation(record) => Wire::DisplayObservation(display_observation(record)),
    };
    v1::Record {
        record: Some(record),
        source: fact.provenance.source.as_ref().to_owned(),
        observed_at: Some(instant(fact.provenance.observed_at)),
    }
}

/// An instant on the wire.
#[must_use]
pub fn instant(instant: Timestamp) -> WireTimestamp {
    let (seconds, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    if nanos < 0 {
        // Before 1970 the library counts the fraction backwards, the interface forwards.
        return WireTimestamp {
            seconds: seconds.saturating_sub(1),
            nanos: nanos.saturating_add(1_000_000_000),
        };
    }
    WireTimestamp { seconds, nanos }
}

fn subject(record: &Subject) -> v1::Subject {
    v1::Subject {
        subject_number: record.subject_number.to_string(),
        name: name(Some(&record.name)),
        nature: record.nature.to_number(),
        entity: record.entity.to_number(),
        certificate: Some(certificate(&record.certificate)),
        status: record.status.to_number(),
        people: record.people.iter().map(person).collect(),
        parents: record.parents.iter().map(parent).collect(),
    }
}

fn person(record: &Person) -> v1::Person {
    v1::Person {
        role: record.role.to_number(),
        name: name(record.name.as_ref()),
        certificate: record.certificate.as_ref().map(certificate),
    }
}

fn parent(record: &Parent) -> v1::Parent {
    v1::Parent {
        certificate: Some(certificate(&record.certificate)),
        share_percent: f64::from(record.share_basis_points) / 100.0,
    }
}

fn service(record: &Service) -> v1::Service {
    v1::Service {
        service_number: record.service_number.to_string(),
        subject_number: record.service_number.subject().to_string(),
        kind: record.kind.to_number(),
        name: record.name.to_string(),
        domains: record.domains.iter().map(domain).collect(),
        content_types: record
            .content_types
            .iter()
            .map(ToString::to_string)
            .collect(),
        status: record.status.to_number(),
        access_restricted: record.access_restricted,
        approved_at: record.approved_at.map(instant),
    }
}

fn access(record: &Access) -> v1::Access {
    v1::Access {
        service_number: record.service_number.to_string(),
        provider_id: record.provider_id.to_string(),
        status: record.status.to_number(),
        since: record.since.map(instant),
    }
}

fn application(record: &Application) -> v1::Application {
    v1::Application {
        application_id: record.application_id.to_string(),
        domain: domain(&record.domain),
        kind: record.kind.to_number(),
        provider_id: record.provider_id.to_string(),
        stage: record.stage.to_number(),
        provider_review_passed_at: record.provider_review_passed_at.map(instant),
    }
}

fn licence(record: &Licence) -> v1::Licence {
    v1::Licence {
        licence_number: record.licence_number.to_string(),
        holder_name: name(record.holder_name.as_ref()),
        holder_certificate: Some(certificate(&record.holder_certificate)),
        businesses: record
            .businesses
            .iter()
            .map(|business| business.to_number())
            .collect(),
        issued_on: day(record.issued_on),
        expires_on: day(record.expires_on),
        status: record.status.to_number(),
    }
}

fn registration(record: &Registration) -> v1::Registration {
    let known = record.redacted
        || record.registrant_name.is_some()
        || record.registrant_certificate.is_some();
    v1::Registration {
        domain: domain(&record.domain),
        registrar: record.registrar.to_string(),
        registrar_approved: record.registrar_approved,
        registrant: known.then(|| v1::Registrant {
            name: name(record.registrant_name.as_ref()),
            certificate: record.registrant_certificate.as_ref().map(certificate),
            redacted: record.redacted,
        }),
        real_name: record.real_name.map_or(0, Coded::to_number),
        real_name_verified_at: record.real_name_verified_at.map(instant),
        in_authority_library: record.in_authority_library,
        statuses: record.statuses.iter().map(ToString::to_string).collect(),
        expires_at: record.expires_at.map(instant),
    }
}

fn block(record: &Block) -> v1::Block {
    use v1::block::Target;
    v1::Block {
        list: record.list.to_number(),
        reason: record.reason.to_string(),
        since: record.since.map(instant),
        until: record.until.map(instant),
        target: Some(match &record.target {
            BlockTarget::Domain(name) => Target::Domain(domain(name)),
            BlockTarget::Certificate(sealed) => Target::Certificate(certificate(sealed)),
        }),
    }
}

fn approval(record: &Approval) -> v1::Approval {
    use v1::approval::Holder;
    v1::Approval {
        sector: record.sector.to_number(),
        approval_number: record.approval_number.to_string(),
        expires_on: day(record.expires_on),
        holder: Some(match &record.holder {
            ApprovalHolder::Certificate(sealed) => Holder::HolderCertificate(certificate(sealed)),
            ApprovalHolder::Domain(name) => Holder::Domain(domain(name)),
        }),
    }
}

fn public_security_filing(record: &PublicSecurityFiling) -> v1::PublicSecurityFiling {
    v1::PublicSecurityFiling {
        number: record.number.to_string(),
        domain: domain(&record.domain),
        filed_on: day(record.filed_on),
    }
}

fn display_observation(record: &DisplayObservation) -> v1::DisplayObservation {
    let shown = |number: &ShownNumber| match number {
        ShownNumber::Subject(number) => number.to_string(),
        ShownNumber::Service(number) => number.to_string(),
        ShownNumber::Unreadable(text) => text.to_string(),
    };
    v1::DisplayObservation {
        domain: domain(&record.domain),
        numbers: record.numbers.iter().map(shown).collect(),
        linked: record.linked,
        takedown: record.takedown,
    }
}

fn name(sealed: Option<&SealedName>) -> String {
    sealed
        .map(|sealed| sealed.display.to_string())
        .unwrap_or_default()
}

fn certificate(sealed: &SealedCertificate) -> v1::Certificate {
    v1::Certificate {
        kind: sealed.kind.to_number(),
        number: sealed.mask.to_string(),
    }
}

fn domain(domain: &RecordDomain) -> String {
    domain.ascii().to_owned()
}

fn day(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}
