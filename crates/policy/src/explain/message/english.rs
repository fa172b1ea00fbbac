//! What was found, in English.

use crate::codes::{BlockList, Product, Reason};
use crate::decision::{Detail, FactSet, Finding};
use crate::domain_name::Host;
use crate::explain::{Explained, Language, Text, details, domain_name, names, numbers};
use crate::facts::Why;
use crate::numbers::Number;
use crate::rules::RuleId;

const LANGUAGE: Language = Language::English;

/// What a finding with a reason has found.
#[expect(clippy::too_many_lines, reason = "one arm for each reason")]
pub(in crate::explain) fn message(ctx: &Explained<'_>, finding: &Finding, reason: Reason) -> Text {
    match reason {
        Reason::DomainBlacklisted => match details::block_list(ctx, finding) {
            Some(BlockList::Provider) => {
                "The domain, or a name above it, is on this provider's block list.".into()
            }
            Some(BlockList::Authority) => {
                "The domain, or a name above it, is on the authority's block list.".into()
            }
            None => "The domain, or a name above it, is on a block list.".into(),
        },
        Reason::SubjectBlacklisted => match (details::block_list(ctx, finding), ctx.pre_filing()) {
            (Some(BlockList::Provider), false) => {
                "The filing subject is on this provider's block list.".into()
            }
            (Some(BlockList::Provider), true) => {
                "The applicant is on this provider's block list.".into()
            }
            (Some(BlockList::Authority), false) => {
                "The filing subject is on the authority's block list.".into()
            }
            (Some(BlockList::Authority), true) => {
                "The applicant is on the authority's block list.".into()
            }
            (None, false) => "The filing subject is on a block list.".into(),
            (None, true) => "The applicant is on a block list.".into(),
        },
        Reason::DomainInvalid => invalid(ctx, finding),
        Reason::CustomerNotVerified => {
            if finding.detail == Detail::Undeclared {
                "It was not declared whether the customer's real name is verified.".into()
            } else {
                "The customer's real name is not verified.".into()
            }
        }
        Reason::DomainControlNotProven => {
            if finding.detail == Detail::Undeclared {
                "It was not declared whether the customer controls the domain.".into()
            } else {
                "The customer has not proven control of the domain.".into()
            }
        }
        Reason::FilingNumberInvalid => malformed(ctx, finding),
        Reason::FilingNumberMismatch => {
            if finding.detail == Detail::OtherServiceKind {
                "The claimed number is of the right subject, but of a service of another kind."
                    .into()
            } else {
                "The claimed number is not that of the filing which covers the domain.".into()
            }
        }
        Reason::FilingNumberForm => {
            if finding.detail == Detail::OtherService {
                "The claimed number is of the right subject, but of another service of it.".into()
            } else {
                "The claimed number is of the right subject, but not the number of the service."
                    .into()
            }
        }
        Reason::FilingAccessRestricted => {
            "The filing carries the authority's access restriction (限制接入).".into()
        }
        Reason::FilingNotFound => "No website filing covers the domain.".into(),
        Reason::FilingCancelled if finding.detail == Detail::WholeSubject => {
            "The filing subject has been cancelled, and every filing under it with it.".into()
        }
        Reason::FilingCancelled => match ctx.request.profile.product {
            Product::AppBackend => "The app's filing has been cancelled.".into(),
            Product::MiniProgramBackend if finding.rule == RuleId::R43 => {
                "The mini program's filing has been cancelled.".into()
            }
            Product::Cdn
            | Product::Hosting
            | Product::ReverseProxy
            | Product::MiniProgramBackend
            | Product::DnsOnly => "The website filing of the domain has been cancelled.".into(),
        },
        Reason::FilingSuspended => {
            if finding.detail == Detail::WholeSubject {
                "The authority has suspended the filing subject with all its filings.".into()
            } else {
                "The authority has suspended the filing.".into()
            }
        }
        Reason::FilingInProgress => {
            "A filing of the domain is under review; there is no filing number yet.".into()
        }
        Reason::FiledByAnotherSubject => {
            if finding.detail == Detail::NoApplicant {
                "The domain is filed already, and no applicant was named.".into()
            } else {
                "The domain is filed already, by a subject other than the applicant.".into()
            }
        }
        Reason::AppNotFiled => {
            "No app filing lists this domain; a website filing does not stand in for it.".into()
        }
        Reason::MiniProgramNotFiled => "No mini-program filing covers this domain.".into(),
        Reason::AccessNotLinked => {
            "The domain is filed, but this provider is not an access provider of the filing.".into()
        }
        Reason::OriginNotFiled => match &ctx.request.profile.origin_host {
            Some(origin) => {
                format!("The origin `{origin}` is not covered by a website filing in force.").into()
            }
            None => "The origin is not covered by a website filing in force.".into(),
        },
        Reason::HostHeaderNotFiled => match &ctx.request.profile.host_header {
            Some(host) => {
                format!("The host header `{host}` is not covered by a website filing in force.")
                    .into()
            }
            None => "The host header is not covered by a website filing in force.".into(),
        },
        Reason::RegistrantMismatch => mismatch(finding),
        Reason::RegistrantVariant => variant(finding),
        Reason::RegistrantUnknown => unknown_registrant(finding),
        Reason::RegistrantRoleNarrowed => match details::province(ctx, finding) {
            Some(province) => format!(
                "The registrant's role in the organisation is accepted nationwide, but not for \
                 new filings in {}.",
                numbers::province_name(province, LANGUAGE)
            )
            .into(),
            None => "The registrant's role in the organisation is accepted nationwide, but not \
                by the province."
                .into(),
        },
        Reason::CertificateFormOld => "The registrant was matched through a superseded \
            certificate: an organisation code or an identity number of 15 digits."
            .into(),
        Reason::SubjectNameChanged => "The filing subject and the registrant have one certificate \
            and different names."
            .into(),
        Reason::RealNameUnverified => {
            "The registry reports the registrant's real name as unverified.".into()
        }
        Reason::RealNameSyncing => "The registrant's real name is verified, but has not reached \
            the authority's library yet."
            .into(),
        Reason::DomainExpired => {
            match details::registration(ctx, finding).and_then(|value| value.expires_at) {
                Some(at) => format!(
                    "The registration of the domain ended on {} (Beijing time).",
                    crate::calendar::beijing_day(at)
                )
                .into(),
                None => "The registration of the domain has ended.".into(),
            }
        }
        Reason::DomainNotActive => match details::blocking_statuses(ctx, finding).join(", ") {
            statuses if statuses.is_empty() => "The domain is on hold at its registry.".into(),
            statuses => format!("The domain cannot serve; its registry shows: {statuses}.").into(),
        },
        Reason::CommercialByIndividual => {
            "The site takes payments, and its filing subject is a natural person.".into()
        }
        Reason::CommercialByRepresentativeOffice => {
            "The site takes payments, and its filing subject is a representative office.".into()
        }
        Reason::CommercialLicenceRevoked => format!(
            "The telecom business licence {} is revoked.",
            number(ctx, finding)
        )
        .into(),
        Reason::CommercialLicenceSuspended => format!(
            "The telecom business licence {} is suspended.",
            number(ctx, finding)
        )
        .into(),
        Reason::CommercialLicenceExpired => format!(
            "The telecom business licence {} ended{}.",
            number(ctx, finding),
            last_day(ctx, finding)
        )
        .into(),
        Reason::CommercialLicenceExpiring => format!(
            "The telecom business licence {} ends{}.",
            number(ctx, finding),
            last_day(ctx, finding)
        )
        .into(),
        Reason::CommercialLicenceHolderMismatch => "The filing subject has no telecom business \
            licence of its own; a parent company holds one."
            .into(),
        Reason::CommercialLicenceMissing => match details::business(finding) {
            Some(business) => format!(
                "The site takes payments, and its filing subject has no telecom business licence; \
                 its business model needs {}.",
                names::business(business, LANGUAGE)
            )
            .into(),
            None => "The site takes payments, and its filing subject has no telecom business \
                licence."
                .into(),
        },
        Reason::CommercialLicenceKindMissing => format!(
            "The telecom business licence {} does not cover {}, which the declared business model \
             needs.",
            number(ctx, finding),
            business(finding)
        )
        .into(),
        Reason::CommercialLicenceKindUnknown => format!(
            "There is a telecom business licence, but it is not on record whether it covers {}, \
             which the declared business model needs.",
            business(finding)
        )
        .into(),
        Reason::CommercialModelUnknown => {
            "The site takes payments, and its business model is not declared.".into()
        }
        Reason::DisplayBusinessLicence => "The site is a self-operated shop: it needs no telecom \
            business licence, but shows the business licence of the company."
            .into(),
        Reason::SectorApprovalMissing => match details::sector(ctx, finding) {
            Some(sector) => format!(
                "No approval for the sector {} is on record.",
                names::sector(sector, LANGUAGE)
            )
            .into(),
            None => "An approval for a sector is not on record.".into(),
        },
        Reason::SectorApprovalExpired => match details::approval(ctx, finding) {
            Some(approval) => {
                let ended = approval
                    .expires_on
                    .map_or(String::new(), |day| format!(" on {day}"));
                format!(
                    "The approval for the sector {}, number `{}`, ended{ended}.",
                    names::sector(approval.sector, LANGUAGE),
                    approval.approval_number
                )
                .into()
            }
            None => "The approval for a sector has ended.".into(),
        },
        Reason::ForumByIndividual => {
            "The site has a forum, and whoever files is a natural person.".into()
        }
        Reason::TldNotApproved => format!(
            "The top-level domain `.{}` is not among those approved for new filings.",
            details::top_level_domain(ctx)
        )
        .into(),
        Reason::RegistrarNotApproved => {
            "The registrar of the domain is not approved by the ministry.".into()
        }
        Reason::SuffixNotForNature => match details::nature(ctx, finding) {
            Some(nature) => format!(
                "The suffix of the domain is not meant for {}.",
                names::nature(nature, LANGUAGE)
            )
            .into(),
            None => "The suffix of the domain is not meant for the body that files.".into(),
        },
        Reason::ProvinceMismatch => province(ctx, finding),
        Reason::DisplayTakedown => "The site was taken down because of the filing number on its \
            home page, and nobody has confirmed the mend."
            .into(),
        Reason::DisplayMissing => "The home page shows no filing number.".into(),
        Reason::DisplayWrongNumber => "The home page shows another filing number.".into(),
        Reason::DisplaySubjectForm => {
            "The home page shows the subject number in place of the site's number.".into()
        }
        Reason::DisplayNotLinked => {
            "The filing number on the home page does not link to the authority's site.".into()
        }
        Reason::FactsUnavailable | Reason::FactsStale => unknown(finding),
        Reason::BareIp => "A site is to be served on a bare IP address.".into(),
        Reason::FilingVariantOnly => "Not the name itself is filed, only its twin in simplified \
            or traditional characters."
            .into(),
        Reason::FilingKindMismatch => {
            "Only the filing of an app, mini program or quick app names the domain; there is no \
             website filing."
                .into()
        }
        Reason::AccessLinkGrace => "This provider's first review of the access filing has passed, \
            but the filing is not linked yet."
            .into(),
        Reason::EmptyShellRisk => {
            "No access provider is left on the filing; the authority cancels such filings.".into()
        }
        Reason::PublicSecurityFilingDue => "The site is live, and no filing with the public \
            security organs is on record."
            .into(),
    }
}

