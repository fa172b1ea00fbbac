//! From what a person typed to a [`Host`].
//!
//! UTS 46, non-transitional, with STD3 rules: upper case, full-width forms, ideographic full stops
//! and invisible characters that the standard ignores (soft hyphen, zero-width space) are mapped
//! away. Hyphens in the third and fourth place are allowed, because host names in use have them;
//! `xn--` there must be an A-label.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::{Host, HostError, HostName, LabelProblem, Suffixes, UrlPart};

/// Longest name without the root, in octets of its A-label form (RFC 1035, section 2.3.4).
const NAME_LIMIT: usize = 253;

/// Longest label, in octets of its A-label form (RFC 1035, section 2.3.4).
const LABEL_LIMIT: usize = 63;

/// Longest text that is looked at, in octets: 253 characters of four octets and a little more.
/// Keeps the work on hostile input small.
const TEXT_LIMIT: usize = 1024;

/// Reads a host name or an IP address in any form a person types.
///
/// Accepted: any case, surrounding white space, one trailing dot, U-labels or A-labels, `。．｡` for
/// dots, one leading `*.`, IPv6 addresses in brackets.
///
/// # Errors
///
/// [`HostError`] says what is wrong and, where one can be made out, which host to use.
pub fn parse(input: &str, suffixes: &Suffixes) -> Result<Host, HostError> {
    let text = input.trim_matches(is_margin);
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    if text.len() > TEXT_LIMIT {
        return Err(HostError::NameTooLong { length: text.len() });
    }
    if let Some(position) = position(text, char::is_control) {
        return Err(HostError::Control { position });
    }
    let text = with_ascii_marks(text);
    let text = text.as_ref();
    if let Some(address) = parse_address(text) {
        return Ok(Host::Ip(address));
    }
    if let Some((part, rest)) = find_url_part(text) {
        let host = parse_bare(rest, suffixes)
            .ok()
            .map(|host| host.to_string().into());
        return Err(HostError::NotBare { host, part });
    }
    parse_bare(text, suffixes)
}

/// What is cut off around a text: white space, and what copying from a page or file leaves there.
fn is_margin(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}' | '\u{2060}')
}

