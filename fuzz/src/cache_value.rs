//! Values in Redis: of this version, of other versions, damaged, and made by somebody else.

use std::sync::LazyLock;

use icpgate::cache::{NoFacts, SetKey, SharedIdentity, Snapshot};
use icpgate_policy::decision::decide;
use icpgate_policy::facts::{Entitlement, Facts, NameFacts, Revision};
use icpgate_policy::policy::Policy;
use icpgate_policy::records::Handle;
use icpgate_policy::request::Request;
use jiff::SignedDuration;

use super::registry::{NOW, RECORDS, intake, policy};
use icpgate::intake::Line;

/// Key of the installation; what is derived from it follows the documented form of values.
const KEY: &[u8] = b"a key for fuzzing, known to all";

/// Name of the store.
const STORE: &str = "fuzz";

static POLICY: LazyLock<Policy> = LazyLock::new(policy);

/// Takes the input for a value as it stands; for what follows a right tag; and, where it begins
/// with a brace, for the records of a value, with the octets behind a NUL turned over in it.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let identity = SharedIdentity::derive(KEY, STORE);
    let key = SetKey::of(&[Handle::name("sample-shop.cn")]);

    // Nobody makes a tag by accident.
    let read = identity.facts(&key, input);
    match input.first() {
        Some(1) if input.len() == 9 => assert_eq!(read, Err(NoFacts::Invalidated)),
        Some(1) | None => assert_eq!(read, Err(NoFacts::Damaged)),
        Some(_) => assert_eq!(read, Err(NoFacts::OtherForm)),
    }

    // A version that arranged or encoded facts otherwise and forgot to say so has the right tag.
    under_tag(&identity, &key, input);

    if input.first() == Some(&b'{') {
        let mut parts = input.splitn(2, |&octet| octet == 0);
        let records = parts.next().unwrap_or_default();
        let flips = parts.next().unwrap_or_default();
        written(&identity, &key, records, flips);
    }
}

/// The body of a value, under a tag that is made as the form of values tells.
fn under_tag(identity: &SharedIdentity, key: &SetKey, body: &[u8]) {
    let head = [&[1], &7_u64.to_be_bytes()[..]].concat();
    let value = [&head, &tag(key, &head, body)[..], body].concat();
    match identity.facts(key, &value) {
        Ok(snapshot) => {
            assert_eq!(snapshot.revision, Revision(7));
            held(identity, key, snapshot);
        }
        Err(NoFacts::Invalidated) => assert!(body.is_empty()),
        Err(NoFacts::Damaged) => {}
        Err(NoFacts::OtherForm) => panic!("the form was right"),
    }
}

/// Records of lines, written and read back; and damaged under a right tag.
fn written(identity: &SharedIdentity, key: &SetKey, lines: &[u8], flips: &[u8]) {
    let intake = intake();
    let mut records: Vec<_> = lines
        .split(|&octet| octet == b'\n')
        .filter_map(|line| {
            let record = Line::Text(line.into()).into_record().ok()?;
            let new = intake.record(record, *NOW).ok()?;
            Some(super::registry::fact(new))
        })
        .collect();
    if records.is_empty() {
        records.extend_from_slice(&RECORDS[..3]);
    }
    let snapshot = Snapshot {
        synced_at: records
            .iter()
            .map(|record| (record.value.kind(), *NOW))
            .collect(),
        records,
        revision: Revision(7),
        as_of: *NOW,
    };
    let Some(mut value) = identity.value(key, &snapshot) else {
        return;
    };
    assert_eq!(identity.facts(key, &value), Ok(snapshot));
    let other = SetKey::of(&[Handle::name("sample-blog.cn")]);
    assert_eq!(identity.facts(&other, &value), Err(NoFacts::Damaged));

    let mut body = value.split_off(41);
    for flip in flips.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([flip[0], flip[1]])) % body.len();
        body[place] ^= flip[2];
    }
    under_tag(identity, key, &body);
}

/// Facts that were read are encoded to what reads as the same facts, and can be decided from.
fn held(identity: &SharedIdentity, key: &SetKey, snapshot: Snapshot) {
    if let Some(value) = identity.value(key, &snapshot) {
        let again = identity.facts(key, &value);
        assert_eq!(again.as_ref(), Ok(&snapshot));
    }
    for record in &snapshot.records {
        let _ = (
            record.value.handles(),
            record.value.leads_to(),
            record.value.shown_key(),
        );
    }
    let name = NameFacts::collect(snapshot.records, Entitlement::complete());
    let facts = Facts::of_name(name);
    for domain in ["sample-shop.cn", "www.sample-blog.cn"] {
        let request = Request::new(profile(domain), &POLICY.suffixes);
        let decision = decide(&POLICY, &request, &facts, *NOW);
        assert!(decision.decided_at <= *NOW, "{decision:?}");
        assert!(*NOW < decision.valid_until, "{decision:?}");
        assert!(
            decision.valid_until <= decision.decided_at + SignedDuration::from_hours(24),
            "{decision:?}"
        );
    }
}

/// The tag, from the documented form and not from the code that is under test.
fn tag(key: &SetKey, head: &[u8], body: &[u8]) -> [u8; 32] {
    static SECRET: LazyLock<[u8; 32]> = LazyLock::new(|| {
        let length = (KEY.len() as u64).to_le_bytes();
        let material = [&length[..], KEY, STORE.as_bytes()].concat();
        blake3::derive_key("icpgate shared cache 1: tags of values", &material)
    });
    let mut hasher = blake3::Hasher::new_keyed(&SECRET);
    hasher.update(key.as_bytes()).update(head).update(body);
    *hasher.finalize().as_bytes()
}

fn profile(domain: &str) -> icpgate_policy::request::Profile {
    use icpgate_policy::codes::{Product, Purpose, ServiceArea};
    use icpgate_policy::request::{Customer, Profile, Site};
    Profile {
        domain: domain.to_owned(),
        product: Product::Hosting,
        service_area: ServiceArea::Mainland,
        purpose: Purpose::Order,
        site: Site {
            payment_enabled: true,
            live_since: Some(*NOW - SignedDuration::from_hours(24 * 90)),
            ..Site::default()
        },
        claimed_filing_number: Some("京ICP备2024880001号-1".to_owned()),
        origin_host: None,
        origin_in_mainland: None,
        host_header: None,
        customer: Customer::default(),
        applicant: None,
        language: icpgate_policy::explain::Language::English,
    }
}
