//! Generated records. Few values are in play, so that records meet each other and the question.

use std::collections::BTreeSet;
use std::sync::Arc;

use icpgate_policy::calendar::beijing_day;
use icpgate_policy::codes::{
    AccessStatus, ApplicationKind, ApplicationStage, BlockList, LicenceStatus, RealName, Sector,
    ServiceStatus, SubjectEntity, SubjectNature, SubjectStatus, TelecomBusiness,
};
use icpgate_policy::domain_name::{self, Host};
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::identity::{SealedCertificate, SealedName};
use icpgate_policy::numbers::{ServiceNumber, SubjectNumber};
use icpgate_policy::records::{
    Access, Application, Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Licence,
    Parent, PublicSecurityFiling, Record, RecordDomain, Registration, Service, ShownNumber,
    Subject,
};
use icpgate_policy::request::Profile;
use jiff::civil::Date;
use jiff::{Span, Timestamp};

use super::dice::Dice;
use super::parts::{
    any_service, certificate, instant, name, nature, people, service_kind, subject_number,
};
use super::world::{PROVIDER, World};

/// What one case draws from.
struct Scene<'a> {
    dice: &'a mut Dice,
    world: &'a World,
    now: Timestamp,
    family: usize,
    /// The name in question and its ancestors.
    names: Vec<RecordDomain>,
    /// Certificates of the subjects and of their parents.
    holders: Vec<SealedCertificate>,
    records: Vec<Record>,
}

/// All records of a case, with different keys.
pub(crate) fn records(
    dice: &mut Dice,
    world: &World,
    profile: &Profile,
    family: usize,
    now: Timestamp,
) -> Vec<Fact<Record>> {
    let names = match domain_name::parse(&profile.domain, &world.policies[0].suffixes) {
        Ok(Host::Name(name)) => name.candidates().map(RecordDomain::new).collect(),
        Ok(Host::Ip(_)) | Err(_) => Vec::new(),
    };
    let mut scene = Scene {
        dice,
        world,
        now,
        family,
        names,
        holders: Vec::new(),
        records: Vec::new(),
    };
    // Half of the cases have little amiss, so that answers other than denials occur.
    let calm = scene.dice.chance(50);
    scene.filings(calm);
    scene.licences(calm);
    scene.registrations(calm);
    scene.applications(calm);
    scene.blocks(calm);
    scene.approvals(profile);
    scene.public_security();
    scene.display(calm);
    let records = std::mem::take(&mut scene.records);
    let mut keys = BTreeSet::new();
    let mut revision = 0;
    records
        .into_iter()
        .filter(|record| keys.insert((record.kind(), record.key())))
        .map(|value| {
            revision += 1;
            Fact {
                value,
                provenance: provenance(dice, now, revision),
            }
        })
        .collect()
}

fn provenance(dice: &mut Dice, now: Timestamp, revision: u64) -> Provenance {
    // Now and then the store's clock is ahead.
    let committed_at = instant(dice, now, &[0, 1, 1, 1, 10]);
    Provenance {
        source: Arc::from("test"),
        observed_at: instant(dice, now, &[0, 1, 30]),
        revision: Revision(revision),
        committed_at,
    }
}

