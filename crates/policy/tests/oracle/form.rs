//! Form of the name, and what the caller declares about its customer.

use icpgate_policy::codes::{DomainControl, Product, RealName, Reason};
use icpgate_policy::domain_name::{Host, is_public};

use super::{Question, Sheet};

/// The name, or an IP address in its place.
pub(crate) fn name(question: &Question<'_>, sheet: &mut Sheet<'_>, mainland: bool) {
    let serves_addresses = matches!(
        question.request.profile.product,
        Product::Hosting | Product::ReverseProxy
    );
    match &question.request.host {
        Err(_) => sheet.say(Reason::DomainInvalid),
        Ok(Host::Name(_)) => {}
        Ok(Host::Ip(address)) => {
            if !serves_addresses || !is_public(*address) {
                sheet.say(Reason::DomainInvalid);
            } else if mainland {
                sheet.say(Reason::BareIp);
            }
        }
    }
}

/// Real name of the customer.
pub(crate) fn customer_verified(question: &Question<'_>, sheet: &mut Sheet<'_>) {
    match question.request.profile.customer.real_name {
        Some(RealName::Verified) => {}
        Some(RealName::Unverified) => sheet.say(Reason::CustomerNotVerified),
        None => sheet.weigh(
            Reason::CustomerNotVerified,
            question.policy.undeclared_real_name,
            None,
        ),
    }
}

/// Control of the domain.
pub(crate) fn domain_control(question: &Question<'_>, sheet: &mut Sheet<'_>) {
    match question.request.profile.customer.domain_control {
        Some(DomainControl::Proven) => {}
        Some(DomainControl::NotProven) => sheet.say(Reason::DomainControlNotProven),
        None => sheet.weigh(
            Reason::DomainControlNotProven,
            question.policy.undeclared_domain_control,
            None,
        ),
    }
}
