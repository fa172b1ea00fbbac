//! The grammar of all numbers, and what is said about a text that departs from it.
//!
//! One reader serves fields and pages: [`parse`] demands that the whole text is a number,
//! [`read_number`] takes the number that begins at a place and leaves the rest. A fault may carry
//! an edit; where edits lead to a valid number, that number is the suggestion.
//!
//! Start at [`read_number`]; the digit runs are in [`super::serial`].

use super::error::{DigitCount, NumberError, NumberErrorKind as Kind, NumberKind};
use super::province::Province;
use super::serial::{
    self, ClassedSerial, check_public_security, filing_serial, numbered_serial, run,
};
use super::text::{Mark, Source, read};
use super::types::{
    FilingNumber, LicenceNumber, Number, PublicSecurityNumber, ServiceLetter, ServiceNumber,
    SubjectNumber, SubjectText, compose,
};
use super::{MAX_INPUT_CHARS, Mode, Parsed};

pub(super) const STRICT: Mode = Mode::Strict;

/// Last year that the grammar knows: four-digit years begin with 20.
pub(super) const LAST_YEAR: i16 = 2099;

/// Edits tried for a suggestion: every digit of a public security number mistyped, and two more.
const MAX_EDITS: usize = 16;

/// Most digits in the suffix of a service number.
const MAX_SUFFIX_DIGITS: usize = 5;

/// Registries run for fun, whose numbers stand in real footers.
const UNOFFICIAL: [char; 7] = ['萌', '彬', '团', '雾', '喵', '星', '梦'];

/// Regions outside the filing system.
const NOT_MAINLAND: [char; 3] = ['港', '澳', '台'];

const FILING: &str = "ICP备";
const LICENCE: &str = "ICP证";
const PUBLIC_SECURITY: &str = "公网安备";

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Any,
    /// A filing number, or a licence number in its place.
    Filing,
    Licence,
    PublicSecurity,
    /// With service suffix.
    Service,
    /// Without service suffix.
    Subject,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) mode: Mode,
    pub(super) source: Source,
    pub(super) current_year: i16,
}

/// A number read from some marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) parsed: Parsed,
    /// Index of the mark that told the kind.
    kind_at: usize,
    /// Index of the dash of the suffix.
    suffix_at: Option<usize>,
    /// Index of the mark behind the number.
    pub(super) end: usize,
}

/// What is wrong at which mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) edit: Option<Edit>,
}

/// How a fault can probably be mended, at its mark.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Take the mark out.
    Delete,
    /// Put this before the mark.
    Insert(char),
    /// Put this in place of the mark.
    Replace(char),
    /// Take out the mark and all behind it.
    Truncate,
}

impl Fault {
    pub(super) fn plain(kind: Kind, at: usize) -> Self {
        Self {
            kind,
            at,
            edit: None,
        }
    }

    pub(super) fn with(kind: Kind, at: usize, edit: Edit) -> Self {
        Self {
            kind,
            at,
            edit: Some(edit),
        }
    }
}

/// Reads a field that should be one number.
pub(super) fn parse(
    text: &str,
    mode: Mode,
    want: Want,
    current_year: i16,
) -> Result<Parsed, NumberError> {
    let original: Vec<char> = text.chars().take(MAX_INPUT_CHARS + 1).collect();
    if original.len() > MAX_INPUT_CHARS {
        return Err(NumberError {
            kind: Kind::TooLong,
            position: MAX_INPUT_CHARS,
            found: original.last().copied(),
            suggestion: None,
        });
    }
    let rules = Rules {
        mode,
        source: Source::Field,
        current_year,
    };
    let marks = read(&original, 0, Source::Field);
    whole(&marks, want, rules).map_err(|fault| {
        let position = match marks.get(fault.at) {
            Some(mark) => mark.at,
            None => marks.last().map_or(0, |mark| mark.end),
        };
        let typed = original.get(position).copied();
        NumberError {
            kind: fault.kind,
            position,
            found: typed.filter(|_| fault.at < marks.len()),
            suggestion: mend(marks, fault, want, rules),
        }
    })
}