fn invalid(ctx: &Explained<'_>, finding: &Finding) -> Text {
    let what = match details::part(finding) {
        FactSet::Name | FactSet::Applicant => "domain",
        FactSet::Origin => "origin",
        FactSet::HostHeader => "host header",
    };
    match details::host(ctx, finding) {
        Some(Err(error)) => format!(
            "The {what} is not a host name: {}.",
            domain_name::host_error(error, LANGUAGE)
        )
        .into(),
        Some(Ok(Host::Ip(_))) => match ctx.request.profile.product {
            Product::Hosting | Product::ReverseProxy => "The IP address is private, local or \
                reserved; no site on it can be reached from outside."
                .into(),
            Product::Cdn | Product::AppBackend | Product::MiniProgramBackend | Product::DnsOnly => {
                "An IP address was given, and this product is provisioned by host name.".into()
            }
        },
        Some(Ok(Host::Name(_))) | None => format!("The {what} is not a host name.").into(),
    }
}

fn malformed(ctx: &Explained<'_>, finding: &Finding) -> Text {
    if finding.detail == Detail::YearAhead {
        return "The claimed number holds a year that has not begun in Beijing.".into();
    }
    match (&ctx.request.claimed, details::claimed_error(ctx)) {
        (_, Some((error, _))) => format!(
            "The claimed number is not well formed: {}.",
            numbers::number_error(&error, LANGUAGE)
        )
        .into(),
        (Some(Ok(Number::PublicSecurity(_))), None) => {
            "The claimed number is of a public-security filing, not of an ICP filing.".into()
        }
        (_, None) => "The claimed number is not well formed.".into(),
    }
}

