//! The customer: R47 and R48.
//!
//! A provider of content delivery or cloud services verifies its customers' real names
//! (Anti-Telecom and Online Fraud Law, Art. 21); control of the domain is a provider rule.

use super::case::Case;
use super::{RuleId, Sheet};
use crate::codes::{DomainControl, RealName, Reason};
use crate::decision::Detail;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let customer = &case.request.profile.customer;
    match customer.real_name {
        Some(RealName::Verified) => sheet.pass(RuleId::R47, &[]),
        Some(RealName::Unverified) => {
            sheet.fire(RuleId::R47, Reason::CustomerNotVerified, Detail::None, &[]);
        }
        None => sheet.fire_as(
            RuleId::R47,
            Reason::CustomerNotVerified,
            case.policy.undeclared_real_name,
            Detail::Undeclared,
            &[],
        ),
    }
    match customer.domain_control {
        Some(DomainControl::Proven) => sheet.pass(RuleId::R48, &[]),
        Some(DomainControl::NotProven) => {
            sheet.fire(
                RuleId::R48,
                Reason::DomainControlNotProven,
                Detail::None,
                &[],
            );
        }
        None => sheet.fire_as(
            RuleId::R48,
            Reason::DomainControlNotProven,
            case.policy.undeclared_domain_control,
            Detail::Undeclared,
            &[],
        ),
    }
}
