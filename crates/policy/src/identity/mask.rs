//! What may be shown of certificate numbers and names of people.

/// Characters shown at each end of a long number: `1101**********002X`.
const SHOWN_OF_LONG: usize = 4;

/// Surnames of two characters in common use, simplified; any other name is taken to have a surname
/// of one, which shows less.
const COMPOUND_SURNAMES: [&str; 20] = [
    "欧阳", "上官", "司马", "诸葛", "司徒", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙",
    "宇文", "端木", "东方", "独孤", "南宫", "申屠", "闻人", "澹台",
];

/// Masks a certificate number of any kind: four characters at each end of 15 and more, two of 8
/// and more, one of 5 and more, none of fewer.
pub(super) fn number(number: &str) -> String {
    let length = number.chars().count();
    let shown = match length {
        0..5 => 0,
        5..8 => 1,
        8..15 => 2,
        _ => SHOWN_OF_LONG,
    };
    number
        .chars()
        .enumerate()
        .map(|(at, c)| {
            if at < shown || at >= length.saturating_sub(shown) {
                c
            } else {
                '*'
            }
        })
        .collect()
}

/// Masks a normalised name of a person: the surname of a Chinese name, the first letter of each
/// word of another. `张*`, `欧阳**`, `J*** S****`. A word of one character is masked whole.
pub(super) fn person(name: &str) -> String {
    if name.is_ascii() || !name.chars().any(super::name::is_han) {
        return name
            .split_inclusive([' ', '·', '-'])
            .map(first_letter)
            .collect();
    }
    let simplified: String = name.chars().map(crate::script::simplify).take(2).collect();
    let compound = COMPOUND_SURNAMES.contains(&simplified.as_str());
    // Signs hide nothing: beside them a name of one character would be shown whole.
    let is_letter = |c: &char| c.is_alphanumeric() || super::name::is_han(*c);
    let letters = name.chars().filter(is_letter).count();
    let shown = match (letters, compound) {
        (1, _) => 0,
        (3.., true) => 2,
        (_, _) => 1,
    };
    name.chars()
        .enumerate()
        .map(|(at, c)| if at < shown { c } else { hide(c) })
        .collect()
}

fn first_letter(word: &str) -> String {
    let single = word.chars().filter(|c| c.is_alphanumeric()).count() < 2;
    let mut shown = false;
    word.chars()
        .map(|c| {
            if !shown && !single && c.is_alphanumeric() {
                shown = true;
                c
            } else {
                hide(c)
            }
        })
        .collect()
}

/// Punctuation stays, so that the shape of the name can be seen.
fn hide(c: char) -> char {
    if matches!(c, ' ' | '·' | '-' | '（' | '）' | '\'') {
        c
    } else {
        '*'
    }
}
