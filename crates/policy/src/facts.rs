//! What is known, what is known to be missing, and what could not be found out.
//!
//! **Invariant:** unknown is not absent. A missing record counts as absent only where the
//! registry is entitled to say so; everywhere else it is [`Observed::Unknown`].

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codes::RecordKind;
use crate::records::{
    Access, Application, Approval, Block, DisplayObservation, Licence, PublicSecurityFiling,
    Record, Registration, Service, Subject,
};

/// Position in the change log; revisions are handed out in commit order from 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

/// Where a fact comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Who reported it.
    pub source: Arc<str>,
    /// When the source observed it.
    pub observed_at: Timestamp,
    /// The write that brought it.
    pub revision: Revision,
    /// When that write was committed.
    pub committed_at: Timestamp,
}

/// A record with its provenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// The record.
    pub value: T,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Why something could not be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Why {
    /// The store did not answer.
    StoreUnavailable,
    /// The registry is not declared complete for this kind of record.
    NotComplete,
    /// The last sync of this kind is older than allowed, or there was none.
    SyncTooOld,
    /// What is held is older than the purpose allows while the store does not answer.
    Stale,
}

/// What the absence of a record of one kind means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// There is none. `until`: the instant at which the registry is no longer entitled to say so.
    Absent {
        /// `None` where the entitlement does not end.
        until: Option<Timestamp>,
    },
    /// It could not be found out.
    Unknown(Why),
}

/// A fact, its absence, or ignorance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observed<T> {
    /// Known.
    Known(T),
    /// Known to be missing; `until` as in [`Missing::Absent`].
    Absent {
        /// `None` where the entitlement does not end.
        until: Option<Timestamp>,
    },
    /// Not known.
    Unknown(Why),
}

/// What [`Missing`] means for every kind of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement([Missing; RecordKind::ALL.len()]);

impl Entitlement {
    /// The registry is complete for every kind, without end.
    #[must_use]
    pub const fn complete() -> Self {
        Self([Missing::Absent { until: None }; RecordKind::ALL.len()])
    }

    /// Nothing can be said about any kind.
    #[must_use]
    pub const fn unknown(why: Why) -> Self {
        Self([Missing::Unknown(why); RecordKind::ALL.len()])
    }

    /// What a missing record of this kind means.
    #[must_use]
    pub fn missing(&self, kind: RecordKind) -> Missing {
        // The array has one place for each kind.
        self.0
            .get(kind as usize)
            .copied()
            .unwrap_or(Missing::Unknown(Why::NotComplete))
    }

    /// The earliest instant at which the registry is no longer entitled to say that there is no
    /// record of some kind; `None` where that does not come.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        let ends = self.0.iter().filter_map(|missing| match missing {
            Missing::Absent { until } => *until,
            Missing::Unknown(_) => None,
        });
        ends.min()
    }

    /// Sets what a missing record of this kind means.
    pub fn set(&mut self, kind: RecordKind, missing: Missing) {
        if let Some(place) = self.0.get_mut(kind as usize) {
            *place = missing;
        }
    }
}

/// Everything known that bears on one name, or on one subject: the records that name the domain
/// or an ancestor of it down to the registrable domain (script twins included), and what those
/// lead to. May hold more than a question needs; rules pick what they want by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameFacts {
    /// Subjects.
    pub subjects: Vec<Fact<Subject>>,
    /// Services.
    pub services: Vec<Fact<Service>>,
    /// Access links.
    pub accesses: Vec<Fact<Access>>,
    /// Applications.
    pub applications: Vec<Fact<Application>>,
    /// Licences of the subjects and of their parents.
    pub licences: Vec<Fact<Licence>>,
    /// Registrations.
    pub registrations: Vec<Fact<Registration>>,
    /// Blocks on names and on subjects.
    pub blocks: Vec<Fact<Block>>,
    /// Approvals for names and for subjects.
    pub approvals: Vec<Fact<Approval>>,
    /// Public-security filings.
    pub public_security_filings: Vec<Fact<PublicSecurityFiling>>,
    /// Observations of home pages.
    pub display_observations: Vec<Fact<DisplayObservation>>,
    /// What a missing record means.
    pub entitlement: Entitlement,
    /// The newest write among the records, and when it was committed.
    newest: Option<(Revision, Timestamp)>,
}