/// The number that the text reads as once every fault is mended.
fn mend(mut marks: Vec<Mark>, mut fault: Fault, want: Want, rules: Rules) -> Option<String> {
    for _ in 0..MAX_EDITS {
        let at = fault.at.min(marks.len());
        match fault.edit? {
            Edit::Delete => {
                if at < marks.len() {
                    marks.remove(at);
                }
            }
            Edit::Insert(ch) => marks.insert(
                at,
                Mark {
                    ch,
                    at: 0,
                    end: 0,
                    gap: false,
                },
            ),
            Edit::Replace(ch) => marks.get_mut(at)?.ch = ch,
            Edit::Truncate => marks.truncate(at),
        }
        match whole(&marks, want, rules) {
            Ok(parsed) => return Some(parsed.number.to_string()),
            Err(next) => fault = next,
        }
    }
    None
}

/// A number that is the whole text and of the kind wanted.
fn whole(marks: &[Mark], want: Want, rules: Rules) -> Result<Parsed, Fault> {
    if marks.is_empty() {
        return Err(Fault::plain(Kind::Empty, 0));
    }
    if looks_like_url(marks) {
        return Err(Fault::plain(Kind::LooksLikeUrl, 0));
    }
    let read = read_number(marks, 0, rules)?;
    if let Some(next) = marks.get(read.end) {
        let after_hao = read.suffix_at.is_none()
            && read
                .end
                .checked_sub(1)
                .and_then(|at| marks.get(at))
                .is_some_and(|m| m.ch == '号');
        let kind = read.parsed.number.kind();
        if after_hao && next.ch.is_ascii_digit() && kind != NumberKind::PublicSecurity {
            return Err(Fault::with(Kind::BadSuffix, read.end, Edit::Insert('-')));
        }
        return Err(Fault::with(Kind::TrailingText, read.end, Edit::Truncate));
    }
    check_wanted(&read, want)?;
    Ok(read.parsed)
}

fn check_wanted(read: &Read, want: Want) -> Result<(), Fault> {
    let number = read.parsed.number;
    let wanted = match want {
        Want::Any => return Ok(()),
        Want::Filing | Want::Service | Want::Subject => NumberKind::Filing,
        Want::Licence => NumberKind::Licence,
        Want::PublicSecurity => NumberKind::PublicSecurity,
    };
    let fits = match wanted {
        NumberKind::Filing => number.subject().is_some(),
        NumberKind::Licence => number.licence().is_some(),
        NumberKind::PublicSecurity => number.kind() == NumberKind::PublicSecurity,
    };
    if !fits {
        let kind = Kind::WrongKind {
            found: number.kind(),
            wanted,
        };
        return Err(Fault::plain(kind, read.kind_at));
    }
    match read.suffix_at {
        Some(at) if matches!(want, Want::Licence | Want::Subject) => {
            Err(Fault::with(Kind::SuffixNotAllowed, at, Edit::Truncate))
        }
        None if want == Want::Service => Err(Fault::plain(Kind::SuffixMissing, read.end)),
        Some(_) | None => Ok(()),
    }
}

