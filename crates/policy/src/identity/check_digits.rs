//! Check characters of GB 32100, GB 11714 and GB 11643.
//!
//! Each function takes the characters before the check character and gives nothing if one of them
//! is outside the alphabet of the standard, or if there are too few or too many.

/// Alphabet of GB 32100-2015, section 4: digits and letters without I, O, S, V, Z.
pub(super) const CREDIT_CODE_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

const CREDIT_CODE_WEIGHTS: [u32; 17] = [
    1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28,
];

const ORGANISATION_CODE_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

const RESIDENT_ID_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Check characters of GB 11643-1999, by the weighted sum modulo 11.
const RESIDENT_ID_CHECKS: &[u8; 11] = b"10X98765432";

/// The 18th character of a unified social credit code (GB 32100-2015, annex A).
#[must_use]
pub fn credit_code(body: &[u8]) -> Option<u8> {
    let value = |b: u8| {
        let at = CREDIT_CODE_ALPHABET.iter().position(|&c| c == b)?;
        u32::try_from(at).ok()
    };
    let sum = weighted_sum(body, &CREDIT_CODE_WEIGHTS, value)?;
    pick(CREDIT_CODE_ALPHABET, 31_u32.checked_sub(sum % 31)? % 31)
}

/// The 9th character of an organisation code (GB 11714-1997).
#[must_use]
pub fn organisation_code(body: &[u8]) -> Option<u8> {
    let sum = weighted_sum(body, &ORGANISATION_CODE_WEIGHTS, |b| {
        char::from(b).to_digit(36)
    })?;
    pick(b"0123456789X", 11_u32.checked_sub(sum % 11)? % 11)
}

/// The 18th character of a resident identity number (GB 11643-1999, ISO 7064 MOD 11-2).
#[must_use]
pub fn resident_id(body: &[u8]) -> Option<u8> {
    let sum = weighted_sum(body, &RESIDENT_ID_WEIGHTS, |b| char::from(b).to_digit(10))?;
    pick(RESIDENT_ID_CHECKS, sum % 11)
}

fn weighted_sum(body: &[u8], weights: &[u32], value: impl Fn(u8) -> Option<u32>) -> Option<u32> {
    if body.len() != weights.len() {
        return None;
    }
    body.iter()
        .zip(weights)
        .try_fold(0_u32, |sum, (&b, &weight)| {
            sum.checked_add(value(b)?.checked_mul(weight)?)
        })
}

fn pick(characters: &[u8], at: u32) -> Option<u8> {
    characters.get(usize::try_from(at).ok()?).copied()
}
