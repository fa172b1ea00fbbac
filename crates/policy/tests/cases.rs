//! Case files: that the shipped policies answer as written, that the files show every rule both
//! ways, and that whatever is wrong with a file is reported.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use icpgate_policy::cases::{self, Case, CaseProblem, CaseResult, Failure};
use icpgate_policy::codes::{Product, Reason, Verdict};
use icpgate_policy::explain::Language;
use icpgate_policy::explain::cases::{case_error, failure};
use icpgate_policy::policy::Policy;
use icpgate_policy::rules::{RULES, RuleId};
use proptest::prelude::*;

/// A case that was run.
struct Ran {
    file: PathBuf,
    case: Case,
    result: CaseResult,
}

#[test]
fn every_policy_answers_as_its_cases_say() {
    let mut report = String::new();
    let ran = run_all();
    let failed = ran.iter().filter(|ran| !ran.result.passed());
    for Ran { file, result, .. } in failed {
        let _ = writeln!(report, "{}: {}", file.display(), result.name);
        for problem in &result.failures {
            let _ = writeln!(report, "    {}", failure(problem, Language::English));
        }
    }
    assert!(report.is_empty(), "{} cases\n{report}", ran.len());
}

#[test]
fn every_reason_of_every_rule_fires_and_is_just_missed() {
    let mut fired: BTreeSet<(RuleId, Reason)> = BTreeSet::new();
    let mut missed: BTreeSet<(RuleId, Reason)> = BTreeSet::new();
    for Ran { case, result, .. } in run_all() {
        fired.extend(
            result
                .decision
                .findings
                .iter()
                .filter_map(|finding| Some((finding.rule, finding.reason?))),
        );
        missed.extend(case.expect.silent.iter().map(|s| (s.rule, s.reason)));
    }
    let table: BTreeSet<(RuleId, Reason)> = RULES
        .iter()
        .flat_map(|rule| rule.reasons.iter().map(|reason| (rule.id, *reason)))
        .collect();
    let never_fired: Vec<String> = lines(table.difference(&fired));
    let never_missed: Vec<String> = lines(table.difference(&missed));
    let everywhere = [Reason::FactsUnavailable, Reason::FactsStale];
    let beside_the_table: Vec<String> = lines(
        fired
            .difference(&table)
            .filter(|(_, reason)| !everywhere.contains(reason)),
    );
    assert!(
        never_fired.is_empty() && never_missed.is_empty() && beside_the_table.is_empty(),
        "never fires: {never_fired:#?}\nis never just missed: {never_missed:#?}\nnot in the \
         table: {beside_the_table:#?}"
    );
}

#[test]
fn rules_without_reasons_of_their_own_speak_and_are_silent() {
    let without_reasons = RULES.iter().filter(|rule| rule.reasons.is_empty());
    for rule in without_reasons.map(|rule| rule.id) {
        let speaks = |ran: &&Ran| ran.result.decision.findings.iter().any(|f| f.rule == rule);
        let speaking = run_all().iter().filter(speaks).count();
        assert!(speaking > 0, "{rule} never speaks");
        assert!(speaking < run_all().len(), "{rule} always speaks");
    }
}

#[test]
fn the_mode_of_a_rule_and_the_weight_of_a_reason_are_the_policys() {
    let file = cases::parse(
        r#"
        [[case]]
        name = "an unfiled news site of a stranger"
        now = 2026-11-22T10:00:00+08:00
        question = { domain = "www.example.cn", product = "CDN", area = "MAINLAND", sectors = ["NEWS"], customer_real_name = "UNVERIFIED" }
        expect = { verdict = "DENY" }
        "#,
    )
    .unwrap();
    for (rules, verdict, reasons) in [
        (
            "",
            Verdict::Deny,
            &[
                Reason::CustomerNotVerified,
                Reason::FilingNotFound,
                Reason::SectorApprovalMissing,
            ][..],
        ),
        (
            "[rules]\nR47 = 'off'\nR38 = 'warn'",
            Verdict::Deny,
            &[Reason::FilingNotFound],
        ),
        (
            "[rules]\nR47 = 'off'\nR38 = 'review'\nR07 = 'warn'",
            Verdict::Review,
            &[Reason::SectorApprovalMissing],
        ),
        (
            "[rules]\nR47 = 'off'\nR38 = 'off'\nR07 = 'off'",
            Verdict::Allow,
            &[],
        ),
    ] {
        let document =
            format!("extends = 'mainland-strict'\nname = 'ours'\nversion = '1'\n{rules}");
        let policy = Policy::compile(&document, "self").unwrap();
        let results = cases::run(&policy, &file);
        let decision = &results.first().unwrap().decision;
        assert_eq!(decision.verdict, verdict, "{rules}");
        assert_eq!(decision.reasons(), reasons, "{rules}");
    }
}

