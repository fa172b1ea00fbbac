//! Every proportion of the generated registry, in ten-thousandths.
//!
//! Sources, where a table names one: STAT, the national statistics of websites for 2014 (3.647
//! million sites of 2.85 million holders, 2.119 million of them organisations, with 4.812 million
//! domains; 0.952 million sites newly opened in the year; some 21,000 sites with content that
//! needs an approval). MIIT, the count of 2,220 foreign-invested licence holders in September 2024.
//! Where a table names none, no figure is published, and the share is a choice: small enough to be
//! plausible, large enough that every rule meets its case.

use icpgate_policy::numbers::Province;

use super::dice::Shares;
use crate::proto::v1;

/// How a holder stands with the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has filed.
    Filed,
    /// Its first filing is under review.
    Applying,
    /// It holds a domain and has asked for nothing.
    Unfiled,
}

/// Who gives access to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// This provider.
    Own,
    /// Another one.
    Elsewhere,
    /// This provider and another one.
    Both,
    /// Nobody any more.
    Nobody,
}

/// Who holds the registration of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registrant {
    /// The holder itself.
    Itself,
    /// The holder, under the organisation code in its credit code.
    OldForm,
    /// The holder, under a name it has given up.
    FormerName,
    /// Its legal representative.
    Representative,
    /// Another person with a role in it; the representative where there is none.
    SecondPerson,
    /// Somebody who has nothing to do with it, as after a sale of the domain.
    Stranger,
    /// The registry hides who it is.
    Redacted,
}

/// How far the verification of a registrant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    /// Verified, and in the authority's library.
    InLibrary,
    /// Verified, and the library is not reported.
    Verified,
    /// Verified in these days, and not in the library yet.
    Syncing,
    /// Not verified.
    Unverified,
    /// Not reported.
    NotReported,
}

/// What a home page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Display {
    /// The right number, linked.
    Right,
    /// The subject number, which is right in Guangdong only.
    SubjectForm,
    /// The right number without the link.
    NotLinked,
    /// No number.
    Missing,
    /// A number out of a template.
    Wrong,
    /// The site was taken down for its display.
    Takedown,
}

/// Under what a subject has filed, beside the certificate that everybody of its nature has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// Credit code or resident identity.
    Usual,
    /// Organisation code, from before 2015.
    OrganisationCode,
    /// Passport.
    Passport,
}

/// 97 % of the holders of domains have filed. First filings take about a month, so that of a
/// million a year (STAT) some 80,000 are under way at any time.
pub(super) const STANDINGS: Shares<Standing> = Shares::new(
    &[(170, Standing::Applying), (230, Standing::Unfiled)],
    Standing::Filed,
);

/// Three organisations to a person (STAT); most organisations are companies.
pub(super) const NATURES: Shares<v1::SubjectNature> = Shares::new(
    &[
        (2_550, v1::SubjectNature::Individual),
        (120, v1::SubjectNature::Government),
        (270, v1::SubjectNature::PublicInstitution),
        (220, v1::SubjectNature::SocialOrganisation),
    ],
    v1::SubjectNature::Enterprise,
);

/// Websites of a holder: 1.3 (STAT), with a long tail.
pub(super) const SITES: Shares<u16> = Shares::new(
    &[
        (850, 2),
        (200, 3),
        (110, 4),
        (80, 6),
        (55, 10),
        (20, 25),
        (6, 60),
    ],
    1,
);

/// Domains of a website: 1.3 (STAT), with a long tail.
pub(super) const DOMAINS: Shares<u16> = Shares::new(
    &[
        (850, 2),
        (220, 3),
        (100, 4),
        (60, 6),
        (40, 10),
        (20, 20),
        (12, 50),
    ],
    1,
);

/// Suffixes of companies and persons.
pub(super) const SUFFIXES: Shares<&str> = Shares::new(
    &[
        (3_800, "cn"),
        (700, "com.cn"),
        (400, "net"),
        (280, "top"),
        (150, "net.cn"),
        (140, "xyz"),
        (120, "vip"),
        (110, "org.cn"),
        (100, "shop"),
        (90, "xn--fiqs8s"),
        (80, "cc"),
        (70, "org"),
        (60, "club"),
        (50, "tech"),
        (50, "online"),
        (50, "xn--55qx5d"),
        (40, "site"),
        (40, "info"),
        (40, "xn--io0a7i"),
        (30, "cloud"),
        (30, "ltd"),
        // Not approved for new filings; what was filed before stands.
        (30, "io"),
        (20, "me"),
        (10, "ai"),
        (10, "app"),
    ],
    "com",
);

