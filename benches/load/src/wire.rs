//! Messages of the interface: questions as they are sent, and what of an answer is looked at.
//!
//! **Invariant:** every answer is looked at, timed or not: status, verdict and where it came from.
//! Answers are stepped through and not built, so that looking costs the load generator little.

use anyhow::{Context as _, bail};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

/// Generated messages, in modules that are nested as the packages are.
#[expect(
    clippy::large_enum_variant,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    reason = "generated from the protos, which carry the documentation"
)]
mod proto {
    pub mod icpgate {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/icpgate.v1.rs"));
        }
    }
    pub mod google {
        pub mod rpc {
            include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
        }
    }
}

pub use proto::icpgate::v1;
pub use v1::{Purpose, ServedFrom, Verdict};

/// Bytes before each message on the wire.
pub const PREFIX: usize = 5;

/// What of an answer is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The verdict; 0 where there is none.
    pub verdict: i32,
    /// Where the facts came from; 0 where it does not say.
    pub served_from: i32,
}

/// Whether a verdict may stand where another was given before: only a server that could not read
/// the facts in time may differ, and says INDETERMINATE.
#[must_use]
pub fn agree(one: i32, other: i32) -> bool {
    let indeterminate = i32::from(Verdict::Indeterminate);
    one == other || one == indeterminate || other == indeterminate
}

/// A message with its prefix.
#[must_use]
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    // A message of four gigabytes is not made here.
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // The room is there.
    let _ = message.encode(&mut frame);
    frame.freeze()
}

/// A question about a CDN order, served in the mainland.
#[must_use]
pub fn question(domain: &str, purpose: Purpose) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn.into(),
        service_area: v1::ServiceArea::Mainland.into(),
        purpose: purpose.into(),
        ..Default::default()
    }
}

/// Looks at a `CheckProvisioningResponse`.
///
/// # Errors
///
/// It is not one, or it has no decision.
pub fn response(mut message: &[u8]) -> anyhow::Result<Seen> {
    while message.has_remaining() {
        if let (1, Value::Bytes(decision)) = field(&mut message)? {
            return self::decision(decision);
        }
    }
    bail!("an answer without a decision");
}

/// Looks at a `ScreenDomainsResponse`: its sequence, and each of its results in turn.
///
/// # Errors
///
/// It is not one, or a result holds an error instead of a decision.
pub fn screened(mut message: &[u8], mut each: impl FnMut(Seen)) -> anyhow::Result<u64> {
    let mut sequence = 0;
    while message.has_remaining() {
        match field(&mut message)? {
            (1, Value::Number(number)) => sequence = number,
            (2, Value::Bytes(mut result)) => match field(&mut result)? {
                (1, Value::Bytes(decision)) => each(self::decision(decision)?),
                _ => bail!("a screened name has an error"),
            },
            _ => {}
        }
    }
    Ok(sequence)
}

/// Looks at a `HealthCheckResponse`: whether it says SERVING.
///
/// # Errors
///
/// It is not one.
pub fn serving(mut message: &[u8]) -> anyhow::Result<bool> {
    while message.has_remaining() {
        if let (1, Value::Number(status)) = field(&mut message)? {
            return Ok(status == 1);
        }
    }
    Ok(false)
}

fn decision(mut message: &[u8]) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    while message.has_remaining() {
        match field(&mut message)? {
            (2, Value::Number(number)) => seen.verdict = i32::try_from(number)?,
            (14, Value::Number(number)) => seen.served_from = i32::try_from(number)?,
            _ => {}
        }
    }
    Ok(seen)
}

enum Value<'m> {
    Number(u64),
    Bytes(&'m [u8]),
    Other,
}

fn field<'m>(message: &mut &'m [u8]) -> anyhow::Result<(u32, Value<'m>)> {
    let (tag, wire_type) = decode_key(message)?;
    let value = match wire_type {
        WireType::Varint => Value::Number(decode_varint(message)?),
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(message)?)?;
            let (bytes, rest) = message
                .split_at_checked(length)
                .context("a field is cut off")?;
            *message = rest;
            Value::Bytes(bytes)
        }
        WireType::SixtyFourBit | WireType::ThirtyTwoBit => {
            let length = if wire_type == WireType::SixtyFourBit {
                8
            } else {
                4
            };
            *message = message.get(length..).context("a field is cut off")?;
            Value::Other
        }
        WireType::StartGroup | WireType::EndGroup => bail!("a group"),
    };
    Ok((tag, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(verdict: Verdict) -> v1::Decision {
        v1::Decision {
            decision_id: "x".repeat(300),
            verdict: verdict.into(),
            findings: vec![v1::Finding {
                message: "a".into(),
                ..Default::default()
            }],
            decided_at: Some(prost_types::Timestamp::default()),
            stale: true,
            served_from: ServedFrom::SharedCache.into(),
            ..Default::default()
        }
    }

    #[test]
    fn verdict_and_level_are_found() {
        let message = v1::CheckProvisioningResponse {
            decision: Some(answer(Verdict::Review)),
        };
        let seen = response(&message.encode_to_vec()).unwrap();
        assert_eq!(seen.verdict, i32::from(Verdict::Review));
        assert_eq!(seen.served_from, i32::from(ServedFrom::SharedCache));
        assert!(response(&[]).is_err());
        let mut cut = message.encode_to_vec();
        cut.truncate(40);
        assert!(response(&cut).is_err());
    }

    #[test]
    fn an_error_among_screened_names_is_seen() {
        use v1::check_provisioning_result::Result as One;
        let mut message = v1::ScreenDomainsResponse {
            sequence: 7,
            results: vec![v1::CheckProvisioningResult {
                result: Some(One::Decision(answer(Verdict::Deny))),
            }],
        };
        let mut all = Vec::new();
        let sequence = screened(&message.encode_to_vec(), |seen| all.push(seen.verdict)).unwrap();
        assert_eq!((sequence, all), (7, vec![i32::from(Verdict::Deny)]));
        message.results.push(v1::CheckProvisioningResult {
            result: Some(One::Error(proto::google::rpc::Status::default())),
        });
        assert!(screened(&message.encode_to_vec(), |_| ()).is_err());
    }
}
