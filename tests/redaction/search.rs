//! Looks for planted values in octets, as they are and as a program may have turned them: escaped,
//! encoded, turned round, stripped, or digested without a key.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};

/// Where data leaves the process. To search one more place: a line here, and one where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Answers and errors of calls, with their details and headers.
    Answers,
    /// What commands print, and files that they write.
    Commands,
    /// Log lines at the most talkative level.
    Log,
    /// Pages for operators and their tools, metrics above all.
    Pages,
    /// What is sent to Redis, and what stands there.
    Redis,
    /// Every column of every table, and files of the store.
    Store,
    /// What a collector of traces is sent.
    Traces,
}

/// A value that was handed to the program.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// What it is, for whoever reads that it was found.
    pub(crate) what: &'static str,
    pub(crate) value: Vec<u8>,
    /// Where it may stand; nowhere else.
    pub(crate) may_stand_in: &'static [Place],
}

impl Planted {
    pub(crate) fn new(
        what: &'static str,
        value: impl Into<Vec<u8>>,
        may_stand_in: &'static [Place],
    ) -> Self {
        Self {
            what,
            value: value.into(),
            may_stand_in,
        }
    }
}

/// What was found of planted values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// Which of them, in the order in which they were given.
    pub(crate) planted: usize,
    /// How it was turned.
    pub(crate) form: &'static str,
}

/// Shortest form that is looked for, in octets: a shorter one stands everywhere by chance.
const SHORTEST: usize = 8;

/// Of digests so many octets are looked for, as somebody may have cut them.
const CUT: usize = 16;

/// Looks for values that were planted.
pub(crate) struct Searcher {
    planted: Vec<Planted>,
    automaton: AhoCorasick,
    /// What each pattern of the automaton is.
    patterns: Vec<Found>,
}

