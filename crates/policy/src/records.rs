//! Records of the registry as they stand behind the edge: parsed, normalised, and without a raw
//! personal value.
//!
//! **Invariant:** a record cannot be built with a malformed key, and names of persons and
//! certificate numbers exist here only as [`SealedName`] and [`SealedCertificate`].

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::codes::{
    AccessStatus, ApplicationKind, ApplicationStage, BlockList, LicenceStatus, PersonRole,
    RealName, RecordKind, Sector, ServiceKind, ServiceStatus, SubjectEntity, SubjectNature,
    SubjectStatus, TelecomBusiness,
};
use crate::domain_name;
use crate::identity::{SealedCertificate, SealedName};
use crate::numbers::{LicenceNumber, PublicSecurityNumber, ServiceNumber, SubjectNumber};

/// A domain name in a record: A-label form and its script-folding key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Box<str>", into = "Box<str>")]
pub struct RecordDomain {
    ascii: Box<str>,
    /// `None` where the folding key is the A-label form itself, as for every ASCII name.
    fold: Option<Box<str>>,
}

impl RecordDomain {
    /// Takes a normalised A-label name.
    #[must_use]
    pub fn new(ascii: &str) -> Self {
        let fold = domain_name::fold(ascii);
        Self {
            ascii: ascii.into(),
            fold: (*fold != *ascii).then(|| fold.as_ref().into()),
        }
    }

    /// Normalised A-label form.
    #[must_use]
    pub fn ascii(&self) -> &str {
        &self.ascii
    }

    /// Key under which simplified and traditional twins meet.
    #[must_use]
    pub fn fold(&self) -> &str {
        self.fold.as_deref().unwrap_or(&self.ascii)
    }
}

impl From<Box<str>> for RecordDomain {
    fn from(ascii: Box<str>) -> Self {
        Self::new(&ascii)
    }
}

impl From<RecordDomain> for Box<str> {
    fn from(domain: RecordDomain) -> Self {
        domain.ascii
    }
}

/// One record of the registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The subject of a filing.
    Subject(Subject),
    /// A filed website, app, mini program or quick app.
    Service(Service),
    /// An access provider's link to a service.
    Access(Access),
    /// A filing application.
    Application(Application),
    /// A telecom business licence.
    Licence(Licence),
    /// A domain's registration.
    Registration(Registration),
    /// A block.
    Block(Block),
    /// A sector's approval.
    Approval(Approval),
    /// A public-security filing.
    PublicSecurityFiling(PublicSecurityFiling),
    /// An observation of a home page.
    DisplayObservation(DisplayObservation),
}

/// The holder of filings. Key: the subject number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Number of the subject.
    pub subject_number: SubjectNumber,
    /// Registered name; readable for organisations only.
    pub name: SealedName,
    /// Nature.
    pub nature: SubjectNature,
    /// Kind of legal entity.
    pub entity: SubjectEntity,
    /// Certificate under which it filed.
    pub certificate: SealedCertificate,
    /// State.
    pub status: SubjectStatus,
    /// Persons and companies behind an organisation.
    pub people: Vec<Person>,
    /// Parent companies.
    pub parents: Vec<Parent>,
}

/// Somebody with a role in an organisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The role.
    pub role: PersonRole,
    /// Name; `None` where not reported.
    pub name: Option<SealedName>,
    /// Certificate; `None` where not reported.
    pub certificate: Option<SealedCertificate>,
}

/// A parent company.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    /// Certificate of the parent.
    pub certificate: SealedCertificate,
    /// Share held, in hundredths of a percent: 5100 is 51 %.
    pub share_basis_points: u16,
}

/// Something filed under a subject. Key: the service number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Number of the service; holds the number of its subject.
    pub service_number: ServiceNumber,
    /// What is filed.
    pub kind: ServiceKind,
    /// Its name.
    pub name: Box<str>,
    /// Domains that the filing lists.
    pub domains: Vec<RecordDomain>,
    /// Content types as the authority lists them; never decisive.
    pub content_types: Vec<Box<str>>,
    /// State.
    pub status: ServiceStatus,
    /// Whether the record carries the authority's access restriction (限制接入).
    pub access_restricted: bool,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
}

