//! The digits of numbers: how many, which years, and which are made up.

use arrayvec::ArrayString;

use super::LAST_YEAR;
use super::cursor::{Cursor, Edit, Fault};
use super::error::{DigitCount, NumberErrorKind as Kind};
use super::province::Province;
use super::types::compose;

/// Digits looked at in one run; all beyond are too many anyway.
const MAX_RUN: usize = 40;

/// Characters that stand for unknown digits from which on a run is a template, not a slip.
const TEMPLATE_FILLERS: usize = 3;

/// Years of eight-digit filing numbers; 2020 has both forms.
const SHORT_YEARS: (i16, i16) = (2005, 2020);

/// First year of ten-digit filing numbers.
const FIRST_LONG_YEAR: i16 = 2020;

/// First year of licences in class form: the Telecommunications Regulations are of 2000.
const FIRST_LICENCE_YEAR: i16 = 2000;

/// A run of digits.
pub(super) struct Run {
    /// Index of the mark of the first digit; the others follow mark by mark.
    pub(super) start: usize,
    pub(super) digits: ArrayString<MAX_RUN>,
}

impl DigitCount {
    fn allows(self, count: usize) -> bool {
        match self {
            DigitCount::ClassedLicence => count == 8,
            DigitCount::Filing => matches!(count, 6 | 8 | 10),
            DigitCount::NumberedLicence => count == 6,
            DigitCount::PublicSecurity => count == 14,
        }
    }
}

/// The digit that a letter was probably typed for.
pub(super) fn digit_meant(letter: char) -> Option<char> {
    match letter {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        _ => None,
    }
}

/// Whether a character is a digit, a slip for one, or a template's filler.
pub(super) fn stands_for_digit(character: char) -> bool {
    // I begins ICP far more often than it slips in as a first digit.
    character.is_ascii_digit() || character == 'O' || is_filler(character)
}

fn is_filler(character: char) -> bool {
    matches!(character, 'X' | '*' | '×' | '#' | '?')
}

/// Reads a run of digits of the right length.
///
/// On a page, digits behind a gap belong to the run only if 号 ends it; in a field there are no
/// gaps.
pub(super) fn run(cursor: &mut Cursor<'_>, expected: DigitCount) -> Result<Run, Fault> {
    let start = cursor.at;
    let mut digits = ArrayString::<MAX_RUN>::new();
    let mut letter: Option<(usize, char)> = None;
    let mut filler: Option<usize> = None;
    let mut fillers = 0;
    let mut cut: Option<usize> = None;
    for offset in 0..MAX_RUN {
        let Some(mark) = cursor.mark(offset) else {
            break;
        };
        if mark.gap && offset > 0 && cut.is_none() {
            cut = Some(offset);
        }
        let digit = if mark.ch.is_ascii_digit() {
            mark.ch
        } else if let Some(digit) = digit_meant(mark.ch) {
            letter = letter.or(Some((offset, digit)));
            digit
        } else if is_filler(mark.ch) {
            filler = filler.or(Some(offset));
            fillers += 1;
            '0'
        } else {
            break;
        };
        digits.push(digit);
    }
    let next = cursor.peek(digits.len());
    if let Some(cut) = cut
        && next != Some('号')
    {
        digits.truncate(cut);
    }
    if let Some(filler) = filler.filter(|&filler| filler < digits.len()) {
        if fillers >= TEMPLATE_FILLERS {
            return Err(Fault::plain(Kind::Placeholder, start + filler));
        }
        digits.truncate(filler);
    }
    if let Some((offset, digit)) = letter.filter(|&(offset, _)| offset < digits.len()) {
        let ends_here = matches!(cursor.peek(digits.len()), None | Some('号' | '-'));
        if ends_here || !expected.allows(offset) {
            let kind = Kind::LetterForDigit { digit };
            return Err(Fault::with(kind, start + offset, Edit::Replace(digit)));
        }
        digits.truncate(offset);
    }
    if !expected.allows(digits.len()) {
        return Err(miscounted(cursor, start, &digits, expected));
    }
    cursor.at += digits.len();
    Ok(Run { start, digits })
}

/// The fault of a run that is too short or too long.
fn miscounted(cursor: &Cursor<'_>, start: usize, digits: &str, expected: DigitCount) -> Fault {
    let count = digits.len();
    if count == 0 {
        match cursor.peek(0) {
            None | Some('号') => {}
            Some(':' | '案' | '第' | '-') => {
                return Fault::with(Kind::UnexpectedCharacter, start, Edit::Delete);
            }
            Some(_) => return Fault::plain(Kind::UnexpectedCharacter, start),
        }
    }
    // The length that the run was probably meant to have.
    let meant = match expected {
        DigitCount::NumberedLicence => 6,
        DigitCount::PublicSecurity => 14,
        DigitCount::Filing if count > 8 && digits.starts_with("202") => 10,
        DigitCount::Filing if count < 6 => 6,
        DigitCount::ClassedLicence | DigitCount::Filing => 8,
    };
    wrong_count(count, expected, start + count.min(meant))
}

/// The fault of `count` digits where another number of them is expected.
pub(super) fn wrong_count(count: usize, expected: DigitCount, at: usize) -> Fault {
    let found = u8::try_from(count).unwrap_or(u8::MAX);
    Fault::plain(Kind::WrongDigitCount { found, expected }, at)
}

