//! The number that the customer claims: its form (R17), and whether it is the record's (R16).

use jiff::civil::Date;

use super::blocks::is_same;
use super::case::{Case, place};
use super::coverage::{Coverage, FilingState};
use super::{RuleId, Sheet};
use crate::calendar;
use crate::codes::{Reason, RecordKind};
use crate::decision::{Detail, Evidence, FactSet};
use crate::numbers::{LicenceNumber, Number};

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let Some(claimed) = &case.request.claimed else {
        return;
    };
    if case.pre_filing() || !sheet.applies(RuleId::R17) {
        return;
    }
    let number = match claimed {
        Ok(Number::PublicSecurity(_)) | Err(_) => {
            let detail = Detail::Malformed;
            return sheet.fire(RuleId::R17, Reason::FilingNumberInvalid, detail, &[]);
        }
        Ok(number) => number,
    };
    if year_ahead(number, sheet) {
        let detail = Detail::YearAhead;
        return sheet.fire(RuleId::R17, Reason::FilingNumberInvalid, detail, &[]);
    }
    sheet.pass(RuleId::R17, &[]);
    let recorded = case.mini_program.as_ref().unwrap_or(&case.filing);
    if !on_record(recorded) {
        return;
    }
    // A mini program's backend is covered by two filings, and either number is right.
    let also = case.mini_program.is_some() && right(&case.filing, number);
    if also || right(recorded, number) {
        return sheet.pass(RuleId::R16, &recorded.evidence());
    }
    compare(case, recorded, number, sheet);
}

fn compare(case: &Case<'_>, recorded: &Coverage<'_>, number: &Number, sheet: &mut Sheet<'_>) {
    let (Some(service), Some(subject)) = (recorded.service, recorded.subject) else {
        return;
    };
    let own = service.fact.value.service_number;
    let evidence = recorded.evidence();
    if number.subject() == Some(own.subject()) {
        let (reason, detail) = match number.service() {
            None => (Reason::FilingNumberForm, Detail::None),
            Some(other) if other.letter() == own.letter() => {
                (Reason::FilingNumberForm, Detail::OtherService)
            }
            Some(_) => (Reason::FilingNumberMismatch, Detail::OtherServiceKind),
        };
        return sheet.fire(RuleId::R16, reason, detail, &evidence);
    }
    if let Number::Licence(licence) = number {
        let certificate = &subject.fact.value.certificate;
        let held = case.facts.name.licences.iter().position(|fact| {
            fact.value.licence_number == *licence
                && is_same(&fact.value.holder_certificate, certificate)
        });
        if let Some(index) = held {
            let licence = licence_evidence(index);
            let mut evidence = evidence;
            let _ = evidence.try_push(licence);
            return sheet.fire(
                RuleId::R16,
                Reason::FilingNumberForm,
                Detail::None,
                &evidence,
            );
        }
        let missing = case.facts.name.entitlement.missing(RecordKind::Licence);
        if let Err(why) = sheet.absent(missing) {
            return sheet.unknown(RuleId::R16, RecordKind::Licence, why);
        }
    }
    sheet.fire(
        RuleId::R16,
        Reason::FilingNumberMismatch,
        Detail::OtherSubject,
        &evidence,
    );
}

fn on_record(coverage: &Coverage<'_>) -> bool {
    coverage.standing() || coverage.state == FilingState::Cancelled
}

fn right(coverage: &Coverage<'_>, number: &Number) -> bool {
    let recorded = coverage.service.filter(|_| on_record(coverage));
    recorded.is_some_and(|service| number.service() == Some(service.fact.value.service_number))
}

/// Whether the number was issued for a year that has not begun in Beijing.
fn year_ahead(number: &Number, sheet: &mut Sheet<'_>) -> bool {
    let year = match number {
        Number::Filing(filing) => filing.subject().year(),
        Number::Licence(licence) => Some(LicenceNumber::year(licence)),
        Number::PublicSecurity(_) => None,
    };
    let begins = year.and_then(|year| Date::new(year, 1, 1).ok());
    begins.is_some_and(|day| !sheet.reached(calendar::start_of(day)))
}

fn licence_evidence(index: usize) -> Evidence {
    Evidence {
        set: FactSet::Name,
        kind: RecordKind::Licence,
        index: place(index),
    }
}