/// Suffixes of government bodies.
pub(super) const GOVERNMENT_SUFFIXES: Shares<&str> =
    Shares::new(&[(200, "xn--zfr164b"), (150, "cn"), (50, "com")], "gov.cn");

/// Suffixes of public institutions.
pub(super) const INSTITUTION_SUFFIXES: Shares<&str> = Shares::new(
    &[
        (3_000, "org.cn"),
        (1_000, "xn--55qw42g"),
        (800, "com"),
        (400, "com.cn"),
    ],
    "cn",
);

/// Suffixes of social organisations.
pub(super) const SOCIETY_SUFFIXES: Shares<&str> =
    Shares::new(&[(3_000, "org.cn"), (2_500, "com"), (1_000, "org")], "cn");

/// Provinces of filing, after the number of websites in each.
pub(super) const PROVINCES: Shares<Province> = Shares::new(
    &[
        (1_050, Province::Beijing),
        (800, Province::Shanghai),
        (700, Province::Zhejiang),
        (700, Province::Jiangsu),
        (600, Province::Shandong),
        (450, Province::Fujian),
        (450, Province::Sichuan),
        (450, Province::Henan),
        (350, Province::Hubei),
        (300, Province::Hebei),
        (270, Province::Anhui),
        (270, Province::Hunan),
        (220, Province::Shaanxi),
        (220, Province::Liaoning),
        (200, Province::Chongqing),
        (180, Province::Jiangxi),
        (150, Province::Tianjin),
        (150, Province::Guangxi),
        (130, Province::Heilongjiang),
        (120, Province::Shanxi),
        (110, Province::Yunnan),
        (90, Province::Jilin),
        (80, Province::Guizhou),
        (80, Province::Hainan),
        (70, Province::InnerMongolia),
        (60, Province::Gansu),
        (60, Province::Xinjiang),
        (30, Province::Ningxia),
        (20, Province::Qinghai),
        (10, Province::Tibet),
    ],
    Province::Guangdong,
);

/// Kinds of legal entity among companies.
pub(super) const ENTITIES: Shares<v1::SubjectEntity> = Shares::new(
    &[
        (120, v1::SubjectEntity::WhollyForeignOwned),
        (70, v1::SubjectEntity::JointVenture),
        (20, v1::SubjectEntity::RepresentativeOffice),
        (60, v1::SubjectEntity::BranchOffice),
    ],
    v1::SubjectEntity::Domestic,
);

/// Documents of organisations.
pub(super) const ORGANISATION_DOCUMENTS: Shares<Document> =
    Shares::new(&[(40, Document::OrganisationCode)], Document::Usual);

/// Documents of persons.
pub(super) const PERSON_DOCUMENTS: Shares<Document> =
    Shares::new(&[(70, Document::Passport)], Document::Usual);

/// Documents of the legal representatives of foreign-invested companies.
pub(super) const FOREIGN_DOCUMENTS: Shares<Document> =
    Shares::new(&[(5_000, Document::Passport)], Document::Usual);

/// Companies whose credit code is of another province than their filing, as after a move.
pub(super) const MOVED: u32 = 60;

/// Roles of a second person in an organisation, beside its legal representative.
pub(super) const SECOND_ROLES: Shares<Option<v1::PersonRole>> = Shares::new(
    &[
        (600, Some(v1::PersonRole::Principal)),
        (500, Some(v1::PersonRole::SeniorManager)),
        (400, Some(v1::PersonRole::Shareholder)),
        (600, Some(v1::PersonRole::Webmaster)),
    ],
    None,
);

/// Companies with a declared parent; branch offices all have one.
pub(super) const PARENTS: u32 = 200;

