//! The question: what callers ask, normalised and without a raw personal value.
//!
//! [`Profile`] holds everything that can change an answer or its text and nothing else; equal
//! profiles have equal answers. [`Request`] is a profile whose names and numbers are parsed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codes::{
    BusinessModel, DomainControl, Product, Purpose, RealName, Sector, ServiceArea, SubjectEntity,
    SubjectNature,
};
use crate::domain_name::{self, Host, HostError, HostName, Suffixes};
use crate::explain::Language;
use crate::identity::{SealedCertificate, SealedName};
use crate::numbers::{Mode, Number, NumberError, Province, SubjectNumber};
use crate::records::{Handle, Person};

/// Everything that can change an answer or its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The name: normalised where it is one, else the trimmed text as typed.
    pub domain: String,
    /// What is ordered.
    pub product: Product,
    /// Where it is to be served.
    pub service_area: ServiceArea,
    /// What the answer is for.
    pub purpose: Purpose,
    /// What is known of the site.
    pub site: Site,
    /// Filing or licence number as typed; `None` where not given.
    pub claimed_filing_number: Option<String>,
    /// Origin, normalised as `domain` is; `None` where not given.
    pub origin_host: Option<String>,
    /// Whether the origin stands in the mainland; `None`: not declared.
    pub origin_in_mainland: Option<bool>,
    /// Host header, normalised as `domain` is; `None` where not given.
    pub host_header: Option<String>,
    /// What the caller declares about its customer.
    pub customer: Customer,
    /// Who wants to file; `None` where not given.
    pub applicant: Option<Applicant>,
    /// Language of the texts.
    pub language: Language,
}

/// What is known of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Whether it takes payments.
    pub payment_enabled: bool,
    /// How it earns; `None`: not declared.
    pub business_model: Option<BusinessModel>,
    /// Sectors in which it is active, sorted and without repeats.
    pub sectors: Vec<Sector>,
    /// When it went live; `None`: not yet.
    pub live_since: Option<Timestamp>,
}

/// What the caller declares about its customer; `None`: not declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The caller's account identifier; empty where not given.
    pub account_id: String,
    /// Whether the account's real name is verified.
    pub real_name: Option<RealName>,
    /// Whether control of the domain is proven.
    pub domain_control: Option<DomainControl>,
}

/// Who wants to file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Applicant {
    /// An existing subject.
    Existing(SubjectNumber),
    /// Somebody who has no filing yet.
    New(Box<NewApplicant>),
}

/// An applicant who has no filing yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewApplicant {
    /// Nature.
    pub nature: SubjectNature,
    /// Kind of legal entity.
    pub entity: SubjectEntity,
    /// Name; `None` where not given.
    pub name: Option<SealedName>,
    /// Certificate; `None` where not given.
    pub certificate: Option<SealedCertificate>,
    /// Province of domicile; `None` where not given.
    pub province: Option<Province>,
    /// Persons and companies behind an organisation.
    pub people: Vec<Person>,
}

/// A profile whose names and numbers are parsed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The profile.
    pub profile: Profile,
    /// The name, or why it is none.
    pub host: Result<Host, HostError>,
    /// The claimed number, or why it is none. The year of a number is not held against today
    /// here: the answer to that changes with the clock, so a rule gives it.
    pub claimed: Option<Result<Number, NumberError>>,
    /// The origin, or why it is no name or address.
    pub origin: Option<Result<Host, HostError>>,
    /// The host header, or why it is no name.
    pub host_header: Option<Result<Host, HostError>>,
}

/// Values under which the facts of a request are found; one set for each part of [`Facts`].
///
/// [`Facts`]: crate::facts::Facts
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// About the name.
    pub name: Vec<Handle>,
    /// About the origin; empty where it needs no check of its own.
    pub origin: Vec<Handle>,
    /// About the host header; empty where it needs no check of its own.
    pub host_header: Vec<Handle>,
    /// About the applicant; empty where there is none.
    pub applicant: Vec<Handle>,
}

impl Wanted {
    /// The sets, in the order of the parts.
    #[must_use]
    pub fn sets(&self) -> [&[Handle]; 4] {
        [&self.name, &self.origin, &self.host_header, &self.applicant]
    }
}