impl Searcher {
    pub(crate) fn new(planted: Vec<Planted>) -> Self {
        let (mut needles, mut patterns) = (Vec::new(), Vec::new());
        for (place, value) in planted.iter().enumerate() {
            assert!(value.value.len() >= SHORTEST, "{}", value.what);
            for (form, needle) in forms(&value.value) {
                if needle.len() >= SHORTEST {
                    needles.push(needle);
                    patterns.push(Found {
                        planted: place,
                        form,
                    });
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&needles)
            .unwrap();
        Self {
            planted,
            automaton,
            patterns,
        }
    }

    /// Everything that is found.
    pub(crate) fn all(&self, octets: &[u8]) -> BTreeSet<Found> {
        self.automaton
            .find_overlapping_iter(octets)
            .map(|found| self.patterns[found.pattern().as_usize()])
            .collect()
    }

    /// What is found that must not stand there, in words.
    pub(crate) fn astray(&self, place: Place, octets: &[u8]) -> Vec<String> {
        self.all(octets)
            .into_iter()
            .map(|found| (&self.planted[found.planted], found.form))
            .filter(|(planted, _)| !planted.may_stand_in.contains(&place))
            .map(|(planted, form)| format!("{}, {form}", planted.what))
            .collect()
    }

    /// Whether a value stands there, by what it is called.
    pub(crate) fn sees(&self, what: &str, octets: &[u8]) -> bool {
        assert!(self.planted.iter().any(|planted| planted.what == what));
        let mut found = self.all(octets).into_iter();
        found.any(|found| self.planted[found.planted].what == what)
    }
}

/// What was found where it may not stand, gathered so that one finding does not hide the others.
pub(crate) struct Search<'a> {
    searcher: &'a Searcher,
    astray: BTreeSet<String>,
    seen: Vec<Vec<u8>>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(searcher: &'a Searcher) -> Self {
        Self {
            searcher,
            astray: BTreeSet::new(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn look(&mut self, place: Place, what: &str, octets: &[u8]) {
        for found in self.searcher.astray(place, octets) {
            self.astray.insert(format!("{place:?}: {what}: {found}"));
        }
        self.seen.push(octets.to_vec());
    }

    /// Holds that values were seen since the last time: what is read is what was written.
    pub(crate) fn saw(&mut self, values: &[&str]) {
        let seen = std::mem::take(&mut self.seen);
        for what in values {
            let sees = seen.iter().any(|seen| self.searcher.sees(what, seen));
            assert!(sees, "{what} is not seen where it stands");
        }
    }

    pub(crate) fn end(self) {
        let astray = &self.astray;
        assert!(astray.is_empty(), "{astray:#?}");
    }
}

/// Every form of a value, with its name.
fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = Vec::new();
    encodings(&mut forms, value);
    digests(&mut forms, value);
    let Ok(text) = str::from_utf8(value) else {
        return forms;
    };
    let reversed: String = text.chars().rev().collect();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let bare: String = text.chars().filter(|char| char.is_alphanumeric()).collect();
    let wide: String = text.chars().map(widened).collect();
    let (lower, upper) = (text.to_lowercase(), text.to_uppercase());
    for turned in [&reversed, &digits, &bare, &wide, &lower, &upper] {
        encodings(&mut forms, turned.as_bytes());
    }
    for turned in [&reversed, &digits, &bare, &lower, &upper] {
        // Of a few digits anything may be the digest.
        if turned.len() >= SHORTEST {
            digests(&mut forms, turned.as_bytes());
        }
    }
    for text in [text, &reversed] {
        characters(&mut forms, text);
    }
    forms
}

/// Forms of octets.
fn encodings(forms: &mut Vec<(&'static str, Vec<u8>)>, octets: &[u8]) {
    let each = |write: fn(&mut String, u8)| {
        let mut text = String::new();
        for &octet in octets {
            write(&mut text, octet);
        }
        text.into_bytes()
    };
    forms.push(("as it is", octets.to_vec()));
    forms.push((
        "in hexadecimal digits",
        each(|text, octet| write!(text, "{octet:02x}").unwrap()),
    ));
    forms.push((
        "in hexadecimal digits behind `\\x`",
        each(|text, octet| write!(text, "\\x{octet:02x}").unwrap()),
    ));
    forms.push((
        "in hexadecimal digits behind `%`",
        each(|text, octet| write!(text, "%{octet:02x}").unwrap()),
    ));
    forms.push((
        "in octal digits",
        each(|text, octet| write!(text, "\\{octet:03o}").unwrap()),
    ));
    let numbers = |between: &str| {
        let numbers: Vec<String> = octets.iter().map(u8::to_string).collect();
        numbers.join(between).into_bytes()
    };
    forms.push(("as numbers", numbers(", ")));
    forms.push(("as numbers", numbers(",")));
    // As one of three, by what stands before it, without the signs that neighbours have a part in.
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend(octets);
        let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            if let Some(own) = text.get(first..end) {
                forms.push(("in base64", own.into()));
            }
        }
    }
}

/// Forms of the characters of a text.
fn characters(forms: &mut Vec<(&'static str, Vec<u8>)>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().collect();
    let little = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    forms.push(("in UTF-16", little));
    forms.push(("in UTF-16", big));
    let escaped = |write: fn(&mut String, char)| {
        let mut escaped = String::new();
        for char in text.chars() {
            write(&mut escaped, char);
        }
        escaped.into_bytes()
    };
    forms.push((
        "escaped as in JSON",
        escaped(|text, char| write!(text, "\\u{:04x}", u32::from(char)).unwrap()),
    ));
    forms.push((
        "escaped as in Rust",
        escaped(|text, char| write!(text, "{}", char.escape_unicode()).unwrap()),
    ));
    forms.push((
        "escaped as in HTML",
        escaped(|text, char| write!(text, "&#{};", u32::from(char)).unwrap()),
    ));
    forms.push((
        "escaped as in HTML",
        escaped(|text, char| write!(text, "&#x{:x};", u32::from(char)).unwrap()),
    ));
    let (chinese, _, _) = encoding_rs::GB18030.encode(text);
    forms.push(("in GB 18030", chinese.into_owned()));
}

/// Digests that anybody can work out who guesses the value.
fn digests(forms: &mut Vec<(&'static str, Vec<u8>)>, octets: &[u8]) {
    use md5::Digest as _;

    for (name, digest) in [
        ("its MD5", md5::Md5::digest(octets).to_vec()),
        (
            "its SHA-1",
            digest(&SHA1_FOR_LEGACY_USE_ONLY, octets).as_ref().to_vec(),
        ),
        ("its SHA-256", digest(&SHA256, octets).as_ref().to_vec()),
        ("its SHA-512", digest(&SHA512, octets).as_ref().to_vec()),
        ("its BLAKE3", blake3::hash(octets).as_bytes().to_vec()),
    ] {
        let mut encoded = Vec::new();
        encodings(&mut encoded, &digest[..CUT]);
        forms.extend(encoded.into_iter().map(|(_, form)| (name, form)));
    }
}

/// Latin letters and digits as wide as Chinese characters.
fn widened(char: char) -> char {
    match char {
        '!'..='~' => char::from_u32(u32::from(char) + 0xfee0).unwrap_or(char),
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "欧阳探针甲";
    const NUMBER: &str = "11010519491231002X";
    const PASSPORT: &str = "PROBE77345";

    fn searcher() -> Searcher {
        Searcher::new(vec![
            Planted::new("a name", NAME, &[]),
            Planted::new("a number", NUMBER, &[Place::Log]),
            Planted::new("a passport", PASSPORT, &[]),
            Planted::new("a key", [7, 0, 255, 128, 1, 2, 3, 4, 5, 6, 200], &[]),
        ])
    }

    /// Texts that were worked out elsewhere, each with what has to be found in it.
    const TURNED: [(&str, &str); 25] = [
        ("欧阳探针甲", "a name"),
        ("甲针探阳欧", "a name"),
        ("e6aca7e998b3e68ea2e99288e794b2", "a name"),
        (r"\u6b27\u9633\u63a2\u9488\u7532", "a name"),
        (r"\u{6b27}\u{9633}\u{63a2}\u{9488}\u{7532}", "a name"),
        ("&#27431;&#38451;&#25506;&#38024;&#30002;", "a name"),
        ("%E6%AC%A7%E9%98%B3%E6%8E%A2%E9%92%88%E7%94%B2", "a name"),
        (
            r"\346\254\247\351\230\263\346\216\242\351\222\210\347\224\262",
            "a name",
        ),
        (
            "230, 172, 167, 233, 152, 179, 230, 142, 162, 233, 146, 136, 231, 148, 178",
            "a name",
        ),
        ("5qyn6Ziz5o6i6ZKI55Sy", "a name"),
        ("e13d438775e8c0ef1b34c73e5a106322", "a name"),
        (
            "dc8ec3405ec35e360d7f1dd40f00b829dd1f18ff588800f79ecd62f3868d1de8",
            "a name",
        ),
        ("11010519491231002x", "a number"),
        ("x20013219491501011", "a number"),
        ("11010519491231002", "a number"),
        ("313130313035313934393132333130303258", "a number"),
        ("MTEwMTA1MTk0OTEyMzEwMDJY", "a number"),
        ("AE05564031C21338AA8A2E7266E7855C", "a number"),
        ("426695a0efdb59b9eaedaf0b5ca3eddf", "a number"),
        ("１１０１０５１９４９１２３１００２Ｘ", "a number"),
        ("probe77345", "a passport"),
        ("54377EBORP", "a passport"),
        ("UFJPQkU3NzM0N", "a passport"),
        (
            "270949a3ca1d12170b51b13957c3e6fea563f8e8924b587a",
            "a passport",
        ),
        (r"\x07\x00\xff\x80\x01\x02\x03\x04\x05\x06\xc8", "a key"),
    ];

    #[test]
    fn what_was_turned_is_found_wherever_it_stands() {
        let searcher = searcher();
        for (turned, what) in TURNED {
            for before in ["", "1", "=é", "0x\0"] {
                let text = format!("{before}{turned}|&");
                let mut found = searcher.all(text.as_bytes()).into_iter();
                let found = found.any(|found| searcher.planted[found.planted].what == what);
                assert!(found, "{text}");
            }
        }
        // In the middle of something that was encoded as a whole.
        for before in 0..5 {
            let whole = format!("{}{NUMBER}{NAME}!", "z".repeat(before));
            for text in [
                STANDARD_NO_PAD.encode(&whole),
                URL_SAFE_NO_PAD.encode(&whole),
            ] {
                assert!(searcher.sees("a number", text.as_bytes()), "{text}");
                assert!(searcher.sees("a name", text.as_bytes()), "{text}");
            }
        }
        let utf_16: Vec<u8> = NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(searcher.sees("a name", &utf_16));
        let (chinese, _, _) = encoding_rs::GB18030.encode(NAME);
        assert!(searcher.sees("a name", &chinese));
        let digest = blake3::hash(NUMBER.to_lowercase().as_bytes());
        assert!(searcher.sees("a number", &digest.as_bytes()[..16]));
        let cut = STANDARD_NO_PAD.encode(digest.as_bytes());
        assert!(searcher.sees("a number", cut.as_bytes()));
    }

    #[test]
    fn what_was_not_planted_is_not_found() {
        let searcher = searcher();
        for text in [
            "",
            "欧**",
            "1***************2X",
            "11010519491231003X",
            "PROBE7734",
            "欧阳探针",
            "ae05564031c21338aa8a2e72",
        ] {
            assert_eq!(searcher.all(text.as_bytes()), BTreeSet::new(), "{text}");
        }
    }

    #[test]
    fn a_value_may_stand_where_it_belongs_and_nowhere_else() {
        let searcher = searcher();
        let text = format!("{NUMBER}: {PASSPORT}");
        let astray = searcher.astray(Place::Log, text.as_bytes());
        assert!(!astray.is_empty());
        assert!(astray.iter().all(|found| found.starts_with("a passport")));
        let astray = searcher.astray(Place::Store, text.as_bytes());
        assert!(astray.contains(&"a number, as it is".to_owned()));
        assert!(astray.contains(&"a passport, as it is".to_owned()));
    }
    #[test]
    #[should_panic(expected = "Store: a row: a passport, as it is")]
    fn a_finding_is_told_at_the_end() {
        let searcher = searcher();
        let mut search = Search::new(&searcher);
        search.look(Place::Store, "a row", PASSPORT.as_bytes());
        search.look(Place::Log, "a line", NUMBER.as_bytes());
        search.end();
    }

    #[test]
    #[should_panic(expected = "a number is not seen")]
    fn what_was_seen_before_is_not_seen_again() {
        let searcher = searcher();
        let mut search = Search::new(&searcher);
        search.look(Place::Log, "a line", NUMBER.as_bytes());
        search.saw(&["a number"]);
        search.look(Place::Log, "a line", b"nothing");
        search.saw(&["a number"]);
    }
}
