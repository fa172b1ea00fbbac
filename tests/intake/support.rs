//! What the tests of this folder share.

use std::path::PathBuf;
use std::sync::Arc;

use icpgate::intake::{Intake, Violation, ndjson};
use icpgate::store::NewRecord;
use icpgate_policy::domain_name::Suffixes;
use icpgate_policy::explain::Language;
use icpgate_policy::identity::{CheckDigits, Sealer};
use jiff::Timestamp;

/// Files of one record kind each.
pub(crate) const KINDS: [&str; 10] = [
    "subject",
    "service",
    "access",
    "application",
    "licence",
    "registration",
    "block",
    "approval",
    "public_security_filing",
    "display_observation",
];

pub(crate) fn intake(check_digits: CheckDigits) -> Intake {
    Intake {
        sealer: Sealer::new(b"a key of the tests, 32 octets...").unwrap(),
        suffixes: Arc::new(Suffixes::new(&[], &["gov.cn".to_owned()]).unwrap()),
        check_digits,
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-02-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn data(kind: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests",
        "data",
        "records",
        &format!("{kind}.ndjson"),
    ]
    .iter()
    .collect()
}

/// Takes one line in.
pub(crate) fn take(line: &str) -> Result<NewRecord, Vec<Violation>> {
    take_with(line, CheckDigits::Refuse)
}

pub(crate) fn take_with(line: &str, check: CheckDigits) -> Result<NewRecord, Vec<Violation>> {
    let record = ndjson::parse(line.as_bytes()).map_err(|violation| vec![violation])?;
    intake(check).record(record, now())
}

/// Fields and texts of the violations of a line that is refused, in both languages.
pub(crate) fn refused(line: &str) -> Vec<(String, String)> {
    let violations = take(line).expect_err("the line is refused");
    violations
        .iter()
        .map(|violation| {
            let chinese = violation.description(Language::Chinese);
            assert!(
                chinese.chars().any(|c| ('一'..='鿿').contains(&c)),
                "{chinese}"
            );
            (
                violation.field.clone(),
                violation.description(Language::English),
            )
        })
        .collect()
}

/// The only violation of a line that is refused.
pub(crate) fn one_refusal(line: &str) -> (String, String) {
    let mut violations = refused(line);
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations.remove(0)
}
