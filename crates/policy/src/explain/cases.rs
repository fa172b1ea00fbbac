//! Wording for `crate::cases`: what is wrong with a case file, and how an answer differs from the
//! expected one.
//!
//! **Never** repeats a name or certificate number of a file.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::Language;
use super::domain_name::host_error;
use super::identity::{certificate_error, name_error};
use super::numbers::number_error;
use crate::calendar::DayError;
use crate::cases::{
    CaseError, CaseProblem, Expected, ExpectedFinding, ExpectedRetry, Failure, Promise,
};
use crate::codes::{Outcome, Reason};

/// Where a case file is wrong, what is wrong, and what to do, in one line.
#[must_use]
pub fn case_error(error: &CaseError, language: Language) -> String {
    let problem = case_problem(&error.problem, language);
    let at = match (error.path.as_str(), language) {
        ("", Language::English) => "file".to_owned(),
        ("", Language::Chinese) => "文件".to_owned(),
        (path, Language::English | Language::Chinese) => format!("`{path}`"),
    };
    match (&error.case, language) {
        (Some(case), Language::English) => format!("case `{case}`, {at}: {problem}"),
        (Some(case), Language::Chinese) => format!("用例“{case}”，{at}：{problem}"),
        (None, Language::English) => format!("{at}: {problem}"),
        (None, Language::Chinese) => format!("{at}：{problem}"),
    }
}

/// How an answer differs from the expected one, in one line.
#[must_use]
pub fn failure(failure: &Failure, language: Language) -> String {
    match language {
        Language::English => failure_english(failure),
        Language::Chinese => failure_chinese(failure),
    }
}

fn case_problem(problem: &CaseProblem, language: Language) -> String {
    match problem {
        CaseProblem::Number(error) => number_error(error, language),
        CaseProblem::Certificate(error) => certificate_error(error, language),
        CaseProblem::Name(error) => name_error(error, language),
        CaseProblem::Domain(error) => host_error(error, language),
        CaseProblem::Syntax(_)
        | CaseProblem::UnknownKey { .. }
        | CaseProblem::Missing
        | CaseProblem::WrongType(_)
        | CaseProblem::NotAllowed { .. }
        | CaseProblem::NotOfRule
        | CaseProblem::Instant
        | CaseProblem::Day(_)
        | CaseProblem::Province
        | CaseProblem::Share
        | CaseProblem::OtherSubject
        | CaseProblem::OtherKind
        | CaseProblem::OneOf(..)
        | CaseProblem::RepeatedName
        | CaseProblem::NoCases => match language {
            Language::English => problem_english(problem),
            Language::Chinese => problem_chinese(problem),
        },
    }
}

fn problem_english(problem: &CaseProblem) -> String {
    match problem {
        CaseProblem::Syntax(message) => format!("not TOML: {}", message.trim_end()),
        CaseProblem::UnknownKey { nearest: None } => {
            "a key that means nothing here; remove it".to_owned()
        }
        CaseProblem::UnknownKey {
            nearest: Some(nearest),
        } => format!("a key that means nothing here; perhaps `{nearest}` is meant"),
        CaseProblem::Missing => "missing; add it".to_owned(),
        CaseProblem::WrongType(expected) => {
            let expected = match expected {
                Expected::Text => "text in quotes",
                Expected::Flag => "`true` or `false`",
                Expected::Table => "a table, such as `{ kind = \"PASSPORT\", number = \"…\" }`",
                Expected::List => "a list in brackets",
                Expected::Tables => "a list of tables",
                Expected::FlagOrInstant => "`true`, `false` or an instant",
            };
            format!("must be {expected}")
        }
        CaseProblem::NotAllowed { allowed } => {
            format!("must be one of {}", allowed.join(", "))
        }
        CaseProblem::NotOfRule => {
            "must be a rule and a reason that it can find, such as `R12 ACCESS_LINK_GRACE`"
                .to_owned()
        }
        CaseProblem::Instant => {
            "must be an instant with its offset, such as `2026-11-22T10:00:00+08:00`".to_owned()
        }
        CaseProblem::Day(DayError::Form) => "must be a day such as `2026-11-22`".to_owned(),
        CaseProblem::Day(DayError::NoSuchDay) => "there is no such day".to_owned(),
        CaseProblem::Province => {
            "must be the GB/T 2260 code of a mainland province, such as `44`".to_owned()
        }
        CaseProblem::Share => "must be a percentage from 0 to 100".to_owned(),
        CaseProblem::OtherSubject => {
            "the service number is not under this subject number; leave one of them out".to_owned()
        }
        CaseProblem::OtherKind => {
            "the letter of the service number stands for another kind; leave the kind out"
                .to_owned()
        }
        CaseProblem::OneOf(one, other) => format!("give either `{one}` or `{other}`"),
        CaseProblem::RepeatedName => "another case has this name; say what differs".to_owned(),
        CaseProblem::NoCases => "the file has no `[[case]]`; add one".to_owned(),
        CaseProblem::Number(_)
        | CaseProblem::Certificate(_)
        | CaseProblem::Name(_)
        | CaseProblem::Domain(_) => String::new(),
    }
}

