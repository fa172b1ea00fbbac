//! `docs/RULES.md` and `docs/POLICY.md` keep up with the product.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use icpgate_policy::codes::Reason;
use icpgate_policy::explain::rules_page::{CaseFile, render};
use icpgate_policy::policy::{Policy, shipped};
use icpgate_policy::rules::{RULES, RuleId};
use toml::{Table, Value};

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "who runs the test says whether the page is to be rewritten"
)]
fn the_page_is_that_of_the_table() {
    let root = root();
    let page = render(&case_files(&root));
    let path = root.join("docs/RULES.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/RULES.md is out of date; run UPDATE_DOCS=1 cargo test -p icpgate-policy --test \
         rules_page"
    );
}

#[test]
fn the_page_names_every_rule_reason_and_case_file() {
    let page = render(&[CaseFile {
        path: "policies/mainland-strict/cases/some.toml".to_owned(),
        rules: BTreeSet::from([RuleId::R10]),
        reasons: BTreeSet::from([Reason::FilingNotFound, Reason::DomainInvalid]),
    }]);
    for rule in RULES {
        let heading = format!("\n### {} ", rule.id.as_str());
        assert_eq!(page.matches(&heading).count(), 1, "{heading}");
    }
    for reason in Reason::ALL {
        let row = format!("\n| `{}` | ", reason.as_str());
        assert_eq!(page.matches(&row).count(), 1, "{row}");
    }
    for conduct in ["R03", "R49", "R50", "R51"] {
        assert!(page.contains(&format!("\n### {conduct} ")), "{conduct}");
    }
    // Named by one rule, and by the one rule that a reason belongs to; DOMAIN_INVALID is two's.
    let link = "- Worked cases: [policies/mainland-strict/cases/some.toml]\
                (../policies/mainland-strict/cases/some.toml)\n";
    assert_eq!(page.matches(link).count(), 2);
    let shown = |rule: &str| {
        let (_, rest) = page.split_once(&format!("\n### {rule} ")).unwrap();
        rest.split("\n#").next().unwrap().contains(link)
    };
    assert!(shown("R10") && shown("R07") && !shown("R01") && !shown("R18"));
}

#[test]
fn the_links_of_the_page_lead_somewhere() {
    let page = render(&case_files(&root()));
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| {
            heading
                .to_ascii_lowercase()
                .replace(' ', "-")
                .replace([',', '\'', '.'], "")
        })
        .collect();
    let mut links = 0;
    for rest in page.split("](#").skip(1) {
        let anchor = rest.split(')').next().unwrap();
        assert!(headings.contains(anchor), "{anchor}");
        links += 1;
    }
    assert_eq!(links, RULES.len());
}

#[test]
fn the_guide_names_every_key_of_the_strict_policy() {
    let guide = fs::read_to_string(root().join("docs/POLICY.md")).unwrap();
    let policy: Table = shipped("mainland-strict").unwrap().parse().unwrap();
    let mut missing = Vec::new();
    for (section, value) in &policy {
        match value {
            Value::Table(table) if !open(section) => {
                for key in table.keys() {
                    let path = format!("`{section}.{key}`");
                    if !guide.contains(&path) {
                        missing.push(path);
                    }
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => {
                if !guide.contains(&format!("`{section}`"))
                    && !guide.contains(&format!("`[{section}]`"))
                {
                    missing.push(section.clone());
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_example_of_the_guide_compiles() {
    let guide = fs::read_to_string(root().join("docs/POLICY.md")).unwrap();
    let mut examples = 0;
    for block in guide.split("```toml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        if !text.contains("extends = ") {
            continue;
        }
        let policy = Policy::compile(text, "example").unwrap_or_else(|error| panic!("{error:?}"));
        assert!(policy.version.contains('@'));
        examples += 1;
    }
    assert_eq!(examples, 1);
}

/// Sections whose keys are codes, years or provinces.
fn open(section: &str) -> bool {
    matches!(section, "sectors" | "rules" | "reasons" | "calendar")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The case files of every policy, with the rules and reasons that their cases expect.
fn case_files(root: &Path) -> Vec<CaseFile> {
    let mut paths = Vec::new();
    for policy in fs::read_dir(root.join("policies")).unwrap() {
        let policy = policy.unwrap();
        let Ok(files) = fs::read_dir(policy.path().join("cases")) else {
            continue;
        };
        for file in files {
            let file = file.unwrap();
            if file.path().extension().is_some_and(|end| end == "toml") {
                let policy = policy.file_name().into_string().unwrap();
                let name = file.file_name().into_string().unwrap();
                paths.push(format!("policies/{policy}/cases/{name}"));
            }
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            let document: Table = text
                .parse()
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            let mut file = CaseFile {
                path,
                rules: BTreeSet::new(),
                reasons: BTreeSet::new(),
            };
            let cases = document.get("case").and_then(Value::as_array);
            for case in cases.into_iter().flatten() {
                let Some(Value::Table(expect)) = case.get("expect") else {
                    continue;
                };
                // What a case expects not to find does not show a rule.
                for (_, value) in expect.iter().filter(|(key, _)| *key != "silent") {
                    gather(value, &mut file);
                }
            }
            file
        })
        .collect()
}

fn gather(value: &Value, file: &mut CaseFile) {
    match value {
        Value::String(text) => {
            file.rules.extend(RuleId::from_code(text));
            file.reasons.extend(Reason::from_code(text));
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, file)),
        Value::Table(table) => table.iter().for_each(|(_, value)| gather(value, file)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}