/// An access provider's link to a service. Key: service number and provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Number of the service.
    pub service_number: ServiceNumber,
    /// The access provider.
    pub provider_id: Box<str>,
    /// State.
    pub status: AccessStatus,
    /// Since when the link stands.
    pub since: Option<Timestamp>,
}

/// A filing application. Key: its identifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// Identifier given by the filing department.
    pub application_id: Box<str>,
    /// The domain it is about.
    pub domain: RecordDomain,
    /// What is applied for.
    pub kind: ApplicationKind,
    /// Access provider through which it was made; empty where not reported.
    pub provider_id: Box<str>,
    /// How far it has come.
    pub stage: ApplicationStage,
    /// When the provider's first review passed.
    pub provider_review_passed_at: Option<Timestamp>,
}

/// A telecom business licence. Key: its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Licence {
    /// Number, normalised.
    pub licence_number: LicenceNumber,
    /// Name of the holder; `None` where not reported.
    pub holder_name: Option<SealedName>,
    /// Certificate of the holder.
    pub holder_certificate: SealedCertificate,
    /// Businesses that it covers.
    pub businesses: Vec<TelecomBusiness>,
    /// First day, Beijing calendar.
    pub issued_on: Option<Date>,
    /// Last day, inclusive, Beijing calendar.
    pub expires_on: Option<Date>,
    /// State.
    pub status: LicenceStatus,
}

/// A domain's registration. Key: the domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// The registered domain.
    pub domain: RecordDomain,
    /// The registrar's name; empty where not reported.
    pub registrar: Box<str>,
    /// Whether the ministry approved the registrar; `None`: not reported.
    pub registrar_approved: Option<bool>,
    /// Registrant's name; `None` where missing or hidden.
    pub registrant_name: Option<SealedName>,
    /// Registrant's certificate; `None` where missing or hidden.
    pub registrant_certificate: Option<SealedCertificate>,
    /// Whether the registry hides the registrant.
    pub redacted: bool,
    /// Real-name state; `None`: not reported.
    pub real_name: Option<RealName>,
    /// When the real name was verified.
    pub real_name_verified_at: Option<Timestamp>,
    /// Whether the verified name has reached the authority's library; `None`: not reported.
    pub in_authority_library: Option<bool>,
    /// EPP statuses as reported, in lower case.
    pub statuses: Vec<Box<str>>,
    /// First instant at which the registration has ended.
    pub expires_at: Option<Timestamp>,
}

/// A block. Key: list and target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Whose list.
    pub list: BlockList,
    /// What is blocked.
    pub target: BlockTarget,
    /// Why, for reviewers.
    pub reason: Box<str>,
    /// First instant; `None`: has always stood.
    pub since: Option<Timestamp>,
    /// First instant after it; `None`: no end.
    pub until: Option<Timestamp>,
}

/// What a block is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BlockTarget {
    /// A name and everything below it.
    Domain(RecordDomain),
    /// A filing subject, by its certificate.
    Certificate(SealedCertificate),
}

/// A sector's approval. Key: sector and number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The sector.
    pub sector: Sector,
    /// Number as printed.
    pub approval_number: Box<str>,
    /// To whom or what it was given.
    pub holder: ApprovalHolder,
    /// Last day, inclusive, Beijing calendar; `None`: does not end.
    pub expires_on: Option<Date>,
}

/// To whom or what an approval was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ApprovalHolder {
    /// An organisation or person; covers its sites.
    Certificate(SealedCertificate),
    /// A name and everything below it.
    Domain(RecordDomain),
}

/// A public-security filing. Key: its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicSecurityFiling {
    /// Number.
    pub number: PublicSecurityNumber,
    /// The domain.
    pub domain: RecordDomain,
    /// Day of filing, Beijing calendar.
    pub filed_on: Option<Date>,
}

