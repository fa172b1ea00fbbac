//! `icpgate number`.

use clap::Args;
use icpgate_policy::explain::Language;
use icpgate_policy::explain::numbers::{describe_number, number_error, province_name};
use icpgate_policy::numbers::{Mode, Number, NumberError, NumberKind, Parsed, ServiceLetter};
use jiff::Timestamp;
use serde::Serialize;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

use super::exit::{self, Failure};
use super::output::{self, BAD, BOLD, DIM, GOOD, Output, clean};

/// Flags of `icpgate number`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate number 京ICP备10046444号-1
  icpgate number --display '京ICP备10046444-1' 京公网安备11010802032137号
  icpgate number --output json 粤B2-20090059

Exit codes: 0 all valid, 1 any invalid, 64 usage")]
pub struct NumberArgs {
    /// Read leniently, as on a web page: 号 may be missing
    #[arg(long)]
    pub display: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Language of the explanation: en or zh-CN
    #[arg(long, value_name = "TAG", default_value = "en", value_parser = language)]
    pub language: Language,
    /// The numbers
    #[arg(required = true, value_name = "TEXT")]
    pub texts: Vec<String>,
}

/// One number in JSON.
#[derive(Serialize)]
struct Line<'a> {
    input: &'a str,
    valid: bool,
    #[serde(flatten)]
    number: Option<Valid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Invalid>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Valid {
    kind: &'static str,
    normalised: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<ProvinceForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence_number: Option<String>,
    missing_hao: bool,
}

#[derive(Serialize)]
struct ProvinceForm {
    code: String,
    name: &'static str,
}

#[derive(Serialize)]
struct Invalid {
    /// Index of the first wrong character, in characters from 0.
    position: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<char>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

/// Reads and explains the numbers. Years after that of `now` in Beijing are refused.
///
/// # Errors
///
/// The output cannot be written.
pub fn run(args: &NumberArgs, now: Timestamp) -> Result<u8, Failure> {
    let year = jiff::tz::offset(8).to_datetime(now).year();
    let mode = if args.display {
        Mode::Display
    } else {
        Mode::Strict
    };
    let read: Vec<(&str, Result<Parsed, NumberError>)> = args
        .texts
        .iter()
        .map(|text| (text.as_str(), Number::parse(text, mode, year)))
        .collect();
    match args.output {
        Output::Json => {
            let lines: Vec<Line<'_>> = read
                .iter()
                .map(|(text, result)| line(text, result, args.language))
                .collect();
            output::print_json(&lines)?;
        }
        Output::Table => {
            let blocks: Vec<String> = read
                .iter()
                .map(|(text, result)| match result {
                    Ok(parsed) => valid_block(parsed, args.language),
                    Err(error) => invalid_block(text, error, args.language),
                })
                .collect();
            output::print(&blocks.join("\n"))?;
        }
    }
    let all_valid = read.iter().all(|(_, result)| result.is_ok());
    Ok(if all_valid {
        exit::SUCCESS
    } else {
        exit::REFUSED
    })
}

/// A language tag; another than Chinese is English, as in the API.
fn language(tag: &str) -> Result<Language, String> {
    let primary = tag.split('-').next().unwrap_or_default();
    if primary.is_empty() || !primary.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return Err("give a language tag such as `en` or `zh-CN`".to_owned());
    }
    let chinese = primary.eq_ignore_ascii_case("zh");
    Ok(if chinese {
        Language::Chinese
    } else {
        Language::English
    })
}

fn line<'a>(text: &'a str, result: &Result<Parsed, NumberError>, language: Language) -> Line<'a> {
    match result {
        Ok(parsed) => {
            let number = Some(valid(parsed, language));
            Line {
                input: text,
                valid: true,
                number,
                error: None,
            }
        }
        Err(error) => {
            let error = Some(Invalid {
                position: error.position,
                found: error.found,
                message: number_error(error, language),
                suggestion: error.suggestion.clone(),
            });
            Line {
                input: text,
                valid: false,
                number: None,
                error,
            }
        }
    }
}

fn valid(parsed: &Parsed, language: Language) -> Valid {
    let number = &parsed.number;
    let service = number.service();
    Valid {
        kind: match number.kind() {
            NumberKind::Filing => "FILING",
            NumberKind::Licence => "LICENCE",
            NumberKind::PublicSecurity => "PUBLIC_SECURITY",
        },
        normalised: number.to_string(),
        province: number.province().map(|province| ProvinceForm {
            code: format!("{:02}", province.code()),
            name: province_name(province, language),
        }),
        subject_number: number.subject().map(|subject| subject.to_string()),
        service_number: service.map(|service| service.to_string()),
        service_kind: service.map(|service| match service.letter() {
            None => "WEBSITE",
            Some(ServiceLetter::App) => "APP",
            Some(ServiceLetter::MiniProgram) => "MINI_PROGRAM",
            Some(ServiceLetter::QuickApp) => "QUICK_APP",
        }),
        licence_number: number.licence().map(|licence| licence.to_string()),
        missing_hao: parsed.missing_hao,
    }
}

fn valid_block(parsed: &Parsed, language: Language) -> String {
    let lines = describe_number(parsed, language);
    let width = lines
        .iter()
        .skip(1)
        .map(|line| line.label.width())
        .max()
        .unwrap_or_default();
    let mut block = format!("{GOOD}✓{GOOD:#} {BOLD}{}{BOLD:#}\n", parsed.number);
    // The first line is the number itself, which stands above.
    for line in lines.iter().skip(1) {
        let gap = " ".repeat(width - line.label.width());
        let _ = writeln!(block, "  {DIM}{}{DIM:#}{gap}  {}", line.label, line.value);
    }
    block
}

fn invalid_block(text: &str, error: &NumberError, language: Language) -> String {
    let shown = clean(text);
    let before: String = shown.chars().take(error.position).collect();
    let caret = " ".repeat(before.width());
    // The message may repeat a hidden character that was typed.
    let message = number_error(error, language);
    format!(
        "{BAD}✗{BAD:#} {BOLD}{shown}{BOLD:#}\n  {caret}{BAD}^{BAD:#}\n  {}\n",
        clean(&message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_wrong_character() {
        let error = Number::parse("京ICP备1004644O号-1", Mode::Strict, 2026).unwrap_err();
        assert_eq!(error.position, 12);
        let block = anstream::adapter::strip_str(&invalid_block(
            "京ICP备1004644O号-1",
            &error,
            Language::English,
        ))
        .to_string();
        let lines: Vec<&str> = block.lines().collect();
        let column = "✗ 京ICP备1004644".width();
        assert_eq!(lines[1].find('^'), Some(column), "{block}");
    }

    #[test]
    fn languages() {
        assert_eq!(language("zh-CN"), Ok(Language::Chinese));
        assert_eq!(language("de"), Ok(Language::English));
        assert!(language("").is_err() && language("-").is_err() && language("中文").is_err());
    }
}
