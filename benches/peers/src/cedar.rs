//! The rule table in Cedar.
//!
//! What Cedar has no means for (looking for a record in a list, joining two lists, taking the
//! best of several) is worked out here beforehand and not timed.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON document yields null for a key that it lacks"
)]

use std::collections::{BTreeSet, HashMap};

use anyhow::Context as _;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicyId, PolicySet, Request, Response,
};
use icpgate_policy::codes::Verdict;
use serde_json::{Map, Value, json};

use crate::rego::Rego;

const RULES: &str = include_str!("../rules.cedar");

/// Products that belong to an action group, as the rules' scopes have them.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "mainland",
        &[
            "CDN",
            "HOSTING",
            "REVERSE_PROXY",
            "APP_BACKEND",
            "MINI_PROGRAM_BACKEND",
        ],
    ),
    ("web", &["CDN", "HOSTING", "REVERSE_PROXY"]),
    (
        "web_or_mini",
        &["CDN", "HOSTING", "REVERSE_PROXY", "MINI_PROGRAM_BACKEND"],
    ),
    ("linked", &["HOSTING", "REVERSE_PROXY"]),
];

const NO_GROUP: &[&str] = &["PRE_FILING", "EVERYWHERE"];

/// The rule table, parsed, with what each policy's finding does.
#[derive(Debug)]
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    effects: HashMap<PolicyId, Verdict>,
}

/// A question in Cedar's own form.
#[derive(Debug)]
pub struct Prepared {
    request: Request,
    entities: Entities,
}

/// The answer of Cedar's rule table.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Reasons of the policies that decided.
    pub reasons: BTreeSet<String>,
    /// Obligations; Cedar tells them only where nothing forbids.
    pub obligations: BTreeSet<String>,
}

impl Cedar {
    /// Parses the rule table.
    ///
    /// # Errors
    ///
    /// The table does not parse, which is a defect.
    pub fn new() -> anyhow::Result<Self> {
        let policies: PolicySet = RULES.parse().context("parse the Cedar policies")?;
        let effects = policies
            .policies()
            .filter_map(|policy| {
                let effect = policy.annotation("effect").and_then(Verdict::from_code)?;
                Some((policy.id().clone(), effect))
            })
            .collect();
        Ok(Self {
            authorizer: Authorizer::new(),
            policies,
            effects,
        })
    }

    /// Answers a question: Cedar's own answer, and from it the verdict of four.
    #[must_use]
    pub fn decide(&self, prepared: &Prepared) -> (Verdict, Response) {
        let response =
            self.authorizer
                .is_authorized(&prepared.request, &self.policies, &prepared.entities);
        let verdict = match response.decision() {
            Decision::Allow => Verdict::Allow,
            Decision::Deny => response
                .diagnostics()
                .reason()
                .filter_map(|policy| self.effects.get(policy))
                .copied()
                .max()
                .unwrap_or(Verdict::Deny),
        };
        (verdict, response)
    }

    /// The answer as a whole, for comparison.
    ///
    /// # Errors
    ///
    /// A policy met a value that it cannot evaluate, which is a defect.
    pub fn answer(&self, prepared: &Prepared, stale: bool) -> anyhow::Result<Answer> {
        let (verdict, response) = self.decide(prepared);
        if let Some(error) = response.diagnostics().errors().next() {
            anyhow::bail!("{error}");
        }
        let unknown = if stale {
            "FACTS_STALE"
        } else {
            "FACTS_UNAVAILABLE"
        };
        let noted = |annotation: &str, deciding: Option<Verdict>| {
            response
                .diagnostics()
                .reason()
                .filter(|id| deciding.is_none_or(|one| self.effects.get(*id) == Some(&one)))
                .filter_map(|id| self.policies.policy(id)?.annotation(annotation))
                .map(|reason| if reason == "FACTS" { unknown } else { reason })
                .map(str::to_owned)
                .collect()
        };
        Ok(Answer {
            verdict,
            reasons: noted("reason", Some(verdict)),
            obligations: noted("obligation", None),
        })
    }
}