/// Whether a person pasted an address instead of a number.
fn looks_like_url(marks: &[Mark]) -> bool {
    let text: String = marks.iter().map(|mark| mark.ch).collect();
    let is_host = text.is_ascii()
        && text.contains('.')
        && text.contains(|ch: char| ch.is_ascii_alphabetic())
        && !Cursor { marks, at: 0 }.at_class();
    text.contains("://") || text.starts_with("WWW.") || is_host
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

#[derive(Clone, Copy)]
struct Suffix {
    at: usize,
    index: u32,
    letter: Option<ServiceLetter>,
}

impl Suffix {
    fn of(self, subject: SubjectNumber) -> ServiceNumber {
        ServiceNumber::new(subject, self.index, self.letter)
    }
}

/// Reads `-n` and a letter. On a page, what is no suffix is text that follows the number.
fn suffix(
    cursor: &mut Cursor<'_>,
    rules: Rules,
    missing_hao: bool,
) -> Result<Option<Suffix>, Fault> {
    let Some(dash) = cursor.mark(0).filter(|mark| mark.ch == '-') else {
        return Ok(None);
    };
    if rules.source == Source::Field {
        return read_suffix(cursor, rules.source).map(Some);
    }
    let gaps = [dash.gap, cursor.mark(1).is_some_and(|mark| mark.gap)];
    // A dash with space on both sides, or on one side where 号 is missing, sets a new text off.
    let separates = if missing_hao {
        gaps.contains(&true)
    } else {
        gaps == [true, true]
    };
    if separates {
        return Ok(None);
    }
    let start = cursor.at;
    let found = read_suffix(cursor, rules.source).ok();
    if found.is_none() {
        cursor.at = start;
    }
    Ok(found)
}

fn read_suffix(cursor: &mut Cursor<'_>, source: Source) -> Result<Suffix, Fault> {
    let at = cursor.at;
    cursor.at += 1;
    let start = cursor.at;
    let mut index: u32 = 0;
    while let Some(mark) = cursor.mark(0) {
        let count = cursor.at - start;
        let Some(digit) = mark.ch.to_digit(10).filter(|_| count == 0 || !mark.gap) else {
            break;
        };
        if count == 0 && digit == 0 {
            return Err(Fault::with(Kind::BadSuffix, start, Edit::Delete));
        }
        if count == MAX_SUFFIX_DIGITS {
            return Err(Fault::plain(Kind::BadSuffix, cursor.at));
        }
        index = index * 10 + digit;
        cursor.at += 1;
    }
    let slipped = source == Source::Field && cursor.peek(0).and_then(serial::digit_meant).is_some();
    if index == 0 && !slipped {
        return Err(Fault::plain(Kind::BadSuffix, cursor.at));
    }
    let letter = match source {
        Source::Field => field_letter(cursor)?,
        Source::Page => page_letter(cursor),
    };
    Ok(Suffix { at, index, letter })
}

/// In a field, any letter behind the index claims to be a service letter.
fn field_letter(cursor: &mut Cursor<'_>) -> Result<Option<ServiceLetter>, Fault> {
    let Some(typed) = cursor.peek(0).filter(char::is_ascii_alphabetic) else {
        return Ok(None);
    };
    if let Some(digit) = serial::digit_meant(typed) {
        let kind = Kind::LetterForDigit { digit };
        return Err(Fault::with(kind, cursor.at, Edit::Replace(digit)));
    }
    let letter = ServiceLetter::from_char(typed)
        .ok_or(Fault::plain(Kind::UnknownServiceLetter, cursor.at))?;
    cursor.at += 1;
    Ok(Some(letter))
}

/// On a page, a letter that begins a word or another number is not the service letter.
fn page_letter(cursor: &mut Cursor<'_>) -> Option<ServiceLetter> {
    let mark = cursor.mark(0).filter(|mark| !mark.gap)?;
    let letter = ServiceLetter::from_char(mark.ch)?;
    let goes_on = cursor
        .mark(1)
        .is_some_and(|next| !next.gap && next.ch.is_ascii_alphanumeric());
    if goes_on {
        return None;
    }
    cursor.at += 1;
    Some(letter)
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

/// A place in some marks.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) marks: &'a [Mark],
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn mark(&self, offset: usize) -> Option<Mark> {
        self.marks.get(self.at + offset).copied()
    }

    pub(super) fn peek(&self, offset: usize) -> Option<char> {
        self.mark(offset).map(|mark| mark.ch)
    }

    pub(super) fn eat(&mut self, character: char) -> bool {
        let found = self.peek(0) == Some(character);
        self.at += usize::from(found);
        found
    }

    fn starts_with(&self, text: &str) -> bool {
        self.starts_with_at(0, text)
    }

    fn starts_with_at(&self, offset: usize, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(index, ch)| self.peek(offset + index) == Some(ch))
    }

    fn has_digit_at(&self, offset: usize) -> bool {
        self.peek(offset).is_some_and(serial::stands_for_digit)
    }

    /// Whether a licence class begins here: A1, A2, B1 or B2.
    fn at_class(&self) -> bool {
        matches!(
            (self.peek(0), self.peek(1)),
            (Some('A' | 'B'), Some('1' | '2'))
        )
    }
}