/// What a scanner saw on a home page. Key: the domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisplayObservation {
    /// The domain.
    pub domain: RecordDomain,
    /// Numbers as found, each with how it reads.
    pub numbers: Vec<ShownNumber>,
    /// Whether the number links to the authority's site; `None`: not reported.
    pub linked: Option<bool>,
    /// Taken down for its display, mend not confirmed.
    pub takedown: bool,
}

/// A number as a page shows it, read leniently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ShownNumber {
    /// A number without service suffix: a filing's subject form, or a licence.
    Subject(SubjectNumber),
    /// A number with service suffix.
    Service(ServiceNumber),
    /// Not a filing or licence number; the text, shortened to 64 characters.
    Unreadable(Box<str>),
}

impl Record {
    /// Kind of the record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Subject(_) => RecordKind::Subject,
            Self::Service(_) => RecordKind::Service,
            Self::Access(_) => RecordKind::Access,
            Self::Application(_) => RecordKind::Application,
            Self::Licence(_) => RecordKind::Licence,
            Self::Registration(_) => RecordKind::Registration,
            Self::Block(_) => RecordKind::Block,
            Self::Approval(_) => RecordKind::Approval,
            Self::PublicSecurityFiling(_) => RecordKind::PublicSecurityFiling,
            Self::DisplayObservation(_) => RecordKind::DisplayObservation,
        }
    }

    /// Key within its kind: a put replaces the record of the same kind and key. Certificates
    /// stand in it by their keyed hash; [`Record::shown_key`] is the form for people.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Subject(subject) => subject.subject_number.as_str().to_owned(),
            Self::Service(service) => service.service_number.as_str().to_owned(),
            Self::Access(access) => access.key(),
            Self::Application(application) => application.application_id.to_string(),
            Self::Licence(licence) => licence.licence_number.as_str().to_owned(),
            Self::Registration(registration) => registration.domain.ascii().to_owned(),
            Self::Block(block) => block.key(),
            Self::Approval(approval) => approval.key(),
            Self::PublicSecurityFiling(filing) => filing.number.as_str().to_owned(),
            Self::DisplayObservation(observation) => observation.domain.ascii().to_owned(),
        }
    }

    /// Key as shown to people and in evidence: certificates appear masked.
    #[must_use]
    pub fn shown_key(&self) -> String {
        match self {
            Self::Block(block) => block.shown_key(),
            Self::Subject(_)
            | Self::Service(_)
            | Self::Access(_)
            | Self::Application(_)
            | Self::Licence(_)
            | Self::Registration(_)
            | Self::Approval(_)
            | Self::PublicSecurityFiling(_)
            | Self::DisplayObservation(_) => self.key(),
        }
    }

    /// Handles under which the record is found.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        match self {
            Self::Subject(subject) => vec![Handle::subject(&subject.subject_number)],
            Self::Service(service) => {
                let mut handles: Vec<Handle> = service
                    .domains
                    .iter()
                    .map(|domain| Handle::name(domain.fold()))
                    .collect();
                handles.sort_unstable();
                handles.dedup();
                handles
            }
            Self::Access(access) => vec![Handle::access(&access.service_number)],
            Self::Application(application) => vec![Handle::name(application.domain.fold())],
            Self::Licence(licence) => {
                let mut handles = Handle::holder(&licence.holder_certificate);
                handles.push(Handle::licence(licence.licence_number.as_str()));
                handles
            }
            Self::Registration(registration) => vec![Handle::name(registration.domain.fold())],
            Self::Block(block) => match &block.target {
                BlockTarget::Domain(domain) => vec![Handle::name(domain.fold())],
                BlockTarget::Certificate(certificate) => Handle::holder(certificate),
            },
            Self::Approval(approval) => match &approval.holder {
                ApprovalHolder::Domain(domain) => vec![Handle::name(domain.fold())],
                ApprovalHolder::Certificate(certificate) => Handle::holder(certificate),
            },
            Self::PublicSecurityFiling(filing) => vec![Handle::name(filing.domain.fold())],
            Self::DisplayObservation(observation) => {
                vec![Handle::name(observation.domain.fold())]
            }
        }
    }

    /// Handles of the records that bear on whoever asks about this one: a service leads to its
    /// subject and access links, a subject to licences, blocks and approvals of its holder and
    /// to licences of its parents.
    #[must_use]
    pub fn leads_to(&self) -> Vec<Handle> {
        match self {
            Self::Service(service) => vec![
                Handle::subject(&service.service_number.subject()),
                Handle::access(&service.service_number),
            ],
            Self::Subject(subject) => {
                let mut handles = Handle::holder(&subject.certificate);
                for parent in &subject.parents {
                    handles.extend(Handle::holder(&parent.certificate));
                }
                handles.push(Handle::licence(subject.subject_number.as_str()));
                handles.sort_unstable();
                handles.dedup();
                handles
            }
            Self::Access(_)
            | Self::Application(_)
            | Self::Licence(_)
            | Self::Registration(_)
            | Self::Block(_)
            | Self::Approval(_)
            | Self::PublicSecurityFiling(_)
            | Self::DisplayObservation(_) => Vec::new(),
        }
    }
}

