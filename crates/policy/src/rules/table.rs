//! The table of rules: identity, scope, what each reads and what it can find.
//!
//! Titles, texts and references are in `explain`.

use std::sync::LazyLock;

use super::id::RuleId;
use crate::codes::{Product, Reason, RecordKind};

/// What is fixed about a rule.
#[derive(Debug)]
pub struct Rule {
    /// Identifier.
    pub id: RuleId,
    /// When it runs.
    pub scope: Scope,
    /// Whether no policy can weaken it.
    pub fixed: bool,
    /// Kinds of records that it reads.
    pub reads: &'static [RecordKind],
    /// Reasons that it can find, beside that facts are not to be had.
    pub reasons: &'static [Reason],
}

/// When a rule runs. A service area outside the mainland, and name resolution alone, run only
/// what runs everywhere; before filing, the product does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// One bit for each product, by its place in the set.
    pub products: u8,
    /// Before filing.
    pub pre_filing: bool,
    /// Outside the mainland and for name resolution alone.
    pub everywhere: bool,
}

/// What decides which rules run.
#[derive(Clone, Copy)]
pub(super) enum Situation {
    /// Outside the mainland, or name resolution alone.
    Everywhere,
    /// Before filing.
    PreFiling,
    /// A product in the mainland.
    Product(Product),
}

impl Situation {
    /// Rules that run, one bit for each by its place in the table.
    pub(super) fn rules(self) -> u64 {
        let place = match self {
            Self::Everywhere => 0,
            Self::PreFiling => 1,
            Self::Product(product) => 2 + product as usize,
        };
        SITUATIONS.get(place).copied().unwrap_or(u64::MAX)
    }
}

/// Rules of each situation; worked out once, because every finding asks.
static SITUATIONS: LazyLock<[u64; 2 + Product::ALL.len()]> = LazyLock::new(|| {
    let mut situations = [0; 2 + Product::ALL.len()];
    for (place, rules) in situations.iter_mut().enumerate() {
        for rule in RULES {
            let runs = match place {
                0 => rule.scope.everywhere,
                1 => rule.scope.pre_filing,
                product => rule.scope.products & (1 << (product - 2)) != 0,
            };
            if runs {
                *rules |= 1 << rule.id.place();
            }
        }
    }
    situations
});

impl Scope {
    const fn products(products: &[Product]) -> Self {
        let mut bits = 0;
        let mut rest = products;
        while let [product, others @ ..] = rest {
            bits |= 1 << *product as u8;
            rest = others;
        }
        Self {
            products: bits,
            pre_filing: false,
            everywhere: false,
        }
    }

    const fn or_pre_filing(self) -> Self {
        Self {
            pre_filing: true,
            ..self
        }
    }

    const fn or_everywhere(self) -> Self {
        Self {
            everywhere: true,
            ..self
        }
    }
}

const MAINLAND: Scope = Scope::products(&[
    Product::Cdn,
    Product::Hosting,
    Product::ReverseProxy,
    Product::AppBackend,
    Product::MiniProgramBackend,
]);
const WEB: Scope = Scope::products(&[Product::Cdn, Product::Hosting, Product::ReverseProxy]);
const WEB_OR_MINI: Scope = Scope::products(&[
    Product::Cdn,
    Product::Hosting,
    Product::ReverseProxy,
    Product::MiniProgramBackend,
]);
const LINKED: Scope = Scope::products(&[Product::Hosting, Product::ReverseProxy]);
const CDN: Scope = Scope::products(&[Product::Cdn]);
const APP: Scope = Scope::products(&[Product::AppBackend]);
const APP_OR_MINI: Scope = Scope::products(&[Product::AppBackend, Product::MiniProgramBackend]);
const MINI: Scope = Scope::products(&[Product::MiniProgramBackend]);
const NO_PRODUCT: Scope = Scope::products(&[]);

const FILING_RECORDS: &[RecordKind] = &[
    RecordKind::Service,
    RecordKind::Subject,
    RecordKind::Application,
];
const LICENCE_RECORDS: &[RecordKind] = &[
    RecordKind::Service,
    RecordKind::Subject,
    RecordKind::Licence,
];
const REGISTRANT_RECORDS: &[RecordKind] = &[
    RecordKind::Service,
    RecordKind::Subject,
    RecordKind::Registration,
];

pub(super) const FIRST: Rule = rule(
    RuleId::R01,
    MAINLAND.or_pre_filing().or_everywhere(),
    &[],
    &[Reason::DomainInvalid],
);

