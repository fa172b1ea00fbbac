//! The registrant: R29 to R32, R52 and R59.
//!
//! The registrant of a person's filing is that person; that of an organisation's is the
//! organisation, a shareholder, its principal or a senior manager (MIIT notice 264 of 2017).
//! Certificates decide where they can be compared, names where not.

use std::collections::BTreeSet;

use arrayvec::ArrayVec;

use super::case::{Case, Compared, Holder, Party};
use super::{RuleId, Sheet};
use crate::codes::{PersonRole, Reason, RecordKind, SubjectEntity, SubjectNature};
use crate::decision::{Detail, Evidence, FactSet};
use crate::identity::{
    CertificateKind, CertificateMatch, NameMatch, SealedCertificate, SealedName, same_certificate,
    same_name,
};
use crate::policy::{Effect, Policy};
use crate::records::Registration;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if !sheet.applies(RuleId::R32) && !sheet.applies(RuleId::R29) && !sheet.applies(RuleId::R31) {
        return;
    }
    if case.name.is_none() {
        return;
    }
    let holder = match case.party {
        Party::Known(holder) => holder,
        Party::Unknown(kind, why) => return sheet.unknown(RuleId::R32, kind, why),
        Party::Nobody => return,
    };
    let registration = match case.registration {
        Compared::Known(registration) => registration,
        Compared::Unknown(why) => {
            return sheet.unknown(RuleId::R32, RecordKind::Registration, why);
        }
        Compared::Absent => {
            return sheet.fire(RuleId::R32, Reason::RegistrantUnknown, Detail::None, &[]);
        }
        Compared::NotAsked => return,
    };
    let mut evidence: ArrayVec<Evidence, 2> = ArrayVec::new();
    evidence.push(registration.evidence(FactSet::Name, RecordKind::Registration));
    evidence.extend(holder.evidence);
    let value = &registration.fact.value;
    let nobody = value.registrant_name.is_none() && value.registrant_certificate.is_none();
    if value.redacted || nobody {
        return sheet.fire(
            RuleId::R32,
            Reason::RegistrantUnknown,
            Detail::None,
            &evidence,
        );
    }
    let found = compare(case.policy, &holder, value);
    judge(case, &holder, &found, &evidence, sheet);
}

/// What comparing a registrant with every accepted party has shown.
#[derive(Default)]
struct Found {
    /// Matched as the subject itself.
    itself: Option<Hit>,
    /// Matched through roles.
    roles: ArrayVec<(PersonRole, Hit), 8>,
    /// Something that only a person can judge.
    variant: Option<Detail>,
    /// Whether the registrant's certificate could be compared with any party's.
    compared: bool,
    /// Whether the registrant's name could be compared with any party's.
    named: bool,
}

#[derive(Clone, Copy)]
struct Hit {
    by_certificate: bool,
    old_form: bool,
}

/// How one party compares.
#[derive(Clone, Copy)]
enum Likeness {
    Match(Hit),
    Variant(Detail),
    Different,
}

struct Candidate<'a> {
    certificate: Option<&'a SealedCertificate>,
    name: Option<&'a SealedName>,
    organisation: bool,
}

fn compare(policy: &Policy, holder: &Holder<'_>, registration: &Registration) -> Found {
    let mut found = Found::default();
    let itself = Candidate {
        certificate: holder.certificate,
        name: holder.name,
        organisation: holder.nature != SubjectNature::Individual,
    };
    match likeness(&itself, registration, &mut found) {
        Likeness::Match(hit) => found.itself = Some(hit),
        Likeness::Variant(detail) => found.variant = Some(detail),
        Likeness::Different => {}
    }
    if holder.nature == SubjectNature::Individual {
        return found;
    }
    for person in holder.people {
        if !policy.accepted_roles.contains(&person.role) {
            continue;
        }
        let candidate = Candidate {
            certificate: person.certificate.as_ref(),
            name: person.name.as_ref(),
            organisation: person
                .certificate
                .as_ref()
                .is_some_and(|c| c.kind.is_organisation()),
        };
        note(
            person.role,
            likeness(&candidate, registration, &mut found),
            &mut found,
        );
    }
    // A branch office is no legal person of its own: its company's domain is not its domain.
    if holder.entity != SubjectEntity::BranchOffice
        && policy.accepted_roles.contains(&PersonRole::Shareholder)
    {
        for parent in holder.parents {
            let candidate = Candidate {
                certificate: Some(&parent.certificate),
                name: None,
                organisation: true,
            };
            let likeness = likeness(&candidate, registration, &mut found);
            note(PersonRole::Shareholder, likeness, &mut found);
        }
    }
    found
}

fn note(role: PersonRole, likeness: Likeness, found: &mut Found) {
    match likeness {
        Likeness::Match(hit) => {
            // More roles than there are kinds of cannot tell more.
            let _ = found.roles.try_push((role, hit));
        }
        Likeness::Variant(detail) => found.variant = found.variant.or(Some(detail)),
        Likeness::Different => {}
    }
}

