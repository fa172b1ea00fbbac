//! Freshness tokens: revisions as callers see them.

use icpgate_policy::facts::Revision;

/// A revision as an opaque token.
#[must_use]
pub fn token(revision: Revision) -> String {
    format!("r{:x}", revision.0)
}

/// Reads a token; `None` for anything that [`token`] does not write.
#[must_use]
pub fn parse_token(text: &str) -> Option<Revision> {
    let digits = text.strip_prefix('r')?;
    let revision = Revision(u64::from_str_radix(digits, 16).ok()?);
    // One revision has one token: no signs, capitals or leading zeros.
    (token(revision) == text).then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_nothing_else_does() {
        for revision in [0, 1, 9, 255, u64::MAX] {
            assert_eq!(
                parse_token(&token(Revision(revision))),
                Some(Revision(revision))
            );
        }
        for text in [
            "",
            "r",
            "1f",
            "r1F",
            "r01",
            "r+1",
            "r 1",
            "rg",
            "r10000000000000000",
        ] {
            assert_eq!(parse_token(text), None, "{text}");
        }
    }
}
