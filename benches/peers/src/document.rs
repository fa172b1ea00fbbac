//! Questions, facts and policy as JSON documents: what a caller of a general policy engine would
//! send it.
//!
//! Names and numbers are parsed, certificates are digests, instants are seconds and the working
//! days of a real name are counted already, so that no engine is timed on work that the product
//! does before [`decide`](icpgate_policy::decision::decide).

use std::fmt::Write as _;

use icpgate_policy::calendar;
use icpgate_policy::codes::{Product, Purpose, Reason, RecordKind};
use icpgate_policy::domain_name::{Host, HostError, HostName, fold, is_public};
use icpgate_policy::facts::{Fact, Missing, NameFacts, Why};
use icpgate_policy::identity::{CertificateKind, SealedCertificate, SealedName};
use icpgate_policy::numbers::{LicenceNumber, Number, Province, ServiceNumber, SubjectNumber};
use icpgate_policy::policy::{Effect, Policy, SectorEffect};
use icpgate_policy::records::{
    ApprovalHolder, Block, BlockTarget, Licence, Person, RecordDomain, Registration, Service,
    ShownNumber, Subject,
};
use icpgate_policy::request::Applicant;
use icpgate_policy::rules::RULES;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::questions::Question;

/// What the policy document says.
#[must_use]
pub fn policy(policy: &Policy) -> Value {
    let scopes: Map<String, Value> = RULES
        .iter()
        .map(|rule| {
            let mut scope = Map::new();
            for product in Product::ALL {
                if rule.scope.products & (1 << *product as u8) != 0 {
                    scope.insert(product.as_str().to_owned(), Value::Bool(true));
                }
            }
            if rule.scope.pre_filing {
                scope.insert(Purpose::PreFiling.as_str().to_owned(), Value::Bool(true));
            }
            if rule.scope.everywhere {
                scope.insert("EVERYWHERE".to_owned(), Value::Bool(true));
            }
            (rule.id.as_str().to_owned(), Value::Object(scope))
        })
        .collect();
    let effects = |pre_filing| -> Map<String, Value> {
        Reason::ALL
            .iter()
            .map(|reason| {
                let effect = effect(policy.effect(*reason, pre_filing));
                (reason.as_str().to_owned(), effect.into())
            })
            .collect()
    };
    json!({
        "scopes": scopes,
        "effects": effects(false),
        "pre_filing_effects": effects(true),
        "provider": policy.provider_id(),
        "access_grace": policy.access_grace.as_secs(),
        "licence_expiring": policy.licence.expiring.as_secs(),
        "parent_share": policy.licence.parent_share_basis_points,
        "blocking_statuses": policy.blocking_statuses,
        "accepted_roles": policy.accepted_roles,
        "province_roles": keyed(&policy.province_roles, ToString::to_string),
        "undeclared_real_name": effect(policy.undeclared_real_name),
        "undeclared_domain_control": effect(policy.undeclared_domain_control),
        "undeclared_origin_in_mainland": policy.undeclared_origin_in_mainland,
        "sectors": policy.sectors.iter()
            .map(|(sector, effect)| (sector.as_str().to_owned(), sector_effect(*effect).into()))
            .collect::<Map<_, Value>>(),
        "subject_form_provinces": policy.subject_form_provinces.iter()
            .map(ToString::to_string).collect::<Vec<_>>(),
        "approved_tlds": policy.approved_tlds.iter()
            .map(|tld| (tld.to_string(), Value::Bool(true)))
            .collect::<Map<_, Value>>(),
        "nature_suffixes": keyed(&policy.nature_suffixes, ToString::to_string),
    })
}

