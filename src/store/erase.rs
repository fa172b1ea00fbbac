//! Erasing what is held about a person: which rows go, which are changed, and which stay.
//!
//! **Invariant:** a version that goes leaves its row, without its key and its record, so that places
//! in the change log stay where they are; nothing leads to it any more.
//! **Absent on purpose:** SQL; engines give the rows, see [`Rows`]. And names alone: people share
//! them, so what is known of somebody by no more than a name is found only beside his own domains.

use std::collections::{BTreeMap, BTreeSet};

use icpgate_policy::codes::RecordKind;
use icpgate_policy::domain_name;
use icpgate_policy::identity::{Digest, SealedCertificate};
use icpgate_policy::numbers::SubjectNumber;
use icpgate_policy::records::{Handle, Record, Registration, ShownNumber};
use icpgate_policy::request::{Applicant, Profile};
use jiff::Timestamp;

use super::StoreError;
use super::encoding::{self, Contents};
use super::person::{About, about, nobodys, same, stays, without, without_masks};
use super::upkeep::{Erase, Erased, Whom};

/// A version as its row says.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) kind: i64,
    pub(super) key: String,
    pub(super) payload: Vec<u8>,
    /// Whether it holds.
    pub(super) holds: bool,
}

/// Bytes that stand in facts about the person: both of them, of which the second may be empty.
pub(super) type Trace = (Vec<u8>, Vec<u8>);

/// Identifier, question and answer of a decision.
pub(super) type Asked = (String, Vec<u8>, Vec<u8>);

/// The rows of an engine, in one transaction.
pub(super) trait Rows {
    /// Versions, old ones too, whose record holds one of these.
    fn holding(
        &mut self,
        any: &[Vec<u8>],
    ) -> impl Future<Output = Result<Vec<Found>, StoreError>> + Send;

    /// Every version of a record.
    fn versions(
        &mut self,
        kind: i64,
        key: &str,
    ) -> impl Future<Output = Result<Vec<Found>, StoreError>> + Send;

    /// Kind and key of the records that are found under a handle.
    fn under(
        &mut self,
        handle: &Handle,
    ) -> impl Future<Output = Result<Vec<(i64, String)>, StoreError>> + Send;