#[test]
fn every_threshold_of_the_policy_is_held_by_a_case() {
    let files: Vec<_> = files()
        .into_iter()
        .filter(|(path, _)| {
            path.components()
                .any(|part| part.as_os_str() == "mainland-strict")
        })
        .map(|(_, text)| cases::parse(&text).unwrap())
        .collect();
    for change in [
        "access = { grace = '44d' }",
        "access = { grace = '46d' }",
        "licence = { expiring = '89d' }",
        "licence = { expiring = '91d' }",
        "licence = { parent_share_percent = 51.01 }",
        "licence = { parent_share_percent = 50.99 }",
        "licence = { requirement = 'by-business-model' }",
        "registration = { library_sync_working_days = 4 }",
        "registration = { library_sync_working_days = 6 }",
        "registration = { blocking_statuses = ['serverHold', 'clientHold', 'inactive', 'pendingDelete'] }",
        "registrant = { accepted_roles = ['LEGAL_REPRESENTATIVE', 'PRINCIPAL', 'SENIOR_MANAGER'] }",
        "registrant = { accepted_roles = ['LEGAL_REPRESENTATIVE', 'SENIOR_MANAGER', 'SHAREHOLDER'] }",
        "registrant = { province_roles = { 44 = ['SENIOR_MANAGER'] } }",
        "registrant = { province_roles = { 64 = ['LEGAL_REPRESENTATIVE'] } }",
        "customer = { undeclared_real_name = 'deny' }",
        "customer = { undeclared_domain_control = 'review' }",
        "origin = { undeclared_location = 'outside' }",
        "display = { due = '29d' }",
        "display = { subject_form_provinces = ['11', '44'] }",
        "display = { subject_form_provinces = [] }",
        "public_security = { due = '31d' }",
        "retry = { filing_not_found = '3h' }",
        "retry = { filing_in_progress = '25h' }",
        "retry = { recheck_confirmation = '2h' }",
        "retry = { facts_unavailable = '1m' }",
        "validity = { longest = '23h' }",
        "names = { extra_suffixes = ['cn.com'] }",
        "suffixes = { approved = ['cn'] }",
        "suffixes = { nature = { PUBLIC_INSTITUTION = ['公益'] } }",
        "sectors = { CULTURE = 'deny' }",
        "sectors = { CULTURE = 'none' }",
        "sectors = { GAMES = 'deny' }",
        "sectors = { HEALTH = 'review' }",
        "sectors = { RELIGION = 'review' }",
        "reasons = { BARE_IP = 'deny' }",
        "calendar = { 2026 = { make_up_days = [] } }",
    ] {
        let document =
            format!("extends = 'mainland-strict'\nname = 'ours'\nversion = '1'\n{change}");
        let policy = Policy::compile(&document, "self")
            .unwrap_or_else(|error| panic!("{change}: {:?}", error.problems));
        let noticed = files
            .iter()
            .flat_map(|file| cases::run(&policy, file))
            .any(|result| !result.passed());
        assert!(noticed, "no case holds {change}");
    }
}

#[test]
fn a_policy_of_another_provider_passes_the_same_cases() {
    let text = fs::read_to_string(folder().join("mainland-strict/policy.toml")).unwrap();
    let policy = Policy::compile(&text, "样例云").unwrap();
    let path = folder().join("mainland-strict/cases/access.toml");
    let file = cases::parse(&fs::read_to_string(path).unwrap()).unwrap();
    for result in cases::run(&policy, &file) {
        assert!(result.passed(), "{}: {:?}", result.name, result.failures);
    }
}

#[test]
fn the_cases_expect_every_reason_verdict_and_product() {
    let mut reasons = BTreeSet::new();
    let mut verdicts = BTreeSet::new();
    let mut products = BTreeSet::new();
    for Ran { case, .. } in run_all() {
        reasons.extend(case.expect.reasons.iter().copied());
        reasons.extend(case.expect.obligations.iter().map(|owed| owed.reason));
        verdicts.insert(case.expect.verdict);
        products.insert(case.question.product);
    }
    let unexpected: Vec<&Reason> = Reason::ALL
        .iter()
        .filter(|reason| !reasons.contains(reason))
        .collect();
    assert!(unexpected.is_empty(), "no case expects {unexpected:?}");
    assert_eq!(verdicts.len(), Verdict::ALL.len());
    assert_eq!(products.len(), Product::ALL.len());
}

#[test]
fn names_of_cases_say_one_thing_each() {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for Ran { file, case, .. } in run_all() {
        let policy = file.ancestors().nth(2).unwrap().to_owned();
        let name = format!("{}: {}", policy.display(), case.name);
        if let Some(other) = files.insert(name, file.clone()) {
            panic!(
                "`{}` in {} and {}",
                case.name,
                file.display(),
                other.display()
            );
        }
    }
}

