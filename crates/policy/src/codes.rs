//! Closed sets of the field: what callers ask, what the gate answers, and why.
//!
//! The names are those of the public contract; wording for them lives in `explain`.

use serde::{Deserialize, Serialize};

/// Defines a closed set whose members have one stable spelling in policy documents, case files,
/// logs and JSON.
macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every member, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads the stable spelling; `None` for anything else.
            #[must_use]
            pub fn from_code(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use closed_set;

closed_set! {
    /// The answer to a question.
    Verdict {
        /// Provision.
        Allow = "ALLOW",
        /// Only a person can judge the evidence.
        Review = "REVIEW",
        /// The evidence could not be had now.
        Indeterminate = "INDETERMINATE",
        /// Do not provision.
        Deny = "DENY",
    }
}

closed_set! {
    /// What one rule found. The order is that of weight.
    Outcome {
        /// The rule does not apply to the question.
        NotApplicable = "NOT_APPLICABLE",
        /// Nothing stands against provisioning; may carry an obligation.
        Pass = "PASS",
        /// A person must judge.
        Review = "REVIEW",
        /// Evidence is missing now.
        Indeterminate = "INDETERMINATE",
        /// Stands against provisioning.
        Deny = "DENY",
    }
}

closed_set! {
    /// What is ordered.
    Product {
        /// Content delivery.
        Cdn = "CDN",
        /// Hosting on the provider's servers.
        Hosting = "HOSTING",
        /// Reverse proxy, web application firewall, denial-of-service protection.
        ReverseProxy = "REVERSE_PROXY",
        /// Backend of a mobile app.
        AppBackend = "APP_BACKEND",
        /// Backend of a mini program.
        MiniProgramBackend = "MINI_PROGRAM_BACKEND",
        /// Name resolution alone.
        DnsOnly = "DNS_ONLY",
    }
}

closed_set! {
    /// Where it is to be served.
    ServiceArea {
        /// Mainland China.
        Mainland = "MAINLAND",
        /// Everywhere, the mainland included.
        Global = "GLOBAL",
        /// Outside mainland China; Hong Kong, Macao and Taiwan are outside.
        OutsideMainland = "OUTSIDE_MAINLAND",
    }
}

closed_set! {
    /// What an answer is for.
    Purpose {
        /// An order is being placed.
        Order = "ORDER",
        /// The domain is about to be activated.
        Activation = "ACTIVATION",
        /// The domain is active already.
        Recheck = "RECHECK",
        /// May this domain be filed at all?
        PreFiling = "PRE_FILING",
    }
}

closed_set! {
    /// How a site earns.
    BusinessModel {
        /// Sells its own goods or services.
        SelfOperated = "SELF_OPERATED",
        /// Brings third-party merchants and buyers together.
        Marketplace = "MARKETPLACE",
        /// Sells information, memberships or content.
        PaidInformation = "PAID_INFORMATION",
        /// Sells advertising.
        Advertising = "ADVERTISING",
    }
}

closed_set! {
    /// Sector whose sites may need an approval of their own authority (State Council Decree 292,
    /// Art. 5, and its successors).
    Sector {
        /// Internet news.
        News = "NEWS",
        /// Online publishing.
        Publishing = "PUBLISHING",
        /// Education.
        Education = "EDUCATION",
        /// Health information.
        Health = "HEALTH",
        /// Pharmaceutical information.
        Pharmaceuticals = "PHARMACEUTICALS",
        /// Medical-device information.
        MedicalDevices = "MEDICAL_DEVICES",
        /// Online games.
        Games = "GAMES",
        /// Internet culture: music, animation, performance, live shows.
        Culture = "CULTURE",
        /// Audio-visual programmes.
        Audiovisual = "AUDIOVISUAL",
        /// Religious information.
        Religion = "RELIGION",
        /// Bulletin boards and forums.
        Forum = "FORUM",
        /// Ride hailing.
        RideHailing = "RIDE_HAILING",
        /// Finance.
        Finance = "FINANCE",
    }
}

closed_set! {
    /// Whether a real name is verified.
    RealName {
        /// Verified.
        Verified = "VERIFIED",
        /// Not verified.
        Unverified = "UNVERIFIED",
    }
}

closed_set! {
    /// Whether the customer has proven control of the domain.
    DomainControl {
        /// Proven by a DNS record or a file.
        Proven = "PROVEN",
        /// Not proven.
        NotProven = "NOT_PROVEN",
    }
}

closed_set! {
    /// Nature of a filing subject, as the filing system names it.
    SubjectNature {
        /// A company.
        Enterprise = "ENTERPRISE",
        /// A natural person.
        Individual = "INDIVIDUAL",
        /// A government or party body.
        Government = "GOVERNMENT",
        /// A public institution.
        PublicInstitution = "PUBLIC_INSTITUTION",
        /// A social organisation.
        SocialOrganisation = "SOCIAL_ORGANISATION",
    }
}

closed_set! {
    /// Kind of legal entity of a subject.
    SubjectEntity {
        /// Domestic.
        Domestic = "DOMESTIC",
        /// Wholly foreign-owned enterprise.
        WhollyForeignOwned = "WHOLLY_FOREIGN_OWNED",
        /// Joint venture with foreign capital.
        JointVenture = "JOINT_VENTURE",
        /// Representative office of a foreign company.
        RepresentativeOffice = "REPRESENTATIVE_OFFICE",
        /// Branch office; not a legal person of its own.
        BranchOffice = "BRANCH_OFFICE",
    }
}

closed_set! {
    /// State of a filing subject.
    SubjectStatus {
        /// In force.
        Active = "ACTIVE",
        /// Suspended by the authority.
        Suspended = "SUSPENDED",
        /// Cancelled with everything under it.
        Cancelled = "CANCELLED",
    }
}

closed_set! {
    /// Role of a person or company in a subject.
    PersonRole {
        /// Legal representative.
        LegalRepresentative = "LEGAL_REPRESENTATIVE",
        /// Principal responsible person.
        Principal = "PRINCIPAL",
        /// Senior manager.
        SeniorManager = "SENIOR_MANAGER",
        /// Shareholder, a person or a company.
        Shareholder = "SHAREHOLDER",
        /// Person responsible for the site.
        Webmaster = "WEBMASTER",
    }
}

closed_set! {
    /// What a filing is for.
    ServiceKind {
        /// A website.
        Website = "WEBSITE",
        /// An app.
        App = "APP",
        /// A mini program.
        MiniProgram = "MINI_PROGRAM",
        /// A quick app.
        QuickApp = "QUICK_APP",
    }
}

closed_set! {
    /// State of a filed service.
    ServiceStatus {
        /// In force.
        Active = "ACTIVE",
        /// In force, with a change under review.
        Changing = "CHANGING",
        /// Suspended by the authority.
        Suspended = "SUSPENDED",
        /// Cancelled.
        Cancelled = "CANCELLED",
    }
}

closed_set! {
    /// State of an access link.
    AccessStatus {
        /// The provider gives access.
        Active = "ACTIVE",
        /// The provider gives access no more.
        Cancelled = "CANCELLED",
    }
}

closed_set! {
    /// What an application asks for.
    ApplicationKind {
        /// The subject's first filing.
        FirstFiling = "FIRST_FILING",
        /// A further service of a filed subject.
        NewService = "NEW_SERVICE",
        /// A further access provider for a filed service.
        NewAccess = "NEW_ACCESS",
        /// A change of filed data.
        Change = "CHANGE",
    }
}

closed_set! {
    /// How far an application has come.
    ApplicationStage {
        /// Submitted to the access provider.
        Submitted = "SUBMITTED",
        /// The access provider's first review passed.
        ProviderReviewPassed = "PROVIDER_REVIEW_PASSED",
        /// Under review by the authority.
        AuthorityReview = "AUTHORITY_REVIEW",
        /// Approved.
        Approved = "APPROVED",
        /// Rejected.
        Rejected = "REJECTED",
    }
}

closed_set! {
    /// State of a telecom business licence.
    LicenceStatus {
        /// In force within its days.
        Active = "ACTIVE",
        /// Suspended.
        Suspended = "SUSPENDED",
        /// Revoked.
        Revoked = "REVOKED",
    }
}

closed_set! {
    /// Business of the telecom business catalogue (2015 edition) that a licence covers.
    TelecomBusiness {
        /// Internet data centre.
        B11 = "B11",
        /// Content delivery network.
        B12 = "B12",
        /// Domestic internet virtual private network.
        B13 = "B13",
        /// Internet access service.
        B14 = "B14",
        /// Online data processing and transaction processing (EDI).
        B21 = "B21",
        /// Domestic multi-party communication.
        B22 = "B22",
        /// Store and forward.
        B23 = "B23",
        /// Call centre.
        B24 = "B24",
        /// Information services (ICP).
        B25 = "B25",
    }
}

closed_set! {
    /// Whose list a block stands on.
    BlockList {
        /// The authority's.
        Authority = "AUTHORITY",
        /// The provider's own.
        Provider = "PROVIDER",
    }
}

closed_set! {
    /// Kind of a record of the registry.
    RecordKind {
        /// The subject of a filing.
        Subject = "subject",
        /// A filed website, app, mini program or quick app.
        Service = "service",
        /// An access provider's link to a service.
        Access = "access",
        /// A filing application.
        Application = "application",
        /// A telecom business licence.
        Licence = "licence",
        /// A domain's registration.
        Registration = "registration",
        /// A block.
        Block = "block",
        /// A sector's approval.
        Approval = "approval",
        /// A public-security filing.
        PublicSecurityFiling = "public_security_filing",
        /// An observation of a home page.
        DisplayObservation = "display_observation",
    }
}

closed_set! {
    /// Why: the stable codes of the contract. The order is that of weight: the weightiest first.
    Reason {
        /// On a block list.
        DomainBlacklisted = "DOMAIN_BLACKLISTED",
        /// The subject is on a block list.
        SubjectBlacklisted = "SUBJECT_BLACKLISTED",
        /// Not a name that can be served.
        DomainInvalid = "DOMAIN_INVALID",
        /// The customer is not verified.
        CustomerNotVerified = "CUSTOMER_NOT_VERIFIED",
        /// Control of the domain is not proven.
        DomainControlNotProven = "DOMAIN_CONTROL_NOT_PROVEN",
        /// The authority restricts access.
        FilingAccessRestricted = "FILING_ACCESS_RESTRICTED",
        /// No filing covers the name.
        FilingNotFound = "FILING_NOT_FOUND",
        /// The filing is cancelled.
        FilingCancelled = "FILING_CANCELLED",
        /// The filing is suspended.
        FilingSuspended = "FILING_SUSPENDED",
        /// A filing is under review.
        FilingInProgress = "FILING_IN_PROGRESS",
        /// Filed by somebody else than the applicant.
        FiledByAnotherSubject = "FILED_BY_ANOTHER_SUBJECT",
        /// No app filing.
        AppNotFiled = "APP_NOT_FILED",
        /// No mini-program filing.
        MiniProgramNotFiled = "MINI_PROGRAM_NOT_FILED",
        /// Not linked with this provider.
        AccessNotLinked = "ACCESS_NOT_LINKED",
        /// Origin not filed.
        OriginNotFiled = "ORIGIN_NOT_FILED",
        /// Host header not filed.
        HostHeaderNotFiled = "HOST_HEADER_NOT_FILED",
        /// Registrant is nobody the rule accepts.
        RegistrantMismatch = "REGISTRANT_MISMATCH",
        /// Real name unverified.
        RealNameUnverified = "REAL_NAME_UNVERIFIED",
        /// Registration ended.
        DomainExpired = "DOMAIN_EXPIRED",
        /// Domain held, inactive or being deleted.
        DomainNotActive = "DOMAIN_NOT_ACTIVE",
        /// Payment, subject is a person.
        CommercialByIndividual = "COMMERCIAL_BY_INDIVIDUAL",
        /// Payment, subject is a representative office.
        CommercialByRepresentativeOffice = "COMMERCIAL_BY_REPRESENTATIVE_OFFICE",
        /// Licence revoked.
        CommercialLicenceRevoked = "COMMERCIAL_LICENCE_REVOKED",
        /// Licence suspended.
        CommercialLicenceSuspended = "COMMERCIAL_LICENCE_SUSPENDED",
        /// Licence ended.
        CommercialLicenceExpired = "COMMERCIAL_LICENCE_EXPIRED",
        /// Licence is a parent's.
        CommercialLicenceHolderMismatch = "COMMERCIAL_LICENCE_HOLDER_MISMATCH",
        /// No licence.
        CommercialLicenceMissing = "COMMERCIAL_LICENCE_MISSING",
        /// Licence lacks the business.
        CommercialLicenceKindMissing = "COMMERCIAL_LICENCE_KIND_MISSING",
        /// Claimed number malformed.
        FilingNumberInvalid = "FILING_NUMBER_INVALID",
        /// Claimed number is another's.
        FilingNumberMismatch = "FILING_NUMBER_MISMATCH",
        /// Approval missing.
        SectorApprovalMissing = "SECTOR_APPROVAL_MISSING",
        /// Approval ended.
        SectorApprovalExpired = "SECTOR_APPROVAL_EXPIRED",
        /// Forum run by a person.
        ForumByIndividual = "FORUM_BY_INDIVIDUAL",
        /// Suffix not approved.
        TldNotApproved = "TLD_NOT_APPROVED",
        /// Registrar not approved.
        RegistrarNotApproved = "REGISTRAR_NOT_APPROVED",
        /// Suffix not meant for the nature.
        SuffixNotForNature = "SUFFIX_NOT_FOR_NATURE",
        /// Taken down for display.
        DisplayTakedown = "DISPLAY_TAKEDOWN",
        /// Store or source did not answer.
        FactsUnavailable = "FACTS_UNAVAILABLE",
        /// Facts too old.
        FactsStale = "FACTS_STALE",
        /// Real name on its way to the authority.
        RealNameSyncing = "REAL_NAME_SYNCING",
        /// Bare public IP address.
        BareIp = "BARE_IP",
        /// Only the script twin is filed.
        FilingVariantOnly = "FILING_VARIANT_ONLY",
        /// Only a service of another kind names the domain.
        FilingKindMismatch = "FILING_KIND_MISMATCH",
        /// Equal by variant or by name alone.
        RegistrantVariant = "REGISTRANT_VARIANT",
        /// Registrant hidden or missing.
        RegistrantUnknown = "REGISTRANT_UNKNOWN",
        /// Businesses of the licence unknown.
        CommercialLicenceKindUnknown = "COMMERCIAL_LICENCE_KIND_UNKNOWN",
        /// Business model not declared.
        CommercialModelUnknown = "COMMERCIAL_MODEL_UNKNOWN",
        /// Within the days of grace.
        AccessLinkGrace = "ACCESS_LINK_GRACE",
        /// No access provider left.
        EmptyShellRisk = "EMPTY_SHELL_RISK",
        /// Another form of the right number.
        FilingNumberForm = "FILING_NUMBER_FORM",
        /// Licence ends soon.
        CommercialLicenceExpiring = "COMMERCIAL_LICENCE_EXPIRING",
        /// Show the business licence.
        DisplayBusinessLicence = "DISPLAY_BUSINESS_LICENCE",
        /// Province accepts fewer roles.
        RegistrantRoleNarrowed = "REGISTRANT_ROLE_NARROWED",
        /// Superseded form of certificate.
        CertificateFormOld = "CERTIFICATE_FORM_OLD",
        /// One subject, two names.
        SubjectNameChanged = "SUBJECT_NAME_CHANGED",
        /// Number and credit code of different provinces.
        ProvinceMismatch = "PROVINCE_MISMATCH",
        /// No number on the home page.
        DisplayMissing = "DISPLAY_MISSING",
        /// Wrong number on the home page.
        DisplayWrongNumber = "DISPLAY_WRONG_NUMBER",
        /// Subject form on the home page.
        DisplaySubjectForm = "DISPLAY_SUBJECT_FORM",
        /// Number not linked.
        DisplayNotLinked = "DISPLAY_NOT_LINKED",
        /// Public-security filing due.
        PublicSecurityFilingDue = "PUBLIC_SECURITY_FILING_DUE",
    }
}

impl Product {
    /// Whether the product serves a website on the provider's own mainland servers, which needs
    /// an access filing with this provider (MII Order 33 of 2005, Art. 18).
    #[must_use]
    pub const fn needs_access_link(self) -> bool {
        matches!(self, Self::Hosting | Self::ReverseProxy)
    }

    /// Whether a website filing must cover the name.
    #[must_use]
    pub const fn serves_website(self) -> bool {
        matches!(self, Self::Cdn | Self::Hosting | Self::ReverseProxy)
    }
}

impl ServiceArea {
    /// Whether the mainland is part of it.
    #[must_use]
    pub const fn includes_mainland(self) -> bool {
        matches!(self, Self::Mainland | Self::Global)
    }
}

impl ServiceStatus {
    /// Whether the filing is in force; a change under review leaves it so.
    #[must_use]
    pub const fn in_force(self) -> bool {
        matches!(self, Self::Active | Self::Changing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.as_str()), Some(*reason));
        }
        assert_eq!(Reason::from_code("ALLOW"), None);
        assert_eq!(Reason::ALL.len(), 61);
    }
}
