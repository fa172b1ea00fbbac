//! Generated questions.

use icpgate_policy::codes::{
    BusinessModel, DomainControl, Product, Purpose, RealName, Sector, ServiceArea, SubjectEntity,
    SubjectNature,
};
use icpgate_policy::explain::Language;
use icpgate_policy::numbers::Province;
use icpgate_policy::request::{Applicant, Customer, NewApplicant, Profile, Site};
use jiff::Timestamp;

use super::dice::Dice;
use super::parts::{self, instant};
use super::world::World;

/// Texts that are no names of hosts, and addresses.
const ODD_HOSTS: &[&str] = &[
    "8.8.8.8",
    "10.0.0.1",
    "[2400:3200::1]",
    "::1",
    "com.cn",
    "https://www.example.com/shop",
    "*.*.example.com",
    "-",
    "",
];

/// Claimed numbers that are of no record, or of no form.
const ODD_NUMBERS: &[&str] = &[
    "京ICP备2026000001号-1",
    "京ICP备2027000001号-1",
    "京ICP备2025000001号",
    "川ICP备2025000001号",
    "京公网安备11010802032137号",
    "沪B2-20100043",
    "浙B2-20080224",
    "京ICP备10046444",
    "萌ICP备20259514号",
    "",
];

/// A question about a name of one family; the family's place.
pub(crate) fn profile(dice: &mut Dice, world: &World, now: Timestamp) -> (Profile, usize) {
    let family = dice.below(world.families.len());
    let purpose = *dice.pick(&[
        Purpose::Order,
        Purpose::Order,
        Purpose::Activation,
        Purpose::Recheck,
        Purpose::PreFiling,
    ]);
    let product = *dice.pick(&[
        Product::Cdn,
        Product::Cdn,
        Product::Cdn,
        Product::Hosting,
        Product::Hosting,
        Product::ReverseProxy,
        Product::AppBackend,
        Product::MiniProgramBackend,
        Product::DnsOnly,
    ]);
    let service_area = *dice.pick(&[
        ServiceArea::Mainland,
        ServiceArea::Mainland,
        ServiceArea::Mainland,
        ServiceArea::Global,
        ServiceArea::OutsideMainland,
    ]);
    let service_area = if dice.chance(60) {
        ServiceArea::Mainland
    } else {
        service_area
    };
    let profile = Profile {
        domain: host(dice, world, family, 5),
        product,
        service_area,
        purpose,
        site: site(dice, now),
        claimed_filing_number: dice.chance(50).then(|| claimed(dice, world)),
        origin_host: dice.chance(15).then(|| other_host(dice, world)),
        origin_in_mainland: *dice.pick(&[None, None, Some(true), Some(false)]),
        host_header: dice.chance(12).then(|| other_host(dice, world)),
        customer: Customer {
            account_id: String::new(),
            real_name: seldom(dice, RealName::Verified, RealName::Unverified),
            domain_control: seldom(dice, DomainControl::Proven, DomainControl::NotProven),
        },
        applicant: dice.chance(70).then(|| applicant(dice, world)),
        language: *dice.pick(&[Language::English, Language::Chinese]),
    };
    (profile, family)
}

fn host(dice: &mut Dice, world: &World, family: usize, odd: usize) -> String {
    if dice.chance(odd) {
        (*dice.pick(ODD_HOSTS)).to_owned()
    } else {
        (*dice.pick(&world.families[family].hosts)).to_owned()
    }
}

/// Undeclared, the usual value, or seldom the other.
fn seldom<T>(dice: &mut Dice, usual: T, other: T) -> Option<T> {
    match dice.below(20) {
        0 => Some(other),
        1..9 => None,
        _ => Some(usual),
    }
}

fn other_host(dice: &mut Dice, world: &World) -> String {
    let family = dice.below(world.families.len());
    host(dice, world, family, 20)
}

fn site(dice: &mut Dice, now: Timestamp) -> Site {
    Site {
        payment_enabled: dice.chance(45),
        business_model: dice.maybe(75, BusinessModel::ALL),
        sectors: if dice.chance(20) {
            dice.some_of(12, 3, Sector::ALL)
        } else {
            Vec::new()
        },
        live_since: dice.chance(30).then(|| instant(dice, now, &[0, 30])),
    }
}

fn claimed(dice: &mut Dice, world: &World) -> String {
    if dice.chance(15) {
        return (*dice.pick(ODD_NUMBERS)).to_owned();
    }
    let subject = parts::subject_number(dice, world);
    if dice.chance(35) {
        return subject.as_str().to_owned();
    }
    parts::any_service(dice, world, subject).as_str().to_owned()
}

fn applicant(dice: &mut Dice, world: &World) -> Applicant {
    if dice.chance(40) {
        return Applicant::Existing(parts::subject_number(dice, world));
    }
    let nature = parts::nature(dice);
    let organisation = nature != SubjectNature::Individual;
    let provinces = [Province::Beijing, Province::Guangdong, Province::Ningxia];
    Applicant::New(Box::new(NewApplicant {
        nature,
        entity: *dice.pick(SubjectEntity::ALL),
        name: dice
            .chance(85)
            .then(|| parts::name(dice, world, organisation)),
        certificate: dice
            .chance(85)
            .then(|| parts::certificate(dice, world, organisation)),
        province: dice.maybe(75, &provinces),
        people: parts::people(dice, world),
    }))
}