#[test]
fn a_wrong_expectation_fails() {
    let policy = shipped("mainland-strict");
    let file = cases::parse(
        r#"
        [[case]]
        name = "a filing is expected where none is needed"
        now = 2026-11-22T10:00:00+08:00
        question = { domain = "www.example.cn", product = "CDN", area = "OUTSIDE_MAINLAND" }
        [case.expect]
        verdict = "DENY"
        reasons = ["FILING_NOT_FOUND"]
        obligations = ["DISPLAY_MISSING"]
        findings = [{ rule = "R02", outcome = "NOT_APPLICABLE" }]
        valid_until = 2026-11-22T10:01:00+08:00
        retry_after = true
        "#,
    )
    .unwrap();
    let results = cases::run(&policy, &file);
    let [result] = results.as_slice() else {
        panic!("one case, one result");
    };
    let failures: Vec<String> = result
        .failures
        .iter()
        .map(|problem| failure(problem, Language::English))
        .collect();
    assert_eq!(
        failures,
        [
            "verdict: expected DENY, found ALLOW",
            "reason FILING_NOT_FOUND: expected, not found",
            "obligation DISPLAY_MISSING: expected, not found",
            "rule R02: expected NOT_APPLICABLE, found PASS",
            "valid until: expected 2026-11-22T10:01:00+08:00, found 2026-11-23T10:00:00+08:00",
            "retry after: expected some instant, found none",
        ]
    );
    for problem in &result.failures {
        assert!(!failure(problem, Language::Chinese).is_empty());
        assert!(!matches!(problem, Failure::Broken(_)), "{problem:?}");
    }
}