fn problem_chinese(problem: &CaseProblem) -> String {
    match problem {
        CaseProblem::Syntax(message) => format!("不是有效的 TOML：{}", message.trim_end()),
        CaseProblem::UnknownKey { nearest: None } => "此处没有这个键；请删除".to_owned(),
        CaseProblem::UnknownKey {
            nearest: Some(nearest),
        } => format!("此处没有这个键；是否应为 `{nearest}`"),
        CaseProblem::Missing => "缺失；请补充".to_owned(),
        CaseProblem::WrongType(expected) => {
            let expected = match expected {
                Expected::Text => "带引号的文本",
                Expected::Flag => "`true` 或 `false`",
                Expected::Table => "表，例如 `{ kind = \"PASSPORT\", number = \"…\" }`",
                Expected::List => "方括号列表",
                Expected::Tables => "表的列表",
                Expected::FlagOrInstant => "`true`、`false` 或时刻",
            };
            format!("应为{expected}")
        }
        CaseProblem::NotAllowed { allowed } => format!("应为以下之一：{}", allowed.join("、")),
        CaseProblem::NotOfRule => {
            "应为规则及其可得出的理由，例如 `R12 ACCESS_LINK_GRACE`".to_owned()
        }
        CaseProblem::Instant => "应为带时区偏移的时刻，例如 `2026-11-22T10:00:00+08:00`".to_owned(),
        CaseProblem::Day(DayError::Form) => "应为日期，例如 `2026-11-22`".to_owned(),
        CaseProblem::Day(DayError::NoSuchDay) => "没有这一天".to_owned(),
        CaseProblem::Province => "应为大陆省份的 GB/T 2260 代码，例如 `44`".to_owned(),
        CaseProblem::Share => "应为 0 至 100 的百分比".to_owned(),
        CaseProblem::OtherSubject => "服务备案号不属于该主体备案号；请只保留其一".to_owned(),
        CaseProblem::OtherKind => "服务备案号的字母表示另一种服务；请去掉种类".to_owned(),
        CaseProblem::OneOf(one, other) => format!("`{one}` 与 `{other}` 应且只应填写一项"),
        CaseProblem::RepeatedName => "已有同名用例；请写明不同之处".to_owned(),
        CaseProblem::NoCases => "文件中没有 `[[case]]`；请添加".to_owned(),
        CaseProblem::Number(_)
        | CaseProblem::Certificate(_)
        | CaseProblem::Name(_)
        | CaseProblem::Domain(_) => String::new(),
    }
}

