//! What to do about a finding.

mod chinese;
mod english;

pub(super) use chinese::remediation as chinese;
pub(super) use english::remediation as english;