/// The serial of a filing number: year and six digits, or six digits alone.
pub(super) fn filing_serial(
    cursor: &mut Cursor<'_>,
    current_year: i16,
) -> Result<ArrayString<MAX_RUN>, Fault> {
    let run = run(cursor, DigitCount::Filing)?;
    let year_digits = run.digits.len().saturating_sub(6);
    check_made_up(&run, year_digits)?;
    match year_digits {
        0 => {}
        2 => check_year(&run, 2, SHORT_YEARS, LAST_YEAR)?,
        _ => check_year(&run, 4, (FIRST_LONG_YEAR, LAST_YEAR), current_year)?,
    }
    Ok(run.digits)
}

/// The serial of a licence in the form 京ICP证030173号.
pub(super) fn numbered_serial(cursor: &mut Cursor<'_>) -> Result<ArrayString<MAX_RUN>, Fault> {
    let run = run(cursor, DigitCount::NumberedLicence)?;
    check_made_up(&run, 0)?;
    Ok(run.digits)
}

/// Classes and serial of a licence in class form.
pub(super) struct ClassedSerial {
    /// Ascending and without repetition: `A2.B1.B2`.
    pub(super) classes: ArrayString<11>,
    pub(super) digits: ArrayString<MAX_RUN>,
}

/// Reads `B2-20090059`, `A2.B1.B2-20100001`; the cursor stands at the first class.
pub(super) fn classed_serial(
    cursor: &mut Cursor<'_>,
    current_year: i16,
) -> Result<ClassedSerial, Fault> {
    let classes = classes(cursor)?;
    if !cursor.eat('-') {
        let is_digit = cursor.peek(0).is_some_and(|ch| ch.is_ascii_digit());
        return Err(if is_digit {
            Fault::with(Kind::MissingDash, cursor.at, Edit::Insert('-'))
        } else {
            Fault::plain(Kind::UnexpectedCharacter, cursor.at)
        });
    }
    let run = run(cursor, DigitCount::ClassedLicence)?;
    check_made_up(&run, 4)?;
    check_year(&run, 4, (FIRST_LICENCE_YEAR, LAST_YEAR), current_year)?;
    Ok(ClassedSerial {
        classes,
        digits: run.digits,
    })
}

fn classes(cursor: &mut Cursor<'_>) -> Result<ArrayString<11>, Fault> {
    const CLASSES: [(char, char); 4] = [('A', '1'), ('A', '2'), ('B', '1'), ('B', '2')];
    let mut present = [false; 4];
    loop {
        let class = CLASSES
            .iter()
            .zip(&mut present)
            .find(|((letter, digit), _)| {
                cursor.peek(0) == Some(*letter) && cursor.peek(1) == Some(*digit)
            });
        let Some((_, present)) = class else {
            let letter = cursor.peek(0).is_some_and(|ch| matches!(ch, 'A' | 'B'));
            return Err(Fault::plain(
                Kind::UnexpectedCharacter,
                cursor.at + usize::from(letter),
            ));
        };
        *present = true;
        cursor.at += 2;
        if !cursor.eat('.') {
            break;
        }
    }
    let mut written = ArrayString::<11>::new();
    for ((letter, digit), _) in CLASSES.iter().zip(present).filter(|(_, present)| *present) {
        let dot = if written.is_empty() { "" } else { "." };
        written = compose(format_args!("{written}{dot}{letter}{digit}"));
    }
    Ok(written)
}

/// Public security: the first two digits are those of the province; the division as a whole is
/// not compared with any table, since real numbers name abolished counties and functional zones.
pub(super) fn check_public_security(run: &Run, province: Province) -> Result<(), Fault> {
    let expected = province.code();
    let code: ArrayString<2> = compose(format_args!("{expected:02}"));
    let alike = run
        .digits
        .chars()
        .zip(code.chars())
        .take_while(|(a, b)| a == b)
        .count();
    if alike < 2 {
        return Err(Fault::plain(
            Kind::PublicSecurityProvince { expected },
            run.start + alike,
        ));
    }
    check_made_up(run, 8)
}

/// Refuses numbers of templates: digits counted up from 1, and serials of zeros.
fn check_made_up(run: &Run, serial_at: usize) -> Result<(), Fault> {
    let counted_up = "12345678901234".starts_with(run.digits.as_str());
    let all_zeros = run.digits.chars().all(|digit| digit == '0');
    if counted_up || all_zeros {
        return Err(Fault::plain(Kind::Placeholder, run.start));
    }
    let serial = run.digits.get(serial_at..).unwrap_or_default();
    if serial.chars().all(|digit| digit == '0') {
        return Err(Fault::plain(Kind::Placeholder, run.start + serial_at));
    }
    Ok(())
}

/// Refuses a year outside `range` or after `current_year`; `width` is the digits it is written
/// with.
fn check_year(run: &Run, width: usize, range: (i16, i16), current_year: i16) -> Result<(), Fault> {
    let written = run.digits.get(..width).unwrap_or_default();
    let year: i16 = written.parse().unwrap_or_default();
    let year = if width == 2 { 2000 + year } else { year };
    let (first, last) = range;
    let bound = last.min(current_year);
    if (first..=bound).contains(&year) {
        return Ok(());
    }
    // The first digit with which no allowed year begins.
    let alike = (first..=bound)
        .map(|allowed| {
            let allowed: ArrayString<6> = compose(format_args!("{allowed:04}"));
            let allowed = allowed.get(4 - width..).unwrap_or_default();
            written
                .chars()
                .zip(allowed.chars())
                .take_while(|(a, b)| a == b)
                .count()
        })
        .max()
        .unwrap_or(0);
    let kind = if (first..=last).contains(&year) {
        Kind::YearInFuture { year }
    } else {
        Kind::YearOutOfRange {
            first,
            last: bound.max(first),
        }
    };
    Err(Fault::plain(kind, run.start + alike))
}
