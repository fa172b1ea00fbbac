//! A small registry that keeps changing, and questions about it.
//!
//! Every record is written whole from a generator with a seed, so that a write whose fate is not
//! known leaves nothing to be put right.

use icpgate::proto::v1;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Names of one subject; two services list them between them.
const NAMES_OF_A_SUBJECT: usize = 3;

/// A registry of so many subjects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) subjects: usize,
}

impl World {
    /// Every name that records are about.
    pub(crate) fn names(self) -> Vec<String> {
        (0..self.subjects * NAMES_OF_A_SUBJECT).map(name).collect()
    }

    /// Records under which every name is allowed, each subject's together.
    pub(crate) fn beginning(self) -> Vec<Vec<v1::Record>> {
        (0..self.subjects)
            .map(|subject| {
                let mut records = vec![
                    subject_record(subject, "ACTIVE"),
                    licence(subject, "ACTIVE"),
                    access(subject, 1, "ACTIVE"),
                    access(subject, 2, "ACTIVE"),
                ];
                records.extend(services(subject, 1, "ACTIVE"));
                let first = subject * NAMES_OF_A_SUBJECT;
                records.extend((first..first + NAMES_OF_A_SUBJECT).map(registered));
                records
            })
            .collect()
    }

    /// Something that changes, to be written as a whole.
    pub(crate) fn change(self, dice: &mut StdRng) -> Vec<v1::Record> {
        let subject = dice.random_range(0..self.subjects);
        let site = subject * NAMES_OF_A_SUBJECT + dice.random_range(0..NAMES_OF_A_SUBJECT);
        let often = |dice: &mut StdRng, usual, other| {
            if dice.random_bool(0.6) { usual } else { other }
        };
        match dice.random_range(0..8) {
            // Names move between services, in one write.
            0 => {
                let first = dice.random_range(1..(1 << NAMES_OF_A_SUBJECT) - 1);
                let status = often(dice, "ACTIVE", "SUSPENDED");
                services(subject, first, status)
            }
            1 => vec![subject_record(subject, often(dice, "ACTIVE", "SUSPENDED"))],
            2 | 3 => vec![blocked(site, dice.random_bool(0.4))],
            4 => {
                let verified = often(dice, "VERIFIED", "UNVERIFIED");
                let status = often(dice, "ok", "serverHold");
                vec![registration(site, verified, status)]
            }
            5 => vec![licence(subject, often(dice, "ACTIVE", "REVOKED"))],
            6 => vec![access(
                subject,
                dice.random_range(1..3),
                often(dice, "ACTIVE", "CANCELLED"),
            )],
            _ => vec![holder_blocked(subject, dice.random_bool(0.4))],
        }
    }