/// Writes the full-width marks of Chinese keyboards in ASCII, so that a URL typed with them is
/// seen as one. Characters of the name itself are left to UTS 46.
fn with_ascii_marks(text: &str) -> Cow<'_, str> {
    let ascii = |c| match c {
        '：' => ':',
        '／' => '/',
        '＠' => '@',
        '？' => '?',
        '＃' => '#',
        '＊' => '*',
        other => other,
    };
    if text.is_ascii() || text.chars().all(|c| ascii(c) == c) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(ascii).collect())
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let unbracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let v6 = unbracketed.unwrap_or(text);
    if v6.contains(':') {
        // A zone is a matter of the machine on which it was typed (RFC 4007).
        let address = v6.split_once('%').map_or(v6, |(address, _)| address);
        return address.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    if unbracketed.is_some() {
        return None;
    }
    let v4 = text.strip_suffix('.').unwrap_or(text);
    v4.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

/// What else than a host the text holds, and the text of the host.
fn find_url_part(text: &str) -> Option<(UrlPart, &str)> {
    let mut part = None;
    let mut rest = text;
    if let Some((_, after)) = rest.split_once("//") {
        (part, rest) = (Some(UrlPart::Scheme), after);
    }
    if let Some((before, _)) = rest.split_once(['/', '?', '#', '\\']) {
        (part, rest) = (part.or(Some(UrlPart::Path)), before);
    }
    if let Some((_, after)) = rest.rsplit_once('@') {
        (part, rest) = (part.or(Some(UrlPart::UserInfo)), after);
    }
    if let Some(end) = rest.starts_with('[').then(|| rest.find(']')).flatten() {
        let (address, after) = rest.split_at_checked(end.saturating_add(1))?;
        if !after.is_empty() {
            part = part.or(Some(UrlPart::Port));
        }
        rest = address;
    } else if let Some((before, after)) = rest.rsplit_once(':')
        && parse_address(rest).is_none()
    {
        if after.bytes().all(|b| b.is_ascii_digit()) {
            (part, rest) = (part.or(Some(UrlPart::Port)), before);
        } else {
            // `http:example.com`, `mailto:`
            (part, rest) = (part.or(Some(UrlPart::Scheme)), after);
        }
    }
    part.map(|part| (part, rest.trim_matches(is_margin)))
}

/// Reads a text that holds a host and nothing else.
fn parse_bare(text: &str, suffixes: &Suffixes) -> Result<Host, HostError> {
    if let Some(address) = parse_address(text) {
        return Ok(Host::Ip(address));
    }
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    let (name, wildcard) = strip_wildcard(text)?;
    if !wildcard && let Some(rest) = strip_dot(name) {
        return Err(leading_dot(rest, suffixes));
    }
    refuse_characters(name, if wildcard { 2 } else { 0 })?;
    let name = name.strip_suffix(is_dot).unwrap_or(name);
    let ascii = to_ascii(name, wildcard)?;
    if ends_in_number(&ascii) {
        return match ascii.parse::<Ipv4Addr>() {
            Ok(address) if !wildcard => Ok(Host::Ip(IpAddr::V4(address))),
            _ => Err(HostError::Numeric),
        };
    }
    build(&ascii, wildcard, suffixes).map(Host::Name)
}

fn build(ascii: &str, wildcard: bool, suffixes: &Suffixes) -> Result<HostName, HostError> {
    let found = suffixes.find(ascii);
    let below = ascii
        .strip_suffix(found.suffix)
        .and_then(|rest| rest.strip_suffix('.'));
    let Some(below) = below else {
        let suffix = found.suffix.into();
        return Err(match (wildcard, found.known) {
            (true, true) => HostError::WildcardOverSuffix { suffix },
            (false, true) => HostError::PublicSuffix { suffix },
            (_, false) => HostError::SingleLabel,
        });
    };
    let registrable_at = below.rfind('.').map_or(0, |dot| dot.saturating_add(1));
    let suffix_at = ascii.len().saturating_sub(found.suffix.len());
    let offset = |at| {
        u8::try_from(at).map_err(|_| HostError::NameTooLong {
            length: ascii.len(),
        })
    };
    Ok(HostName {
        unicode: unicode(ascii),
        registrable_at: offset(registrable_at)?,
        suffix_at: offset(suffix_at)?,
        wildcard,
        government: suffixes.is_government(ascii),
        suffix_known: found.known,
        ascii: ascii.into(),
    })
}

/// The U-label form, if it differs.
fn unicode(ascii: &str) -> Option<Box<str>> {
    if !ascii.contains("xn--") {
        return None;
    }
    let (unicode, _) = Uts46::new().to_unicode(
        ascii.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
    );
    (unicode != ascii).then(|| unicode.into())
}

/// The name without a leading `*.`, and whether there was one.
fn strip_wildcard(text: &str) -> Result<(&str, bool), HostError> {
    let Some(rest) = text.strip_prefix('*') else {
        return Ok((text, false));
    };
    match strip_dot(rest) {
        Some(name) if !name.is_empty() => Ok((name, true)),
        Some(_) => Err(HostError::WildcardAlone),
        None if rest.is_empty() => Err(HostError::WildcardAlone),
        None => Err(HostError::WildcardPosition { position: 1 }),
    }
}

fn leading_dot(rest: &str, suffixes: &Suffixes) -> HostError {
    if rest.is_empty() || rest.starts_with(is_dot) {
        return HostError::EmptyLabel { label: 1 };
    }
    let suggestion = match parse_bare(rest, suffixes) {
        Ok(Host::Name(name)) if !name.is_wildcard() => Some(format!("*.{name}").into()),
        Ok(Host::Ip(_) | Host::Name(_)) | Err(_) => None,
    };
    HostError::LeadingDot { suggestion }
}

/// Refuses ASCII characters that no host name has; `before` characters were cut off in front.
fn refuse_characters(name: &str, before: usize) -> Result<(), HostError> {
    let bad = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '-' && c != '.';
    let Some((index, character)) = name.chars().enumerate().find(|&(_, c)| bad(c)) else {
        return Ok(());
    };
    let position = index.saturating_add(before).saturating_add(1);
    Err(match character {
        '*' => HostError::WildcardPosition { position },
        '_' => HostError::Underscore { position },
        character => HostError::Forbidden {
            character,
            position,
        },
    })
}

fn to_ascii(name: &str, wildcard: bool) -> Result<Cow<'_, str>, HostError> {
    let first = if wildcard { 2_usize } else { 1 };
    let ascii = uts46(name).ok_or_else(|| find_bad_label(name, first))?;
    let mut labels = ascii.split('.').zip(first..);
    if let Some((_, label)) = labels.clone().find(|(text, _)| text.is_empty()) {
        return Err(HostError::EmptyLabel { label });
    }
    if let Some((_, label)) = labels.clone().find(|(text, _)| hides_a_label(text)) {
        let problem = LabelProblem::Punycode;
        return Err(HostError::Label { label, problem });
    }
    if let Some((text, label)) = labels.find(|(text, _)| text.len() > LABEL_LIMIT) {
        let problem = LabelProblem::TooLong { length: text.len() };
        return Err(HostError::Label { label, problem });
    }
    let length = ascii.len().saturating_add(if wildcard { 2 } else { 0 });
    if length > NAME_LIMIT {
        return Err(HostError::NameTooLong { length });
    }
    Ok(ascii)
}

