//! The question of a case.

use super::CaseProblem;
use super::fields::Fields;
use super::records::{certificate, holder_of, name, person, subject_number};
use crate::codes::{
    BusinessModel, DomainControl, Product, Purpose, RealName, Sector, ServiceArea, SubjectEntity,
    SubjectNature,
};
use crate::explain::Language;
use crate::numbers::Province;
use crate::request::{Applicant, Customer, NewApplicant, Profile, Site};

/// Reads a question. What is not said stands as the interface has it: product and area must be
/// said, the purpose is an order, and nothing is declared.
pub(super) fn question(fields: &mut Fields<'_, '_, '_>) -> Option<Profile> {
    fields.require(&["domain", "product", "area"]);
    let domain = fields.text("domain");
    let product = fields.code("product", Product::ALL, Product::as_str);
    let service_area = fields.code("area", ServiceArea::ALL, ServiceArea::as_str);
    let purpose = fields.code("purpose", Purpose::ALL, Purpose::as_str);
    let site = Site {
        payment_enabled: fields.flag("payment").unwrap_or_default(),
        business_model: fields.code("model", BusinessModel::ALL, BusinessModel::as_str),
        sectors: fields.codes("sectors", Sector::ALL, Sector::as_str),
        live_since: fields.instant("live_since"),
    };
    let claimed_filing_number = fields.text("claimed").map(str::to_owned);
    let origin_host = fields.text("origin").map(str::to_owned);
    let origin_in_mainland = fields.flag("origin_in_mainland");
    let host_header = fields.text("host_header").map(str::to_owned);
    let customer = Customer {
        account_id: String::new(),
        real_name: fields.code("customer_real_name", RealName::ALL, RealName::as_str),
        domain_control: fields.code("domain_control", DomainControl::ALL, DomainControl::as_str),
    };
    let applicant = fields.table("applicant", applicant).flatten();
    Some(Profile {
        domain: domain?.to_owned(),
        product: product?,
        service_area: service_area?,
        purpose: purpose.unwrap_or(Purpose::Order),
        site,
        claimed_filing_number,
        origin_host,
        origin_in_mainland,
        host_header,
        customer,
        applicant,
        language: Language::English,
    })
}

fn applicant(fields: &mut Fields<'_, '_, '_>) -> Option<Applicant> {
    if fields.has("subject_number") {
        return subject_number(fields, "subject_number").map(Applicant::Existing);
    }
    fields.require(&["nature"]);
    let nature = fields.code("nature", SubjectNature::ALL, SubjectNature::as_str);
    let entity = fields.code("entity", SubjectEntity::ALL, SubjectEntity::as_str);
    let holder = holder_of(nature.unwrap_or(SubjectNature::Individual));
    let name = name(fields, "name", holder);
    let certificate = fields.table("certificate", certificate).flatten();
    let province = fields.parsed("province", |text| {
        text.parse()
            .ok()
            .and_then(Province::from_code)
            .ok_or(CaseProblem::Province)
    });
    let people = fields.tables("people", person);
    Some(Applicant::New(Box::new(NewApplicant {
        nature: nature?,
        entity: entity.unwrap_or(SubjectEntity::Domestic),
        name,
        certificate,
        province,
        people,
    })))
}
