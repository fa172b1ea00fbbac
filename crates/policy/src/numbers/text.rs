//! From bytes and characters as typed to characters as the grammar reads them.
//!
//! **Invariant:** every normalised character knows which characters of the original it came from,
//! so that an error can point at what a person typed although characters were dropped, merged or
//! multiplied on the way.

use encoding_rs::{Encoding, GB18030, UTF_8};
use unicode_normalization::UnicodeNormalization;

/// Longest HTML entity that is looked for, in characters: `&CounterClockwiseContourIntegral;`.
const MAX_ENTITY_CHARS: usize = 34;

/// Longest HTML tag that is skipped, in characters; beyond it a `<` stands for itself.
const MAX_TAG_CHARS: usize = 4096;

/// Decodes a page: by byte order mark or declared charset, else as UTF-8, else as GB18030, which
/// contains GBK and GB2312.
///
/// A declared charset that does not fit the bytes gives way to one that does, since pages in GBK
/// that call themselves UTF-8 are common. Bytes that fit nothing become U+FFFD; never fails.
#[must_use]
pub fn decode_page(bytes: &[u8], declared_charset: Option<&str>) -> String {
    let declared = declared_charset.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    let candidates = declared.into_iter().chain([UTF_8, GB18030]);
    for encoding in candidates {
        let (text, _, had_errors) = encoding.decode(bytes);
        if !had_errors {
            return text.into_owned();
        }
    }
    declared.unwrap_or(GB18030).decode(bytes).0.into_owned()
}

/// One normalised character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) ch: char,
    /// Index of the first original character it came from.
    pub(super) at: usize,
    /// Index just behind the last original character it came from.
    pub(super) end: usize,
    /// White space or a tag stood before it.
    pub(super) gap: bool,
}

/// What a text to be read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// One field: white space means nothing.
    Field,
    /// A page: white space and tags are gaps between characters.
    Page,
}

/// Normalises `original`; `offset` is the index of its first character in the whole text.
pub(super) fn read(original: &[char], offset: usize, source: Source) -> Vec<Mark> {
    let mut reader = Reader {
        marks: Vec::with_capacity(original.len()),
        gap: false,
        source,
    };
    let mut next_close = NextClose {
        original,
        found: Some(0),
    };
    let mut index = 0;
    while let Some(&character) = original.get(index) {
        let rest = original.get(index..).unwrap_or_default();
        let at = offset + index;
        if source == Source::Page
            && opens_tag(rest)
            && let Some(close) = next_close.at_or_after(index)
            && close - index < MAX_TAG_CHARS
        {
            reader.gap = true;
            index = close + 1;
        } else if let Some((length, decoded)) = entity(rest) {
            reader.push(decoded.nfkc(), at, at + length);
            index += length;
        } else {
            reader.push(std::iter::once(character).nfkc(), at, at + 1);
            index += 1;
        }
    }
    reader.marks
}

struct Reader {
    marks: Vec<Mark>,
    /// A gap came since the last mark.
    gap: bool,
    source: Source,
}

impl Reader {
    fn push(&mut self, characters: impl Iterator<Item = char>, at: usize, end: usize) {
        for character in characters.filter(|&character| !is_ignorable(character)) {
            if character.is_whitespace() {
                self.gap = true;
                continue;
            }
            let gap = self.gap && self.source == Source::Page;
            self.marks.push(Mark {
                ch: fold(character),
                at,
                end,
                gap,
            });
            self.gap = false;
        }
    }
}

/// Looks ahead for `>` without reading a stretch twice, since a page may hold only `<`.
struct NextClose<'a> {
    original: &'a [char],
    /// The last answer; none when there is no further one.
    found: Option<usize>,
}

impl NextClose<'_> {
    fn at_or_after(&mut self, index: usize) -> Option<usize> {
        let known = self.found?;
        if known < index || self.original.get(known) != Some(&'>') {
            let from = known.max(index);
            let rest = self.original.get(from..).unwrap_or_default();
            self.found = rest
                .iter()
                .position(|&ch| ch == '>')
                .map(|position| from + position);
        }
        self.found
    }
}

