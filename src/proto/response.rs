//! The answer to a single check, of which the greater part may be encoded already.
//!
//! Equal questions have equal answers, but for what belongs to one call; what they share is encoded
//! once and copied. A field of a message may come in any place, so that encoded parts of a message
//! make the whole when they are put behind each other.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType, encoded_len_varint, key_len};
use prost::{DecodeError, Message};

use super::v1::Decision;

/// Number of the field `decision`.
const DECISION: u32 = 1;

/// `icpgate.v1.CheckProvisioningResponse`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckProvisioningResponse {
    /// The decision; set on the side of a caller.
    pub decision: Option<Decision>,
    /// The decision in encoded parts with no field in common; where they are given, they are sent.
    encoded: [Bytes; 2],
}

impl CheckProvisioningResponse {
    /// A response with a decision.
    #[must_use]
    pub const fn new(decision: Decision) -> Self {
        Self {
            decision: Some(decision),
            encoded: [Bytes::new(), Bytes::new()],
        }
    }

    /// A response with a decision that is encoded in two parts. They have no field in common.
    #[must_use]
    pub const fn encoded(shared: Bytes, own: Bytes) -> Self {
        Self {
            decision: None,
            encoded: [shared, own],
        }
    }

    fn encoded_octets(&self) -> usize {
        self.encoded.iter().map(Bytes::len).sum()
    }
}

impl Message for CheckProvisioningResponse {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        let octets = self.encoded_octets();
        if octets > 0 {
            encoding::encode_key(DECISION, WireType::LengthDelimited, buffer);
            encoding::encode_varint(octets as u64, buffer);
            for part in &self.encoded {
                buffer.put_slice(part);
            }
        } else if let Some(decision) = &self.decision {
            encoding::message::encode(DECISION, decision, buffer);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag == DECISION {
            let decision = self.decision.get_or_insert_default();
            encoding::message::merge(wire_type, decision, buffer, context)
        } else {
            encoding::skip_field(wire_type, tag, buffer, context)
        }
    }

    fn encoded_len(&self) -> usize {
        let octets = self.encoded_octets();
        if octets > 0 {
            key_len(DECISION) + encoded_len_varint(octets as u64) + octets
        } else {
            self.decision.as_ref().map_or(0, |decision| {
                encoding::message::encoded_len(DECISION, decision)
            })
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::v1::DecisionDomain;
    use super::*;

    #[test]
    fn parts_read_as_the_whole() {
        let whole = Decision {
            decision_id: "0123".to_owned(),
            verdict: 2,
            domain: Some(DecisionDomain {
                input: "SHOP.example".to_owned(),
                ..Default::default()
            }),
            stale: true,
            ..Default::default()
        };
        let own = Decision {
            domain: whole.domain.clone(),
            ..Default::default()
        };
        let shared = Decision {
            domain: None,
            ..whole.clone()
        };
        let parts = CheckProvisioningResponse::encoded(
            shared.encode_to_vec().into(),
            own.encode_to_vec().into(),
        );
        let sent = parts.encode_to_vec();
        assert_eq!(sent.len(), parts.encoded_len());
        let response = CheckProvisioningResponse::new(whole);
        assert_eq!(sent.len(), response.encoded_len());
        let read = CheckProvisioningResponse::decode(&*sent).expect("a response");
        assert_eq!(read, response);
        let same = CheckProvisioningResponse::decode(&*response.encode_to_vec());
        assert_eq!(same.expect("a response"), response);
    }

    #[test]
    fn fields_of_later_versions_are_passed_over() {
        let later = [0x12, 0x01, b'x', 0x0a, 0x00];
        let read = CheckProvisioningResponse::decode(&later[..]).expect("a response");
        assert_eq!(read, CheckProvisioningResponse::new(Decision::default()));
    }
}