impl Prepared {
    /// Works out what Cedar cannot, from the same documents as Rego reads.
    ///
    /// # Errors
    ///
    /// The documents have no such form in Cedar, which is a defect.
    pub fn new(policy: &Value, question: &Value, rego: &Rego) -> anyhow::Result<Self> {
        let view = View::new(question, rego)?;
        let uid = |kind: &str, id: &str| json!({"type": kind, "id": id});
        let mut entities: Vec<Value> = view.entities();
        for (product, parents) in actions() {
            let parents: Vec<Value> = parents.iter().map(|id| uid("Action", id)).collect();
            entities.push(json!({"uid": uid("Action", product), "attrs": {}, "parents": parents}));
        }
        for (group, _) in GROUPS {
            entities.push(json!({"uid": uid("Action", group), "attrs": {}, "parents": []}));
        }
        let tlds = fields(&policy["approved_tlds"]);
        entities.push(json!({
            "uid": uid("Policy", "mainland-strict"),
            "attrs": {
                "approved_tlds": tlds,
                "government_suffixes": policy["nature_suffixes"]["GOVERNMENT"],
                "institution_suffixes": policy["nature_suffixes"]["PUBLIC_INSTITUTION"],
            },
            "parents": [],
        }));
        let scope = rego.rule("scope", &crate::rego::value(question)?)?;
        let action = scope.as_str().context("a scope")?;
        let named =
            |kind: &str, id: &str| EntityUid::from_json(uid(kind, id)).context("a name in Cedar");
        let request = Request::new(
            named("Customer", "customer")?,
            named("Action", action)?,
            named("Domain", "asked")?,
            Context::from_json_value(view.context(), None)?,
            None,
        )?;
        let entities = Entities::from_json_value(Value::Array(entities), None)?;
        Ok(Self { request, entities })
    }
}

fn actions() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let products: BTreeSet<&str> = GROUPS
        .iter()
        .flat_map(|(_, products)| products.iter().copied())
        .chain(NO_GROUP.iter().copied())
        .collect();
    products.into_iter().map(|product| {
        let groups = GROUPS
            .iter()
            .filter(|(_, products)| products.contains(&product));
        (product, groups.map(|(group, _)| *group).collect())
    })
}

/// A question with what the joins yield.
struct View<'a> {
    question: &'a Value,
    filing: Value,
    mini_program: Value,
    recorded: Value,
    party: Value,
    registration: Value,
    observation: Value,
    own_licences: Value,
    satisfying: Value,
    shows_licence: Value,
    parent_share: Value,
    party_unknown: Value,
    parts: Value,
}

impl<'a> View<'a> {
    fn new(question: &'a Value, rego: &Rego) -> anyhow::Result<Self> {
        let input = crate::rego::value(question)?;
        let rule = |name| rego.rule(name, &input);
        Ok(Self {
            question,
            filing: rule("filing")?,
            mini_program: rule("mini_program")?,
            recorded: rule("recorded")?,
            party: rule("party")?,
            registration: rule("registration")?,
            observation: rule("observation")?,
            own_licences: rule("own_licences")?,
            satisfying: rule("satisfying")?,
            shows_licence: rule("shows_licence")?,
            parent_share: rule("parent_share")?,
            party_unknown: rule("party_unknown")?,
            parts: rule("parts_covered")?,
        })
    }

    fn facts(&self) -> &Value {
        &self.question["facts"]["name"]
    }

    fn now(&self) -> i64 {
        self.question["now"].as_i64().unwrap_or_default()
    }

    fn context(&self) -> Value {
        let part = |host: &str, reason: &str| {
            if self.question[host]["kind"] == "invalid" {
                return json!("invalid");
            }
            array(&self.parts)
                .iter()
                .find(|part| part[0] == reason)
                .map_or(json!("own"), |part| part[1]["state"].clone())
        };
        let unknown = fields(&self.facts()["missing"]);
        let approved = ["FORUM", "EDUCATION", "HEALTH"];
        let sectors = array(&self.question["sectors"]);
        trim(json!({
            "now": self.now(),
            "payment": self.question["payment"],
            "sectors": self.question["sectors"],
            "sectors_to_approve": sectors.iter()
                .any(|sector| !approved.iter().any(|one| sector == one)),
            "live_since": self.question["live_since"],
            "claimed": self.question["claimed"],
            "unknown": unknown,
            "party_unknown": !self.party_unknown.is_null(),
            "origin": part("origin", "ORIGIN_NOT_FILED"),
            "host_header": part("host_header", "HOST_HEADER_NOT_FILED"),
        }))
    }