fn mismatch(finding: &Finding) -> Text {
    if finding.rule == RuleId::R30 {
        "The registrant's role in the organisation is not one that the province accepts for a new \
         filing."
            .into()
    } else if finding.rule == RuleId::R29 {
        "The domain is not registered to the person who files.".into()
    } else {
        "The domain is registered neither to the organisation that files nor to anyone with an \
         accepted role in it."
            .into()
    }
}

fn variant(finding: &Finding) -> Text {
    if finding.detail == Detail::NameAlone {
        "The registrant has the name of an accepted person, and no certificate shows that it is \
         the same person."
            .into()
    } else if finding.detail == Detail::OtherPassport {
        "The registrant has the name of an accepted person and a passport of another number; \
         passports change their number on renewal."
            .into()
    } else {
        "The registrant's name equals an accepted one only after simplified and traditional \
         characters are taken for one."
            .into()
    }
}

fn unknown_registrant(finding: &Finding) -> Text {
    if finding.detail == Detail::NameAlone {
        "Of the registrant only a certificate is on record, and it can be compared with nobody's."
            .into()
    } else if details::rests_on_registration(finding) {
        "The registrant of the domain is hidden or not reported.".into()
    } else {
        "No registration of the domain is on record.".into()
    }
}

fn number(ctx: &Explained<'_>, finding: &Finding) -> String {
    details::licence(ctx, finding).map_or("of the filing subject".to_owned(), |licence| {
        format!("`{}`", licence.licence_number.as_str())
    })
}

