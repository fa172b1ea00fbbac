//! Making a failing case small.

use icpgate_policy::codes::RecordKind;
use icpgate_policy::explain::Language;
use icpgate_policy::facts::{Entitlement, Missing};
use icpgate_policy::records::Record;

use super::Case;

/// A smaller case that fails too: as long as one change that makes it simpler leaves it failing,
/// the change is kept.
pub(crate) fn reduce(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut case = case.clone();
    loop {
        let simpler = simpler(&case).into_iter().find(|simpler| fails(simpler));
        match simpler {
            Some(simpler) => case = simpler,
            None => return case,
        }
    }
}

/// Every case that is simpler by one step.
fn simpler(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    for index in 0..case.records.len() {
        let mut fewer = case.clone();
        fewer.records.remove(index);
        all.push(fewer);
    }
    let mut change = |change: &dyn Fn(&mut Case)| {
        let mut changed = case.clone();
        change(&mut changed);
        if format!("{changed:?}") != format!("{case:?}") {
            all.push(changed);
        }
    };
    change(&|case| case.entitlement = Entitlement::complete());
    for kind in RecordKind::ALL {
        change(&|case| case.entitlement.set(*kind, Missing::Absent { until: None }));
    }
    change(&|case| case.policy = 0);
    change(&|case| case.whole = true);
    change(&|case| case.profile.language = Language::English);
    change(&|case| case.profile.claimed_filing_number = None);
    change(&|case| case.profile.origin_host = None);
    change(&|case| case.profile.origin_in_mainland = None);
    change(&|case| case.profile.host_header = None);
    change(&|case| case.profile.applicant = None);
    change(&|case| case.profile.customer.real_name = None);
    change(&|case| case.profile.customer.domain_control = None);
    change(&|case| case.profile.site.payment_enabled = false);
    change(&|case| case.profile.site.business_model = None);
    change(&|case| case.profile.site.live_since = None);
    for index in 0..case.profile.site.sectors.len() {
        change(&|case| {
            case.profile.site.sectors.remove(index);
        });
    }
    for index in 0..case.records.len() {
        change(&|case| thin(&mut case.records[index].value));
    }
    all
}

/// Takes one thing out of a record, if there is one.
fn thin(record: &mut Record) {
    match record {
        Record::Subject(subject) => {
            if subject.people.pop().is_none() {
                subject.parents.pop();
            }
        }
        Record::Service(service) => {
            if service.domains.len() > 1 {
                service.domains.pop();
            } else {
                service.approved_at = None;
            }
        }
        Record::Registration(registration) => {
            if registration.statuses.pop().is_none() && registration.expires_at.take().is_none() {
                registration.registrar_approved = None;
            }
        }
        Record::DisplayObservation(observation) => {
            observation.numbers.pop();
        }
        Record::Access(_)
        | Record::Application(_)
        | Record::Licence(_)
        | Record::Block(_)
        | Record::Approval(_)
        | Record::PublicSecurityFiling(_) => {}
    }
}
