//! When a certificate ends, for operators.
//!
//! Reads one field of our own certificate. What it says is trusted by nobody: peers check
//! certificates with rustls, which tells no dates.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Tags of DER (ITU-T X.690).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The last instant at which a certificate in DER form is valid; `None` where it is not read.
pub(super) fn ends_at(certificate: &[u8]) -> Option<Timestamp> {
    // RFC 5280, 4.1: Certificate { TBSCertificate { version?, serial, signature, issuer, validity …
    let (_, certificate, _) = element(certificate).filter(is(SEQUENCE))?;
    let (_, body, _) = element(certificate).filter(is(SEQUENCE))?;
    let mut rest = match element(body)? {
        (VERSION, _, rest) => rest,
        _ => body,
    };
    for _ in ["serial", "signature", "issuer"] {
        (_, _, rest) = element(rest)?;
    }
    let (_, validity, _) = element(rest).filter(is(SEQUENCE))?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        GENERALIZED_TIME => text.to_owned(),
        // RFC 5280, 4.1.2.5.1: two digits of a year from 1950 to 2049.
        UTC_TIME => {
            let year: u8 = text.get(..2)?.parse().ok()?;
            let century = if year < 50 { "20" } else { "19" };
            format!("{century}{text}")
        }
        _ => return None,
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn is(wanted: u8) -> impl Fn(&(u8, &[u8], &[u8])) -> bool {
    move |(tag, _, _)| *tag == wanted
}

/// The tag and the content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let add = |length: usize, octet: &u8| (length << 8) | usize::from(*octet);
            (octets.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 4);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for (year, expected) in [
            (2027, "2027-03-04T00:00:00Z"),
            (2049, "2049-03-04T00:00:00Z"),
            (2050, "2050-03-04T00:00:00Z"),
        ] {
            let ends = ends_at(&certificate(year)).unwrap();
            assert_eq!(ends.to_string(), expected);
        }
    }

    #[test]
    fn what_is_cut_or_changed_breaks_nothing() {
        let whole = certificate(2030);
        for length in 0..whole.len() {
            assert_eq!(ends_at(&whole[..length]), None, "{length}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = ends_at(&changed);
        }
    }
}