    /// Takes key and record from a version.
    fn blank(&mut self, id: i64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes another record in place of that of a version; its key and handles are the same.
    fn rewrite(
        &mut self,
        id: i64,
        contents: &Contents,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lets nothing lead to a version that held.
    fn release(
        &mut self,
        version: &Found,
        handles: &[Handle],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps decisions from being recorded until the end.
    fn lock_log(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Empties the facts of decisions that hold one of the traces; returns their digests.
    fn empty_facts(
        &mut self,
        traces: &[Trace],
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, StoreError>> + Send;

    /// Identifier and answer of the decisions with such facts.
    fn answers(
        &mut self,
        facts: &[Vec<u8>],
    ) -> impl Future<Output = Result<Vec<(String, Vec<u8>)>, StoreError>> + Send;

    /// Identifier, question and answer of the decisions whose question holds one of these.
    fn questions(
        &mut self,
        any: &[Vec<u8>],
    ) -> impl Future<Output = Result<Vec<Asked>, StoreError>> + Send;

    /// Writes the answer of a decision.
    fn set_answer(
        &mut self,
        decision_id: &str,
        answer: Vec<u8>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes the question of a decision and empties its facts; what they were goes where no other
    /// decision refers to it.
    fn set_question(
        &mut self,
        decision_id: &str,
        profile: Vec<u8>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Erases; what was found is told, and nothing is committed here.
///
/// # Errors
/// Something cannot be read or written.
pub(super) async fn erase(
    rows: &mut impl Rows,
    erase: &Erase,
    now: Timestamp,
) -> Result<Erased, StoreError> {
    let mut plan = Plan::default();
    match &erase.whom {
        Whom::Person(certificate) => plan.person(rows, certificate, erase, now).await?,
        Whom::Subject(number) => plan.subject(rows, *number).await?,
        Whom::Domain(domain) => plan.domain(rows, domain.ascii()).await?,
    }
    plan.of_subjects(rows).await?;
    rows.lock_log().await?;
    let decisions = plan.log(rows).await?;
    plan.write(rows).await?;
    Ok(plan.told(decisions))
}

/// What is to be done.
#[derive(Default)]
struct Plan {
    /// Records that go, all versions of them, by kind and key.
    whole: BTreeMap<(i64, String), Vec<Found>>,
    /// Versions that go, of records that stay.
    old: Vec<Found>,
    /// Versions that are changed, with what they become.
    changed: BTreeMap<i64, (Found, Contents)>,
    /// Kind and shown key of what stays although it is about the person.
    kept: BTreeSet<(RecordKind, String)>,
    /// Subjects that go.
    subjects: BTreeSet<String>,
    services: BTreeSet<String>,
    /// Domains of the services that go, or the domain that was named.
    domains: BTreeSet<String>,
    /// Names of those who go.
    names: BTreeSet<Digest>,
    /// Their certificates.
    certificates: Vec<SealedCertificate>,
    traces: BTreeSet<Trace>,
}

impl Plan {
    async fn person(
        &mut self,
        rows: &mut impl Rows,
        certificate: &SealedCertificate,
        erase: &Erase,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.certificates.push(certificate.clone());
        self.traces
            .insert((certificate.digest.to_vec(), Vec::new()));
        let found = rows.holding(&[certificate.digest.to_vec()]).await?;
        let mut read = Vec::with_capacity(found.len());
        for version in found {
            read.push((record(&version)?, version));
        }
        for (record, version) in &read {
            if !version.holds || !matches!(about(record, certificate), About::Own) {
                continue;
            }
            if let Record::Block(block) = record
                && stays(block, erase, now)
            {
                self.kept.insert((record.kind(), record.shown_key()));
            } else {
                self.take(rows, version.kind, &version.key).await?;
            }
        }
        for (record, version) in read {
            let kept = (record.kind(), record.shown_key());
            if self
                .whole
                .contains_key(&(version.kind, version.key.clone()))
                || self.kept.contains(&kept)
            {
                continue;
            }
            match about(&record, certificate) {
                About::Own => self.old.push(version),
                About::Mention => {
                    let contents = encoding::contents(&without(record, certificate))?;
                    self.changed.insert(version.id, (version, contents));
                }
                About::Nothing => {}
            }
        }
        Ok(())
    }

    async fn subject(
        &mut self,
        rows: &mut impl Rows,
        number: SubjectNumber,
    ) -> Result<(), StoreError> {
        let kind = encoding::kind_number(RecordKind::Subject);
        self.take(rows, kind, number.as_str()).await?;
        for certificate in self.certificates.clone() {
            let number = number.as_str().as_bytes().to_vec();
            self.traces.insert((certificate.digest.to_vec(), number));
        }
        Ok(())
    }

    async fn domain(&mut self, rows: &mut impl Rows, domain: &str) -> Result<(), StoreError> {
        self.domains.insert(domain.to_owned());
        let registration = encoding::kind_number(RecordKind::Registration);
        for version in rows.versions(registration, domain).await? {
            if let Some(Record::Registration(registration)) = record_left(&version)? {
                let Registration {
                    registrant_name,
                    registrant_certificate,
                    ..
                } = registration;
                let name = registrant_name.map(|name| name.exact.to_vec());
                let certificate = registrant_certificate.map(|sealed| sealed.digest.to_vec());
                for digest in [name, certificate].into_iter().flatten() {
                    self.traces.insert((digest, domain.as_bytes().to_vec()));
                }
            }
        }
        self.take(rows, registration, domain).await?;
        self.about_domain(rows, domain).await
    }

    /// What belongs to the subjects that go.
    async fn of_subjects(&mut self, rows: &mut impl Rows) -> Result<(), StoreError> {
        let numbers: Vec<Vec<u8>> = self
            .subjects
            .iter()
            .map(|number| number.as_bytes().to_vec())
            .collect();
        if numbers.is_empty() {
            return Ok(());
        }
        for version in rows.holding(&numbers).await? {
            let goes = match record(&version)? {
                Record::Service(service) => self
                    .subjects
                    .contains(service.service_number.subject().as_str()),
                Record::Access(access) => self
                    .subjects
                    .contains(access.service_number.subject().as_str()),
                Record::DisplayObservation(observation) => {
                    let subject = |shown: &ShownNumber| match shown {
                        ShownNumber::Subject(number) => Some(number.as_str().to_owned()),
                        ShownNumber::Service(number) => Some(number.subject().as_str().to_owned()),
                        ShownNumber::Unreadable(_) => None,
                    };
                    let mut shown = observation.numbers.iter().filter_map(subject);
                    shown.any(|number| self.subjects.contains(&number))
                }
                Record::Subject(_)
                | Record::Application(_)
                | Record::Licence(_)
                | Record::Registration(_)
                | Record::Block(_)
                | Record::Approval(_)
                | Record::PublicSecurityFiling(_) => false,
            };
            if goes {
                self.take(rows, version.kind, &version.key).await?;
            }
        }
        for domain in self.domains.clone() {
            self.about_domain(rows, &domain).await?;
            self.registrant_of(rows, &domain).await?;
            for name in &self.names {
                self.traces
                    .insert((name.to_vec(), domain.as_bytes().to_vec()));
            }
        }
        Ok(())
    }

    /// Records about a domain that hold nobody's name, unless a filing that stays has the domain.
    async fn about_domain(&mut self, rows: &mut impl Rows, domain: &str) -> Result<(), StoreError> {
        let service = encoding::kind_number(RecordKind::Service);
        let here = rows
            .under(&Handle::name(&domain_name::fold(domain)))
            .await?;
        let filed = |place: &(i64, String)| place.0 == service && !self.whole.contains_key(place);
        if !self.subjects.is_empty() && here.iter().any(filed) {
            return Ok(());
        }
        let dependent = [
            RecordKind::Application,
            RecordKind::PublicSecurityFiling,
            RecordKind::DisplayObservation,
        ]
        .map(encoding::kind_number);
        for (kind, key) in here
            .into_iter()
            .filter(|(kind, _)| dependent.contains(kind))
        {
            self.take(rows, kind, &key).await?;
        }
        Ok(())
    }

    /// Takes the registrant from the registration of a domain, where it is one of those who go.
    async fn registrant_of(
        &mut self,
        rows: &mut impl Rows,
        domain: &str,
    ) -> Result<(), StoreError> {
        let kind = encoding::kind_number(RecordKind::Registration);
        for version in rows.versions(kind, domain).await? {
            let Some(Record::Registration(registration)) = record_left(&version)? else {
                continue;
            };
            let name = registration.registrant_name.as_ref();
            let certificate = registration.registrant_certificate.as_ref();
            if name.is_some_and(|name| self.names.contains(&name.exact))
                || certificate.is_some_and(|one| self.certificates.iter().any(|own| same(own, one)))
            {
                let contents = encoding::contents(&nobodys(registration))?;
                self.changed.insert(version.id, (version, contents));
            }
        }
        Ok(())
    }

    /// Notes that a record goes, with every version that it has.
    async fn take(&mut self, rows: &mut impl Rows, kind: i64, key: &str) -> Result<(), StoreError> {
        let place = (kind, key.to_owned());
        if self.whole.contains_key(&place) {
            return Ok(());
        }
        let versions = rows.versions(kind, key).await?;
        if versions.is_empty() {
            return Ok(());
        }
        for version in &versions {
            self.changed.remove(&version.id);
            match record_left(version)? {
                Some(Record::Subject(subject)) => {
                    self.subjects.insert(key.to_owned());
                    self.names.insert(subject.name.exact);
                    if !self
                        .certificates
                        .iter()
                        .any(|own| same(own, &subject.certificate))
                    {
                        self.certificates.push(subject.certificate);
                    }
                }
                Some(Record::Service(service)) => {
                    self.services.insert(key.to_owned());
                    let domains = service.domains.iter();
                    self.domains
                        .extend(domains.map(|domain| domain.ascii().to_owned()));
                }
                Some(_) | None => {}
            }
        }
        self.whole.insert(place, versions);
        Ok(())
    }

    /// Takes what traces there are from the log; returns the number of decisions.
    async fn log(&self, rows: &mut impl Rows) -> Result<u64, StoreError> {
        let masks: BTreeSet<&str> = self.certificates.iter().map(|one| &*one.mask).collect();
        let mut decisions = BTreeSet::new();
        let traces: Vec<Trace> = self.traces.iter().cloned().collect();
        if !traces.is_empty() {
            let facts = rows.empty_facts(&traces).await?;
            for (id, answer) in rows.answers(&facts).await? {
                if let Some(answer) = without_masks(&answer, &masks) {
                    rows.set_answer(&id, answer).await?;
                }
                decisions.insert(id);
            }
        }
        let digests: Vec<Vec<u8>> = self
            .certificates
            .iter()
            .map(|certificate| certificate.digest.to_vec())
            .collect();
        if !digests.is_empty() {
            for (id, question, answer) in rows.questions(&digests).await? {
                let profile = encoding::profile(&id, &question)?;
                let profile = self.unasked(profile);
                rows.set_question(&id, encoding::encoded("decision", &profile)?)
                    .await?;
                if let Some(answer) = without_masks(&answer, &masks) {
                    rows.set_answer(&id, answer).await?;
                }
                decisions.insert(id);
            }
        }
        Ok(decisions.len() as u64)
    }

    /// A question without those who go.
    fn unasked(&self, mut profile: Profile) -> Profile {
        let goes =
            |sealed: &SealedCertificate| self.certificates.iter().any(|own| same(own, sealed));
        if let Some(Applicant::New(applicant)) = &mut profile.applicant {
            if applicant.certificate.as_ref().is_some_and(goes) {
                profile.applicant = None;
            } else {
                applicant
                    .people
                    .retain(|person| !person.certificate.as_ref().is_some_and(goes));
            }
        }
        profile
    }

    async fn write(&self, rows: &mut impl Rows) -> Result<(), StoreError> {
        for (version, contents) in self.changed.values() {
            rows.rewrite(version.id, contents).await?;
        }
        for version in &self.old {
            rows.blank(version.id).await?;
        }
        for version in self.whole.values().flatten() {
            if version.holds {
                rows.release(version, &record(version)?.handles()).await?;
            }
            rows.blank(version.id).await?;
        }
        Ok(())
    }

    fn told(self, decisions: u64) -> Erased {
        let kind = |number: i64| {
            let mut kinds = RecordKind::ALL.iter().copied();
            kinds.find(|kind| encoding::kind_number(*kind) == number)
        };
        let count = |places: BTreeSet<(i64, &str)>| {
            let mut counts: BTreeMap<RecordKind, u64> = BTreeMap::new();
            for kind in places.iter().filter_map(|(number, _)| kind(*number)) {
                *counts.entry(kind).or_default() += 1;
            }
            counts
        };
        let whole = self.whole.keys().map(|(kind, key)| (*kind, key.as_str()));
        let old = self.old.iter();
        let changed = self.changed.values().map(|(version, _)| version);
        let changed = old
            .chain(changed)
            .map(|version| (version.kind, version.key.as_str()));
        let (records, changed) = (count(whole.collect()), count(changed.collect()));
        let versions =
            self.whole.values().map(Vec::len).sum::<usize>() + self.old.len() + self.changed.len();
        Erased {
            records: records.into_iter().collect(),
            changed: changed.into_iter().collect(),
            kept: self.kept.into_iter().collect(),
            subjects: self.subjects.into_iter().collect(),
            services: self.services.into_iter().collect(),
            versions: versions as u64,
            decisions,
            revision: None,
        }
    }
}

fn record(version: &Found) -> Result<Record, StoreError> {
    encoding::record("record_version", &version.key, &version.payload)
}

/// As [`record`]; `None` where it was erased.
fn record_left(version: &Found) -> Result<Option<Record>, StoreError> {
    if version.payload == encoding::ERASED_RECORD {
        return Ok(None);
    }
    record(version).map(Some)
}
