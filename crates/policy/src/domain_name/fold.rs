//! The key under which simplified and traditional spellings of one name meet.

use std::borrow::Cow;

use crate::script::simplify;

/// The comparison key of a name in A-labels: every U-label mapped character by character from
/// traditional to simplified, then written as A-labels again.
///
/// 中国 and 中國, 网络 and 網絡 are separate suffixes whose registries bundle both spellings; a
/// filing found only under an equal key is a case for review, never a match. Names without an
/// `xn--` label are returned as they are, without work. The result is a key and need not be a
/// name that can be registered.
#[must_use]
pub fn fold(name: &str) -> Cow<'_, str> {
    if !name.split('.').any(|label| label.starts_with("xn--")) {
        return Cow::Borrowed(name);
    }
    let mut key = String::with_capacity(name.len());
    for (index, label) in name.split('.').enumerate() {
        if index > 0 {
            key.push('.');
        }
        match folded_label(label) {
            Some(folded) => key.push_str(&folded),
            None => key.push_str(label),
        }
    }
    Cow::Owned(key)
}

/// The folded A-label, or nothing if the label is no A-label or stays as it is.
fn folded_label(label: &str) -> Option<String> {
    let unicode = idna::punycode::decode_to_string(label.strip_prefix("xn--")?)?;
    let folded: String = unicode.chars().map(simplify).collect();
    if folded == unicode {
        return None;
    }
    idna::punycode::encode_str(&folded).map(|encoded| format!("xn--{encoded}"))
}
