//! The edge through which questions enter: wire request to profile, without a raw personal value.

use std::sync::Arc;

use icpgate_policy::codes::{Purpose, Sector, SubjectEntity, SubjectNature};
use icpgate_policy::explain::Language;
use icpgate_policy::facts::Revision;
use icpgate_policy::field::{FieldProblem, QuestionProblem, Shown};
use icpgate_policy::identity::Holder;
use icpgate_policy::numbers::{Province, SubjectNumber};
use icpgate_policy::request::{Applicant, Customer, NewApplicant, Profile, Site};
use jiff::Timestamp;

use super::fields::{Path, Reading};
use super::kinds::people;
use super::{Intake, Violation, parse_token};
use crate::proto::convert::Coded;
use crate::proto::v1;

/// Longest domain, origin, host header or claimed number as typed, in characters.
const TYPED_LIMIT: usize = 255;

/// Longest account or order identifier, in characters.
const IDENTIFIER_LIMIT: usize = 128;

/// Most sectors of one site; repeats count.
const SECTORS_LIMIT: usize = 100;

/// A question with what stands outside its profile.
#[derive(Clone, Debug)]
pub struct Question {
    /// Everything that can change the answer or its text.
    pub profile: Profile,
    /// The domain as typed.
    pub input: String,
    /// The caller's order; `None` where not given.
    pub order_id: Option<String>,
    /// Name of who asks, where callers have names; noted beside the decision and never part of it.
    pub caller: Option<Arc<str>>,
    /// How fresh the facts must be.
    pub consistency: Consistency,
    /// How much of the findings to return.
    pub view: View,
}

/// How fresh the facts must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Any facts within their validity.
    MinimizeLatency,
    /// At least as fresh as this revision.
    AtLeastAsFresh(Revision),
    /// The newest committed facts.
    FullyConsistent,
}

/// How much of the findings to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Without the rules that passed or do not apply.
    Basic,
    /// All rules.
    Full,
}

impl Intake {
    /// Parses a question. What is typed into `domain` is not judged here, beyond its length: that
    /// is for a rule.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of its fields.
    pub fn question(
        &self,
        wire: v1::CheckProvisioningRequest,
        now: Timestamp,
    ) -> Result<Question, Vec<Violation>> {
        let year = icpgate_policy::calendar::beijing_day(now).year();
        let mut reading = Reading::new(self, year);
        let root = Path::root();
        if wire.domain.trim().is_empty() {
            reading.refuse(&root.field("domain"), FieldProblem::Missing);
        }
        let typed = |reading: &mut Reading<'_>, name: &'static str, text: &str| {
            let found = text.chars().count();
            if found > TYPED_LIMIT {
                let problem = FieldProblem::TooLong {
                    limit: TYPED_LIMIT,
                    found,
                };
                reading.refuse(&root.field(name), problem);
            }
        };
        typed(&mut reading, "domain", &wire.domain);
        let product = reading.code(&root.field("product"), wire.product);
        let service_area = reading.code(&root.field("service_area"), wire.service_area);
        let purpose = reading.code_or(&root.field("purpose"), wire.purpose, Purpose::Order);
        let site = site(&mut reading, &root.field("site"), wire.site);
        typed(
            &mut reading,
            "claimed_filing_number",
            &wire.claimed_filing_number,
        );
        typed(&mut reading, "origin_host", &wire.origin_host);
        typed(&mut reading, "host_header", &wire.host_header);
        let customer = customer(&mut reading, &root.field("customer"), wire.customer);
        let consistency = consistency(&mut reading, &root, wire.consistency);
        let applicant = match purpose {
            Some(Purpose::PreFiling) => {
                applicant(&mut reading, &root.field("applicant"), wire.applicant)
            }
            Some(Purpose::Order | Purpose::Activation | Purpose::Recheck) | None => Some(None),
        };
        let order_id = reading
            .text(&root.field("order_id"), &wire.order_id, IDENTIFIER_LIMIT)
            .map(Box::<str>::from);
        let view = reading.code_or(&root.field("view"), wire.view, View::Basic);
        let language = language(&mut reading, &root.field("language"), &wire.language);
        reading.finish()?;
        let question = (|| {
            Some(Question {
                profile: Profile {
                    domain: wire.domain.clone(),
                    product: product?,
                    service_area: service_area?,
                    purpose: purpose?,
                    site: site?,
                    claimed_filing_number: given(wire.claimed_filing_number),
                    origin_host: given(wire.origin_host),
                    origin_in_mainland: wire.origin_in_mainland,
                    host_header: given(wire.host_header),
                    customer: customer?,
                    applicant: applicant?,
                    language: language?,
                },
                input: wire.domain,
                order_id: given(order_id?.into_string()),
                caller: None,
                consistency: consistency?,
                view: view?,
            })
        })();
        // INVARIANT: whatever is left out was refused with a violation.
        question.ok_or_else(|| {
            vec![Violation {
                field: String::new(),
                problem: FieldProblem::Missing,
            }]
        })
    }
}

impl Coded for View {
    type Wire = v1::View;

    fn to_wire(self) -> v1::View {
        match self {
            Self::Basic => v1::View::Basic,
            Self::Full => v1::View::Full,
        }
    }

    fn from_wire(wire: v1::View) -> Option<Self> {
        match wire {
            v1::View::Unspecified => None,
            v1::View::Basic => Some(Self::Basic),
            v1::View::Full => Some(Self::Full),
        }
    }
}

