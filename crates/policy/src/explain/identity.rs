//! Wording for problems of `crate::identity`: what is wrong with a certificate number or a name,
//! and what to do.
//!
//! **Never** repeats a character of either; places are given by number.

use super::Language;
use crate::identity::{
    CertificateError, CertificateLength, ExpectedCharacter, NAME_LIMIT, NameError,
};

/// What is wrong with a certificate number and what to do about it.
#[must_use]
pub fn certificate_error(error: &CertificateError, language: Language) -> String {
    match language {
        Language::English => certificate_english(error),
        Language::Chinese => certificate_chinese(error),
    }
}

/// What is wrong with a name and what to do about it.
#[must_use]
pub fn name_error(error: &NameError, language: Language) -> String {
    match language {
        Language::English => name_english(error),
        Language::Chinese => name_chinese(error),
    }
}

fn certificate_english(error: &CertificateError) -> String {
    match error {
        CertificateError::BirthDate => "characters 7 to 14 of the number are not a date of birth; \
            compare the number with the certificate"
            .to_owned(),
        CertificateError::Character { position, expected } => {
            let expected = match expected {
                ExpectedCharacter::CheckDigit => "a digit or `X`",
                ExpectedCharacter::CreditCode => "a digit or a letter other than I, O, S, V and Z",
                ExpectedCharacter::Digit => "a digit",
                ExpectedCharacter::DigitNotZero => "a digit from 1 to 9",
                ExpectedCharacter::HkOrMacao => "`H` or `M`",
                ExpectedCharacter::Letter => "a letter",
                ExpectedCharacter::LetterOrDigit => "a letter or a digit",
                ExpectedCharacter::Nine => "`9`",
            };
            format!(
                "character {position} of the number must be {expected}; compare the number with \
                 the certificate, and check that its kind is right"
            )
        }
        CertificateError::CheckCharacter { position } => format!(
            "the check character at {position} does not fit the rest of the number, so one \
             character is mistyped; compare the number with the certificate"
        ),
        CertificateError::Control => {
            "the number holds a control character; type it anew".to_owned()
        }
        CertificateError::Empty => "the number is empty; give the certificate number".to_owned(),
        CertificateError::Length { expected, found } => {
            let expected = match expected {
                CertificateLength::AtMost(most) => format!("at most {most}"),
                CertificateLength::Either(one, other) => format!("{one} or {other}"),
                CertificateLength::Exactly(length) => length.to_string(),
                CertificateLength::Range(least, most) => format!("{least} to {most}"),
            };
            format!(
                "the number has {found} characters and must have {expected}; compare the number \
                 with the certificate, and check that its kind is right"
            )
        }
    }
}

fn certificate_chinese(error: &CertificateError) -> String {
    match error {
        CertificateError::BirthDate => {
            "号码第 7 至 14 位不是有效的出生日期；请与证件核对".to_owned()
        }
        CertificateError::Character { position, expected } => {
            let expected = match expected {
                ExpectedCharacter::CheckDigit => "数字或 `X`",
                ExpectedCharacter::CreditCode => "数字或除 I、O、S、V、Z 以外的字母",
                ExpectedCharacter::Digit => "数字",
                ExpectedCharacter::DigitNotZero => "1 至 9 的数字",
                ExpectedCharacter::HkOrMacao => "`H` 或 `M`",
                ExpectedCharacter::Letter => "字母",
                ExpectedCharacter::LetterOrDigit => "字母或数字",
                ExpectedCharacter::Nine => "`9`",
            };
            format!("号码第 {position} 位应为{expected}；请与证件核对，并确认证件类型正确")
        }
        CertificateError::CheckCharacter { position } => {
            format!("号码第 {position} 位校验码不符，说明有一位填写错误；请与证件核对")
        }
        CertificateError::Control => "号码含有控制字符；请重新输入".to_owned(),
        CertificateError::Empty => "号码为空；请填写证件号码".to_owned(),
        CertificateError::Length { expected, found } => {
            let expected = match expected {
                CertificateLength::AtMost(most) => format!("至多 {most} 位"),
                CertificateLength::Either(one, other) => format!("{one} 位或 {other} 位"),
                CertificateLength::Exactly(length) => format!("{length} 位"),
                CertificateLength::Range(least, most) => format!("{least} 至 {most} 位"),
            };
            format!("号码有 {found} 位，应为{expected}；请与证件核对，并确认证件类型正确")
        }
    }
}

fn name_english(error: &NameError) -> String {
    match error {
        NameError::Control { position } => {
            format!("character {position} of the name is a control character; type the name anew")
        }
        NameError::Damaged { position } => format!(
            "character {position} of the name was lost in a conversion between encodings; send \
             the name in UTF-8"
        ),
        NameError::Empty => "the name is empty; give the name on the certificate".to_owned(),
        NameError::NoLetters => {
            "the name holds no letters; give the name on the certificate".to_owned()
        }
        NameError::TooLong { found } => format!(
            "the name has {found} characters and may have at most {NAME_LIMIT}; give the name on \
             the certificate only"
        ),
    }
}

fn name_chinese(error: &NameError) -> String {
    match error {
        NameError::Control { position } => {
            format!("名称第 {position} 个字符是控制字符；请重新输入")
        }
        NameError::Damaged { position } => {
            format!("名称第 {position} 个字符在编码转换中丢失；请以 UTF-8 发送")
        }
        NameError::Empty => "名称为空；请填写证件上的名称".to_owned(),
        NameError::NoLetters => "名称不含任何文字；请填写证件上的名称".to_owned(),
        NameError::TooLong { found } => {
            format!("名称有 {found} 个字符，最多 {NAME_LIMIT} 个；请只填写证件上的名称")
        }
    }
}
