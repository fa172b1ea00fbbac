//! The grammar of all numbers: [`read_number`] takes the number that begins at a place and leaves
//! the rest.
//!
//! Fields and pages share it. Digit runs are read in [`super::serial`], service suffixes in
//! [`super::suffix`].

use super::cursor::{Cursor, Edit, Fault, Rules};
use super::error::{DigitCount, NumberErrorKind as Kind};
use super::province::Province;
use super::serial::{
    self, ClassedSerial, check_public_security, filing_serial, numbered_serial, run,
};
use super::suffix::suffix;
use super::text::Mark;
use super::types::{
    FilingNumber, LicenceNumber, Number, PublicSecurityNumber, SubjectNumber, SubjectText, compose,
};
use super::{Mode, Parsed};

/// Registries run for fun, whose numbers stand in real footers.
const UNOFFICIAL: [char; 7] = ['萌', '彬', '团', '雾', '喵', '星', '梦'];

/// Regions outside the filing system.
const NOT_MAINLAND: [char; 3] = ['港', '澳', '台'];

const FILING: &str = "ICP备";
const LICENCE: &str = "ICP证";
const PUBLIC_SECURITY: &str = "公网安备";

/// A number read from some marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) parsed: Parsed,
    /// Index of the mark that told the kind.
    pub(super) kind_at: usize,
    /// Index of the dash of the suffix.
    pub(super) suffix_at: Option<usize>,
    /// Index of the mark behind the number.
    pub(super) end: usize,
}

/// Reads the number that begins at `start`.
pub(super) fn read_number(marks: &[Mark], start: usize, rules: Rules) -> Result<Read, Fault> {
    let cursor = &mut Cursor { marks, at: start };
    let Some(first) = cursor.peek(0) else {
        return Err(Fault::plain(Kind::Empty, start));
    };
    if cursor.at_class() || cursor.starts_with("合字") {
        return classed(cursor, None, rules);
    }
    if cursor.starts_with(LICENCE) {
        return labelled(cursor, None, rules);
    }
    let Some(province) = Province::from_any_prefix(first) else {
        return Err(unknown_start(cursor, first));
    };
    if cursor.starts_with_at(1, LICENCE) && !cursor.has_digit_at(5) {
        cursor.at += 1;
        return labelled(cursor, Some(province), rules);
    }
    after_province(cursor, province, first, rules)
}

/// The cursor stands at the province character of a number proper.
fn after_province(
    cursor: &mut Cursor<'_>,
    province: Province,
    first: char,
    rules: Rules,
) -> Result<Read, Fault> {
    let start = cursor.at;
    let right_form = |expected: char, known: Option<Province>| {
        let kind = Kind::ProvinceForm { expected };
        known
            .map(|_| ())
            .ok_or(Fault::with(kind, start, Edit::Replace(expected)))
    };
    cursor.at += 1;
    if cursor.starts_with(FILING) {
        right_form(province.icp_prefix(), Province::from_icp_prefix(first))?;
        cursor.at += 4;
        filing(cursor, province, rules)
    } else if cursor.starts_with(LICENCE) {
        cursor.at += 4;
        numbered(cursor, province, rules)
    } else if cursor.starts_with(PUBLIC_SECURITY) {
        let known = Province::from_public_security_prefix(first);
        right_form(province.public_security_prefix(), known)?;
        cursor.at += 4;
        public_security(cursor, province, rules)
    } else if cursor.at_class() {
        classed(cursor, Some(province), rules)
    } else {
        Err(unknown_keyword(cursor))
    }
}

/// The cursor stands at `ICP证` that is not followed by the digits of a licence: a label.
fn labelled(cursor: &mut Cursor<'_>, label: Option<Province>, rules: Rules) -> Result<Read, Fault> {
    let start = cursor.at;
    cursor.at += 4;
    cursor.eat(':');
    if cursor.starts_with("合字") {
        return classed(cursor, None, rules);
    }
    if cursor.at_class() {
        return classed(cursor, label, rules);
    }
    let here = cursor.at;
    if let (Some(province), true) = (label, cursor.has_digit_at(0)) {
        return numbered(cursor, province, rules);
    }
    let Some(first) = cursor.peek(0) else {
        return match label {
            Some(_) => Err(serial::wrong_count(0, DigitCount::NumberedLicence, here)),
            None => Err(Fault::plain(Kind::MissingProvince, start)),
        };
    };
    match Province::from_any_prefix(first) {
        Some(province) if label.is_none() || label == Some(province) => {
            after_province(cursor, province, first, rules)
        }
        Some(_) => Err(Fault::plain(Kind::LicenceProvinceMismatch, here)),
        None if label.is_none() && cursor.has_digit_at(0) => {
            Err(Fault::plain(Kind::MissingProvince, start))
        }
        None => Err(Fault::plain(Kind::UnexpectedCharacter, here)),
    }
}

fn filing(cursor: &mut Cursor<'_>, province: Province, rules: Rules) -> Result<Read, Fault> {
    let kind_at = cursor.at - 1;
    let digits = filing_serial(cursor, rules.current_year)?;
    let missing_hao = hao(cursor, rules)?;
    let subject = SubjectNumber {
        text: compose(format_args!("{}ICP备{digits}号", province.icp_prefix())),
    };
    let suffix = suffix(cursor, rules, missing_hao)?;
    let service = suffix.map(|suffix| suffix.of(subject));
    Ok(Read {
        parsed: Parsed {
            number: Number::Filing(FilingNumber { subject, service }),
            missing_hao,
        },
        kind_at,
        suffix_at: suffix.map(|suffix| suffix.at),
        end: cursor.at,
    })
}

