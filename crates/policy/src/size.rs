//! How much memory facts take, for whoever keeps many of them within a bound.
//!
//! **Invariant:** what is told here is no less than what an allocator with blocks of 16 octets
//! takes for the value; a test holds both against each other.

use std::sync::Arc;

use crate::facts::{Fact, NameFacts};
use crate::identity::{SealedCertificate, SealedName};
use crate::records::{
    Access, Application, Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Licence,
    PublicSecurityFiling, RecordDomain, Registration, Service, ShownNumber, Subject,
};

/// Counts of an `Arc`, in octets.
const COUNTS: usize = 2 * size_of::<usize>();

/// What a value has on the heap.
trait Heap {
    /// Octets of its blocks, those of its parts included.
    fn heap(&self) -> usize;
}

impl NameFacts {
    /// Octets that the facts take in an `Arc`, all blocks included.
    #[must_use]
    pub fn size(&self) -> usize {
        block(COUNTS + size_of::<Self>())
            + self.subjects.heap()
            + self.services.heap()
            + self.accesses.heap()
            + self.applications.heap()
            + self.licences.heap()
            + self.registrations.heap()
            + self.blocks.heap()
            + self.approvals.heap()
            + self.public_security_filings.heap()
            + self.display_observations.heap()
    }
}

/// A block of so many octets with what the allocator adds.
fn block(octets: usize) -> usize {
    match octets {
        0 => 0,
        _ => (octets + size_of::<usize>()).next_multiple_of(16).max(32),
    }
}

impl Heap for str {
    fn heap(&self) -> usize {
        block(self.len())
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, T::heap)
    }
}

impl Heap for Box<str> {
    fn heap(&self) -> usize {
        str::heap(self)
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn heap(&self) -> usize {
        block(self.capacity() * size_of::<T>()) + self.iter().map(T::heap).sum::<usize>()
    }
}

impl<T: Heap> Heap for Fact<T> {
    fn heap(&self) -> usize {
        // Records of one source share its name; the block counts for each, as a bound.
        let source: &Arc<str> = &self.provenance.source;
        self.value.heap() + block(COUNTS + source.len())
    }
}

impl Heap for RecordDomain {
    fn heap(&self) -> usize {
        let fold = match self.fold() {
            fold if fold == self.ascii() => 0,
            fold => fold.heap(),
        };
        self.ascii().heap() + fold
    }
}

impl Heap for SealedName {
    fn heap(&self) -> usize {
        self.display.heap()
    }
}

impl Heap for SealedCertificate {
    fn heap(&self) -> usize {
        self.mask.heap()
    }
}

impl Heap for Subject {
    fn heap(&self) -> usize {
        let people = self
            .people
            .iter()
            .map(|person| person.name.heap() + person.certificate.heap());
        let parents = self.parents.iter().map(|parent| parent.certificate.heap());
        self.name.heap()
            + self.certificate.heap()
            + block(size_of_val(&*self.people))
            + people.sum::<usize>()
            + block(size_of_val(&*self.parents))
            + parents.sum::<usize>()
    }
}

impl Heap for Service {
    fn heap(&self) -> usize {
        self.name.heap() + self.domains.heap() + self.content_types.heap()
    }
}

impl Heap for Access {
    fn heap(&self) -> usize {
        self.provider_id.heap()
    }
}

impl Heap for Application {
    fn heap(&self) -> usize {
        self.application_id.heap() + self.domain.heap() + self.provider_id.heap()
    }
}

impl Heap for Licence {
    fn heap(&self) -> usize {
        self.holder_name.heap()
            + self.holder_certificate.heap()
            + block(size_of_val(&*self.businesses))
    }
}

impl Heap for Registration {
    fn heap(&self) -> usize {
        self.domain.heap()
            + self.registrar.heap()
            + self.registrant_name.heap()
            + self.registrant_certificate.heap()
            + self.statuses.heap()
    }
}

impl Heap for Block {
    fn heap(&self) -> usize {
        let target = match &self.target {
            BlockTarget::Domain(domain) => domain.heap(),
            BlockTarget::Certificate(certificate) => certificate.heap(),
        };
        target + self.reason.heap()
    }
}

impl Heap for Approval {
    fn heap(&self) -> usize {
        let holder = match &self.holder {
            ApprovalHolder::Domain(domain) => domain.heap(),
            ApprovalHolder::Certificate(certificate) => certificate.heap(),
        };
        holder + self.approval_number.heap()
    }
}

impl Heap for PublicSecurityFiling {
    fn heap(&self) -> usize {
        self.domain.heap()
    }
}

impl Heap for DisplayObservation {
    fn heap(&self) -> usize {
        self.domain.heap() + self.numbers.heap()
    }
}

impl Heap for ShownNumber {
    fn heap(&self) -> usize {
        match self {
            Self::Unreadable(text) => text.heap(),
            Self::Subject(_) | Self::Service(_) => 0,
        }
    }
}