fn likeness(party: &Candidate<'_>, registration: &Registration, found: &mut Found) -> Likeness {
    let names = party.name.zip(registration.registrant_name.as_ref());
    let name = names.map(|(own, other)| same_name(own, other));
    found.named |= name.is_some();
    if let Some((own, other)) = party
        .certificate
        .zip(registration.registrant_certificate.as_ref())
    {
        let passports = own.kind == CertificateKind::Passport;
        let compared = same_certificate(own, other);
        found.compared |= compared != CertificateMatch::NotComparable;
        match compared {
            CertificateMatch::Same => {
                return Likeness::Match(Hit {
                    by_certificate: true,
                    old_form: false,
                });
            }
            CertificateMatch::SameByOldForm | CertificateMatch::SameByOrganisationCode => {
                return Likeness::Match(Hit {
                    by_certificate: true,
                    old_form: true,
                });
            }
            // Passports get a new number when they are renewed.
            CertificateMatch::Different if passports && name == Some(NameMatch::Equal) => {
                return Likeness::Variant(Detail::OtherPassport);
            }
            CertificateMatch::Different => return Likeness::Different,
            CertificateMatch::NotComparable => {}
        }
    }
    match (name, party.organisation) {
        (Some(NameMatch::Equal), true) => Likeness::Match(Hit {
            by_certificate: false,
            old_form: false,
        }),
        // People share names.
        (Some(NameMatch::Equal), false) => Likeness::Variant(Detail::NameAlone),
        (Some(NameMatch::Variant), _) => Likeness::Variant(Detail::None),
        (Some(NameMatch::Different) | None, _) => Likeness::Different,
    }
}

fn judge(
    case: &Case<'_>,
    holder: &Holder<'_>,
    found: &Found,
    evidence: &[Evidence],
    sheet: &mut Sheet<'_>,
) {
    let rule = if holder.nature == SubjectNature::Individual {
        RuleId::R29
    } else {
        RuleId::R31
    };
    if found.itself.is_none() && found.roles.is_empty() {
        let named = registrant(case).is_some_and(|value| value.registrant_name.is_some());
        if let Some(detail) = found.variant {
            sheet.pass(RuleId::R32, evidence);
            sheet.fire(rule, Reason::RegistrantVariant, detail, evidence);
        } else if !found.compared && !named {
            sheet.fire(
                RuleId::R32,
                Reason::RegistrantUnknown,
                Detail::NameAlone,
                evidence,
            );
        } else {
            sheet.pass(RuleId::R32, evidence);
            sheet.fire(rule, Reason::RegistrantMismatch, Detail::None, evidence);
        }
        return;
    }
    sheet.pass(RuleId::R32, evidence);
    sheet.pass(rule, evidence);
    role(case, holder, found, evidence, sheet);
    let old = found
        .itself
        .iter()
        .chain(found.roles.iter().map(|(_, hit)| hit));
    if old.clone().all(|hit| hit.old_form) {
        sheet.fire(
            RuleId::R59,
            Reason::CertificateFormOld,
            Detail::None,
            evidence,
        );
    } else {
        sheet.pass(RuleId::R59, evidence);
    }
    name(case, holder, found, evidence, sheet);
}

/// Whether the province accepts the role through which the registrant matched.
fn role(
    case: &Case<'_>,
    holder: &Holder<'_>,
    found: &Found,
    evidence: &[Evidence],
    sheet: &mut Sheet<'_>,
) {
    if holder.nature == SubjectNature::Individual {
        return;
    }
    let narrowed: Option<&BTreeSet<PersonRole>> = holder
        .province
        .and_then(|code| case.policy.province_roles.get(&code));
    let accepted = found.itself.is_some()
        || narrowed.is_none_or(|roles| found.roles.iter().any(|(role, _)| roles.contains(role)));
    if accepted {
        return sheet.pass(RuleId::R30, evidence);
    }
    let effect = case
        .policy
        .effect(Reason::RegistrantRoleNarrowed, case.pre_filing());
    let reason = match (case.pre_filing(), effect) {
        (true, Effect::Deny) => Reason::RegistrantMismatch,
        (true | false, _) => Reason::RegistrantRoleNarrowed,
    };
    sheet.fire_as(RuleId::R30, reason, effect, Detail::Narrowed, evidence);
}

/// One certificate under two names: the filing is behind a change of name.
fn name(
    case: &Case<'_>,
    holder: &Holder<'_>,
    found: &Found,
    evidence: &[Evidence],
    sheet: &mut Sheet<'_>,
) {
    if !found.itself.is_some_and(|hit| hit.by_certificate) {
        return;
    }
    let recorded = registrant(case).and_then(|value| value.registrant_name.as_ref());
    let Some((own, other)) = holder.name.zip(recorded) else {
        return;
    };
    if same_name(own, other) == NameMatch::Equal {
        sheet.pass(RuleId::R52, evidence);
    } else {
        sheet.fire(
            RuleId::R52,
            Reason::SubjectNameChanged,
            Detail::None,
            evidence,
        );
    }
}

fn registrant<'a>(case: &Case<'a>) -> Option<&'a Registration> {
    match case.registration {
        Compared::Known(registration) => Some(&registration.fact.value),
        Compared::NotAsked | Compared::Absent | Compared::Unknown(_) => None,
    }
}