/// A licence in the form 京ICP证030173号.
fn numbered(cursor: &mut Cursor<'_>, province: Province, rules: Rules) -> Result<Read, Fault> {
    let kind_at = cursor.at - 1;
    let digits = numbered_serial(cursor)?;
    let missing_hao = hao(cursor, rules)?;
    let text = compose(format_args!("{}ICP证{digits}号", province.icp_prefix()));
    licence(cursor, text, kind_at, missing_hao, rules)
}

/// A licence in the form 粤B2-20090059, with or without province; 号 is optional.
fn classed(
    cursor: &mut Cursor<'_>,
    province: Option<Province>,
    rules: Rules,
) -> Result<Read, Fault> {
    let kind_at = cursor.at;
    let foreign_invested = cursor.starts_with("合字");
    if foreign_invested {
        cursor.at += 2;
    }
    let ClassedSerial { classes, digits } = serial::classed_serial(cursor, rules.current_year)?;
    cursor.eat('号');
    let text = match province {
        Some(province) => compose(format_args!("{}{classes}-{digits}", province.icp_prefix())),
        None if foreign_invested => compose(format_args!("合字{classes}-{digits}")),
        None => compose(format_args!("{classes}-{digits}")),
    };
    licence(cursor, text, kind_at, false, rules)
}

/// The end of both licence forms: a licence, or with a suffix the filing number of a service.
fn licence(
    cursor: &mut Cursor<'_>,
    text: SubjectText,
    kind_at: usize,
    missing_hao: bool,
    rules: Rules,
) -> Result<Read, Fault> {
    let suffix = suffix(cursor, rules, missing_hao)?;
    let number = match suffix {
        None => Number::Licence(LicenceNumber { text }),
        Some(suffix) => {
            let subject = SubjectNumber { text };
            Number::Filing(FilingNumber {
                subject,
                service: Some(suffix.of(subject)),
            })
        }
    };
    Ok(Read {
        parsed: Parsed {
            number,
            missing_hao,
        },
        kind_at,
        suffix_at: suffix.map(|suffix| suffix.at),
        end: cursor.at,
    })
}

fn public_security(
    cursor: &mut Cursor<'_>,
    province: Province,
    rules: Rules,
) -> Result<Read, Fault> {
    let kind_at = cursor.at - 4;
    let run = run(cursor, DigitCount::PublicSecurity)?;
    check_public_security(&run, province)?;
    let missing_hao = hao(cursor, rules)?;
    let text = compose(format_args!(
        "{}公网安备{}号",
        province.public_security_prefix(),
        run.digits
    ));
    Ok(Read {
        parsed: Parsed {
            number: Number::PublicSecurity(PublicSecurityNumber { text }),
            missing_hao,
        },
        kind_at,
        suffix_at: None,
        end: cursor.at,
    })
}

/// Reads 号; whether it is missing.
fn hao(cursor: &mut Cursor<'_>, rules: Rules) -> Result<bool, Fault> {
    if cursor.eat('号') {
        return Ok(false);
    }
    match rules.mode {
        Mode::Display => Ok(true),
        Mode::Strict => Err(Fault::with(Kind::MissingHao, cursor.at, Edit::Insert('号'))),
    }
}

/// The province is there, what follows is no keyword: points at the first character that departs
/// from the keyword it resembles most.
fn unknown_keyword(cursor: &Cursor<'_>) -> Fault {
    let alike = [FILING, LICENCE, PUBLIC_SECURITY]
        .iter()
        .map(|keyword| {
            let pairs = keyword.chars().enumerate();
            pairs
                .take_while(|&(offset, ch)| cursor.peek(offset) == Some(ch))
                .count()
        })
        .max()
        .unwrap_or(0);
    let at = cursor.at + alike;
    let kind = Kind::UnexpectedCharacter;
    let digits = (0..12)
        .take_while(|offset| cursor.has_digit_at(alike + offset))
        .count();
    let edit = if alike == 3 && matches!(digits, 8 | 10) {
        Some(Edit::Insert('备'))
    } else if alike == 0 && matches!(cursor.peek(0), Some('1' | 'L')) {
        Some(Edit::Replace('I'))
    } else {
        None
    };
    Fault { kind, at, edit }
}

/// The first character begins no number.
fn unknown_start(cursor: &Cursor<'_>, first: char) -> Fault {
    let keywords = [FILING, LICENCE, PUBLIC_SECURITY];
    let keyword_at = |offset: usize| {
        keywords
            .iter()
            .any(|keyword| cursor.starts_with_at(offset, keyword))
    };
    let at = cursor.at;
    if keyword_at(0) || first.is_ascii_digit() {
        Fault::plain(Kind::MissingProvince, at)
    } else if NOT_MAINLAND.contains(&first) {
        Fault::plain(Kind::NotMainland, at)
    } else if keyword_at(1) && UNOFFICIAL.contains(&first) {
        Fault::plain(Kind::UnofficialRegistry, at)
    } else if keyword_at(1) {
        Fault::plain(Kind::UnknownProvince, at)
    } else if keyword_at(2) {
        // 北京ICP备, 天津ICP备, 四川ICP备: the name in place of the character.
        let is_province = cursor.peek(1).and_then(Province::from_any_prefix).is_some();
        Fault {
            kind: Kind::UnknownProvince,
            at,
            edit: is_province.then_some(Edit::Delete),
        }
    } else {
        Fault::plain(Kind::UnknownPrefix, at)
    }
}

/// Whether a number cannot begin right behind this character: 萌B2-… is not B2-….
pub(super) fn spoils_what_follows(character: char) -> bool {
    UNOFFICIAL.contains(&character)
        || NOT_MAINLAND.contains(&character)
        || character.is_ascii_alphanumeric()
        || matches!(character, '.' | '-')
}