impl Request {
    /// Parses a profile. Total: what cannot be parsed becomes a finding later.
    #[must_use]
    pub fn new(mut profile: Profile, suffixes: &Suffixes) -> Self {
        let host = parse_host(&mut profile.domain, suffixes);
        let origin = profile
            .origin_host
            .as_mut()
            .map(|text| parse_host(text, suffixes));
        let host_header = profile
            .host_header
            .as_mut()
            .map(|text| parse_host(text, suffixes));
        let claimed = profile
            .claimed_filing_number
            .as_deref()
            .map(|text| Number::parse(text, Mode::Strict, i16::MAX).map(|parsed| parsed.number));
        profile.site.sectors.sort_unstable();
        profile.site.sectors.dedup();
        Self {
            profile,
            host,
            claimed,
            origin,
            host_header,
        }
    }

    /// The name, where the request is about one.
    #[must_use]
    pub fn host_name(&self) -> Option<&HostName> {
        match &self.host {
            Ok(Host::Name(name)) => Some(name),
            Ok(Host::Ip(_)) | Err(_) => None,
        }
    }

    /// The origin's name where it needs a check of its own: a CDN's origin under another
    /// registrable domain that is not declared to stand outside the mainland.
    #[must_use]
    pub fn origin_name(&self) -> Option<&HostName> {
        if self.profile.origin_in_mainland == Some(false) {
            return None;
        }
        self.name_of_its_own(self.origin.as_ref())
    }

    /// The host header's name where it needs a check of its own.
    #[must_use]
    pub fn host_header_name(&self) -> Option<&HostName> {
        self.name_of_its_own(self.host_header.as_ref())
    }

    /// Subject number of the applicant, where it is an existing one: as given, or the subject of
    /// the claimed number.
    #[must_use]
    pub fn applicant_number(&self) -> Option<SubjectNumber> {
        match &self.profile.applicant {
            Some(Applicant::Existing(number)) => Some(*number),
            Some(Applicant::New(_)) => None,
            None => match &self.claimed {
                Some(Ok(number)) => number.subject(),
                Some(Err(_)) | None => None,
            },
        }
    }

    /// Where the facts of this request are found. Names of a product or area that needs no facts
    /// yield nothing.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        if !self.needs_facts() {
            return wanted;
        }
        if let Some(name) = self.host_name() {
            wanted.name = handles(name);
        }
        if let Some(name) = self.origin_name() {
            wanted.origin = handles(name);
        }
        if let Some(name) = self.host_header_name() {
            wanted.host_header = handles(name);
        }
        if self.profile.purpose == Purpose::PreFiling {
            if let Some(number) = self.applicant_number() {
                wanted.applicant = vec![Handle::subject(&number)];
            } else if let Some(Applicant::New(applicant)) = &self.profile.applicant
                && let Some(certificate) = &applicant.certificate
            {
                wanted.applicant = Handle::holder(certificate);
            }
        }
        wanted
    }

    /// Whether records bear on the answer at all.
    #[must_use]
    pub fn needs_facts(&self) -> bool {
        self.profile.service_area.includes_mainland()
            && (self.profile.product != Product::DnsOnly
                || self.profile.purpose == Purpose::PreFiling)
    }

    fn name_of_its_own<'a>(
        &'a self,
        host: Option<&'a Result<Host, HostError>>,
    ) -> Option<&'a HostName> {
        if self.profile.product != Product::Cdn || self.profile.purpose == Purpose::PreFiling {
            return None;
        }
        let Some(Ok(Host::Name(name))) = host else {
            return None;
        };
        let own = self.host_name().map(HostName::registrable);
        (own != Some(name.registrable())).then_some(name)
    }
}

fn parse_host(text: &mut String, suffixes: &Suffixes) -> Result<Host, HostError> {
    let host = domain_name::parse(text, suffixes);
    match &host {
        Ok(Host::Name(name)) => *text = name.to_string(),
        Ok(Host::Ip(address)) => *text = address.to_string(),
        Err(_) => {
            let trimmed = text.trim();
            if trimmed.len() != text.len() {
                *text = trimmed.to_owned();
            }
        }
    }
    host
}

fn handles(name: &HostName) -> Vec<Handle> {
    name.candidates()
        .map(|candidate| Handle::name(&domain_name::fold(candidate)))
        .collect()
}