/// Full years since the first filing.
pub(super) const AGES: Shares<u32> = Shares::new(
    &[
        (1_300, 1),
        (1_150, 2),
        (1_000, 3),
        (900, 4),
        (800, 5),
        (750, 6),
        (650, 7),
        (500, 8),
        (400, 9),
        (300, 10),
        (250, 11),
        (200, 12),
        (150, 13),
        (100, 14),
        (50, 15),
    ],
    0,
);

/// States of subjects.
pub(super) const SUBJECT_STATUSES: Shares<v1::SubjectStatus> = Shares::new(
    &[
        (130, v1::SubjectStatus::Cancelled),
        (20, v1::SubjectStatus::Suspended),
    ],
    v1::SubjectStatus::Active,
);

/// States of the services of a subject in force. As many sites are cancelled a year as are opened;
/// their records are kept for some months.
pub(super) const SERVICE_STATUSES: Shares<v1::ServiceStatus> = Shares::new(
    &[
        (450, v1::ServiceStatus::Cancelled),
        (30, v1::ServiceStatus::Suspended),
        (100, v1::ServiceStatus::Changing),
    ],
    v1::ServiceStatus::Active,
);

/// Websites of filed holders that are under review themselves and have no number yet.
pub(super) const NEW_SITES: u32 = 80;

/// Services with the access restriction of the authority.
pub(super) const RESTRICTED: u32 = 15;

/// Apps, mini programs and quick apps beside the websites of organisations.
pub(super) const ORGANISATION_EXTRAS: Shares<Option<v1::ServiceKind>> = Shares::new(
    &[
        (700, Some(v1::ServiceKind::App)),
        (500, Some(v1::ServiceKind::MiniProgram)),
        (30, Some(v1::ServiceKind::QuickApp)),
    ],
    None,
);

/// The same beside the websites of persons.
pub(super) const PERSON_EXTRAS: Shares<Option<v1::ServiceKind>> = Shares::new(
    &[
        (80, Some(v1::ServiceKind::App)),
        (150, Some(v1::ServiceKind::MiniProgram)),
    ],
    None,
);

/// Access links of services in force: this provider is one of the large ones, and most filings are
/// with others.
pub(super) const LINKS: Shares<Link> = Shares::new(
    &[(2_500, Link::Own), (350, Link::Both), (150, Link::Nobody)],
    Link::Elsewhere,
);

/// Access providers beside this one (STAT: 1,068 in all).
pub(super) const OTHER_PROVIDERS: u32 = 1_067;

/// Services linked elsewhere for which an access filing with this provider is on its way.
pub(super) const NEW_ACCESS: u32 = 60;

/// How far applications have come.
pub(super) const STAGES: Shares<v1::ApplicationStage> = Shares::new(
    &[
        (2_000, v1::ApplicationStage::Submitted),
        (1_500, v1::ApplicationStage::ProviderReviewPassed),
        (800, v1::ApplicationStage::Rejected),
    ],
    v1::ApplicationStage::AuthorityReview,
);

/// Companies with a licence for value-added telecom business.
pub(super) const LICENSED: u32 = 600;

/// Licence holders whose filings carry the number of the licence.
pub(super) const LICENCE_AS_SUBJECT: u32 = 300;

/// Licences of the ministry, which count in all provinces. Those of foreign-invested companies
/// (MIIT: 2,220 of some 150,000) always are.
pub(super) const MINISTRY: u32 = 800;

/// What licences are for.
pub(super) const BUSINESSES: Shares<&[v1::TelecomBusiness]> = Shares::new(
    &[
        (1_600, &[v1::TelecomBusiness::B21]),
        (1_900, &[v1::TelecomBusiness::B21, v1::TelecomBusiness::B25]),
        (300, &[v1::TelecomBusiness::B24]),
        (
            350,
            &[
                v1::TelecomBusiness::B11,
                v1::TelecomBusiness::B12,
                v1::TelecomBusiness::B14,
            ],
        ),
        (250, &[v1::TelecomBusiness::B23, v1::TelecomBusiness::B25]),
    ],
    &[v1::TelecomBusiness::B25],
);