impl Access {
    /// Key among access links.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.service_number.as_str(), self.provider_id)
    }
}

impl Block {
    /// Key among blocks, as [`Record::key`].
    #[must_use]
    pub fn key(&self) -> String {
        match &self.target {
            BlockTarget::Domain(domain) => format!("{}/{}", self.list, domain.ascii()),
            BlockTarget::Certificate(certificate) => {
                format!("{}/certificate/{}", self.list, hex(&match_key(certificate)))
            }
        }
    }

    /// Key as shown to people, as [`Record::shown_key`].
    #[must_use]
    pub fn shown_key(&self) -> String {
        match &self.target {
            BlockTarget::Domain(_) => self.key(),
            BlockTarget::Certificate(certificate) => {
                format!("{}/certificate/{}", self.list, certificate.mask)
            }
        }
    }
}

impl Approval {
    /// Key among approvals.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.sector, self.approval_number)
    }
}

/// A value under which records are found: a folded name, a number, or a holder's keyed hash.
/// The first byte tells the kind, so that values of different kinds never meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(Box<[u8]>);

impl Handle {
    /// Records about a name; takes its folding key.
    #[must_use]
    pub fn name(fold: &str) -> Self {
        Self::tagged(b'n', fold.as_bytes())
    }

    /// The subject of a number.
    #[must_use]
    pub fn subject(number: &SubjectNumber) -> Self {
        Self::tagged(b's', number.as_str().as_bytes())
    }

    /// Access links of a service.
    #[must_use]
    pub fn access(number: &ServiceNumber) -> Self {
        Self::tagged(b'a', number.as_str().as_bytes())
    }

    /// The licence of a number.
    #[must_use]
    pub fn licence(number: &str) -> Self {
        Self::tagged(b'l', number.as_bytes())
    }

    /// Licences, blocks and approvals of a certificate's holder; an organisation is found by its
    /// credit code and by the organisation code inside it.
    #[must_use]
    pub fn holder(certificate: &SealedCertificate) -> Vec<Self> {
        let mut handles = vec![Self::tagged(b'h', &match_key(certificate))];
        if let Some(organisation) = &certificate.organisation {
            handles.push(Self::tagged(b'o', organisation));
        }
        handles
    }

    /// Whether it is made of a certificate: [`Handle::holder`].
    #[must_use]
    pub fn is_of_holder(&self) -> bool {
        matches!(self.0.first(), Some(b'h' | b'o'))
    }

    /// The bytes, as kept in the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn tagged(tag: u8, value: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.push(tag);
        bytes.extend_from_slice(value);
        Self(bytes.into_boxed_slice())
    }
}

/// Kind and keyed hash of a certificate: two records of one certificate have one key.
fn match_key(certificate: &SealedCertificate) -> [u8; 17] {
    let mut key = [0; 17];
    let (kind, digest) = key.split_at_mut(1);
    kind.fill(certificate.kind as u8);
    digest.copy_from_slice(&certificate.digest);
    key
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
