//! `docs/RULES.md`, made from the table of rules and the wording, so that page and product do not
//! part.
//!
//! **Never** reads a file: which case files show a rule is a parameter.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::{Language, reason_meaning, rule_references, rule_title};
use crate::codes::{Product, Reason, RecordKind};
use crate::policy::{Effect, default_effect};
use crate::rules::{RULES, Rule, RuleId};

const INTRODUCTION: &str = include_str!("rules_page/introduction.md");
const CONDUCT: &str = include_str!("rules_page/conduct.md");

/// A file of worked cases and what its cases expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// Path from the root of the repository.
    pub path: String,
    /// Rules that its cases name.
    pub rules: BTreeSet<RuleId>,
    /// Reasons that its cases expect.
    pub reasons: BTreeSet<Reason>,
}

/// The page. Files are named in the order given.
#[must_use]
pub fn render(cases: &[CaseFile]) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, cases);
    page
}

fn write(page: &mut String, cases: &[CaseFile]) -> fmt::Result {
    page.push_str(INTRODUCTION);
    page.push_str("\n## The rules\n\n");
    page.push_str("| rule | title | reasons |\n| --- | --- | --- |\n");
    for rule in RULES {
        let title = rule_title(rule.id, Language::English);
        let anchor = anchor(rule.id);
        let reasons = codes(rule.reasons);
        writeln!(
            page,
            "| [{}](#{anchor}) | {title} | {reasons} |",
            rule.id.as_str()
        )?;
    }
    for rule in RULES {
        page.push('\n');
        write_rule(page, rule, cases)?;
    }
    page.push_str("\n## The reasons\n\nWeightiest first. ");
    page.push_str("A policy may move an effect in `[reasons]`, but for those marked *fixed*.\n\n");
    page.push_str("| reason | effect | before filing | meaning | rules |\n");
    page.push_str("| --- | --- | --- | --- | --- |\n");
    for reason in Reason::ALL {
        let rules: Vec<&str> = RULES
            .iter()
            .filter(|rule| rule.reasons.contains(reason))
            .map(|rule| rule.id.as_str())
            .collect();
        let rules = if rules.is_empty() {
            "any that reads records".to_owned()
        } else {
            rules.join(", ")
        };
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {rules} |",
            reason.as_str(),
            effect(*reason, false),
            effect(*reason, true),
            reason_meaning(*reason, Language::English),
        )?;
    }
    page.push('\n');
    page.push_str(CONDUCT);
    Ok(())
}

fn write_rule(page: &mut String, rule: &Rule, cases: &[CaseFile]) -> fmt::Result {
    let id = rule.id.as_str();
    let title = rule_title(rule.id, Language::English);
    let chinese = rule_title(rule.id, Language::Chinese);
    writeln!(page, "### {id} {title}\n")?;
    writeln!(page, "- In Chinese: {chinese}")?;
    writeln!(page, "- Runs for: {}", scope(rule))?;
    if !rule.reads.is_empty() {
        let reads: Vec<&str> = rule.reads.iter().map(|kind| record(*kind)).collect();
        writeln!(page, "- Reads: {}", reads.join(", "))?;
    }
    for reason in rule.reasons {
        let (later, before) = (effect(*reason, false), effect(*reason, true));
        let before = if rule.scope.pre_filing && before != later {
            format!(", before filing {before}")
        } else {
            String::new()
        };
        writeln!(
            page,
            "- `{}` ({later}{before}): {}",
            reason.as_str(),
            reason_meaning(*reason, Language::English)
        )?;
    }
    if rule.fixed {
        writeln!(page, "- No policy can weaken this rule.")?;
    }
    writeln!(page, "- Rests on: {}", rule_references(rule.id).join("; "))?;
    let files: Vec<String> = cases
        .iter()
        .filter(|file| shows(file, rule))
        .map(|file| format!("[{0}](../{0})", file.path))
        .collect();
    if !files.is_empty() {
        writeln!(page, "- Worked cases: {}", files.join(", "))?;
    }
    Ok(())
}

/// Whether a file's cases show a rule: they name it, or expect a reason that is its alone.
fn shows(file: &CaseFile, rule: &Rule) -> bool {
    file.rules.contains(&rule.id)
        || rule.reasons.iter().any(|reason| {
            let alone = RULES
                .iter()
                .filter(|other| other.reasons.contains(reason))
                .count()
                == 1;
            alone && file.reasons.contains(reason)
        })
}

fn scope(rule: &Rule) -> String {
    let scope = rule.scope;
    let mut parts: Vec<String> = Product::ALL
        .iter()
        .filter(|product| scope.products & (1 << **product as u8) != 0)
        .map(|product| format!("`{}`", product.as_str()))
        .collect();
    if !parts.is_empty() {
        parts = vec![format!(
            "{} in areas `MAINLAND` and `GLOBAL`",
            parts.join(", ")
        )];
    }
    if scope.pre_filing {
        parts.push("purpose `PRE_FILING` with any product".to_owned());
    }
    if scope.everywhere {
        parts.push("area `OUTSIDE_MAINLAND`, and `DNS_ONLY` in any area".to_owned());
    }
    parts.join("; ")
}

/// What a reason does where no document moves it, in a word or two.
fn effect(reason: Reason, pre_filing: bool) -> &'static str {
    if matches!(
        reason,
        Reason::SectorApprovalMissing | Reason::SectorApprovalExpired
    ) {
        return "as `[sectors]` says";
    }
    if reason == Reason::CommercialLicenceHolderMismatch {
        return "deny, or review from `licence.parent_share_percent` on";
    }
    if matches!(
        reason,
        Reason::DomainBlacklisted | Reason::SubjectBlacklisted
    ) {
        return "deny, *fixed*";
    }
    if reason == Reason::RegistrantRoleNarrowed && pre_filing {
        return "deny, as `REGISTRANT_MISMATCH`";
    }
    match default_effect(reason, pre_filing) {
        Effect::Deny => "deny",
        Effect::Review => "review",
        Effect::Indeterminate => "indeterminate, *fixed*",
        Effect::Obligation => "obligation",
        Effect::Off => "off",
    }
}

fn record(kind: RecordKind) -> &'static str {
    super::names::records(kind, Language::English)
}

fn codes(reasons: &[Reason]) -> String {
    let codes: Vec<String> = reasons
        .iter()
        .map(|reason| format!("`{}`", reason.as_str()))
        .collect();
    codes.join(", ")
}

/// The anchor that renderers of Markdown give a heading.
fn anchor(rule: RuleId) -> String {
    let heading = format!("{} {}", rule.as_str(), rule_title(rule, Language::English));
    heading
        .chars()
        .filter_map(|character| match character {
            ' ' | '-' => Some('-'),
            other => other.is_alphanumeric().then(|| other.to_ascii_lowercase()),
        })
        .collect()
}
