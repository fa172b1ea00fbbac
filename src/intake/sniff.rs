//! What a file holds, by its first octets.
//!
//! **Invariant:** nothing that might be a file of records with a bad first line is refused here:
//! one bad line never stops the good ones.

use icpgate_policy::field::{Compression, Content};

/// Octets that are enough to tell.
pub(super) const ENOUGH: usize = 64;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file is compressed; `None`: not.
pub(super) fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        // A frame, or a frame that is skipped (RFC 8878, sections 3.1.1 and 3.1.2).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Some(Compression::Zstd)
        }
        _ => None,
    }
}

/// What else than lines a file surely holds.
pub(super) fn not_lines(head: &[u8]) -> Option<Content> {
    const BINARY: [(&[u8], Content); 10] = [
        (b"\x89PNG", Content::Image),
        (b"\xff\xd8\xff", Content::Image),
        (b"GIF8", Content::Image),
        (b"PK\x03\x04", Content::Zip),
        (b"%PDF-", Content::Pdf),
        (b"SQLite format 3\0", Content::Sqlite),
        (b"BZh", Content::Archive),
        (b"\xfd7zXZ\0", Content::Archive),
        (b"\xff\xfe", Content::Utf16),
        (b"\xfe\xff", Content::Utf16),
    ];
    if let Some((_, content)) = BINARY.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*content);
    }
    let text = without_mark(head).trim_ascii_start();
    let first_line = text.split(|&octet| octet == b'\n').next().unwrap_or(text);
    let ends = first_line.len() < text.len();
    let rest = text.get(1..).unwrap_or_default().trim_ascii_start();
    match text.first() {
        Some(b'[') if rest.starts_with(b"{") => Some(Content::JsonArray),
        Some(b'{') if ends && first_line.trim_ascii() == b"{" => Some(Content::JsonPretty),
        Some(_) | None => None,
    }
}

/// What a text seems to be of which no line is an object, by its first line.
pub(super) fn text(line: &[u8]) -> Content {
    let separators = line
        .iter()
        .filter(|octet| matches!(octet, b',' | b';' | b'\t'))
        .count();
    match line.first() {
        Some(b'[') => Content::JsonArray,
        Some(b'{') | None => Content::Text,
        Some(_) if separators > 0 => Content::Csv,
        Some(_) => Content::Text,
    }
}

/// The octets without the mark of UTF-8 (BOM) that some editors put in front.
pub(super) fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(UTF8_MARK).unwrap_or(head)
}