/// A question with its facts.
#[must_use]
pub fn question(policy: &Policy, question: &Question) -> Value {
    let request = &question.request;
    let profile = &request.profile;
    let facts = &question.facts;
    let set = |set: &NameFacts| name_facts(policy, set);
    trim(json!({
        "now": question.now.as_second(),
        "host": host(&request.host, request.host_name().is_some()),
        "product": profile.product,
        "area": profile.service_area,
        "purpose": profile.purpose,
        "payment": profile.site.payment_enabled,
        "sectors": profile.site.sectors,
        "live_since": profile.site.live_since.map(Timestamp::as_second),
        "claimed": request.claimed.as_ref().map(|claimed| {
            claimed.as_ref().map_or_else(|_| json!({"kind": "invalid"}), claimed_number)
        }),
        "origin": request.origin.as_ref().map(|o| host(o, request.origin_name().is_some())),
        "origin_in_mainland": profile.origin_in_mainland,
        "host_header": request.host_header.as_ref()
            .map(|h| host(h, request.host_header_name().is_some())),
        "customer": trim(json!({
            "real_name": profile.customer.real_name,
            "domain_control": profile.customer.domain_control,
        })),
        "applicant_number": request.applicant_number().map(|number| number.as_str().to_owned()),
        "applicant": match &profile.applicant {
            Some(Applicant::New(applicant)) => trim(json!({
                "nature": applicant.nature,
                "entity": applicant.entity,
                "name": applicant.name.as_ref().map(name),
                "certificate": applicant.certificate.as_ref().map(certificate),
                "province": applicant.province.map(province),
                "people": applicant.people.iter().map(person).collect::<Vec<_>>(),
                "parents": [],
            })),
            Some(Applicant::Existing(_)) | None => Value::Null,
        },
        "facts": trim(json!({
            "name": set(&facts.name),
            "origin": facts.origin.as_deref().map(set),
            "host_header": facts.host_header.as_deref().map(set),
            "applicant": facts.applicant.as_deref().map(set),
        })),
    }))
}

fn name_facts(policy: &Policy, set: &NameFacts) -> Value {
    json!({
        "subjects": set.subjects.iter()
            .map(|fact| (fact.value.subject_number.as_str().to_owned(), subject(&fact.value)))
            .collect::<Map<_, _>>(),
        "services": each(&set.services, service),
        "accesses": each(&set.accesses, |access| trim(json!({
            "service": access.service_number.as_str(),
            "provider": access.provider_id,
            "status": access.status,
            "since": access.since.map(Timestamp::as_second),
        }))),
        "applications": each(&set.applications, |application| trim(json!({
            "domain": application.domain.ascii(),
            "kind": application.kind,
            "provider": application.provider_id,
            "stage": application.stage,
            "passed_at": application.provider_review_passed_at.map(Timestamp::as_second),
        }))),
        "licences": each(&set.licences, licence),
        "registrations": set.registrations.iter()
            .map(|fact| {
                let value = registration(policy, &fact.value);
                (fact.value.domain.ascii().to_owned(), value)
            })
            .collect::<Map<_, _>>(),
        "blocks": each(&set.blocks, block),
        "approvals": each(&set.approvals, |approval| {
            let (domain, holder) = match &approval.holder {
                ApprovalHolder::Domain(domain) => (Some(domain.ascii()), None),
                ApprovalHolder::Certificate(holder) => (None, Some(certificate(holder))),
            };
            trim(json!({
                "sector": approval.sector,
                "domain": domain,
                "certificate": holder,
                "ends_at": approval.expires_on.map(end),
            }))
        }),
        "public_security_filings": each(&set.public_security_filings, |filing| {
            Value::from(filing.domain.ascii())
        }),
        "observations": set.display_observations.iter()
            .map(|fact| {
                let seen = &fact.value;
                let value = trim(json!({
                    "numbers": seen.numbers.iter().map(shown).collect::<Vec<_>>(),
                    "linked": seen.linked,
                    "takedown": seen.takedown,
                }));
                (seen.domain.ascii().to_owned(), value)
            })
            .collect::<Map<_, _>>(),
        "missing": RecordKind::ALL.iter()
            .filter_map(|kind| {
                let missing = match set.entitlement.missing(*kind) {
                    Missing::Absent { until: None } => return None,
                    Missing::Absent { until: Some(until) } => json!({"until": until.as_second()}),
                    Missing::Unknown(why) => json!({"unknown": reason_unknown(why)}),
                };
                Some((kind.as_str().to_owned(), missing))
            })
            .collect::<Map<_, _>>(),
    })
}

