//! Whether the registrant is somebody whom the rule accepts.

use std::collections::BTreeSet;

use icpgate_policy::codes::{PersonRole, Reason, SubjectEntity};
use icpgate_policy::identity::{
    CertificateKind, CertificateMatch, NameMatch, SealedCertificate, SealedName, same_certificate,
    same_name,
};
use icpgate_policy::records::Registration;

use super::registration::Registered;
use super::who::{Subjects, Who};
use super::{Question, Sheet};

/// Somebody who may hold the domain.
struct Party {
    name: Option<SealedName>,
    certificate: Option<SealedCertificate>,
    organisation: bool,
    /// `None`: the subject itself.
    role: Option<PersonRole>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same {
        old_form: bool,
        by_certificate: bool,
    },
    Variant,
    Other {
        comparable: bool,
    },
}

/// All rules about the registrant.
pub(crate) fn check(
    question: &Question<'_>,
    subject: &Subjects,
    registration: &Registered<'_>,
    sheet: &mut Sheet<'_>,
) {
    let who = match subject {
        Subjects::Known(who) => who,
        Subjects::Nobody => return,
        Subjects::Unknown(why) => return sheet.unknown(*why),
    };
    let registration = match registration {
        Registered::Known(registration) => *registration,
        Registered::Absent => return sheet.say(Reason::RegistrantUnknown),
        Registered::Unknown(why) => return sheet.unknown(*why),
    };
    let hidden = registration.redacted
        || (registration.registrant_name.is_none()
            && registration.registrant_certificate.is_none());
    if hidden {
        return sheet.say(Reason::RegistrantUnknown);
    }
    let parties = parties(question, who);
    let likenesses: Vec<(&Party, Likeness)> = parties
        .iter()
        .map(|party| (party, compare(registration, party)))
        .collect();
    let matches: Vec<&(&Party, Likeness)> = likenesses
        .iter()
        .filter(|(_, likeness)| matches!(likeness, Likeness::Same { .. }))
        .collect();
    if matches.is_empty() {
        if likenesses
            .iter()
            .any(|(_, likeness)| *likeness == Likeness::Variant)
        {
            sheet.say(Reason::RegistrantVariant);
        } else if registration.registrant_name.is_none()
            && likenesses
                .iter()
                .all(|(_, likeness)| *likeness == Likeness::Other { comparable: false })
        {
            sheet.say(Reason::RegistrantUnknown);
        } else {
            sheet.say(Reason::RegistrantMismatch);
        }
        return;
    }
    if narrowed(question, who, &matches) {
        sheet.say(if question.pre_filing {
            Reason::RegistrantMismatch
        } else {
            Reason::RegistrantRoleNarrowed
        });
    }
    if matches
        .iter()
        .all(|(_, likeness)| matches!(likeness, Likeness::Same { old_form: true, .. }))
    {
        sheet.say(Reason::CertificateFormOld);
    }
    let itself = matches.iter().any(|(party, likeness)| {
        party.role.is_none()
            && matches!(
                likeness,
                Likeness::Same {
                    by_certificate: true,
                    ..
                }
            )
    });
    if let (true, Some(own), Some(registered)) = (itself, &who.name, &registration.registrant_name)
        && same_name(own, registered) != NameMatch::Equal
    {
        sheet.say(Reason::SubjectNameChanged);
    }
}

fn parties(question: &Question<'_>, who: &Who) -> Vec<Party> {
    let accepted = &question.policy.accepted_roles;
    let mut parties = vec![Party {
        name: who.name.clone(),
        certificate: who.certificate.clone(),
        organisation: who.organisation(),
        role: None,
    }];
    if !who.organisation() {
        return parties;
    }
    for person in &who.people {
        if accepted.contains(&person.role) {
            parties.push(Party {
                name: person.name.clone(),
                certificate: person.certificate.clone(),
                organisation: person.certificate.as_ref().is_some_and(of_organisation),
                role: Some(person.role),
            });
        }
    }
    if who.entity != SubjectEntity::BranchOffice && accepted.contains(&PersonRole::Shareholder) {
        for parent in &who.parents {
            parties.push(Party {
                name: None,
                certificate: Some(parent.certificate.clone()),
                organisation: of_organisation(&parent.certificate),
                role: Some(PersonRole::Shareholder),
            });
        }
    }
    parties
}

fn compare(registration: &Registration, party: &Party) -> Likeness {
    let names = match (&registration.registrant_name, &party.name) {
        (Some(registered), Some(own)) => Some(same_name(registered, own)),
        (None, _) | (_, None) => None,
    };
    if let (Some(registered), Some(own)) =
        (&registration.registrant_certificate, &party.certificate)
    {
        match same_certificate(registered, own) {
            CertificateMatch::Same => {
                return Likeness::Same {
                    old_form: false,
                    by_certificate: true,
                };
            }
            CertificateMatch::SameByOldForm | CertificateMatch::SameByOrganisationCode => {
                return Likeness::Same {
                    old_form: true,
                    by_certificate: true,
                };
            }
            CertificateMatch::Different => {
                let passports = registered.kind == CertificateKind::Passport
                    && own.kind == CertificateKind::Passport;
                return if passports && names == Some(NameMatch::Equal) {
                    Likeness::Variant
                } else {
                    Likeness::Other { comparable: true }
                };
            }
            CertificateMatch::NotComparable => {}
        }
    }
    match names {
        Some(NameMatch::Equal) if party.organisation => Likeness::Same {
            old_form: false,
            by_certificate: false,
        },
        Some(NameMatch::Equal | NameMatch::Variant) => Likeness::Variant,
        Some(NameMatch::Different) | None => Likeness::Other { comparable: false },
    }
}

/// Whether the province accepts none of the roles through which the registrant matched.
fn narrowed(question: &Question<'_>, who: &Who, matches: &[&(&Party, Likeness)]) -> bool {
    let Some(accepted) = who
        .province
        .and_then(|province| question.policy.province_roles.get(&province))
    else {
        return false;
    };
    if matches.iter().any(|(party, _)| party.role.is_none()) {
        return false;
    }
    let roles: BTreeSet<PersonRole> = matches.iter().filter_map(|(party, _)| party.role).collect();
    roles.is_disjoint(accepted)
}

fn of_organisation(certificate: &SealedCertificate) -> bool {
    certificate.kind.is_organisation()
}
