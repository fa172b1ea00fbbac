//! What to do about a finding, in English.

use crate::codes::{BlockList, Outcome, Product, Purpose, Reason};
use crate::decision::{Detail, FactSet, Finding};
use crate::domain_name::{Host, HostError};
use crate::explain::{Explained, Language, Text, details, names};
use crate::rules::RuleId;

const LANGUAGE: Language = Language::English;

/// What to do about a finding with a reason.
#[expect(clippy::too_many_lines, reason = "one arm for each reason")]
pub(in crate::explain) fn remediation(
    ctx: &Explained<'_>,
    finding: &Finding,
    reason: Reason,
) -> Text {
    match reason {
        Reason::DomainBlacklisted | Reason::SubjectBlacklisted => {
            match details::block_list(ctx, finding) {
                Some(BlockList::Provider) => "Do not provision, and hand the case to whoever \
                    keeps this provider's list. Neither policy nor review overrides a block."
                    .into(),
                Some(BlockList::Authority) | None => "Do not provision. Only the communications \
                    administration can lift the block; neither policy nor review overrides it."
                    .into(),
            }
        }
        Reason::DomainInvalid => invalid(ctx, finding),
        Reason::CustomerNotVerified => "Have the customer verify its real name on the account, \
            then ask again with `real_name` VERIFIED."
            .into(),
        Reason::DomainControlNotProven => "Have the customer prove control of the domain by a TXT \
            record or a file on the site, then ask again with `domain_control` PROVEN."
            .into(),
        Reason::FilingAccessRestricted => "Have the filing subject settle the restriction with \
            the communications administration of its province; provision once the record no \
            longer carries it."
            .into(),
        Reason::FilingNotFound => not_found(ctx),
        Reason::FilingCancelled => match ctx.request.profile.product {
            Product::AppBackend => "Have the app filed anew; a filing of an app cannot be \
                transferred to another subject."
                .into(),
            Product::MiniProgramBackend if finding.rule == RuleId::R43 => {
                "Have the mini program filed anew on its platform.".into()
            }
            Product::Cdn
            | Product::Hosting
            | Product::ReverseProxy
            | Product::MiniProgramBackend
            | Product::DnsOnly => "Have the domain filed anew through an access provider; the \
                cancelled number cannot be used again."
                .into(),
        },
        Reason::FilingSuspended => "Have the filing subject clear the matter with the \
            communications administration of its province, and ask again once the filing is in \
            force."
            .into(),
        Reason::FilingInProgress => "Wait for the filing number, and keep the domain from \
            resolving to mainland addresses until then. Ask again once the filing is approved."
            .into(),
        Reason::FiledByAnotherSubject => {
            if finding.detail == Detail::NoApplicant {
                "Name the applicant in the request. If it is not the subject of the filing, that \
                 subject must cancel its filing first."
                    .into()
            } else {
                "Have the present subject cancel its filing of the domain, or, if it cannot be \
                 reached, apply to its communications administration; then file anew."
                    .into()
            }
        }
        Reason::AppNotFiled => "Have the app filed, with this very domain in its list; an app \
            filing covers exact names only."
            .into(),
        Reason::MiniProgramNotFiled => "Have the mini program filed on its platform, with this \
            domain or one above it in its list."
            .into(),
        Reason::AccessNotLinked => "Have the customer apply for an access filing (新增接入) with \
            this provider. The filing number stays, and other providers are not affected."
            .into(),
        Reason::OriginNotFiled => "Have the origin's domain filed, or use an origin under a filed \
            domain. If it stands outside mainland China, ask again with `origin_in_mainland` \
            false."
            .into(),
        Reason::HostHeaderNotFiled => {
            "Have the domain of the host header filed, or set a host header under a filed domain."
                .into()
        }
        Reason::RegistrantMismatch => mismatch(ctx, finding),
        Reason::RegistrantVariant => "Ask for the certificate of the domain and that of the \
            registrant, and judge whether both are of one holder."
            .into(),
        Reason::RegistrantUnknown => {
            "Ask for the certificate of the domain, and judge who the registrant is.".into()
        }
        Reason::RealNameUnverified => {
            "Have the registrant verify its real name with the registrar, then ask again.".into()
        }
        Reason::RealNameSyncing => match ctx.decision.retry_after {
            Some(at) => format!(
                "Hold the order and ask again on {} (Beijing time); the transfer takes some \
                 working days.",
                crate::calendar::beijing_day(at)
            )
            .into(),
            None => "Hold the order and ask again on the next working day; the transfer takes \
                some working days."
                .into(),
        },
        Reason::DomainExpired => "Have the registrant renew the domain, then ask again.".into(),
        Reason::DomainNotActive => "Have the registrant settle the matter with the registrar \
            until the status is gone, then ask again."
            .into(),
        Reason::CommercialByIndividual => "Take the payments off the site, or have it filed by a \
            company that holds a telecom business licence; persons cannot hold one."
            .into(),
        Reason::CommercialByRepresentativeOffice => "Take the payments off the site, or have it \
            filed by a company that holds a telecom business licence; representative offices \
            cannot hold one."
            .into(),
        Reason::CommercialLicenceRevoked
        | Reason::CommercialLicenceSuspended
        | Reason::CommercialLicenceExpired => "Take the payments off the site until the filing \
            subject again holds a licence in force, and have the new one reported to the registry."
            .into(),
        Reason::CommercialLicenceHolderMismatch => {
            let share = details::percent(ctx.policy.licence.parent_share_basis_points);
            if finding.outcome == Outcome::Review {
                format!(
                    "Ask for the parent's authorisation to use its licence, and check that the \
                     parent holds at least {share} % of the filing subject."
                )
                .into()
            } else {
                format!(
                    "Have the filing subject obtain a licence of its own. A parent's licence is \
                     considered only from a share of {share} % on."
                )
                .into()
            }
        }
        Reason::CommercialLicenceMissing => "Have the filing subject obtain a telecom business \
            licence (增值电信业务经营许可证), or take the payments off the site."
            .into(),
        Reason::CommercialLicenceKindMissing => "Have the filing subject extend its licence to \
            this business, or correct the declared business model."
            .into(),
        Reason::CommercialLicenceKindUnknown => {
            "Ask for the licence with its list of businesses, and have it reported to the registry."
                .into()
        }
        Reason::CommercialModelUnknown => {
            "Ask the customer how the site earns, and ask again with `business_model` set.".into()
        }
        Reason::FilingNumberInvalid => match details::claimed_error(ctx) {
            Some((_, Some(suggestion))) => format!(
                "Have the customer check whether `{suggestion}` was meant, and ask again with the \
                 number as the filing system shows it."
            )
            .into(),
            Some((_, None)) | None => "Have the customer copy the number from the ministry's \
                filing system, and ask again."
                .into(),
        },
        Reason::FilingNumberMismatch => "Have the customer look up the number of this domain in \
            the ministry's filing system, and ask again with that number."
            .into(),
        Reason::FilingNumberForm => match details::service(ctx, finding) {
            Some(service) => {
                let number = service.service_number.as_str();
                format!("Note and show the number `{number}` for this domain.").into()
            }
            None => "Note and show the number of the service that covers this domain.".into(),
        },
        Reason::SectorApprovalMissing | Reason::SectorApprovalExpired => {
            let approval = details::sector(ctx, finding)
                .map_or("the approval", |sector| names::approval(sector, LANGUAGE));
            if finding.outcome == Outcome::Review {
                format!("Ask for proof, and judge it: {approval}.").into()
            } else {
                format!("Have this approval reported to the registry, then ask again: {approval}.")
                    .into()
            }
        }
        Reason::ForumByIndividual => {
            "Take the forum off the site, or have the site filed by an organisation.".into()
        }
        Reason::TldNotApproved => {
            if ctx.pre_filing() {
                "File another domain; https://domain.miit.gov.cn shows what is approved.".into()
            } else {
                "Tell the customer that the filing stands, and that a change of it may be refused."
                    .into()
            }
        }
        Reason::RegistrarNotApproved => {
            if ctx.pre_filing() {
                "Have the domain transferred to a registrar that https://domain.miit.gov.cn shows \
                 as approved, then file."
                    .into()
            } else {
                "Advise the customer to transfer the domain to an approved registrar; a periodic \
                 check of the filing may demand it."
                    .into()
            }
        }
        Reason::SuffixNotForNature => suffix(ctx, finding),
        Reason::DisplayTakedown => "Have the customer show the right number at the bottom of the \
            home page with a link to https://beian.miit.gov.cn, and have the mend confirmed."
            .into(),
        Reason::FactsUnavailable | Reason::FactsStale => unknown(ctx, finding),
        Reason::BareIp => "Establish whether a public site runs on the address; such a site is \
            filed like any other. Prefer a filed domain."
            .into(),
        Reason::FilingVariantOnly => "Establish whether the registry gives both names to one \
            registrant and the filing is meant to cover both; else have this name filed."
            .into(),
        Reason::FilingKindMismatch => "Establish what the domain serves. A backend of the app may \
            be provisioned as such; a website needs a website filing."
            .into(),
        Reason::AccessLinkGrace => "Have the access filing with this provider completed.".into(),
        Reason::EmptyShellRisk => {
            "Have the customer file access to the site with a provider that serves it.".into()
        }
        Reason::CommercialLicenceExpiring => "Have the licence holder apply for renewal, and have \
            the renewed licence reported to the registry."
            .into(),
        Reason::DisplayBusinessLicence => {
            "Have the customer show its business licence on the home page.".into()
        }
        Reason::RegistrantRoleNarrowed => match details::narrowed(ctx, finding) {
            Some(roles) => format!(
                "Advise the customer to have the domain registered to {}.",
                names::accepted(roles, LANGUAGE)
            )
            .into(),
            None => "Advise the customer to have the domain registered to the organisation itself."
                .into(),
        },
        Reason::CertificateFormOld => "Have the registrant renew its verification at the \
            registrar with the certificate in force."
            .into(),
        Reason::SubjectNameChanged => {
            "Have the customer file a change, so that the filing shows the present name.".into()
        }
        Reason::ProvinceMismatch => "Have the customer check its seat; after a move, the filing \
            is moved to the communications administration of the new province."
            .into(),
        Reason::DisplayMissing
        | Reason::DisplayWrongNumber
        | Reason::DisplaySubjectForm
        | Reason::DisplayNotLinked => match details::number_to_show(ctx) {
            Some(number) => format!(
                "Have the customer show `{number}` at the bottom of the home page, linked to \
                 https://beian.miit.gov.cn."
            )
            .into(),
            None => "Have the customer show the filing number at the bottom of the home page, \
                linked to https://beian.miit.gov.cn."
                .into(),
        },
        Reason::PublicSecurityFilingDue => "Have the customer file the site with the public \
            security organs at https://beian.mps.gov.cn."
            .into(),
    }
}