fn host(host: &Result<Host, HostError>, own: bool) -> Value {
    match host {
        Ok(Host::Name(name)) => json!({
            "kind": "name",
            "ascii": name.ascii(),
            "registrable": name.registrable(),
            "tld": name.ascii().rsplit('.').next(),
            "government": name.is_government(),
            "candidates": candidates(name),
            "folds": candidates(name).into_iter().map(fold).collect::<Vec<_>>(),
            "own": own,
        }),
        Ok(Host::Ip(address)) => json!({"kind": "address", "public": is_public(*address)}),
        Err(_) => json!({"kind": "invalid"}),
    }
}

fn candidates(name: &HostName) -> Vec<&str> {
    name.candidates().collect()
}

fn claimed_number(number: &Number) -> Value {
    let kind = match number {
        Number::Filing(_) => "filing",
        Number::Licence(_) => "licence",
        Number::PublicSecurity(_) => "public_security",
    };
    let year = match number {
        Number::Filing(filing) => filing.subject().year(),
        Number::Licence(licence) => Some(LicenceNumber::year(licence)),
        Number::PublicSecurity(_) => None,
    };
    let begins = year.and_then(|year| Date::new(year, 1, 1).ok());
    let service = number.service();
    trim(json!({
        "kind": kind,
        "number": number.as_str(),
        "subject": number.subject().as_ref().map(SubjectNumber::as_str),
        "service": service.as_ref().map(ServiceNumber::as_str),
        "letter": service.map(letter),
        "licence": match number {
            Number::Licence(licence) => Some(licence.as_str()),
            Number::Filing(_) | Number::PublicSecurity(_) => None,
        },
        "year_begins": begins.map(|day| calendar::start_of(day).as_second()),
    }))
}

fn letter(number: ServiceNumber) -> String {
    number
        .letter()
        .map(|letter| letter.as_char().to_string())
        .unwrap_or_default()
}

fn subject(subject: &Subject) -> Value {
    trim(json!({
        "number": subject.subject_number.as_str(),
        "name": name(&subject.name),
        "nature": subject.nature,
        "entity": subject.entity,
        "certificate": certificate(&subject.certificate),
        "status": subject.status,
        "province": subject.subject_number.province().map(province),
        "licence_form": subject.subject_number.as_licence().is_some(),
        "people": subject.people.iter().map(person).collect::<Vec<_>>(),
        "parents": subject.parents.iter()
            .map(|parent| json!({
                "certificate": certificate(&parent.certificate),
                "share": parent.share_basis_points,
            }))
            .collect::<Vec<_>>(),
    }))
}

fn person(person: &Person) -> Value {
    let kind = person.certificate.as_ref().map(|value| value.kind);
    trim(json!({
        "role": person.role,
        "name": person.name.as_ref().map(name),
        "certificate": person.certificate.as_ref().map(certificate),
        "organisation": kind.is_some_and(CertificateKind::is_organisation),
    }))
}

fn service(service: &Service) -> Value {
    trim(json!({
        "number": service.service_number.as_str(),
        "subject": service.service_number.subject().as_str(),
        "letter": letter(service.service_number),
        "kind": service.kind,
        "domains": service.domains.iter().map(RecordDomain::ascii).collect::<Vec<_>>(),
        "folds": service.domains.iter().map(RecordDomain::fold).collect::<Vec<_>>(),
        "status": service.status,
        "access_restricted": service.access_restricted,
        "approved_at": service.approved_at.map_or(i64::MIN, Timestamp::as_second),
    }))
}

