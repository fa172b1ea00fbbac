//! The shipped policy documents.

use icpgate_policy::policy::{Policy, PolicyProblem, SHIPPED, shipped};

#[test]
fn shipped_documents_compile() {
    for (name, text) in SHIPPED {
        let policy =
            Policy::compile(text, "self").unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(
            policy.version.starts_with(&format!("{name}@")),
            "{}",
            policy.version
        );
        assert!(policy.calendar.has_year(2026));
    }
}

#[test]
fn a_policy_compiles_anew_from_its_source() {
    let policy = Policy::compile(shipped("mainland-business-model").unwrap(), "us").unwrap();
    let anew = Policy::from_source(policy.source.clone()).unwrap();
    assert_eq!(anew.version, policy.version);
    assert_eq!(anew.provider_id(), "us");
}

#[test]
fn every_error_of_a_document_is_reported_with_its_path() {
    let document = r#"
        extends = "mainland-strict"
        name = "ours"
        version = "7"
        [validity]
        longest = "48h"
        [access]
        grace = "soon"
        graze = "45d"
        [sectors]
        NEWS = "forbid"
        [rules]
        R04 = "off"
        R99 = "off"
        [reasons]
        DOMAIN_BLACKLISTED = "warn"
        [display]
        subject_form_provinces = ["99"]
    "#;
    let error = Policy::compile(document, "self").unwrap_err();
    let paths: Vec<&str> = error
        .problems
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "access.grace",
            "access.graze",
            "display.subject_form_provinces",
            "reasons.DOMAIN_BLACKLISTED",
            "rules.R04",
            "rules.R99",
            "sectors.NEWS",
            "validity.longest",
        ]
    );
    assert!(error.problems.contains(&(
        "access.graze".to_owned(),
        PolicyProblem::UnknownKey {
            nearest: Some("access.grace".to_owned())
        }
    )));
}

#[test]
fn a_document_extends_shipped_ones_only() {
    let error = Policy::compile("extends = \"elsewhere\"", "self").unwrap_err();
    assert_eq!(
        error.problems,
        [(
            "extends".to_owned(),
            PolicyProblem::UnknownBase {
                found: "elsewhere".to_owned()
            }
        )]
    );
}