    /// A question about one of the names, or a name below it, or one that nobody filed.
    pub(crate) fn question(self, dice: &mut StdRng) -> v1::CheckProvisioningRequest {
        let site = dice.random_range(0..self.subjects * NAMES_OF_A_SUBJECT);
        let domain = match dice.random_range(0..8) {
            0 => format!("www.{}", name(site)),
            1 => format!("unfiled-{site}.cn"),
            _ => name(site),
        };
        let (hosting, payment) = (dice.random_bool(0.4), dice.random_bool(0.3));
        let purpose = match dice.random_range(0..20) {
            0..=2 => v1::Purpose::Activation,
            3..=5 => v1::Purpose::Recheck,
            6 => v1::Purpose::PreFiling,
            _ => v1::Purpose::Order,
        };
        v1::CheckProvisioningRequest {
            domain,
            product: if hosting {
                v1::Product::Hosting as i32
            } else {
                v1::Product::Cdn as i32
            },
            service_area: v1::ServiceArea::Mainland as i32,
            purpose: purpose as i32,
            site: payment.then(|| v1::Site {
                payment_enabled: true,
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

/// The question whether a CDN may serve a name in the mainland.
pub(crate) fn ask(domain: &str, purpose: v1::Purpose) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        purpose: purpose as i32,
        ..Default::default()
    }
}

/// The name of a site.
pub(crate) fn name(site: usize) -> String {
    format!("fault-{site}.cn")
}

/// A block on the name of a site, or its end.
pub(crate) fn blocked(site: usize, active: bool) -> v1::Record {
    block(json!({ "domain": name(site) }), active)
}

/// A block on any name.
pub(crate) fn blocked_name(domain: &str) -> v1::Record {
    block(json!({ "domain": domain }), true)
}

/// The subject, and with it every name under it.
pub(crate) fn subject_record(subject: usize, status: &str) -> v1::Record {
    record(json!({ "subject": {
        "subjectNumber": number(subject),
        "name": organisation(subject),
        "nature": "SUBJECT_NATURE_ENTERPRISE",
        "certificate": certificate(subject),
        "status": format!("SUBJECT_STATUS_{status}"),
    }}))
}

/// A registration in good order.
pub(crate) fn registered(site: usize) -> v1::Record {
    registration(site, "VERIFIED", "ok")
}

/// The registration of a site's name until an instant.
pub(crate) fn registered_until(site: usize, expires_at: jiff::Timestamp) -> v1::Record {
    registration_until(site, "VERIFIED", "ok", &expires_at.to_string())
}

/// The services of a subject: the first lists the names of a mask, the second the others.
pub(crate) fn services(subject: usize, mask: usize, status: &str) -> Vec<v1::Record> {
    let listed = |of_first: bool| -> Vec<String> {
        (0..NAMES_OF_A_SUBJECT)
            .filter(|at| (mask >> at & 1 == 1) == of_first)
            .map(|at| name(subject * NAMES_OF_A_SUBJECT + at))
            .collect()
    };
    [(1, true), (2, false)]
        .map(|(index, of_first)| {
            record(json!({ "service": {
                "serviceNumber": format!("{}-{index}", number(subject)),
                "kind": "SERVICE_KIND_WEBSITE",
                "domains": listed(of_first),
                "status": format!("SERVICE_STATUS_{status}"),
            }}))
        })
        .to_vec()
}

fn registration(site: usize, real_name: &str, status: &str) -> v1::Record {
    registration_until(site, real_name, status, "2060-01-01T00:00:00Z")
}

fn registration_until(site: usize, real_name: &str, status: &str, expires_at: &str) -> v1::Record {
    let subject = site / NAMES_OF_A_SUBJECT;
    record(json!({ "registration": {
        "domain": name(site),
        "registrar": "r",
        "registrarApproved": true,
        "registrant": {
            "name": organisation(subject),
            "certificate": certificate(subject),
        },
        "realName": format!("REAL_NAME_{real_name}"),
        "inAuthorityLibrary": true,
        "statuses": [status],
        "expiresAt": expires_at,
    }}))
}

fn access(subject: usize, index: usize, status: &str) -> v1::Record {
    record(json!({ "access": {
        "serviceNumber": format!("{}-{index}", number(subject)),
        "providerId": "self",
        "status": format!("ACCESS_STATUS_{status}"),
    }}))
}

fn licence(subject: usize, status: &str) -> v1::Record {
    record(json!({ "licence": {
        "licenceNumber": format!("京ICP证{:06}号", 100_000 + subject),
        "holderName": organisation(subject),
        "holderCertificate": certificate(subject),
        "expiresOn": "2060-01-01",
        "status": format!("LICENCE_STATUS_{status}"),
    }}))
}

fn holder_blocked(subject: usize, active: bool) -> v1::Record {
    block(json!({ "certificate": certificate(subject) }), active)
}

fn block(target: Value, active: bool) -> v1::Record {
    let mut block = target;
    block["list"] = json!("BLOCK_LIST_PROVIDER");
    block["reason"] = json!("test");
    block["since"] = json!("2020-01-01T00:00:00Z");
    if !active {
        block["until"] = json!("2020-01-02T00:00:00Z");
    }
    record(json!({ "block": block }))
}

fn record(mut json: Value) -> v1::Record {
    json["source"] = json!("test");
    let text = json.to_string();
    serde_json::from_value(json).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn number(subject: usize) -> String {
    format!("京ICP备2024{:06}号", 12_345 + subject)
}

fn organisation(subject: usize) -> String {
    format!("北京示例{subject:04}科技有限公司")
}

fn certificate(subject: usize) -> Value {
    json!({
        "kind": "CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE",
        "number": credit_code(subject),
    })
}

/// A credit code (GB 32100-2015) with its organisation code (GB 11714-1997) and both check
/// characters.
fn credit_code(subject: usize) -> String {
    let digit = |character: char| character.to_digit(36).unwrap() as usize;
    let organisation = format!("MA8{subject:05}");
    let sum: usize = organisation
        .chars()
        .zip([3, 7, 9, 10, 5, 8, 4, 2])
        .map(|(character, weight)| digit(character) * weight)
        .sum();
    let check = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        other => char::from_digit(u32::try_from(other).unwrap(), 10).unwrap(),
    };
    let mut code = format!("91110105{organisation}{check}");
    let alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut weight = 1;
    let mut sum = 0;
    for character in code.chars() {
        sum += alphabet.find(character).unwrap() * weight;
        weight = weight * 3 % 31;
    }
    code.push(alphabet.as_bytes()[(31 - sum % 31) % 31].into());
    code
}
