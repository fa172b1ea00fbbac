//! Wording for problems of fields that only questions have.

use super::Language;
use crate::field::QuestionProblem;

/// What is wrong with the field and what to do about it.
#[must_use]
pub fn question_problem(problem: &QuestionProblem, language: Language) -> String {
    match (problem, language) {
        (QuestionProblem::LanguageTag { text }, Language::English) => {
            format!("`{text}` is not a BCP 47 language tag; give one such as `en` or `zh-CN`")
        }
        (QuestionProblem::LanguageTag { text }, Language::Chinese) => {
            format!("`{text}`不是BCP 47语言标签；请填写如`en`、`zh-CN`的标签")
        }
        (QuestionProblem::OutOfRange { least, most }, Language::English) => {
            format!("the number must be {least} to {most}; correct it or leave it out")
        }
        (QuestionProblem::OutOfRange { least, most }, Language::Chinese) => {
            format!("数值须在{least}至{most}之间；请更正或不填")
        }
        (QuestionProblem::Province { text }, Language::English) => format!(
            "`{text}` is not the GB/T 2260 code of a mainland province; give two digits such as \
             `44`"
        ),
        (QuestionProblem::Province { text }, Language::Chinese) => {
            format!("`{text}`不是中国内地省份的GB/T 2260代码；请填写两位数字，如`44`")
        }
        (QuestionProblem::Token { text }, Language::English) => format!(
            "`{text}` is not a token of this service; pass one on as it was returned, or leave it \
             out"
        ),
        (QuestionProblem::Token { text }, Language::Chinese) => {
            format!("`{text}`不是本服务签发的令牌；请原样传回所得令牌，或不填")
        }
        (QuestionProblem::TokenAhead { text }, Language::English) => format!(
            "the store has no write as new as `{text}`; pass a token that this store returned"
        ),
        (QuestionProblem::TokenAhead { text }, Language::Chinese) => {
            format!("存储中没有与`{text}`同样新的写入；请使用本存储返回的令牌")
        }
    }
}
