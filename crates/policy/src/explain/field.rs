//! Wording for problems of `crate::field` with one field: what is wrong, and what to do.
//!
//! **Never** repeats a name of a person or a character of a certificate number.

use super::Language;
use super::{domain_name, file, identity, numbers, question};
use crate::calendar::DayError;
use crate::codes::ServiceKind;
use crate::field::FieldProblem;

/// What is wrong with a field and what to do about it, in one sentence or two.
#[must_use]
pub fn field_problem(problem: &FieldProblem, language: Language) -> String {
    match language {
        Language::English => english(problem),
        Language::Chinese => chinese(problem),
    }
}

fn english(problem: &FieldProblem) -> String {
    match problem {
        FieldProblem::Certificate(error) => identity::certificate_error(error, Language::English),
        FieldProblem::Domain(error) => domain_name::host_error(error, Language::English),
        FieldProblem::Line(problem) => file::line_problem(problem, Language::English),
        FieldProblem::Name(error) => identity::name_error(error, Language::English),
        FieldProblem::Number { error, text } => {
            format!(
                "`{text}`: {}",
                numbers::number_error(error, Language::English)
            )
        }
        FieldProblem::Question(problem) => question::question_problem(problem, Language::English),
        FieldProblem::Control { position } => {
            format!("character {position} is a control character; remove it")
        }
        FieldProblem::Day {
            error: DayError::Form,
            text,
        } => {
            format!("`{text}` is not a day; write it as `YYYY-MM-DD`, such as `2026-01-31`")
        }
        FieldProblem::Day {
            error: DayError::NoSuchDay,
            text,
        } => {
            format!("there is no day `{text}` in the calendar; give the day on the document")
        }
        FieldProblem::DomainIsAddress(address) => {
            format!("`{address}` is an IP address; give the domain name")
        }
        FieldProblem::DomainIsWildcard { host } => {
            format!("a record is about one name and covers what is below it; use `{host}`")
        }
        FieldProblem::EndBeforeStart { start } => {
            format!("the end lies before the start in `{start}`; correct one of the two")
        }
        FieldProblem::InFuture { latest } => format!(
            "the instant lies more than 24 hours ahead (later than {latest}); check the clock and \
             the time zone of the source"
        ),
        FieldProblem::Instant => "the instant lies outside the years 1 to 9999, or its fraction \
            outside one second; give an instant such as `2026-01-31T00:00:00Z`"
            .to_owned(),
        FieldProblem::LetterNotKind {
            number,
            letter,
            kind,
        } => format!(
            "`{number}` is the number of {}, and the record says {}; correct the number or the \
             kind",
            kind_english(*letter),
            kind_english(*kind)
        ),
        FieldProblem::Masked => "the certificate number is masked; give the whole number, or \
            leave the record as it is stored"
            .to_owned(),
        FieldProblem::Missing => "the field is required and not given; set it".to_owned(),
        FieldProblem::NoneOf { fields } => {
            format!(
                "one of these is required and none is given; set one: `{}`",
                fields.join("`, `")
            )
        }
        FieldProblem::NotItsSubject { service, subject } => format!(
            "`{service}` is a service of `{}`, and the record says `{subject}`; correct one of the \
             two, or leave the subject number out",
            service.subject()
        ),
        FieldProblem::Share { found } => {
            format!("a share of {found} percent is not possible; give 0 to 100")
        }
        FieldProblem::TooLong { limit, found } => {
            format!("the text has {found} characters and may have at most {limit}; shorten it")
        }
        FieldProblem::TooMany { limit, found } => {
            format!("the list has {found} entries and may have at most {limit}; leave some out")
        }
        FieldProblem::UnknownCode { found } => {
            format!("{found} is no member of this enum; use one that the interface's version knows")
        }
    }
}

fn chinese(problem: &FieldProblem) -> String {
    match problem {
        FieldProblem::Certificate(error) => identity::certificate_error(error, Language::Chinese),
        FieldProblem::Domain(error) => domain_name::host_error(error, Language::Chinese),
        FieldProblem::Line(problem) => file::line_problem(problem, Language::Chinese),
        FieldProblem::Name(error) => identity::name_error(error, Language::Chinese),
        FieldProblem::Number { error, text } => {
            format!("`{text}`：{}", numbers::number_error(error, Language::Chinese))
        }
        FieldProblem::Question(problem) => {
            question::question_problem(problem, Language::Chinese)
        }
        FieldProblem::Control { position } => {
            format!("第 {position} 个字符是控制字符；请删除")
        }
        FieldProblem::Day { error: DayError::Form, text } => {
            format!("`{text}` 不是日期；请写作 `YYYY-MM-DD`，例如 `2026-01-31`")
        }
        FieldProblem::Day { error: DayError::NoSuchDay, text } => {
            format!("日历中没有 `{text}` 这一天；请填写证件上的日期")
        }
        FieldProblem::DomainIsAddress(address) => {
            format!("`{address}` 是 IP 地址；请填写域名")
        }
        FieldProblem::DomainIsWildcard { host } => {
            format!("记录针对单个域名，并覆盖其下级；请使用 `{host}`")
        }
        FieldProblem::EndBeforeStart { start } => {
            format!("结束早于 `{start}` 中的开始；请更正其中之一")
        }
        FieldProblem::InFuture { latest } => {
            format!("时间超前 24 小时以上（晚于 {latest}）；请检查来源的时钟与时区")
        }
        FieldProblem::Instant => {
            "时间不在公元 1 年至 9999 年之间，或小数部分超出一秒；请填写如 `2026-01-31T00:00:00Z` 的时间"
                .to_owned()
        }
        FieldProblem::LetterNotKind { number, letter, kind } => format!(
            "`{number}` 是{}的编号，而记录中写的是{}；请更正编号或类型",
            kind_chinese(*letter),
            kind_chinese(*kind)
        ),
        FieldProblem::Masked => {
            "证件号码已被遮盖；请填写完整号码，或不要改动已存的记录".to_owned()
        }
        FieldProblem::Missing => "该字段必填但未填写；请填写".to_owned(),
        FieldProblem::NoneOf { fields } => {
            format!("以下字段必须填写其一，但均未填写：`{}`", fields.join("`、`"))
        }
        FieldProblem::NotItsSubject { service, subject } => format!(
            "`{service}` 属于主体 `{}`，而记录中写的是 `{subject}`；请更正其中之一，或不填主体备案号",
            service.subject()
        ),
        FieldProblem::Share { found } => {
            format!("持股比例不可能为百分之 {found}；请填写 0 至 100")
        }
        FieldProblem::TooLong { limit, found } => {
            format!("文本有 {found} 个字符，最多 {limit} 个；请缩短")
        }
        FieldProblem::TooMany { limit, found } => {
            format!("列表有 {found} 项，最多 {limit} 项；请减少")
        }
        FieldProblem::UnknownCode { found } => {
            format!("{found} 不是该枚举的成员；请使用本接口版本所知的成员")
        }
    }
}

fn kind_english(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Website => "a website (no letter)",
        ServiceKind::App => "an app (letter A)",
        ServiceKind::MiniProgram => "a mini program (letter X)",
        ServiceKind::QuickApp => "a quick app (letter K)",
    }
}

fn kind_chinese(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Website => "网站（无字母）",
        ServiceKind::App => "APP（字母 A）",
        ServiceKind::MiniProgram => "小程序（字母 X）",
        ServiceKind::QuickApp => "快应用（字母 K）",
    }
}