    fn entities(&self) -> Vec<Value> {
        let host = &self.question["host"];
        let facts = self.facts();
        let state = |covering: &Value| match &covering["state"] {
            Value::String(state) => state.clone(),
            _ => "NOT_ASKED".to_owned(),
        };
        let mut domain = json!({
            "kind": host["kind"],
            "public": host["public"],
            "ascii": host["ascii"],
            "tld": host["tld"],
            "government": host["government"],
            "candidates": list(&host["candidates"]),
            "ancestors": ancestors(host["ascii"].as_str().unwrap_or_default()),
            "filing": state(&self.filing),
            "mini_program": state(&self.mini_program),
            "filed_name": self.filing["name"],
            "service": self.service(&self.filing),
            "recorded": self.service(&self.recorded),
            "party": self.holder(&self.party),
            "registration": self.registered(),
            "observation": self.observed(),
            "right_numbers": self.right_numbers(),
            "held_licences": self.held_licences(),
            "shows_licence": !self.shows_licence.is_null(),
            "licence": self.licence(),
            "parent_share": self.parent_share,
            "passed_at": self.passed_at(),
            "blocked": self.blocked("domain", facts),
            "filed_with_public_security": list(&facts["public_security_filings"]),
            "ever_approved": self.approved(|_| true),
            "lapsed": [],
        });
        let standing = self.approved(|end| end.is_none_or(|end| self.now() < end));
        let ever = self.approved(|_| true);
        let lapsed: BTreeSet<String> = ever.difference(&standing).cloned().collect();
        domain["lapsed"] = json!(lapsed);
        let party_facts = if self.question["facts"]["applicant"].is_null() {
            facts
        } else {
            &self.question["facts"]["applicant"]
        };
        domain["blocked_holders"] = json!(self.blocked_holders(party_facts));
        let customer = json!({
            "real_name": self.question["customer"]["real_name"],
            "domain_control": self.question["customer"]["domain_control"],
        });
        vec![
            json!({
                "uid": {"type": "Domain", "id": "asked"},
                "attrs": trim(domain),
                "parents": [],
            }),
            json!({
                "uid": {"type": "Customer", "id": "customer"},
                "attrs": trim(customer),
                "parents": [],
            }),
        ]
    }

    fn service(&self, covering: &Value) -> Value {
        let service = &covering["service"];
        if service.is_null() {
            return Value::Null;
        }
        let providers: BTreeSet<&str> = array(&self.facts()["accesses"])
            .iter()
            .filter(|access| access["service"] == service["number"])
            .filter(|access| access["status"] == "ACTIVE")
            .filter(|access| {
                access["since"]
                    .as_i64()
                    .is_none_or(|since| since <= self.now())
            })
            .filter_map(|access| access["provider"].as_str())
            .collect();
        json!({
            "number": service["number"],
            "letter": service["letter"],
            "providers": providers,
            "subject": self.holder(&covering["subject"]),
        })
    }

