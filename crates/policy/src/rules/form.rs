//! Form of the name: R01, R45, and R02 where no filing is needed at all.

use super::case::Case;
use super::{RuleId, Sheet};
use crate::codes::{Product, Reason};
use crate::decision::Detail;
use crate::domain_name::{self, Host};

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    match &case.request.host {
        Ok(Host::Name(_)) => sheet.pass(RuleId::R01, &[]),
        Ok(Host::Ip(address)) => {
            let hosted = match case.request.profile.product {
                Product::Hosting | Product::ReverseProxy => true,
                Product::Cdn
                | Product::AppBackend
                | Product::MiniProgramBackend
                | Product::DnsOnly => false,
            };
            if !hosted || !domain_name::is_public(*address) {
                sheet.fire(RuleId::R01, Reason::DomainInvalid, Detail::Malformed, &[]);
            } else {
                sheet.pass(RuleId::R01, &[]);
                sheet.fire(RuleId::R45, Reason::BareIp, Detail::None, &[]);
            }
        }
        Err(_) => sheet.fire(RuleId::R01, Reason::DomainInvalid, Detail::Malformed, &[]),
    }
    sheet.pass(RuleId::R02, &[]);
}