impl Scene<'_> {
    /// Mostly the name in question or an ancestor of it, else one of its family, seldom of another.
    fn domain(&mut self) -> RecordDomain {
        if !self.names.is_empty() && self.dice.chance(55) {
            return self.dice.pick(&self.names).clone();
        }
        let family = if self.dice.chance(80) {
            self.family
        } else {
            self.dice.below(self.world.families.len())
        };
        self.dice.pick(&self.world.families[family].records).clone()
    }

    /// A certificate of a holder of licences, blocks and approvals: often a subject's.
    fn holder(&mut self) -> SealedCertificate {
        if !self.holders.is_empty() && self.dice.chance(60) {
            return self.dice.pick(&self.holders).clone();
        }
        let organisation = self.dice.chance(80);
        certificate(self.dice, self.world, organisation)
    }

    fn instant(&mut self, days: &[i64]) -> Timestamp {
        instant(self.dice, self.now, days)
    }

    fn maybe_instant(&mut self, percent: usize, days: &[i64]) -> Option<Timestamp> {
        self.dice.chance(percent).then(|| self.instant(days))
    }

    /// A day so many days after today.
    fn day(&mut self, days: &[i32]) -> Date {
        let by = *self.dice.pick(days);
        beijing_day(self.now).saturating_add(Span::new().days(by))
    }

    fn maybe_day(&mut self, percent: usize, days: &[i32]) -> Option<Date> {
        self.dice.chance(percent).then(|| self.day(days))
    }

    fn filings(&mut self, calm: bool) {
        let subjects = *self.dice.pick(&[0, 1, 1, 1, 2, 2]);
        let mut numbers = Vec::new();
        for _ in 0..subjects {
            let number = subject_number(self.dice, self.world);
            numbers.push(number);
            self.subject(number, calm);
        }
        let services = *self.dice.pick(&[0, 1, 1, 2, 2, 3]);
        for _ in 0..services {
            // Seldom of a subject that has no record.
            let number = if numbers.is_empty() || self.dice.chance(8) {
                subject_number(self.dice, self.world)
            } else {
                *self.dice.pick(&numbers)
            };
            self.service(number, calm);
        }
    }

    fn subject(&mut self, subject_number: SubjectNumber, calm: bool) {
        let nature = nature(self.dice);
        let organisation = nature != SubjectNature::Individual;
        let parents = *self.dice.pick(&[0, 0, 1, 2]);
        let status = if calm {
            SubjectStatus::Active
        } else {
            *self.dice.pick(SubjectStatus::ALL)
        };
        let subject = Subject {
            subject_number,
            name: name(self.dice, self.world, organisation),
            nature,
            entity: if self.dice.chance(50) {
                SubjectEntity::Domestic
            } else {
                *self.dice.pick(SubjectEntity::ALL)
            },
            certificate: certificate(self.dice, self.world, organisation),
            status,
            people: people(self.dice, self.world),
            parents: (0..parents)
                .map(|_| Parent {
                    certificate: certificate(self.dice, self.world, true),
                    share_basis_points: *self.dice.pick(&[0, 5099, 5100, 5101, 10_000]),
                })
                .collect(),
        };
        self.holders.push(subject.certificate.clone());
        self.holders.extend(
            subject
                .parents
                .iter()
                .map(|parent| parent.certificate.clone()),
        );
        self.records.push(Record::Subject(subject));
    }

    fn service(&mut self, subject: SubjectNumber, calm: bool) {
        let kind = service_kind(self.dice);
        let service_number = *self.dice.pick(&self.world.services_of(subject, kind));
        let domains = *self.dice.pick(&[1, 1, 1, 2]);
        let domains = (0..domains).map(|_| self.domain()).collect();
        let service = Service {
            service_number,
            kind,
            name: "网站".into(),
            domains,
            content_types: Vec::new(),
            status: if calm || self.dice.chance(40) {
                ServiceStatus::Active
            } else {
                *self.dice.pick(ServiceStatus::ALL)
            },
            access_restricted: self.dice.chance(if calm { 2 } else { 15 }),
            approved_at: self.maybe_instant(60, &[100, 200]),
        };
        self.records.push(Record::Service(service));
        for _ in 0..*self.dice.pick(&[0, 1, 1, 2]) {
            let provider = *self.dice.pick(&[PROVIDER, PROVIDER, "another"]);
            let access = Access {
                service_number,
                provider_id: provider.into(),
                status: if self.dice.chance(75) {
                    AccessStatus::Active
                } else {
                    AccessStatus::Cancelled
                },
                since: self.maybe_instant(50, &[0, 1, -1]),
            };
            self.records.push(Record::Access(access));
        }
    }

    fn licences(&mut self, calm: bool) {
        for _ in 0..*self.dice.pick(&[0, 1, 1, 2, 3]) {
            let businesses = [
                TelecomBusiness::B21,
                TelecomBusiness::B25,
                TelecomBusiness::B12,
            ];
            let licence = Licence {
                licence_number: *self.dice.pick(&self.world.licences),
                holder_name: None,
                holder_certificate: self.holder(),
                businesses: self.dice.some_of(45, 3, &businesses),
                issued_on: self.maybe_day(40, &[-1, 0, 1, -1000]),
                expires_on: self.maybe_day(75, &[-1, 0, 1, 88, 89, 90, 91, 500]),
                status: if calm || self.dice.chance(50) {
                    LicenceStatus::Active
                } else {
                    *self.dice.pick(LicenceStatus::ALL)
                },
            };
            self.records.push(Record::Licence(licence));
        }
    }

    fn registrations(&mut self, calm: bool) {
        let twice = if self.dice.chance(30) { 2 } else { 1 };
        for domain in self.world.families[self.family].records.clone() {
            // Nearly always there, because almost every rule needs it.
            let labels = domain.ascii().split('.').count();
            let likely = if labels <= 3 { 85 } else { 10 * twice };
            if self.dice.chance(likely) {
                let registration = self.registration(domain, calm);
                self.records.push(Record::Registration(registration));
            }
        }
    }

    fn registration(&mut self, domain: RecordDomain, calm: bool) -> Registration {
        // The registrant is often somebody who stands behind the subject.
        let behind: Vec<(SealedName, SealedCertificate)> = self
            .records
            .iter()
            .filter_map(|record| {
                let Record::Subject(subject) = record else {
                    return None;
                };
                Some((subject.name.clone(), subject.certificate.clone()))
            })
            .collect();
        let organisation = self.dice.chance(65);
        let (name, certificate) =
            if !behind.is_empty() && self.dice.chance(if calm { 80 } else { 40 }) {
                self.dice.pick(&behind).clone()
            } else {
                (
                    name(self.dice, self.world, organisation),
                    certificate(self.dice, self.world, organisation),
                )
            };
        let statuses: [Box<str>; 4] = [
            "ok".into(),
            "clienttransferprohibited".into(),
            "serverhold".into(),
            "inactive".into(),
        ];
        Registration {
            domain,
            registrar: "registrar".into(),
            registrar_approved: *self.dice.pick(&[None, Some(true), Some(true), Some(false)]),
            registrant_name: self.dice.chance(80).then_some(name),
            registrant_certificate: self.dice.chance(75).then_some(certificate),
            redacted: self.dice.chance(if calm { 2 } else { 15 }),
            real_name: if calm {
                *self.dice.pick(&[None, Some(RealName::Verified)])
            } else {
                *self.dice.pick(&[
                    None,
                    Some(RealName::Verified),
                    Some(RealName::Verified),
                    Some(RealName::Unverified),
                ])
            },
            real_name_verified_at: self
                .maybe_instant(70, &[0, 1, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 100]),
            in_authority_library: *self.dice.pick(&[None, None, Some(true), Some(false)]),
            statuses: if calm {
                Vec::new()
            } else {
                self.dice.some_of(20, 2, &statuses)
            },
            expires_at: self.maybe_instant(60, if calm { &[-1, -100] } else { &[0, 1, -1] }),
        }
    }

    fn applications(&mut self, calm: bool) {
        for number in 0..*self.dice.pick(&[0, 0, 1, 1, 2]) {
            let provider = *self.dice.pick(&[PROVIDER, PROVIDER, "another", ""]);
            let application = Application {
                application_id: format!("A{number}").into(),
                domain: self.domain(),
                kind: if self.dice.chance(50) {
                    ApplicationKind::NewAccess
                } else {
                    *self.dice.pick(ApplicationKind::ALL)
                },
                provider_id: provider.into(),
                stage: if calm {
                    ApplicationStage::Approved
                } else {
                    *self.dice.pick(ApplicationStage::ALL)
                },
                provider_review_passed_at: self.maybe_instant(85, &[0, 1, 44, 45, 46, -1]),
            };
            self.records.push(Record::Application(application));
        }
    }

    fn blocks(&mut self, calm: bool) {
        if calm && self.dice.chance(85) {
            return;
        }
        for _ in 0..*self.dice.pick(&[0, 0, 0, 1, 2]) {
            let target = if self.dice.chance(50) {
                BlockTarget::Domain(self.domain())
            } else {
                BlockTarget::Certificate(self.holder())
            };
            let block = Block {
                list: *self.dice.pick(BlockList::ALL),
                target,
                reason: "".into(),
                since: self.maybe_instant(60, &[0, 1, -1]),
                until: self.maybe_instant(60, &[0, 1, -1]),
            };
            self.records.push(Record::Block(block));
        }
    }

    fn approvals(&mut self, profile: &Profile) {
        for sector in &profile.site.sectors {
            for number in 0..*self.dice.pick(&[0, 1, 1, 2]) {
                let holder = if self.dice.chance(50) {
                    ApprovalHolder::Domain(self.domain())
                } else {
                    ApprovalHolder::Certificate(self.holder())
                };
                // Seldom an approval of another sector.
                let sector = if self.dice.chance(90) {
                    *sector
                } else {
                    *self.dice.pick(Sector::ALL)
                };
                let approval = Approval {
                    sector,
                    approval_number: format!("{number}").into(),
                    holder,
                    expires_on: self.maybe_day(60, &[-1, 0, 1, 100]),
                };
                self.records.push(Record::Approval(approval));
            }
        }
    }

    fn public_security(&mut self) {
        if self.dice.chance(30) {
            let filing = PublicSecurityFiling {
                number: *self.dice.pick(&self.world.public_security),
                domain: self.domain(),
                filed_on: None,
            };
            self.records.push(Record::PublicSecurityFiling(filing));
        }
    }

    fn display(&mut self, calm: bool) {
        for _ in 0..*self.dice.pick(&[0, 0, 1, 1, 2]) {
            let numbers = *self.dice.pick(&[0, 1, 1, 2]);
            let numbers = (0..numbers).map(|_| self.shown()).collect();
            let observation = DisplayObservation {
                domain: self.domain(),
                numbers,
                linked: *self.dice.pick(&[None, Some(true), Some(false)]),
                takedown: self.dice.chance(if calm { 1 } else { 15 }),
            };
            self.records.push(Record::DisplayObservation(observation));
        }
    }

    fn shown(&mut self) -> ShownNumber {
        let subject = subject_number(self.dice, self.world);
        match self.dice.below(10) {
            0..3 => ShownNumber::Subject(subject),
            3 => {
                let licence = *self.dice.pick(&self.world.licences);
                ShownNumber::Subject(licence.as_subject())
            }
            4 => ShownNumber::Unreadable("京ICP备号".into()),
            5 => ShownNumber::Service(any_service(self.dice, self.world, subject)),
            _ => {
                let filed: Vec<ServiceNumber> = self
                    .records
                    .iter()
                    .filter_map(|record| {
                        let Record::Service(service) = record else {
                            return None;
                        };
                        Some(service.service_number)
                    })
                    .collect();
                if filed.is_empty() {
                    ShownNumber::Subject(subject)
                } else {
                    ShownNumber::Service(*self.dice.pick(&filed))
                }
            }
        }
    }
}