    /// A party with its keys: two certificates are one holder's where a key of one is among those
    /// that the other seeks.
    fn holder(&self, party: &Value) -> Value {
        if party.is_null() {
            return Value::Null;
        }
        let registrant = &self.registration["registrant_certificate"];
        let person = party["nature"] == "INDIVIDUAL";
        let mut all: Vec<(Value, bool)> = vec![(party.clone(), !person)];
        let mut roles = Vec::new();
        if !person {
            let people = array(&party["people"]).iter();
            roles.extend(people.filter(|one| one["role"] != "WEBMASTER").cloned());
            if party["entity"] != "BRANCH_OFFICE" {
                let parents = array(&party["parents"]).iter();
                roles.extend(parents.map(|one| json!({"certificate": one["certificate"]})));
            }
        }
        let organisation = |one: &Value| one["organisation"] == true;
        all.extend(roles.iter().map(|one| (one.clone(), organisation(one))));
        let not_compared: Vec<&(Value, bool)> = all
            .iter()
            .filter(|(one, _)| !comparable(&one["certificate"], registrant))
            .collect();
        let names = |part: &str, of: &dyn Fn(&(Value, bool)) -> bool| -> BTreeSet<String> {
            let ones = not_compared.iter().filter(|one| of(one));
            ones.filter_map(|(one, _)| one["name"][part].as_str())
                .map(str::to_owned)
                .collect()
        };
        let mut telling = names("exact", &|_| true);
        let passports = all
            .iter()
            .filter(|(one, _)| one["certificate"]["kind"] == "Passport");
        telling.extend(
            passports.filter_map(|(one, _)| one["name"]["exact"].as_str().map(str::to_owned)),
        );
        let of_roles = |wanted: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
            let ones = roles.iter().filter(|one| wanted(one));
            ones.flat_map(|one| keys(&one["certificate"])).collect()
        };
        let old: BTreeSet<String> = all
            .iter()
            .filter(|(one, _)| {
                let own = &one["certificate"];
                own["old_form"] == true
                    || registrant["old_form"] == true
                    || own["kind"] != registrant["kind"]
            })
            .flat_map(|(one, _)| keys(&one["certificate"]))
            .collect();
        let kinds: BTreeSet<&str> = all
            .iter()
            .filter_map(|(one, _)| one["certificate"]["kind"].as_str())
            .collect();
        trim(json!({
            "number": party["number"],
            "name": party["name"]["exact"],
            "nature": party["nature"],
            "entity": party["entity"],
            "province": number(&party["province"]),
            "division": number(&party["certificate"]["province"]),
            "licence_form": party["licence_form"] == true,
            "keys": keys(&party["certificate"]),
            "seeks": seeks(&party["certificate"]),
            "role_keys": of_roles(&|_| true),
            "representative_keys": of_roles(&|one| one["role"] == "LEGAL_REPRESENTATIVE"),
            "old_keys": old,
            "all_kinds": kinds,
            "telling_names": telling,
            "telling_folds": names("folded", &|_| true),
            "matching_names": names("exact", &|(_, organisation)| *organisation),
        }))
    }

    fn registered(&self) -> Value {
        let value = &self.registration;
        if value.is_null() {
            return Value::Null;
        }
        let certificate = &value["registrant_certificate"];
        let nobody = certificate.is_null() && value["registrant_name"].is_null();
        let kinds: Vec<&str> = certificate["kind"].as_str().into_iter().collect();
        trim(json!({
            "hidden": value["redacted"] == true || nobody,
            "name": value["registrant_name"]["exact"],
            "fold": value["registrant_name"]["folded"],
            "seeks": seeks(certificate),
            "kinds": kinds,
            "real_name": value["real_name"],
            "in_library": value["in_library"],
            "library_due": value["library_due"],
            "statuses": value["statuses"],
            "registrar_approved": value["registrar_approved"],
            "expires_at": value["expires_at"],
        }))
    }

    fn observed(&self) -> Value {
        if self.observation.is_null() {
            return Value::Null;
        }
        let shown = array(&self.observation["numbers"]).iter().map(|number| {
            let text = [&number["service"], &number["subject"]];
            text.into_iter().find_map(Value::as_str).unwrap_or_default()
        });
        trim(json!({
            "takedown": self.observation["takedown"],
            "linked": self.observation["linked"],
            "numbers": shown.collect::<Vec<_>>(),
        }))
    }

    fn right_numbers(&self) -> BTreeSet<&str> {
        let coverings = [&self.recorded, &self.filing];
        let numbers = coverings.into_iter().map(|one| &one["service"]["number"]);
        numbers.filter_map(Value::as_str).collect()
    }

    fn held_licences(&self) -> BTreeSet<&str> {
        let own = keys(&self.filing["subject"]["certificate"]);
        array(&self.facts()["licences"])
            .iter()
            .filter(|licence| !seeks(&licence["certificate"]).is_disjoint(&own))
            .filter_map(|licence| licence["number"].as_str())
            .collect()
    }

    /// The licence that tells: the best that is in force, else the best of all.
    fn licence(&self) -> Value {
        let last = array(&self.own_licences)
            .iter()
            .max_by_key(|one| (one["ends_rank"].as_i64(), one["number"].as_str()));
        let licence = if self.satisfying.is_null() {
            last.cloned().unwrap_or_default()
        } else {
            self.satisfying.clone()
        };
        if licence.is_null() {
            return Value::Null;
        }
        trim(json!({"status": licence["status"], "ends_at": licence["ends_at"]}))
    }

    fn passed_at(&self) -> Option<i64> {
        let candidates = array(&self.question["host"]["candidates"]);
        let stages = ["PROVIDER_REVIEW_PASSED", "AUTHORITY_REVIEW", "APPROVED"];
        array(&self.facts()["applications"])
            .iter()
            .filter(|one| one["kind"] == "NEW_ACCESS" && one["provider"] == "self")
            .filter(|one| stages.iter().any(|stage| one["stage"] == *stage))
            .filter(|one| candidates.contains(&one["domain"]))
            .filter_map(|one| one["passed_at"].as_i64())
            .filter(|passed| *passed <= self.now())
            .max()
    }

    fn blocks<'b>(&'b self, facts: &'b Value) -> impl Iterator<Item = &'b Value> {
        array(&facts["blocks"]).iter().filter(|block| {
            block["since"]
                .as_i64()
                .is_none_or(|since| since <= self.now())
                && block["until"]
                    .as_i64()
                    .is_none_or(|until| self.now() < until)
        })
    }

    fn blocked<'b>(&'b self, target: &'b str, facts: &'b Value) -> BTreeSet<&'b str> {
        self.blocks(facts)
            .filter_map(|block| block[target].as_str())
            .collect()
    }

    fn blocked_holders(&self, facts: &Value) -> BTreeSet<String> {
        self.blocks(facts)
            .flat_map(|block| keys(&block["certificate"]))
            .collect()
    }

    fn approved(&self, stands: impl Fn(Option<i64>) -> bool) -> BTreeSet<String> {
        let candidates = array(&self.question["host"]["candidates"]);
        let own = keys(&self.party["certificate"]);
        let sets = ["name", "applicant"].map(|set| &self.question["facts"][set]["approvals"]);
        sets.into_iter()
            .flat_map(array)
            .filter(|one| {
                candidates.contains(&one["domain"]) || !seeks(&one["certificate"]).is_disjoint(&own)
            })
            .filter(|one| stands(one["ends_at"].as_i64()))
            .filter_map(|one| one["sector"].as_str().map(str::to_owned))
            .collect()
    }
}