fn site(reading: &mut Reading<'_>, at: &Path<'_>, wire: Option<v1::Site>) -> Option<Site> {
    let wire = wire.unwrap_or_default();
    let business_model = reading.code_or_none(&at.field("business_model"), wire.business_model);
    reading.bounded(&at.field("sectors"), &wire.sectors, SECTORS_LIMIT)?;
    let mut sectors = Vec::with_capacity(wire.sectors.len());
    for (index, number) in wire.sectors.iter().enumerate() {
        let sector: Option<Sector> = reading.code(&at.entry("sectors", index), *number);
        sectors.extend(sector);
    }
    let live_since = reading.instant(&at.field("live_since"), wire.live_since);
    Some(Site {
        payment_enabled: wire.payment_enabled,
        business_model: business_model?,
        sectors,
        live_since: live_since?,
    })
}

fn customer(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: Option<v1::Customer>,
) -> Option<Customer> {
    let wire = wire.unwrap_or_default();
    let account_id = reading
        .text(&at.field("account_id"), &wire.account_id, IDENTIFIER_LIMIT)
        .map(String::from);
    let real_name = reading.code_or_none(&at.field("real_name"), wire.real_name);
    let domain_control = reading.code_or_none(&at.field("domain_control"), wire.domain_control);
    Some(Customer {
        account_id: account_id?,
        real_name: real_name?,
        domain_control: domain_control?,
    })
}

fn consistency(
    reading: &mut Reading<'_>,
    root: &Path<'_>,
    wire: Option<v1::check_provisioning_request::Consistency>,
) -> Option<Consistency> {
    use v1::check_provisioning_request::Consistency as Wire;

    match wire {
        None | Some(Wire::MinimizeLatency(_) | Wire::FullyConsistent(false)) => {
            Some(Consistency::MinimizeLatency)
        }
        Some(Wire::FullyConsistent(true)) => Some(Consistency::FullyConsistent),
        Some(Wire::AtLeastAsFresh(text)) => match parse_token(&text) {
            Some(revision) => Some(Consistency::AtLeastAsFresh(revision)),
            None => {
                let problem = FieldProblem::Question(QuestionProblem::Token {
                    text: Shown::new(&text),
                });
                reading.refuse(&root.field("at_least_as_fresh"), problem);
                None
            }
        },
    }
}

/// The inner `None` stands for an applicant of whom nothing is given.
#[expect(
    clippy::option_option,
    reason = "the outer one tells that a violation was left"
)]
fn applicant(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: Option<v1::Applicant>,
) -> Option<Option<Applicant>> {
    let Some(wire) = wire.filter(|wire| *wire != v1::Applicant::default()) else {
        return Some(None);
    };
    if !wire.subject_number.trim().is_empty() {
        let number = reading.number(
            &at.field("subject_number"),
            &wire.subject_number,
            SubjectNumber::parse,
        );
        return Some(Some(Applicant::Existing(number?)));
    }
    let nature: Option<SubjectNature> = reading.code(&at.field("nature"), wire.nature);
    let entity = reading.code_or(&at.field("entity"), wire.entity, SubjectEntity::Domestic);
    let holder = match nature {
        Some(SubjectNature::Individual) | None => Holder::Person,
        Some(
            SubjectNature::Enterprise
            | SubjectNature::Government
            | SubjectNature::PublicInstitution
            | SubjectNature::SocialOrganisation,
        ) => Holder::Organisation,
    };
    let name = reading.name_or_none(&at.field("name"), &wire.name, holder);
    let certificate =
        reading.certificate_or_none(&at.field("certificate"), wire.certificate.as_ref());
    let province = province(reading, &at.field("province"), &wire.province);
    let people = people(reading, at, &wire.people);
    Some(Some(Applicant::New(Box::new(NewApplicant {
        nature: nature?,
        entity: entity?,
        name: name?,
        certificate: certificate?,
        province: province?,
        people: people?,
    }))))
}

#[expect(
    clippy::option_option,
    reason = "the outer one tells that a violation was left"
)]
fn province(reading: &mut Reading<'_>, at: &Path<'_>, text: &str) -> Option<Option<Province>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    let two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let province = text
        .parse()
        .ok()
        .filter(|_| two_digits)
        .and_then(Province::from_code);
    if province.is_none() {
        reading.refuse(
            at,
            FieldProblem::Question(QuestionProblem::Province {
                text: Shown::new(text),
            }),
        );
    }
    province.map(Some)
}

/// English, or Chinese for `zh` in simplified script; another well-formed tag falls back to
/// English.
fn language(reading: &mut Reading<'_>, at: &Path<'_>, text: &str) -> Option<Language> {
    if text.is_empty() {
        return Some(Language::English);
    }
    let Ok(tag) = oxilangtag::LanguageTag::parse(text) else {
        reading.refuse(
            at,
            FieldProblem::Question(QuestionProblem::LanguageTag {
                text: Shown::new(text),
            }),
        );
        return None;
    };
    let is = |part: Option<&str>, wanted: &[&str]| {
        part.is_none_or(|part| {
            wanted
                .iter()
                .any(|wanted| part.eq_ignore_ascii_case(wanted))
        })
    };
    let simplified = tag.primary_language().eq_ignore_ascii_case("zh")
        && is(tag.script(), &["Hans"])
        && is(tag.region(), &["CN", "SG"]);
    Some(if simplified {
        Language::Chinese
    } else {
        Language::English
    })
}

fn given(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}
