//! Where personal data stands in records, facts and questions.
//!
//! **Invariant:** every sealed value is visited. Fields are named one by one, those without personal
//! data too, so that a new field does not compile before somebody has said which it is.
//! **Absent on purpose:** what is done with them; that is the visitor's.

use std::sync::Arc;

use crate::facts::{Fact, Facts, NameFacts};
use crate::identity::{Sealed, SealedCertificate, SealedName};
use crate::records::{
    Approval, ApprovalHolder, Block, BlockTarget, Licence, Parent, Person, Record, Registration,
    Subject,
};
use crate::request::{Applicant, NewApplicant, Profile};

/// Visits the sealed values of a record.
pub fn in_record(record: &mut Record, visit: &mut impl FnMut(Sealed<'_>)) {
    match record {
        Record::Subject(subject) => in_subject(subject, visit),
        Record::Licence(licence) => in_licence(licence, visit),
        Record::Registration(registration) => in_registration(registration, visit),
        Record::Block(block) => in_block(block, visit),
        Record::Approval(approval) => in_approval(approval, visit),
        Record::Service(_)
        | Record::Access(_)
        | Record::Application(_)
        | Record::PublicSecurityFiling(_)
        | Record::DisplayObservation(_) => {}
    }
}

/// Visits the sealed values of facts. Their order stays, so that they replay as they did.
pub fn in_facts(facts: &mut Facts, visit: &mut impl FnMut(Sealed<'_>)) {
    let Facts {
        name,
        origin,
        host_header,
        applicant,
    } = facts;
    let others = [origin, host_header, applicant].into_iter().flatten();
    for set in std::iter::once(name).chain(others) {
        in_set(Arc::make_mut(set), visit);
    }
}

/// Visits the sealed values of a question.
pub fn in_profile(profile: &mut Profile, visit: &mut impl FnMut(Sealed<'_>)) {
    let Profile {
        domain: _,
        product: _,
        service_area: _,
        purpose: _,
        site: _,
        claimed_filing_number: _,
        origin_host: _,
        origin_in_mainland: _,
        host_header: _,
        customer: _,
        applicant,
        language: _,
    } = profile;
    if let Some(Applicant::New(applicant)) = applicant {
        let NewApplicant {
            nature: _,
            entity: _,
            name,
            certificate,
            province: _,
            people,
        } = &mut **applicant;
        optional(name.as_mut(), certificate.as_mut(), visit);
        in_people(people, visit);
    }
}

fn in_set(set: &mut NameFacts, visit: &mut impl FnMut(Sealed<'_>)) {
    fn each<T>(facts: &mut [Fact<T>], mut see: impl FnMut(&mut T)) {
        for fact in facts {
            see(&mut fact.value);
        }
    }
    each(&mut set.subjects, |subject| in_subject(subject, visit));
    each(&mut set.licences, |licence| in_licence(licence, visit));
    each(&mut set.registrations, |registration| {
        in_registration(registration, visit);
    });
    each(&mut set.blocks, |block| in_block(block, visit));
    each(&mut set.approvals, |approval| in_approval(approval, visit));
}

fn in_subject(subject: &mut Subject, visit: &mut impl FnMut(Sealed<'_>)) {
    let Subject {
        subject_number: _,
        name,
        nature: _,
        entity: _,
        certificate,
        status: _,
        people,
        parents,
    } = subject;
    optional(Some(name), Some(certificate), visit);
    in_people(people, visit);
    for parent in parents {
        let Parent {
            certificate,
            share_basis_points: _,
        } = parent;
        visit(Sealed::Certificate(certificate));
    }
}

fn in_people(people: &mut [Person], visit: &mut impl FnMut(Sealed<'_>)) {
    for person in people {
        let Person {
            role: _,
            name,
            certificate,
        } = person;
        optional(name.as_mut(), certificate.as_mut(), visit);
    }
}

fn in_licence(licence: &mut Licence, visit: &mut impl FnMut(Sealed<'_>)) {
    let Licence {
        licence_number: _,
        holder_name,
        holder_certificate,
        businesses: _,
        issued_on: _,
        expires_on: _,
        status: _,
    } = licence;
    optional(holder_name.as_mut(), Some(holder_certificate), visit);
}

fn in_registration(registration: &mut Registration, visit: &mut impl FnMut(Sealed<'_>)) {
    let Registration {
        domain: _,
        registrar: _,
        registrar_approved: _,
        registrant_name,
        registrant_certificate,
        redacted: _,
        real_name: _,
        real_name_verified_at: _,
        in_authority_library: _,
        statuses: _,
        expires_at: _,
    } = registration;
    optional(
        registrant_name.as_mut(),
        registrant_certificate.as_mut(),
        visit,
    );
}

fn in_block(block: &mut Block, visit: &mut impl FnMut(Sealed<'_>)) {
    let Block {
        list: _,
        target,
        reason: _,
        since: _,
        until: _,
    } = block;
    match target {
        BlockTarget::Certificate(certificate) => visit(Sealed::Certificate(certificate)),
        BlockTarget::Domain(_) => {}
    }
}

fn in_approval(approval: &mut Approval, visit: &mut impl FnMut(Sealed<'_>)) {
    let Approval {
        sector: _,
        approval_number: _,
        holder,
        expires_on: _,
    } = approval;
    match holder {
        ApprovalHolder::Certificate(certificate) => visit(Sealed::Certificate(certificate)),
        ApprovalHolder::Domain(_) => {}
    }
}

fn optional(
    name: Option<&mut SealedName>,
    certificate: Option<&mut SealedCertificate>,
    visit: &mut impl FnMut(Sealed<'_>),
) {
    if let Some(name) = name {
        visit(Sealed::Name(name));
    }
    if let Some(certificate) = certificate {
        visit(Sealed::Certificate(certificate));
    }
}