fn failure_english(failure: &Failure) -> String {
    match failure {
        Failure::Verdict { expected, found } => {
            format!("verdict: expected {expected}, found {found}")
        }
        Failure::ReasonMissing(reason) => format!("reason {reason}: expected, not found"),
        Failure::ReasonUnexpected(reason) => format!("reason {reason}: not expected, found"),
        Failure::ObligationMissing(reason) => format!("obligation {reason}: expected, not found"),
        Failure::ObligationUnexpected(reason) => {
            format!("obligation {reason}: not expected, found")
        }
        Failure::ObligationDue {
            reason,
            expected,
            found,
        } => format!(
            "obligation {reason}: expected due {}, found {}",
            beijing(*expected),
            found.map_or("no due date".to_owned(), beijing)
        ),
        Failure::Finding { expected, found } => {
            let found: Vec<String> = found
                .iter()
                .map(|(outcome, reason)| what(*outcome, *reason, " by "))
                .collect();
            let found = if found.is_empty() {
                Outcome::NotApplicable.to_string()
            } else {
                found.join(" and ")
            };
            let ExpectedFinding {
                rule,
                outcome,
                reason,
            } = *expected;
            format!(
                "rule {rule}: expected {}, found {found}",
                what(outcome, reason, " by ")
            )
        }
        Failure::NotSilent(silent) => {
            format!(
                "rule {}: must not find {}, found",
                silent.rule, silent.reason
            )
        }
        Failure::ValidUntil { expected, found } => format!(
            "valid until: expected {}, found {}",
            beijing(*expected),
            beijing(*found)
        ),
        Failure::RetryAfter { expected, found } => {
            let expected = match expected {
                ExpectedRetry::Never => "none".to_owned(),
                ExpectedRetry::Some => "some instant".to_owned(),
                ExpectedRetry::At(at) => beijing(*at),
            };
            let found = found.map_or("none".to_owned(), beijing);
            format!("retry after: expected {expected}, found {found}")
        }
        Failure::Broken(promise) => match promise {
            Promise::Repeatable => {
                "the answer differs when it is worked out anew for its own moment".to_owned()
            }
            Promise::Lasting => "the answer changes before it ends".to_owned(),
            Promise::Window => {
                "the answer does not hold at the moment of the question, or for more than 24 hours"
                    .to_owned()
            }
            Promise::Retry => "the moment for asking again does not fit the verdict".to_owned(),
        },
    }
}

fn failure_chinese(failure: &Failure) -> String {
    match failure {
        Failure::Verdict { expected, found } => format!("结论：应为 {expected}，实为 {found}"),
        Failure::ReasonMissing(reason) => format!("理由 {reason}：应有，实无"),
        Failure::ReasonUnexpected(reason) => format!("理由 {reason}：应无，实有"),
        Failure::ObligationMissing(reason) => format!("义务 {reason}：应有，实无"),
        Failure::ObligationUnexpected(reason) => format!("义务 {reason}：应无，实有"),
        Failure::ObligationDue {
            reason,
            expected,
            found,
        } => format!(
            "义务 {reason}：期限应为 {}，实为 {}",
            beijing(*expected),
            found.map_or("无期限".to_owned(), beijing)
        ),
        Failure::Finding { expected, found } => {
            let found: Vec<String> = found
                .iter()
                .map(|(outcome, reason)| what(*outcome, *reason, "，理由 "))
                .collect();
            let found = if found.is_empty() {
                Outcome::NotApplicable.to_string()
            } else {
                found.join("；")
            };
            let ExpectedFinding {
                rule,
                outcome,
                reason,
            } = *expected;
            format!(
                "规则 {rule}：应为 {}，实为 {found}",
                what(outcome, reason, "，理由 ")
            )
        }
        Failure::NotSilent(silent) => {
            format!("规则 {}：不应得出 {}，实已得出", silent.rule, silent.reason)
        }
        Failure::ValidUntil { expected, found } => format!(
            "有效期：应至 {}，实至 {}",
            beijing(*expected),
            beijing(*found)
        ),
        Failure::RetryAfter { expected, found } => {
            let expected = match expected {
                ExpectedRetry::Never => "无".to_owned(),
                ExpectedRetry::Some => "有".to_owned(),
                ExpectedRetry::At(at) => beijing(*at),
            };
            let found = found.map_or("无".to_owned(), beijing);
            format!("再次查询时刻：应为 {expected}，实为 {found}")
        }
        Failure::Broken(promise) => match promise {
            Promise::Repeatable => "以答复时刻重新判断，答复不同".to_owned(),
            Promise::Lasting => "答复在有效期内发生变化".to_owned(),
            Promise::Window => "答复在提问时刻无效，或有效期超过 24 小时".to_owned(),
            Promise::Retry => "再次查询时刻与结论不符".to_owned(),
        },
    }
}

fn what(outcome: Outcome, reason: Option<Reason>, by: &str) -> String {
    match reason {
        Some(reason) => format!("{outcome}{by}{reason}"),
        None => outcome.to_string(),
    }
}

fn beijing(instant: Timestamp) -> String {
    instant.display_with_offset(Offset::constant(8)).to_string()
}
