//! Wording for what is wrong with a policy document.

use super::Language;
use crate::calendar::{CalendarProblem, DayError};
use crate::policy::PolicyProblem;

/// What is wrong at one path of a policy document, and what to do about it. The path is told by
/// whoever shows the problem.
#[must_use]
pub fn policy_problem(problem: &PolicyProblem, language: Language) -> String {
    match language {
        Language::English => english(problem),
        Language::Chinese => chinese(problem),
    }
}

fn english(problem: &PolicyProblem) -> String {
    match problem {
        PolicyProblem::Syntax { message } => {
            format!(
                "The document is not TOML; mend the syntax: {}.",
                plain(message)
            )
        }
        PolicyProblem::UnknownKey {
            nearest: Some(nearest),
        } => format!("No such key; use `{nearest}` if that was meant, else remove it."),
        PolicyProblem::UnknownKey { nearest: None } => "No such key; remove it.".to_owned(),
        PolicyProblem::Missing => "The key is missing; set it, or let the document extend one \
            that has it."
            .to_owned(),
        PolicyProblem::WrongType { expected } => {
            format!("The value is of the wrong type; write {expected}.")
        }
        PolicyProblem::NotAllowed { found, allowed } => {
            format!("`{found}` is not allowed; allowed: {allowed}.")
        }
        PolicyProblem::UnknownBase { found } => format!(
            "`{found}` is not a shipped document that can be extended here; extend \
             `mainland-strict` or `mainland-business-model`, and not in a circle."
        ),
        PolicyProblem::Fixed => "This cannot be weakened by a policy; remove the entry.".to_owned(),
        PolicyProblem::NotASuffix { found } => {
            format!("`{found}` is not a domain suffix; write one such as `gov.cn`, or remove it.")
        }
        PolicyProblem::Calendar { found, problem } => {
            let (wrong, remedy) = match problem {
                CalendarProblem::Day(DayError::Form) => (
                    "is not written as a day".to_owned(),
                    "write 2026-10-01, or 2026-10-01..2026-10-07 for holidays",
                ),
                CalendarProblem::Day(DayError::NoSuchDay) => {
                    ("names a day that does not exist".to_owned(), "correct it")
                }
                CalendarProblem::MakeUpOnHoliday(day) => (
                    format!("makes {day} a working day, and it is a holiday too"),
                    "remove it from one of the lists",
                ),
                CalendarProblem::MakeUpOnWeekday(day) => (
                    format!("makes {day} a working day, and it is no Saturday or Sunday"),
                    "remove it",
                ),
                CalendarProblem::OtherYear(day) => (
                    format!("holds {day}, which is not in this year"),
                    "move it to the table of its year",
                ),
                CalendarProblem::RangeBackwards => (
                    "ends before it begins".to_owned(),
                    "write the first day first",
                ),
                CalendarProblem::Twice(day) => (
                    format!("names {day} a second time"),
                    "remove one of the two",
                ),
                CalendarProblem::Year => (
                    "is not a year of four digits".to_owned(),
                    "write one such as 2027",
                ),
            };
            format!("`{found}` {wrong}; {remedy}.")
        }
    }
}

fn chinese(problem: &PolicyProblem) -> String {
    match problem {
        PolicyProblem::Syntax { message } => {
            format!("文档不是有效的 TOML，请更正语法：{}。", plain(message))
        }
        PolicyProblem::UnknownKey {
            nearest: Some(nearest),
        } => format!("没有这个键；如本意为 `{nearest}` 请改正，否则请删除。"),
        PolicyProblem::UnknownKey { nearest: None } => "没有这个键，请删除。".to_owned(),
        PolicyProblem::Missing => "缺少该键；请设置，或继承含有该键的文档。".to_owned(),
        PolicyProblem::WrongType { expected } => {
            let expected = match *expected {
                "a duration of at least 1s such as 45d" => "不短于 1s 的时长，例如 45d",
                "a list of texts" => "文本列表",
                "a percentage" => "百分数",
                "a table" => "表",
                "a text" => "文本",
                other => other,
            };
            format!("值的类型不对，应为：{expected}。")
        }
        PolicyProblem::NotAllowed { found, allowed } => {
            format!("不允许 `{found}`；允许的值：{allowed}。")
        }
        PolicyProblem::UnknownBase { found } => format!(
            "`{found}` 不是此处可继承的内置文档；请继承 `mainland-strict` 或 \
             `mainland-business-model`，且不得循环。"
        ),
        PolicyProblem::Fixed => "该项不得由策略放宽，请删除。".to_owned(),
        PolicyProblem::NotASuffix { found } => {
            format!("`{found}` 不是域名后缀；请写成 `gov.cn` 这样的形式，或删除。")
        }
        PolicyProblem::Calendar { found, problem } => {
            let wrong = match problem {
                CalendarProblem::Day(DayError::Form) => {
                    "不是日期；请写作 2026-10-01，节假日也可写作 2026-10-01..2026-10-07".to_owned()
                }
                CalendarProblem::Day(DayError::NoSuchDay) => "含有不存在的日期；请更正".to_owned(),
                CalendarProblem::MakeUpOnHoliday(day) => {
                    format!("把 {day} 列为调休上班日，而该日又是节假日；请从其中一个列表删除")
                }
                CalendarProblem::MakeUpOnWeekday(day) => {
                    format!("把 {day} 列为调休上班日，而该日不是周末；请删除")
                }
                CalendarProblem::OtherYear(day) => {
                    format!("含有 {day}，不属于该年；请移到所属年份")
                }
                CalendarProblem::RangeBackwards => "结束早于开始；请先写开始日期".to_owned(),
                CalendarProblem::Twice(day) => format!("重复列出 {day}；请删除其一"),
                CalendarProblem::Year => "不是四位数年份；请写作 2027 这样的形式".to_owned(),
            };
            format!("`{found}` {wrong}。")
        }
    }
}

/// What a parser says, as the end of a sentence.
fn plain(message: &str) -> &str {
    message.trim_end().trim_end_matches('.')
}
