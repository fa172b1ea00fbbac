//! Reading of what stands beside filings: licences, registrations, blocks, approvals,
//! public-security filings and what home pages show.

use icpgate_policy::codes::LicenceStatus;
use icpgate_policy::field::{FieldProblem, Shown};
use icpgate_policy::identity::{CertificateKind, Holder};
use icpgate_policy::numbers::{LicenceNumber, Mode, Number, PublicSecurityNumber};
use icpgate_policy::records::{
    Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Licence,
    PublicSecurityFiling, Registration, ShownNumber,
};

use super::{CODES_LIMIT, all, drop_repeats, texts};
use crate::intake::fields::{Path, Reading, TEXT_LIMIT, kind_of};
use crate::proto::v1;

const NUMBERS_LIMIT: usize = 100;

pub(super) fn licence(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Licence,
) -> Option<Licence> {
    let licence_number = reading.number(
        &at.field("licence_number"),
        &wire.licence_number,
        LicenceNumber::parse,
    );
    let holder = licence_holder(kind_of(wire.holder_certificate.as_ref()));
    let holder_name = reading.name_or_none(&at.field("holder_name"), &wire.holder_name, holder);
    let holder_certificate = reading.certificate(
        &at.field("holder_certificate"),
        wire.holder_certificate.as_ref(),
    );
    let businesses = reading
        .bounded(&at.field("businesses"), &wire.businesses, CODES_LIMIT)
        .and_then(|()| {
            all(&wire.businesses, |index, &number| {
                reading.code(&at.entry("businesses", index), number)
            })
        })
        .map(|mut businesses: Vec<_>| {
            drop_repeats(&mut businesses);
            businesses
        });
    let issued_on = reading.day(&at.field("issued_on"), &wire.issued_on);
    let expires_at = at.field("expires_on");
    let expires_on = reading.day(&expires_at, &wire.expires_on);
    let in_order = in_order(reading, &expires_at, "issued_on", issued_on, expires_on);
    let status = reading.code_or(&at.field("status"), wire.status, LicenceStatus::Active);
    in_order?;
    Some(Licence {
        licence_number: licence_number?,
        holder_name: holder_name?,
        holder_certificate: holder_certificate?,
        businesses: businesses?,
        issued_on: issued_on?,
        expires_on: expires_on?,
        status: status?,
    })
}

/// Licences are given to companies (State Council Decree 291, Art. 13), so that a document of
/// no known form is a company's too; only a document of a person says otherwise.
fn licence_holder(kind: Option<CertificateKind>) -> Holder {
    match kind {
        Some(
            CertificateKind::ForeignPermanentResident
            | CertificateKind::HkMacaoPermit
            | CertificateKind::Passport
            | CertificateKind::ResidentId
            | CertificateKind::TaiwanPermit,
        ) => Holder::Person,
        Some(
            CertificateKind::OrganisationCode
            | CertificateKind::Other
            | CertificateKind::UnifiedSocialCreditCode,
        )
        | None => Holder::Organisation,
    }
}

pub(super) fn registration(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Registration,
) -> Option<Registration> {
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let registrar = reading.text(&at.field("registrar"), &wire.registrar, TEXT_LIMIT);
    let redacted = wire
        .registrant
        .as_ref()
        .is_some_and(|registrant| registrant.redacted);
    // What a registry writes in place of a hidden name is no name.
    let registrant = wire
        .registrant
        .as_ref()
        .filter(|registrant| !registrant.redacted);
    let registrant_at = at.field("registrant");
    let (name, certificate) = match registrant {
        Some(registrant) => {
            let wire = registrant.certificate.as_ref();
            let holder = Holder::of(kind_of(wire));
            (
                reading.name_or_none(&registrant_at.field("name"), &registrant.name, holder),
                reading.certificate_or_none(&registrant_at.field("certificate"), wire),
            )
        }
        None => (Some(None), Some(None)),
    };
    let real_name = reading.code_or_none(&at.field("real_name"), wire.real_name);
    let verified_at = reading.instant(
        &at.field("real_name_verified_at"),
        wire.real_name_verified_at,
    );
    let statuses = statuses(reading, at, &wire.statuses);
    let expires_at = reading.instant(&at.field("expires_at"), wire.expires_at);
    Some(Registration {
        domain: domain?,
        registrar: registrar?.into(),
        registrar_approved: wire.registrar_approved,
        registrant_name: name?,
        registrant_certificate: certificate?,
        redacted,
        real_name: real_name?,
        real_name_verified_at: verified_at?,
        in_authority_library: wire.in_authority_library,
        statuses: statuses?,
        expires_at: expires_at?,
    })
}

