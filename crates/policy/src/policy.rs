//! The policy: a versioned document that holds every threshold, grace period, list and severity
//! that the rules use.
//!
//! A document is validated whole: [`Policy::compile`] reports every error with its path. A
//! document that `extends` a shipped one names only what it changes.
//! Start at [`Policy::compile`]; how a document is read is in `read`.

mod read;
mod shipped;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::calendar::WorkingCalendar;
use crate::codes::{BusinessModel, PersonRole, Reason, Sector, SubjectNature, TelecomBusiness};
use crate::domain_name::Suffixes;
use crate::rules::RuleId;

pub use read::{PolicyError, PolicyProblem};
pub use shipped::{SHIPPED, shipped};

/// A compiled policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name, version and content fingerprint, such as `mainland-strict@1+3f9c02d1a4b7`.
    pub version: Arc<str>,
    /// What it was compiled from; compiling it anew gives the same policy.
    pub source: PolicySource,
    /// How long answers stand.
    pub validity: Validity,
    /// When to ask again.
    pub retry: Retry,
    /// How old facts may be while they cannot be refreshed.
    pub staleness: Staleness,
    /// From the provider's first review until the access filing must stand.
    pub access_grace: SignedDuration,
    /// Commercial licences.
    pub licence: LicencePolicy,
    /// Working days within which a verified real name reaches the authority's library.
    pub library_sync_working_days: u32,
    /// EPP statuses under which a domain cannot serve, in lower case.
    pub blocking_statuses: BTreeSet<Box<str>>,
    /// Roles whose bearer may hold an organisation's domain.
    pub accepted_roles: BTreeSet<PersonRole>,
    /// Provinces that accept fewer roles, by GB/T 2260 code.
    pub province_roles: BTreeMap<u8, BTreeSet<PersonRole>>,
    /// What an undeclared real name of the customer means.
    pub undeclared_real_name: Effect,
    /// What undeclared control of the domain means.
    pub undeclared_domain_control: Effect,
    /// Whether an origin of undeclared location is taken to stand in the mainland.
    pub undeclared_origin_in_mainland: bool,
    /// What a missing approval means, by sector.
    pub sectors: BTreeMap<Sector, SectorEffect>,
    /// From the observation of a home page until its number must be mended.
    pub display_due: SignedDuration,
    /// Provinces where sites show the subject number, by GB/T 2260 code.
    pub subject_form_provinces: BTreeSet<u8>,
    /// From going live until the public-security filing must stand.
    pub public_security_due: SignedDuration,
    /// Public suffixes.
    pub suffixes: Suffixes,
    /// Top-level domains approved for new filings, A-label form.
    pub approved_tlds: BTreeSet<Box<str>>,
    /// Suffixes under which bodies of a nature may file, A-label form.
    pub nature_suffixes: BTreeMap<SubjectNature, BTreeSet<Box<str>>>,
    /// State Council calendar.
    pub calendar: WorkingCalendar,
    /// Mode of each rule, by its place in the table.
    modes: Vec<Mode>,
    /// Rules that are not switched off, one bit for each by its place in the table.
    running: u64,
    /// Effect of each reason, by its place in the set.
    effects: Vec<Effect>,
    /// The same, before filing.
    pre_filing_effects: Vec<Effect>,
}

/// What a policy is compiled from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PolicySource {
    /// Documents, the innermost base first, each as text.
    pub documents: Vec<String>,
    /// This provider in access and application records.
    pub provider_id: String,
}

/// How long answers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// No answer is valid for longer; at most 24 hours.
    pub longest: SignedDuration,
    /// Length of the window for whose start answers are worked out.
    pub step: SignedDuration,
    /// Longest validity of an answer about a filing without an access provider.
    pub empty_shell: SignedDuration,
}

/// When to ask again, from the moment of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Facts could not be had.
    pub facts_unavailable: SignedDuration,
    /// No filing was found.
    pub filing_not_found: SignedDuration,
    /// A filing is under review.
    pub filing_in_progress: SignedDuration,
    /// An active domain has lost its filing.
    pub recheck_confirmation: SignedDuration,
}

/// How old facts may be while they cannot be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// For orders and before filing.
    pub max_stale: SignedDuration,
    /// For active domains.
    pub max_stale_recheck: SignedDuration,
}

/// Commercial licences.
#[derive(Clone, Debug, PartialEq)]
pub struct LicencePolicy {
    /// Who needs one.
    pub requirement: LicenceRequirement,
    /// The holder is reminded this long before the last day.
    pub expiring: SignedDuration,
    /// From this share on a parent's licence is for a person to judge, in hundredths of a
    /// percent.
    pub parent_share_basis_points: u16,
    /// Business that the licence must cover, by business model.
    pub business: BTreeMap<BusinessModel, TelecomBusiness>,
}

/// Who needs a commercial licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenceRequirement {
    /// Every payment-enabled site.
    AnyPayment,
    /// As the declared business model demands.
    ByBusinessModel,
}