fn invalid(ctx: &Explained<'_>, finding: &Finding) -> Text {
    match (details::host(ctx, finding), details::part(finding)) {
        (
            Some(Err(HostError::NotBare {
                host: Some(host), ..
            })),
            _,
        ) => format!("Ask again with `{host}`.").into(),
        (Some(Ok(Host::Ip(_))), FactSet::Name) => match ctx.request.profile.product {
            Product::Hosting | Product::ReverseProxy => {
                "Ask again with a filed host name, or with the public address of the site.".into()
            }
            Product::Cdn | Product::AppBackend | Product::MiniProgramBackend | Product::DnsOnly => {
                "Ask again with a host name.".into()
            }
        },
        (_, FactSet::Name | FactSet::Applicant) => {
            "Correct the name with the customer and ask again.".into()
        }
        (_, FactSet::Origin) => "Correct the origin with the customer and ask again.".into(),
        (_, FactSet::HostHeader) => {
            "Correct the host header with the customer and ask again.".into()
        }
    }
}

fn not_found(ctx: &Explained<'_>) -> Text {
    match ctx.request.profile.purpose {
        Purpose::Recheck => format!(
            "Do not take the domain out of service yet: ask again after {}, and act only if the \
             filing is missing then too. Have the customer file the domain, or move it to service \
             area OUTSIDE_MAINLAND, which needs no filing.",
            details::span(ctx.policy.retry.recheck_confirmation, LANGUAGE)
        )
        .into(),
        Purpose::Order | Purpose::Activation | Purpose::PreFiling => {
            "Have the customer file the domain through an access provider. A filing approved \
             within the last hours shows with a delay; ask again later. Service area \
             OUTSIDE_MAINLAND needs no filing."
                .into()
        }
    }
}