/// EPP statuses in lower case, in any of the forms in which they are reported: `clientHold`
/// (RFC 5731), `clientHold https://icann.org/epp#clientHold` (whois), `client hold` (RFC 8056).
fn statuses(reading: &mut Reading<'_>, at: &Path<'_>, wire: &[String]) -> Option<Vec<Box<str>>> {
    let mut statuses = texts(reading, at, "statuses", wire)?;
    for status in &mut statuses {
        let words = status
            .split_whitespace()
            .filter(|word| !word.contains("://"));
        *status = words.collect::<String>().to_lowercase().into();
    }
    statuses.retain(|status| !status.is_empty());
    drop_repeats(&mut statuses);
    Some(statuses)
}

pub(super) fn block(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Block) -> Option<Block> {
    use v1::block::Target;
    let list = reading.code(&at.field("list"), wire.list);
    let target = match &wire.target {
        Some(Target::Domain(text)) => reading
            .domain(&at.field("domain"), text)
            .map(BlockTarget::Domain),
        Some(Target::Certificate(wire)) => reading
            .certificate(&at.field("certificate"), Some(wire))
            .map(BlockTarget::Certificate),
        None => {
            reading.refuse(
                &at.field("target"),
                FieldProblem::NoneOf {
                    fields: &["domain", "certificate"],
                },
            );
            None
        }
    };
    let reason = reading.text(&at.field("reason"), &wire.reason, TEXT_LIMIT);
    let since = reading.instant(&at.field("since"), wire.since);
    let until_at = at.field("until");
    let until = reading.instant(&until_at, wire.until);
    in_order(reading, &until_at, "since", since, until)?;
    Some(Block {
        list: list?,
        target: target?,
        reason: reason?.into(),
        since: since?,
        until: until?,
    })
}

pub(super) fn approval(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Approval,
) -> Option<Approval> {
    use v1::approval::Holder as Wire;
    let sector = reading.code(&at.field("sector"), wire.sector);
    let approval_number = reading.key(
        &at.field("approval_number"),
        &wire.approval_number,
        TEXT_LIMIT,
    );
    let holder = match &wire.holder {
        Some(Wire::HolderCertificate(wire)) => reading
            .certificate(&at.field("holder_certificate"), Some(wire))
            .map(ApprovalHolder::Certificate),
        Some(Wire::Domain(text)) => reading
            .domain(&at.field("domain"), text)
            .map(ApprovalHolder::Domain),
        None => {
            reading.refuse(
                &at.field("holder"),
                FieldProblem::NoneOf {
                    fields: &["holder_certificate", "domain"],
                },
            );
            None
        }
    };
    let expires_on = reading.day(&at.field("expires_on"), &wire.expires_on);
    Some(Approval {
        sector: sector?,
        approval_number: approval_number?,
        holder: holder?,
        expires_on: expires_on?,
    })
}

pub(super) fn public_security_filing(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::PublicSecurityFiling,
) -> Option<PublicSecurityFiling> {
    let number = reading.number(
        &at.field("number"),
        &wire.number,
        PublicSecurityNumber::parse,
    );
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let filed_on = reading.day(&at.field("filed_on"), &wire.filed_on);
    Some(PublicSecurityFiling {
        number: number?,
        domain: domain?,
        filed_on: filed_on?,
    })
}

pub(super) fn display_observation(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::DisplayObservation,
) -> Option<DisplayObservation> {
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let year = reading.year;
    let numbers = reading
        .bounded(&at.field("numbers"), &wire.numbers, NUMBERS_LIMIT)
        .map(|()| {
            let given = wire.numbers.iter().filter(|text| !text.trim().is_empty());
            given.map(|text| shown_number(text, year)).collect()
        });
    Some(DisplayObservation {
        domain: domain?,
        numbers: numbers?,
        linked: wire.linked,
        takedown: wire.takedown,
    })
}

/// A number as a page shows it; never refused, for what a page shows is a fact.
fn shown_number(text: &str, year: i16) -> ShownNumber {
    let number = Number::parse(text, Mode::Display, year)
        .ok()
        .map(|parsed| parsed.number);
    let subject_or_service = number.and_then(|number| match number.service() {
        Some(service) => Some(ShownNumber::Service(service)),
        None => number.subject().map(ShownNumber::Subject),
    });
    subject_or_service.unwrap_or_else(|| ShownNumber::Unreadable(Shown::new(text).as_str().into()))
}

/// Refuses an end before its start.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the field was refused"
)]
fn in_order<T: Ord>(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    start_field: &'static str,
    start: Option<Option<T>>,
    end: Option<Option<T>>,
) -> Option<()> {
    if let (Some(Some(start)), Some(Some(end))) = (start, end)
        && end < start
    {
        reading.refuse(at, FieldProblem::EndBeforeStart { start: start_field });
        return None;
    }
    Some(())
}