/// The simplified form of a traditional character, the plain form of a dash, the upper case of a
/// letter; anything else is itself.
fn fold(character: char) -> char {
    match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' => '-',
        '號' => '号',
        '備' => '备',
        '證' | '証' => '证',
        '網' => '网',
        '滬' => '沪',
        '粵' => '粤',
        '閩' => '闽',
        '贛' => '赣',
        '雲' => '云',
        '隴' => '陇',
        '貴' => '贵',
        '陝' => '陕',
        '遼' => '辽',
        '蘇' => '苏',
        '魯' => '鲁',
        '瓊' => '琼',
        '寧' => '宁',
        '晉' => '晋',
        other => other.to_ascii_uppercase(),
    }
}

/// Characters without width that come along when a number is copied from a page.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}'
    )
}

/// Length of the HTML entity at the beginning, and what it stands for.
fn entity(rest: &[char]) -> Option<(usize, String)> {
    if rest.first() != Some(&'&') {
        return None;
    }
    let length = 1 + rest
        .iter()
        .take(MAX_ENTITY_CHARS)
        .position(|&ch| ch == ';')?;
    let written: String = rest.iter().take(length).collect();
    let decoded = html_escape::decode_html_entities(&written);
    (decoded != written).then(|| (length, decoded.into_owned()))
}

/// Whether a tag or a comment may begin here.
fn opens_tag(rest: &[char]) -> bool {
    rest.first() == Some(&'<')
        && rest
            .get(1)
            .is_some_and(|ch| ch.is_ascii_alphabetic() || matches!(ch, '/' | '!'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> String {
        let characters: Vec<char> = text.chars().collect();
        read(&characters, 0, Source::Field)
            .iter()
            .map(|mark| mark.ch)
            .collect()
    }

    #[test]
    fn normalisation_maps_what_people_type() {
        assert_eq!(
            field(" 粵icp備１２３４５６７８號－２ａ "),
            "粤ICP备12345678号-2A"
        );
        assert_eq!(field("京ICP\u{200B}备\u{FEFF}1\u{00AD}2"), "京ICP备12");
        for dash in
            "\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{FE63}\u{FF0D}\u{30FC}"
                .chars()
        {
            assert_eq!(field(&format!("号{dash}1")), "号-1");
        }
        assert_eq!(field("京&nbsp;ICP&emsp;备&#49;&#x32;&amp"), "京ICP备12&AMP");
        assert_eq!(
            field("滬粵閩贛雲隴貴陝遼蘇魯瓊寧晉湘證網"),
            "沪粤闽赣云陇贵陕辽苏鲁琼宁晋湘证网"
        );
    }

    #[test]
    fn marks_remember_where_they_came_from() {
        let characters: Vec<char> = "&nbsp;京 \u{200B}I㍱".chars().collect();
        let marks = read(&characters, 10, Source::Page);
        let places: Vec<(char, usize, usize, bool)> = marks
            .iter()
            .map(|mark| (mark.ch, mark.at, mark.end, mark.gap))
            .collect();
        assert_eq!(
            places,
            [
                ('京', 16, 17, true),
                ('I', 19, 20, true),
                ('H', 20, 21, false),
                ('P', 20, 21, false),
                ('A', 20, 21, false),
            ]
        );
    }

    #[test]
    fn tags_are_gaps_and_a_lone_angle_bracket_is_not() {
        let characters: Vec<char> = "1<b class=x>2</b>3<4".chars().collect();
        let text: String = read(&characters, 0, Source::Page)
            .iter()
            .map(|mark| mark.ch)
            .collect();
        assert_eq!(text, "123<4");
    }

    #[test]
    fn pages_decode_by_what_fits() {
        let text = "京ICP备10046444号";
        let (gbk, _, _) = encoding_rs::GBK.encode(text);
        assert_eq!(decode_page(text.as_bytes(), None), text);
        assert_eq!(decode_page(&gbk, None), text);
        assert_eq!(decode_page(&gbk, Some("gb2312")), text);
        assert_eq!(decode_page(&gbk, Some("utf-8")), text);
        assert_eq!(decode_page(text.as_bytes(), Some("no such charset")), text);
        assert!(decode_page(&[0xFF, 0xFF, 0x00], Some("utf-8")).contains('\u{FFFD}'));
    }
}