/// States of licences.
pub(super) const LICENCE_STATUSES: Shares<v1::LicenceStatus> = Shares::new(
    &[
        (60, v1::LicenceStatus::Suspended),
        (150, v1::LicenceStatus::Revoked),
    ],
    v1::LicenceStatus::Active,
);

/// Licences that nobody renewed.
pub(super) const LICENCE_EXPIRED: u32 = 500;

/// Registrars; few have most of the domains.
pub(super) const REGISTRARS: u32 = 60;

/// Whether the registrar is approved; `None` is not reported.
pub(super) const REGISTRAR_APPROVED: Shares<Option<bool>> =
    Shares::new(&[(120, Some(false)), (100, None)], Some(true));

/// Registrants of the domains of organisations.
pub(super) const ORGANISATION_REGISTRANTS: Shares<Registrant> = Shares::new(
    &[
        (350, Registrant::Representative),
        (100, Registrant::SecondPerson),
        (90, Registrant::Stranger),
        (120, Registrant::Redacted),
        (30, Registrant::OldForm),
        (40, Registrant::FormerName),
    ],
    Registrant::Itself,
);

/// Registrants of the domains of persons.
pub(super) const PERSON_REGISTRANTS: Shares<Registrant> = Shares::new(
    &[(90, Registrant::Stranger), (120, Registrant::Redacted)],
    Registrant::Itself,
);

/// Verification of registrants.
pub(super) const VERIFICATIONS: Shares<Verification> = Shares::new(
    &[
        (900, Verification::Verified),
        (30, Verification::Syncing),
        (40, Verification::Unverified),
        (50, Verification::NotReported),
    ],
    Verification::InLibrary,
);

/// EPP statuses of registrations.
pub(super) const STATUSES: Shares<&[&str]> = Shares::new(
    &[
        (3_000, &["clientTransferProhibited"]),
        (
            1_500,
            &["clientDeleteProhibited", "clientTransferProhibited"],
        ),
        (45, &["clientHold"]),
        (35, &["serverHold"]),
        (15, &["inactive"]),
        (10, &["redemptionPeriod"]),
        (8, &["pendingDelete"]),
    ],
    &["ok"],
);

/// Registrations that have ended.
pub(super) const EXPIRED: u32 = 60;

/// Websites in force for more than a month with a public security filing.
pub(super) const PUBLIC_SECURITY: u32 = 6_500;

/// Websites whose home page a scanner has seen.
pub(super) const OBSERVED: u32 = 3_000;

/// What their home pages show.
pub(super) const DISPLAYS: Shares<Display> = Shares::new(
    &[
        (400, Display::SubjectForm),
        (250, Display::NotLinked),
        (400, Display::Missing),
        (120, Display::Wrong),
        (20, Display::Takedown),
    ],
    Display::Right,
);

/// Websites of organisations with an approval of a sector's authority (STAT: 21,000 of all).
pub(super) const APPROVED: u32 = 75;

/// Sectors of approvals, with the content type of the service.
pub(super) const SECTORS: Shares<(v1::Sector, &str)> = Shares::new(
    &[
        (900, (v1::Sector::News, "新闻")),
        (900, (v1::Sector::Publishing, "出版")),
        (1_500, (v1::Sector::Culture, "文化")),
        (500, (v1::Sector::Audiovisual, "广播电影电视节目")),
        (600, (v1::Sector::Games, "文化")),
        (1_800, (v1::Sector::MedicalDevices, "药品和医疗器械")),
        (100, (v1::Sector::Religion, "宗教")),
        (300, (v1::Sector::Finance, "金融")),
        (100, (v1::Sector::RideHailing, "网络预约车")),
    ],
    (v1::Sector::Pharmaceuticals, "药品和医疗器械"),
);

/// Approvals that have ended; a fifth of the others have no end.
pub(super) const APPROVAL_EXPIRED: u32 = 500;

/// Domains on a block list; a quarter of the blocks are over.
pub(super) const BLOCKED: u32 = 15;

/// Subjects on a block list.
pub(super) const BLOCKED_SUBJECTS: u32 = 4;

/// Whose block lists.
pub(super) const BLOCK_LISTS: Shares<v1::BlockList> = Shares::new(
    &[(4_000, v1::BlockList::Provider)],
    v1::BlockList::Authority,
);