/// An A-label of a label that itself begins with `xn--`. No U-label does (RFC 5890, section
/// 2.3.2.1), and the U-label form of such a name would read as another name or as none. The library
/// lets it pass where hyphens in the third and fourth place are allowed.
fn hides_a_label(label: &str) -> bool {
    label
        .strip_prefix("xn--")
        .and_then(idna::punycode::decode_to_string)
        .is_some_and(|unicode| unicode.starts_with("xn--"))
}

fn uts46(text: &str) -> Option<Cow<'_, str>> {
    Uts46::new()
        .to_ascii(
            text.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        )
        .ok()
}

/// Which label makes the whole fail; the library does not say.
fn find_bad_label(name: &str, first: usize) -> HostError {
    name.split(is_dot)
        .zip(first..)
        .find(|(text, _)| uts46(text).is_none())
        // Every label stands by itself, so it is the rule about directions, which binds all.
        .map_or(HostError::Bidirectional, |(text, label)| {
            let problem = if text
                .get(..4)
                .is_some_and(|p| p.eq_ignore_ascii_case("xn--"))
            {
                LabelProblem::Punycode
            } else if text.starts_with('-') || text.ends_with('-') {
                LabelProblem::EdgeHyphen
            } else {
                LabelProblem::Idna
            };
            HostError::Label { label, problem }
        })
}

/// The last label is a number as address parsers read them: decimal, or hexadecimal with `0x`.
fn ends_in_number(ascii: &str) -> bool {
    let last = ascii.rsplit('.').next().unwrap_or(ascii);
    let digits = |text: &str, digit: fn(&u8) -> bool| text.as_bytes().iter().all(digit);
    digits(last, u8::is_ascii_digit)
        || last
            .strip_prefix("0x")
            .is_some_and(|hex| digits(hex, u8::is_ascii_hexdigit))
}

fn strip_dot(text: &str) -> Option<&str> {
    text.strip_prefix(is_dot)
}

/// The full stop and what UTS 46 maps to it.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '。' | '．' | '｡')
}

/// Position from 1 of the first character that fits.
fn position(text: &str, fits: impl Fn(char) -> bool) -> Option<usize> {
    text.chars()
        .zip(1..)
        .find(|&(c, _)| fits(c))
        .map(|(_, position)| position)
}