impl NameFacts {
    /// No record at all.
    #[must_use]
    pub const fn empty(entitlement: Entitlement) -> Self {
        Self {
            subjects: Vec::new(),
            services: Vec::new(),
            accesses: Vec::new(),
            applications: Vec::new(),
            licences: Vec::new(),
            registrations: Vec::new(),
            blocks: Vec::new(),
            approvals: Vec::new(),
            public_security_filings: Vec::new(),
            display_observations: Vec::new(),
            entitlement,
            newest: None,
        }
    }

    /// Sorts records into their kinds. Their order does not matter: they are put into the order
    /// of their keys, so that equal facts have equal bytes.
    #[must_use]
    pub fn collect(
        records: impl IntoIterator<Item = Fact<Record>>,
        entitlement: Entitlement,
    ) -> Self {
        let mut records: Vec<(RecordKind, String, Fact<Record>)> = records
            .into_iter()
            .map(|fact| (fact.value.kind(), fact.value.key(), fact))
            .collect();
        records.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut facts = Self::empty(entitlement);
        facts.newest = records
            .iter()
            .map(|(_, _, fact)| (fact.provenance.revision, fact.provenance.committed_at))
            .max();
        let mut source: Option<Arc<str>> = None;
        for (
            _,
            _,
            Fact {
                value,
                mut provenance,
            },
        ) in records
        {
            // Records of one source share its name.
            match &source {
                Some(known) if *known == provenance.source => provenance.source = known.clone(),
                Some(_) | None => source = Some(Arc::clone(&provenance.source)),
            }
            match value {
                Record::Subject(value) => facts.subjects.push(Fact { value, provenance }),
                Record::Service(value) => facts.services.push(Fact { value, provenance }),
                Record::Access(value) => facts.accesses.push(Fact { value, provenance }),
                Record::Application(value) => facts.applications.push(Fact { value, provenance }),
                Record::Licence(value) => facts.licences.push(Fact { value, provenance }),
                Record::Registration(value) => facts.registrations.push(Fact { value, provenance }),
                Record::Block(value) => facts.blocks.push(Fact { value, provenance }),
                Record::Approval(value) => facts.approvals.push(Fact { value, provenance }),
                Record::PublicSecurityFiling(value) => {
                    facts
                        .public_security_filings
                        .push(Fact { value, provenance });
                }
                Record::DisplayObservation(value) => {
                    facts.display_observations.push(Fact { value, provenance });
                }
            }
        }
        facts.shrink();
        facts
    }

    /// Whether no record is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// Gives back what growing took: facts are kept long, and in great numbers.
    fn shrink(&mut self) {
        self.subjects.shrink_to_fit();
        self.services.shrink_to_fit();
        self.accesses.shrink_to_fit();
        self.applications.shrink_to_fit();
        self.licences.shrink_to_fit();
        self.registrations.shrink_to_fit();
        self.blocks.shrink_to_fit();
        self.approvals.shrink_to_fit();
        self.public_security_filings.shrink_to_fit();
        self.display_observations.shrink_to_fit();
    }
}

/// All facts of one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// About the name that was asked for.
    pub name: Arc<NameFacts>,
    /// About the origin, where it needs a check of its own.
    pub origin: Option<Arc<NameFacts>>,
    /// About the host header, where it needs a check of its own.
    pub host_header: Option<Arc<NameFacts>>,
    /// About the applicant: its subject record, and blocks and approvals of its certificate.
    pub applicant: Option<Arc<NameFacts>>,
}

impl Facts {
    /// Facts about a name alone.
    #[must_use]
    pub fn of_name(name: NameFacts) -> Self {
        Self {
            name: Arc::new(name),
            origin: None,
            host_header: None,
            applicant: None,
        }
    }

    /// The sets that are present.
    pub fn sets(&self) -> impl Iterator<Item = &Arc<NameFacts>> {
        std::iter::once(&self.name)
            .chain(&self.origin)
            .chain(&self.host_header)
            .chain(&self.applicant)
    }

    /// The newest write among the facts; revision 0 where no record bears on the question.
    #[must_use]
    pub fn newest(&self) -> (Revision, Option<Timestamp>) {
        let newest = self.sets().filter_map(|set| set.newest).max();
        newest.map_or((Revision(0), None), |(revision, at)| (revision, Some(at)))
    }
}