/// What a certificate is known by.
fn keys(certificate: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    if let Some(kind) = certificate["kind"].as_str() {
        keys.insert(format!("{kind}:{}", certificate["digest"]));
        if let Some(organisation) = certificate["organisation"].as_str() {
            keys.insert(format!("part of {kind}:{organisation}"));
        }
    }
    keys
}

/// What another certificate of the same holder is known by.
fn seeks(certificate: &Value) -> BTreeSet<String> {
    let mut seeks = BTreeSet::new();
    let Some(kind) = certificate["kind"].as_str() else {
        return seeks;
    };
    seeks.insert(format!("{kind}:{}", certificate["digest"]));
    let other = match kind {
        "OrganisationCode" => "UnifiedSocialCreditCode",
        "UnifiedSocialCreditCode" => "OrganisationCode",
        _ => return seeks,
    };
    if let Some(organisation) = certificate["organisation"].as_str() {
        seeks.insert(format!("part of {other}:{organisation}"));
    }
    seeks
}

fn comparable(a: &Value, b: &Value) -> bool {
    let across = |one: &Value| {
        !one["organisation"].is_null()
            && (one["kind"] == "OrganisationCode" || one["kind"] == "UnifiedSocialCreditCode")
    };
    !a.is_null() && !b.is_null() && (a["kind"] == b["kind"] || (across(a) && across(b)))
}

/// A name and everything above it.
fn ancestors(name: &str) -> Vec<&str> {
    let mut ancestors = vec![name];
    let mut rest = name;
    while let Some((_, above)) = rest.split_once('.') {
        ancestors.push(above);
        rest = above;
    }
    ancestors
}

fn number(text: &Value) -> Option<i64> {
    text.as_str().and_then(|text| text.parse().ok())
}

fn list(value: &Value) -> Value {
    Value::Array(array(value).to_vec())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fields(value: &Value) -> Vec<&String> {
    value.as_object().into_iter().flat_map(Map::keys).collect()
}

/// Leaves out what is not known, at every depth: Cedar has no null.
fn trim(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, trim(value)))
            .collect(),
        other => other,
    }
}