#[test]
fn everything_wrong_with_a_file_is_reported_with_case_and_path() {
    let errors = cases::parse(
        r#"
        [given]
        now = "yesterday"
        [[given.service]]
        service_number = "京ICP备2026000001号"
        domains = ["*.example.cn", "cn"]

        [[case]]
        name = "first"
        question = { domain = "www.example.cn", product = "CND", aera = "MAINLAND" }
        expect = { verdict = "DENY", reasons = ["NOPE"], silent = ["R07 BARE_IP"] }
        unknown = ["licences"]
        [[case.subject]]
        subject_number = "京ICP备2026000001号"
        name = "张样例"
        nature = "INDIVIDUAL"
        certificate = { kind = "RESIDENT_ID", number = "990000198001010013" }
        [[case.block]]
        list = "AUTHORITY"

        [[case]]
        name = "first"
        question = { domain = "www.example.cn", product = "CDN", area = "MAINLAND" }
        expect = { verdict = "ALLOW" }
        registration = [{ domain = "example.cn", registrar_approved = "yes" }]
        "#,
    )
    .unwrap_err();
    let found: Vec<(Option<&str>, &str)> = errors
        .iter()
        .map(|error| (error.case.as_deref(), error.path.as_str()))
        .collect();
    let first = Some("first");
    for expected in [
        (None, "given.now"),
        (None, "given.service[0].service_number"),
        (None, "given.service[0].domains[0]"),
        (None, "given.service[0].domains[1]"),
        (first, "case[0].question.product"),
        (first, "case[0].question.area"),
        (first, "case[0].question.aera"),
        (first, "case[0].expect.reasons[0]"),
        (first, "case[0].expect.silent[0]"),
        (first, "case[0].unknown[0]"),
        (first, "case[0].subject[0].certificate.number"),
        (first, "case[0].block[0]"),
        (first, "case[1].name"),
        (first, "case[1].registration[0].registrar_approved"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:#?}");
    }
    assert_eq!(found.len(), 14, "each once: {found:#?}");
    let shown = errors
        .iter()
        .flat_map(|error| [Language::English, Language::Chinese].map(|l| case_error(error, l)))
        .collect::<Vec<_>>();
    assert!(shown.iter().all(|text| !text.ends_with([':', '：', ' '])));
    assert!(shown.iter().any(|text| text.contains("`area`")));
    assert!(
        shown
            .iter()
            .all(|text| !text.contains("990000") && !text.contains("张样例")),
        "personal data in {shown:#?}"
    );
    assert!(!format!("{errors:?}").contains("990000198001010013"));
}

#[test]
fn what_is_no_toml_and_what_has_no_cases_is_refused() {
    for (text, syntax) in [("[[case", true), ("", false), ("case = []", false)] {
        let errors = cases::parse(text).unwrap_err();
        let [error] = errors.as_slice() else {
            panic!("{text}: {errors:?}");
        };
        assert_eq!(
            matches!(error.problem, CaseProblem::Syntax(_)),
            syntax,
            "{text}"
        );
    }
    assert!(cases::parse("case = 7").is_err());
}

#[test]
fn a_case_changes_what_the_cases_share() {
    let file = cases::parse(
        r#"
        [given]
        now = 2026-11-22T10:00:00+08:00
        question = { domain = "www.example.cn", product = "CDN", area = "MAINLAND" }
        [[given.registration]]
        domain = "example.cn"
        registrar = "示例注册商"
        real_name = "VERIFIED"

        [[case]]
        name = "changed"
        question = { product = "HOSTING" }
        registration = [{ domain = "example.cn", real_name = "UNVERIFIED" }]
        expect = { verdict = "DENY" }

        [[case]]
        name = "left out"
        without = ["registration"]
        expect = { verdict = "DENY" }
        "#,
    )
    .unwrap();
    let [changed, left_out] = file.cases.as_slice() else {
        panic!("two cases");
    };
    assert_eq!(changed.question.product, Product::Hosting);
    assert_eq!(changed.question.domain, "www.example.cn");
    assert_eq!(changed.given.records.len(), 1);
    let text = format!("{:?}", changed.given.records);
    assert!(
        text.contains("示例注册商") && text.contains("Unverified"),
        "{text}"
    );
    assert!(left_out.given.records.is_empty());
    assert_eq!(left_out.question.product, Product::Cdn);
}

#[test]
fn files_hold_no_certificate_outside_the_invented_range() {
    for (file, text) in files() {
        for line in text.lines().filter(|line| line.contains("number = \"")) {
            for kind in ["UNIFIED_SOCIAL_CREDIT_CODE", "ORGANISATION_CODE"] {
                if line.contains(&format!("kind = \"{kind}\"")) {
                    assert!(line.contains("EXAMP"), "{}: {line}", file.display());
                }
            }
            if line.contains("kind = \"RESIDENT_ID\"") {
                assert!(line.contains("\"990000"), "{}: {line}", file.display());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_a_case_file_or_a_list_of_errors(text in "\\PC{0,80}") {
        if let Err(errors) = cases::parse(&text) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn a_damaged_case_file_is_read_or_refused_and_runs(
        at in 0_usize..4000, damage in "[\\[\\]{}=\"0-9京号.:x-]{0,3}"
    ) {
        let path = folder().join("mainland-strict/cases/registration.toml");
        let mut text: Vec<char> = fs::read_to_string(path).unwrap().chars().take(4000).collect();
        let at = at.min(text.len());
        text.splice(at..at, damage.chars());
        let text: String = text.into_iter().collect();
        let end = text.rfind("[[case]]").unwrap_or(text.len());
        if let Ok(file) = cases::parse(text.get(..end).unwrap_or_default()) {
            prop_assert_eq!(cases::run(&shipped("mainland-strict"), &file).len(), file.cases.len());
        }
    }
}

fn run_all() -> &'static [Ran] {
    static RAN: LazyLock<Vec<Ran>> = LazyLock::new(run_files);
    &RAN
}

fn run_files() -> Vec<Ran> {
    let mut policies: BTreeMap<String, Policy> = BTreeMap::new();
    let mut ran = Vec::new();
    for (path, text) in files() {
        let name = path.ancestors().nth(2).unwrap().file_name().unwrap();
        let name = name.to_str().unwrap().to_owned();
        let policy = policies
            .entry(name.clone())
            .or_insert_with(|| shipped(&name));
        let file = cases::parse(&text).unwrap_or_else(|errors| {
            let errors: Vec<String> = errors
                .iter()
                .map(|error| case_error(error, Language::English))
                .collect();
            panic!("{}:\n{}", path.display(), errors.join("\n"));
        });
        let results = cases::run(policy, &file);
        for (case, result) in file.cases.into_iter().zip(results) {
            ran.push(Ran {
                file: path.clone(),
                case,
                result,
            });
        }
    }
    ran
}

fn shipped(name: &str) -> Policy {
    let text = fs::read_to_string(folder().join(name).join("policy.toml")).unwrap();
    Policy::compile(&text, "this-provider").unwrap()
}

/// All case files, in the order of their paths.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for policy in fs::read_dir(folder()).unwrap() {
        let cases = policy.unwrap().path().join("cases");
        if !cases.is_dir() {
            continue;
        }
        for file in fs::read_dir(cases).unwrap() {
            let path = file.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files.sort();
    assert!(files.len() > 5, "case files in {}", folder().display());
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn lines<'a>(pairs: impl Iterator<Item = &'a (RuleId, Reason)>) -> Vec<String> {
    pairs
        .map(|(rule, reason)| format!("{rule} {reason}"))
        .collect()
}