fn mismatch(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if finding.rule == RuleId::R29 {
        return "Have the domain transferred to the person who files, or filed by its registrant; \
            after a transfer the former filing is cancelled first."
            .into();
    }
    let narrowed = details::narrowed(ctx, finding).filter(|_| finding.rule == RuleId::R30);
    let roles = narrowed.unwrap_or(&ctx.policy.accepted_roles);
    format!(
        "Have the domain transferred, or filed by its registrant. Accepted as registrant: {}.",
        names::accepted(roles, LANGUAGE)
    )
    .into()
}

fn suffix(ctx: &Explained<'_>, finding: &Finding) -> Text {
    let suffixes = details::nature(ctx, finding)
        .map(|nature| details::suffixes_for(ctx, nature).join(", "))
        .filter(|suffixes| !suffixes.is_empty())
        .map_or(String::new(), |suffixes| format!(" (`{suffixes}`)"));
    if ctx.pre_filing() {
        format!("File a domain under a suffix meant for the applicant{suffixes}.").into()
    } else {
        format!(
            "Tell the customer that the filing stands, and advise it to move to a suffix meant \
             for it{suffixes}."
        )
        .into()
    }
}

fn unknown(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if ctx.request.profile.purpose == Purpose::Recheck {
        return "Leave the domain in service, and ask again at `retry_after`.".into();
    }
    match details::to_bring_in(finding) {
        Some(kind) => format!(
            "Hold the order and ask again at `retry_after`; have the operator bring in {} anew. \
             This is no denial.",
            names::records(kind, LANGUAGE)
        )
        .into(),
        None => "Hold the order and ask again at `retry_after`; this is no denial.".into(),
    }
}