/// How a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it stands.
    Enforce,
    /// A denial becomes a review.
    Review,
    /// Whatever would block becomes an obligation.
    Warn,
    /// Not at all.
    Off,
}

/// What a reason does to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Denies.
    Deny,
    /// Calls for a person.
    Review,
    /// Waits for evidence.
    Indeterminate,
    /// Does not block; an obligation.
    Obligation,
    /// Nothing.
    Off,
}

/// What a missing approval of a sector means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectorEffect {
    /// Nothing.
    None,
    /// A person must judge.
    Review,
    /// Denial.
    Deny,
    /// Denial where the site takes payments, else nothing.
    DenyWithPayment,
}

impl Policy {
    /// Compiles a document. `provider_id` is this provider in access and application records.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the document, each with its path.
    pub fn compile(document: &str, provider_id: &str) -> Result<Self, PolicyError> {
        read::compile(document, provider_id)
    }

    /// Compiles a policy that was compiled before, as kept in the decision log.
    ///
    /// # Errors
    ///
    /// As [`Policy::compile`]; a source taken from a [`Policy`] of this version has none.
    pub fn from_source(source: PolicySource) -> Result<Self, PolicyError> {
        read::from_source(source)
    }

    /// Mode of a rule.
    #[must_use]
    pub fn mode(&self, rule: RuleId) -> Mode {
        self.modes
            .get(rule.place())
            .copied()
            .unwrap_or(Mode::Enforce)
    }

    /// Rules that are not switched off, one bit for each by its place in the table.
    pub(crate) const fn running(&self) -> u64 {
        self.running
    }

    /// What a reason does, before filing or otherwise.
    #[must_use]
    pub fn effect(&self, reason: Reason, pre_filing: bool) -> Effect {
        let effects = if pre_filing {
            &self.pre_filing_effects
        } else {
            &self.effects
        };
        effects
            .get(reason as usize)
            .copied()
            .unwrap_or(Effect::Deny)
    }

    /// This provider in access and application records.
    #[must_use]
    pub fn provider_id(&self) -> &str {
        &self.source.provider_id
    }
}

/// Effect of a reason where no document moves it. A sector's approvals and a parent's licence have
/// an effect by case, which stands elsewhere in the document.
#[must_use]
pub const fn default_effect(reason: Reason, pre_filing: bool) -> Effect {
    match reason {
        Reason::DomainBlacklisted
        | Reason::SubjectBlacklisted
        | Reason::DomainInvalid
        | Reason::CustomerNotVerified
        | Reason::DomainControlNotProven
        | Reason::FilingAccessRestricted
        | Reason::FilingNotFound
        | Reason::FilingCancelled
        | Reason::FilingSuspended
        | Reason::FilingInProgress
        | Reason::FiledByAnotherSubject
        | Reason::AppNotFiled
        | Reason::MiniProgramNotFiled
        | Reason::AccessNotLinked
        | Reason::OriginNotFiled
        | Reason::HostHeaderNotFiled
        | Reason::RegistrantMismatch
        | Reason::RealNameUnverified
        | Reason::DomainExpired
        | Reason::DomainNotActive
        | Reason::CommercialByIndividual
        | Reason::CommercialByRepresentativeOffice
        | Reason::CommercialLicenceRevoked
        | Reason::CommercialLicenceSuspended
        | Reason::CommercialLicenceExpired
        | Reason::CommercialLicenceHolderMismatch
        | Reason::CommercialLicenceMissing
        | Reason::CommercialLicenceKindMissing
        | Reason::FilingNumberInvalid
        | Reason::FilingNumberMismatch
        | Reason::SectorApprovalMissing
        | Reason::SectorApprovalExpired
        | Reason::ForumByIndividual
        | Reason::DisplayTakedown => Effect::Deny,
        Reason::FactsUnavailable | Reason::FactsStale | Reason::RealNameSyncing => {
            Effect::Indeterminate
        }
        Reason::BareIp
        | Reason::FilingVariantOnly
        | Reason::FilingKindMismatch
        | Reason::RegistrantVariant
        | Reason::RegistrantUnknown
        | Reason::CommercialLicenceKindUnknown
        | Reason::CommercialModelUnknown => Effect::Review,
        Reason::TldNotApproved
        | Reason::RegistrarNotApproved
        | Reason::SuffixNotForNature
        | Reason::RegistrantRoleNarrowed => {
            if pre_filing {
                Effect::Deny
            } else {
                Effect::Obligation
            }
        }
        Reason::AccessLinkGrace
        | Reason::EmptyShellRisk
        | Reason::FilingNumberForm
        | Reason::CommercialLicenceExpiring
        | Reason::DisplayBusinessLicence
        | Reason::CertificateFormOld
        | Reason::SubjectNameChanged
        | Reason::ProvinceMismatch
        | Reason::DisplayMissing
        | Reason::DisplayWrongNumber
        | Reason::DisplaySubjectForm
        | Reason::DisplayNotLinked
        | Reason::PublicSecurityFilingDue => Effect::Obligation,
    }
}