fn last_day(ctx: &Explained<'_>, finding: &Finding) -> String {
    details::licence(ctx, finding)
        .and_then(|licence| licence.expires_on)
        .map_or(String::new(), |day| format!(" on {day}"))
}

fn business(finding: &Finding) -> &'static str {
    details::business(finding).map_or("the business", |business| {
        names::business(business, LANGUAGE)
    })
}

fn province(ctx: &Explained<'_>, finding: &Finding) -> Text {
    let number = details::province(ctx, finding);
    let certificate = details::subject(ctx, finding)
        .and_then(|subject| subject.certificate.province)
        .and_then(crate::numbers::Province::from_code);
    match number.zip(certificate) {
        Some((number, certificate)) => format!(
            "The filing number is of {}, and the division in the subject's credit code is in {}.",
            numbers::province_name(number, LANGUAGE),
            numbers::province_name(certificate, LANGUAGE)
        )
        .into(),
        None => "The filing number and the subject's credit code name different provinces.".into(),
    }
}

fn unknown(finding: &Finding) -> Text {
    let Detail::Unknown(kind, why) = finding.detail else {
        return "A record that the rule needs could not be had.".into();
    };
    let kind = names::records(kind, LANGUAGE);
    match why {
        Why::StoreUnavailable => {
            format!("The registry did not answer when asked for {kind}.").into()
        }
        Why::NotComplete => format!(
            "The registry has none, but is not declared complete for {kind}, so that a missing \
             record proves nothing."
        )
        .into(),
        Why::SyncTooOld => format!(
            "The registry has none, but its last complete import of {kind} is too old or never \
             happened, so that a missing record proves nothing."
        )
        .into(),
        Why::Stale => format!(
            "The registry does not answer, and what is held of {kind} is older than this question \
             allows."
        )
        .into(),
    }
}
