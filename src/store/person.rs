//! How records, blocks and answers stand to a person, and what is left of them without her.
//!
//! **Absent on purpose:** rows; see [`super::erase`].

use std::collections::BTreeSet;

use icpgate_policy::codes::BlockList;
use icpgate_policy::identity::{Sealed, SealedCertificate};
use icpgate_policy::personal;
use icpgate_policy::records::{ApprovalHolder, Block, BlockTarget, Record, Registration};
use jiff::Timestamp;

use super::upkeep::Erase;

/// How a record stands to a certificate.
pub(super) enum About {
    /// It is the holder's own.
    Own,
    /// It names the holder among others.
    Mention,
    Nothing,
}

/// Whether two are of one kind and number.
pub(super) fn same(a: &SealedCertificate, b: &SealedCertificate) -> bool {
    a.kind == b.kind && a.digest == b.digest
}

/// How a record stands to a certificate.
pub(super) fn about(record: &Record, certificate: &SealedCertificate) -> About {
    let own = match record {
        Record::Subject(subject) => same(&subject.certificate, certificate),
        Record::Licence(licence) => same(&licence.holder_certificate, certificate),
        Record::Block(block) => match &block.target {
            BlockTarget::Certificate(target) => same(target, certificate),
            BlockTarget::Domain(_) => false,
        },
        Record::Approval(approval) => match &approval.holder {
            ApprovalHolder::Certificate(holder) => same(holder, certificate),
            ApprovalHolder::Domain(_) => false,
        },
        Record::Registration(_)
        | Record::Service(_)
        | Record::Access(_)
        | Record::Application(_)
        | Record::PublicSecurityFiling(_)
        | Record::DisplayObservation(_) => false,
    };
    if own {
        return About::Own;
    }
    let mut mentioned = false;
    personal::in_record(&mut record.clone(), &mut |sealed| {
        if let Sealed::Certificate(here) = sealed {
            mentioned |= same(here, certificate);
        }
    });
    if mentioned {
        About::Mention
    } else {
        About::Nothing
    }
}

/// A record without a person that it names among others.
pub(super) fn without(record: Record, certificate: &SealedCertificate) -> Record {
    match record {
        Record::Subject(mut subject) => {
            subject.people.retain(|person| {
                let one = person.certificate.as_ref();
                !one.is_some_and(|one| same(one, certificate))
            });
            subject
                .parents
                .retain(|parent| !same(&parent.certificate, certificate));
            Record::Subject(subject)
        }
        Record::Registration(registration) => nobodys(registration),
        Record::Service(_)
        | Record::Access(_)
        | Record::Application(_)
        | Record::Licence(_)
        | Record::Block(_)
        | Record::Approval(_)
        | Record::PublicSecurityFiling(_)
        | Record::DisplayObservation(_) => record,
    }
}

/// A registration that says as little of its registrant as one that the registry hides.
pub(super) fn nobodys(registration: Registration) -> Record {
    Record::Registration(Registration {
        registrant_name: None,
        registrant_certificate: None,
        redacted: true,
        ..registration
    })
}

/// Whether a block outlasts its subject's wish: it would be worth nothing if whoever is blocked
/// could have it erased. One that has ended has no more purpose.
pub(super) fn stays(block: &Block, erase: &Erase, now: Timestamp) -> bool {
    let in_force = block.until.is_none_or(|until| now < until);
    in_force
        && match block.list {
            BlockList::Authority => true,
            BlockList::Provider => !erase.provider_blocks,
        }
}

/// An answer with stars in place of each mask, octet for octet, so that the lengths in it stay true;
/// `None` where it holds none.
pub(super) fn without_masks(answer: &[u8], masks: &BTreeSet<&str>) -> Option<Vec<u8>> {
    let mut cleaned = answer.to_vec();
    for mask in masks.iter().map(|mask| mask.as_bytes()) {
        let mut from = 0;
        while let Some(place) = cleaned.get(from..).and_then(|rest| {
            rest.windows(mask.len().max(1))
                .position(|here| here == mask)
        }) {
            let begin = from + place;
            if let Some(here) = cleaned.get_mut(begin..begin + mask.len()) {
                here.fill(b'*');
            }
            from = begin + mask.len();
        }
    }
    (cleaned != answer).then_some(cleaned)
}