/// Every rule, in the order in which rules are explained.
pub const RULES: &[Rule] = &[
    FIRST,
    rule(RuleId::R45, LINKED.or_pre_filing(), &[], &[Reason::BareIp]),
    rule(RuleId::R02, NO_PRODUCT.or_everywhere(), &[], &[]),
    rule(
        RuleId::R47,
        MAINLAND.or_pre_filing().or_everywhere(),
        &[],
        &[Reason::CustomerNotVerified],
    ),
    rule(
        RuleId::R48,
        MAINLAND,
        &[],
        &[Reason::DomainControlNotProven],
    ),
    Rule {
        fixed: true,
        ..rule(
            RuleId::R04,
            MAINLAND.or_pre_filing(),
            &[RecordKind::Block],
            &[Reason::DomainBlacklisted],
        )
    },
    Rule {
        fixed: true,
        ..rule(
            RuleId::R05,
            MAINLAND.or_pre_filing(),
            &[RecordKind::Service, RecordKind::Subject, RecordKind::Block],
            &[Reason::SubjectBlacklisted],
        )
    },
    rule(
        RuleId::R07,
        WEB_OR_MINI,
        FILING_RECORDS,
        &[Reason::FilingNotFound],
    ),
    rule(RuleId::R08, MAINLAND, FILING_RECORDS, &[]),
    rule(RuleId::R09, WEB_OR_MINI, FILING_RECORDS, &[]),
    rule(
        RuleId::R13,
        MAINLAND,
        FILING_RECORDS,
        &[Reason::FilingInProgress],
    ),
    rule(RuleId::R14, WEB_OR_MINI, FILING_RECORDS, &[]),
    rule(
        RuleId::R54,
        WEB_OR_MINI,
        FILING_RECORDS,
        &[Reason::FilingCancelled],
    ),
    rule(
        RuleId::R55,
        MAINLAND,
        FILING_RECORDS,
        &[Reason::FilingSuspended],
    ),
    rule(
        RuleId::R06,
        MAINLAND,
        FILING_RECORDS,
        &[Reason::FilingAccessRestricted],
    ),
    rule(
        RuleId::R42,
        WEB,
        FILING_RECORDS,
        &[Reason::FilingKindMismatch],
    ),
    rule(
        RuleId::R60,
        WEB_OR_MINI,
        FILING_RECORDS,
        &[Reason::FilingVariantOnly],
    ),
    rule(RuleId::R41, APP, FILING_RECORDS, &[Reason::AppNotFiled]),
    rule(
        RuleId::R43,
        APP_OR_MINI,
        FILING_RECORDS,
        &[Reason::FilingCancelled],
    ),
    rule(
        RuleId::R44,
        MINI,
        FILING_RECORDS,
        &[Reason::MiniProgramNotFiled],
    ),
    rule(
        RuleId::R53,
        NO_PRODUCT.or_pre_filing(),
        &[RecordKind::Service, RecordKind::Subject],
        &[Reason::FiledByAnotherSubject],
    ),
    rule(RuleId::R10, LINKED, &[RecordKind::Access], &[]),
    rule(
        RuleId::R11,
        LINKED,
        &[RecordKind::Access, RecordKind::Application],
        &[Reason::AccessNotLinked],
    ),
    rule(
        RuleId::R12,
        LINKED,
        &[RecordKind::Access, RecordKind::Application],
        &[Reason::AccessLinkGrace],
    ),
    rule(
        RuleId::R15,
        CDN,
        &[RecordKind::Access],
        &[Reason::EmptyShellRisk],
    ),
    rule(RuleId::R17, MAINLAND, &[], &[Reason::FilingNumberInvalid]),
    rule(
        RuleId::R16,
        MAINLAND,
        LICENCE_RECORDS,
        &[Reason::FilingNumberMismatch, Reason::FilingNumberForm],
    ),
    rule(
        RuleId::R18,
        CDN,
        FILING_RECORDS,
        &[
            Reason::OriginNotFiled,
            Reason::HostHeaderNotFiled,
            Reason::DomainInvalid,
        ],
    ),
    rule(
        RuleId::R19,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialByIndividual],
    ),
    rule(
        RuleId::R56,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialByRepresentativeOffice],
    ),
    rule(
        RuleId::R24,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialModelUnknown],
    ),
    rule(
        RuleId::R23,
        WEB,
        LICENCE_RECORDS,
        &[Reason::DisplayBusinessLicence],
    ),
    rule(
        RuleId::R20,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialLicenceMissing],
    ),
    rule(
        RuleId::R25,
        WEB,
        LICENCE_RECORDS,
        &[
            Reason::CommercialLicenceExpired,
            Reason::CommercialLicenceSuspended,
            Reason::CommercialLicenceRevoked,
        ],
    ),
    rule(
        RuleId::R26,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialLicenceExpiring],
    ),
    rule(
        RuleId::R27,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialLicenceHolderMismatch],
    ),
    rule(
        RuleId::R28,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialLicenceKindUnknown],
    ),
    rule(
        RuleId::R21,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialLicenceKindMissing],
    ),
    rule(
        RuleId::R22,
        WEB,
        LICENCE_RECORDS,
        &[Reason::CommercialLicenceKindMissing],
    ),
    rule(
        RuleId::R32,
        WEB.or_pre_filing(),
        REGISTRANT_RECORDS,
        &[Reason::RegistrantUnknown],
    ),
    rule(
        RuleId::R29,
        WEB.or_pre_filing(),
        REGISTRANT_RECORDS,
        &[Reason::RegistrantMismatch, Reason::RegistrantVariant],
    ),
    rule(
        RuleId::R31,
        WEB.or_pre_filing(),
        REGISTRANT_RECORDS,
        &[Reason::RegistrantMismatch, Reason::RegistrantVariant],
    ),
    rule(
        RuleId::R30,
        WEB.or_pre_filing(),
        REGISTRANT_RECORDS,
        &[Reason::RegistrantRoleNarrowed, Reason::RegistrantMismatch],
    ),
    rule(
        RuleId::R59,
        WEB.or_pre_filing(),
        REGISTRANT_RECORDS,
        &[Reason::CertificateFormOld],
    ),
    rule(
        RuleId::R52,
        WEB.or_pre_filing(),
        REGISTRANT_RECORDS,
        &[Reason::SubjectNameChanged],
    ),
    rule(
        RuleId::R33,
        WEB.or_pre_filing(),
        &[RecordKind::Registration],
        &[Reason::RealNameUnverified, Reason::RealNameSyncing],
    ),
    rule(
        RuleId::R34,
        WEB.or_pre_filing(),
        &[RecordKind::Registration],
        &[Reason::DomainNotActive, Reason::DomainExpired],
    ),
    rule(
        RuleId::R35,
        NO_PRODUCT.or_pre_filing(),
        &[],
        &[Reason::TldNotApproved],
    ),
    rule(
        RuleId::R36,
        NO_PRODUCT.or_pre_filing(),
        &[RecordKind::Registration],
        &[Reason::RegistrarNotApproved],
    ),
    rule(
        RuleId::R37,
        WEB,
        &[RecordKind::Registration],
        &[Reason::TldNotApproved, Reason::RegistrarNotApproved],
    ),
    rule(
        RuleId::R46,
        WEB.or_pre_filing(),
        &[RecordKind::Service, RecordKind::Subject],
        &[Reason::SuffixNotForNature],
    ),
    rule(
        RuleId::R58,
        WEB,
        &[RecordKind::Service, RecordKind::Subject],
        &[Reason::ProvinceMismatch],
    ),
    rule(
        RuleId::R38,
        WEB.or_pre_filing(),
        &[
            RecordKind::Service,
            RecordKind::Subject,
            RecordKind::Approval,
        ],
        &[Reason::SectorApprovalMissing, Reason::SectorApprovalExpired],
    ),
    rule(
        RuleId::R57,
        WEB.or_pre_filing(),
        &[RecordKind::Service, RecordKind::Subject],
        &[Reason::ForumByIndividual],
    ),
    rule(
        RuleId::R39,
        WEB,
        &[
            RecordKind::Service,
            RecordKind::Subject,
            RecordKind::DisplayObservation,
        ],
        &[
            Reason::DisplayTakedown,
            Reason::DisplayMissing,
            Reason::DisplayWrongNumber,
            Reason::DisplaySubjectForm,
            Reason::DisplayNotLinked,
        ],
    ),
    rule(
        RuleId::R40,
        WEB,
        &[RecordKind::PublicSecurityFiling],
        &[Reason::PublicSecurityFilingDue],
    ),
];

const fn rule(
    id: RuleId,
    scope: Scope,
    reads: &'static [RecordKind],
    reasons: &'static [Reason],
) -> Rule {
    Rule {
        id,
        scope,
        fixed: false,
        reads,
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_has_the_order_of_the_identifiers() {
        let ids: Vec<RuleId> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids, RuleId::ALL);
    }

    #[test]
    fn every_reason_belongs_to_a_rule() {
        let found: BTreeSet<Reason> = RULES
            .iter()
            .flat_map(|rule| rule.reasons)
            .copied()
            .collect();
        let missing: Vec<&Reason> = Reason::ALL
            .iter()
            .filter(|reason| !found.contains(reason))
            .filter(|reason| !matches!(reason, Reason::FactsUnavailable | Reason::FactsStale))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