fn licence(licence: &Licence) -> Value {
    let ends_at = licence.expires_on.map(end);
    trim(json!({
        "number": licence.licence_number.as_str(),
        "as_subject": licence.licence_number.as_subject().as_str(),
        "certificate": certificate(&licence.holder_certificate),
        "begins_at": licence.issued_on.map(|day| calendar::start_of(day).as_second()),
        "ends_at": ends_at,
        "ends_rank": ends_at.unwrap_or(i64::MAX),
        "status": licence.status,
    }))
}

fn registration(policy: &Policy, value: &Registration) -> Value {
    let days = u16::try_from(policy.library_sync_working_days).unwrap_or(u16::MAX);
    let library_due = value.real_name_verified_at.map(|at| {
        let verified = calendar::beijing_day(at);
        end(policy.calendar.working_days_after(verified, days))
    });
    let mut document = trim(json!({
        "registrar_approved": value.registrar_approved,
        "registrant_name": value.registrant_name.as_ref().map(name),
        "registrant_certificate": value.registrant_certificate.as_ref().map(certificate),
        "redacted": value.redacted,
        "real_name": value.real_name,
        "library_due": library_due,
        "statuses": value.statuses,
        "expires_at": value.expires_at.map(Timestamp::as_second),
    }));
    if let Value::Object(fields) = &mut document {
        fields.insert("in_library".to_owned(), value.in_authority_library.into());
    }
    document
}

fn block(block: &Block) -> Value {
    let (domain, holder) = match &block.target {
        BlockTarget::Domain(domain) => (Some(domain.ascii()), None),
        BlockTarget::Certificate(holder) => (None, Some(certificate(holder))),
    };
    trim(json!({
        "domain": domain,
        "certificate": holder,
        "since": block.since.map(Timestamp::as_second),
        "until": block.until.map(Timestamp::as_second),
    }))
}

fn shown(number: &ShownNumber) -> Value {
    match number {
        ShownNumber::Subject(number) => json!({"subject": number.as_str()}),
        ShownNumber::Service(number) => json!({"service": number.as_str()}),
        ShownNumber::Unreadable(_) => json!({}),
    }
}

fn certificate(value: &SealedCertificate) -> Value {
    trim(json!({
        "kind": value.kind,
        "digest": hex(&value.digest),
        "organisation": value.organisation.as_ref().map(|digest| hex(digest)),
        "province": value.province.map(|code| code.to_string()),
        "old_form": value.old_form,
    }))
}

fn name(value: &SealedName) -> Value {
    json!({"exact": hex(&value.exact), "folded": hex(&value.folded)})
}

fn province(value: Province) -> String {
    value.code().to_string()
}

fn end(day: Date) -> i64 {
    calendar::end_of(day).as_second()
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Deny => "DENY",
        Effect::Review => "REVIEW",
        Effect::Indeterminate => "INDETERMINATE",
        Effect::Obligation => "OBLIGATION",
        Effect::Off => "OFF",
    }
}

fn sector_effect(effect: SectorEffect) -> &'static str {
    match effect {
        SectorEffect::None => "NONE",
        SectorEffect::Review => "REVIEW",
        SectorEffect::Deny => "DENY",
        SectorEffect::DenyWithPayment => "DENY_WITH_PAYMENT",
    }
}

fn reason_unknown(why: Why) -> &'static str {
    match why {
        Why::Stale => "STALE",
        Why::StoreUnavailable | Why::NotComplete | Why::SyncTooOld => "UNAVAILABLE",
    }
}

fn keyed<K, V: serde::Serialize>(
    map: &std::collections::BTreeMap<K, V>,
    key: impl Fn(&K) -> String,
) -> Map<String, Value> {
    map.iter().map(|(k, v)| (key(k), json!(v))).collect()
}

fn each<T>(facts: &[Fact<T>], document: impl Fn(&T) -> Value) -> Vec<Value> {
    facts.iter().map(|fact| document(&fact.value)).collect()
}

/// Leaves out what is not known, so that a rule that asks for it finds nothing.
fn trim(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
