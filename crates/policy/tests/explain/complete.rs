//! Wording of answers: complete in both languages, and silent about people.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::support::{
    FILED, PERSON_NAME, PERSON_NUMBER, Question, Setting, check, cjk, evidence_lists, finding,
    outside_quotes,
};
use icpgate_policy::codes::{Outcome, Reason, RecordKind, Sector, TelecomBusiness, Verdict};
use icpgate_policy::decision::{Detail, Evidence, FactSet, Finding, decide};
use icpgate_policy::explain::{
    self, Language, evidence_key, reason_meaning, rule_references, rule_title,
};
use icpgate_policy::facts::{Entitlement, Facts, NameFacts, Why};
use icpgate_policy::policy::{Effect, Policy, default_effect, shipped};
use icpgate_policy::rules::{RULES, RuleId};

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

const DETAILS: [Detail; 17] = [
    Detail::None,
    Detail::Business(TelecomBusiness::B21),
    Detail::Sector(Sector::News),
    Detail::Unknown(RecordKind::Service, Why::StoreUnavailable),
    Detail::Unknown(RecordKind::Licence, Why::NotComplete),
    Detail::Unknown(RecordKind::Block, Why::SyncTooOld),
    Detail::Unknown(RecordKind::Registration, Why::Stale),
    Detail::YearAhead,
    Detail::Undeclared,
    Detail::OtherService,
    Detail::OtherServiceKind,
    Detail::OtherSubject,
    Detail::Malformed,
    Detail::WholeSubject,
    Detail::NoApplicant,
    Detail::NameAlone,
    Detail::OtherPassport,
];

#[test]
fn every_finding_has_wording_in_both_languages() {
    let mut texts = 0;
    for question in Question::all() {
        let setting = Setting::new(&question);
        for language in LANGUAGES {
            let ctx = setting.explained(language);
            for (rule, reason) in pairs() {
                for detail in DETAILS {
                    for evidence in evidence_lists() {
                        // Wording looks at one or the other.
                        if detail != Detail::None && !evidence.is_empty() {
                            continue;
                        }
                        let waits = default_effect(reason, false) == Effect::Indeterminate;
                        let outcome = if waits {
                            Outcome::Indeterminate
                        } else if detail == Detail::OtherSubject {
                            Outcome::Review
                        } else {
                            Outcome::Deny
                        };
                        let found = Finding {
                            detail,
                            evidence,
                            ..finding(rule, outcome, Some(reason))
                        };
                        let text = explain::finding(&ctx, &found);
                        check(&text.message, language, &found);
                        check(&text.remediation, language, &found);
                        assert!(!text.references.is_empty());
                        if reason == Reason::FilingNumberMismatch {
                            assert!(!text.message.contains("10046444"), "{}", text.message);
                            assert!(!text.remediation.contains("10046444"));
                        }
                        texts += 2;
                    }
                }
            }
        }
    }
    assert!(texts > 100_000, "{texts}");
}

#[test]
fn passes_and_obligations_have_wording_in_both_languages() {
    let setting = Setting::new(&Question::default());
    for language in LANGUAGES {
        let ctx = setting.explained(language);
        for rule in RULES {
            for outcome in [Outcome::Pass, Outcome::NotApplicable] {
                let found = finding(rule.id, outcome, None);
                let text = explain::finding(&ctx, &found);
                check(&text.message, language, &found);
                assert_eq!(text.remediation, "");
                assert!(!text.references.is_empty());
            }
        }
        for (rule, reason) in pairs() {
            for due_at in [None, Some("2026-12-01T15:59:59Z".parse().unwrap())] {
                let found = Finding {
                    due_at,
                    ..finding(rule, Outcome::Pass, Some(reason))
                };
                let text = explain::obligation(&ctx, &found);
                check(&text, language, &found);
                assert_eq!(text.contains("2026-12-01"), due_at.is_some(), "{text}");
                let part = explain::finding(&ctx, &found).remediation;
                assert!(!part.is_empty() && text.contains(&*part), "{text}");
            }
        }
    }
}

#[test]
fn titles_meanings_and_verdicts_are_complete_and_distinct() {
    for language in LANGUAGES {
        let titles: BTreeSet<&str> = RULES
            .iter()
            .map(|rule| rule_title(rule.id, language))
            .collect();
        assert_eq!(titles.len(), RULES.len());
        let meanings: BTreeSet<&str> = Reason::ALL
            .iter()
            .map(|reason| reason_meaning(*reason, language))
            .collect();
        assert_eq!(meanings.len(), Reason::ALL.len());
        let verdicts = Verdict::ALL
            .iter()
            .map(|verdict| explain::verdict(*verdict, language));
        for text in meanings.into_iter().chain(verdicts) {
            check(text, language, &"");
        }
        for title in titles {
            assert_eq!(
                title.chars().any(cjk),
                language == Language::Chinese,
                "{title}"
            );
        }
    }
    for rule in RULES {
        for reference in rule_references(rule.id) {
            assert!(!outside_quotes(reference).chars().any(cjk), "{reference}");
            assert!(!reference.contains("  "), "{reference}");
        }
    }
}

#[test]
fn what_is_common_is_looked_up_and_not_made() {
    let setting = Setting::new(&Question::default());
    for language in LANGUAGES {
        let ctx = setting.explained(language);
        for reason in [
            Reason::FilingNotFound,
            Reason::FilingInProgress,
            Reason::AccessNotLinked,
            Reason::DomainBlacklisted,
            Reason::RealNameUnverified,
            Reason::CommercialLicenceMissing,
        ] {
            let text = explain::finding(&ctx, &finding(RuleId::R07, Outcome::Deny, Some(reason)));
            assert!(matches!(text.message, Cow::Borrowed(_)), "{reason}");
            assert!(matches!(text.remediation, Cow::Borrowed(_)), "{reason}");
        }
        let text = explain::finding(&ctx, &finding(RuleId::R07, Outcome::Pass, None));
        assert!(matches!(text.message, Cow::Borrowed(_)));
    }
}

#[test]
fn no_text_tells_of_a_person() {
    for question in Question::all() {
        let setting = Setting::new(&question);
        let ctx = setting.explained(Language::Chinese);
        for (rule, reason) in pairs() {
            for evidence in evidence_lists() {
                let found = Finding {
                    evidence,
                    ..finding(rule, Outcome::Deny, Some(reason))
                };
                let text = explain::finding(&ctx, &found);
                for secret in [PERSON_NAME, PERSON_NUMBER, "样*", "1101*"] {
                    let told = text.message.contains(secret) || text.remediation.contains(secret);
                    assert!(!told, "{reason}: {} {}", text.message, text.remediation);
                }
            }
        }
    }
}

#[test]
fn a_sector_names_its_approval() {
    let setting = Setting::new(&Question::default());
    for sector in Sector::ALL {
        for language in LANGUAGES {
            for outcome in [Outcome::Deny, Outcome::Review] {
                let found = Finding {
                    detail: Detail::Sector(*sector),
                    ..finding(RuleId::R38, outcome, Some(Reason::SectorApprovalMissing))
                };
                let text = explain::finding(&setting.explained(language), &found);
                check(&text.message, language, &found);
                check(&text.remediation, language, &found);
                assert!(text.remediation.chars().any(cjk), "{}", text.remediation);
            }
        }
    }
    let found = Finding {
        detail: Detail::Sector(Sector::News),
        ..finding(
            RuleId::R38,
            Outcome::Deny,
            Some(Reason::SectorApprovalMissing),
        )
    };
    let text = explain::finding(&setting.explained(Language::Chinese), &found);
    assert!(text.remediation.contains("互联网新闻信息服务许可证"));
}

#[test]
fn evidence_shows_the_key_of_its_record_and_masks_people() {
    let setting = Setting::new(&Question::default());
    for (record, evidence) in setting.records() {
        let (key, provenance) = evidence_key(&setting.facts, evidence).unwrap();
        assert_eq!(key, format!("{}/{}", record.kind(), record.shown_key()));
        assert_eq!(&*provenance.source, "test");
        assert!(!key.contains(PERSON_NUMBER), "{key}");
    }
    let nothing = |set, index| {
        let kind = RecordKind::Service;
        evidence_key(&setting.facts, Evidence { set, kind, index }).is_none()
    };
    assert!(nothing(FactSet::Name, u16::MAX));
    assert!(nothing(FactSet::Name, 99));
    assert!(nothing(FactSet::Origin, 0));
}

#[test]
fn whole_answers_are_explained() {
    let mut told = BTreeSet::new();
    for name in ["mainland-strict", "mainland-business-model"] {
        let policy = Policy::compile(shipped(name).unwrap(), "self").unwrap();
        for question in Question::all() {
            for entitlement in [
                Entitlement::complete(),
                Entitlement::unknown(Why::StoreUnavailable),
                Entitlement::unknown(Why::NotComplete),
            ] {
                let mut setting = Setting::new(&question);
                setting.policy = policy.clone();
                if question.domain != FILED {
                    setting.facts = Facts::of_name(NameFacts::empty(entitlement));
                }
                let now = setting.decision.decided_at;
                setting.decision = decide(&setting.policy, &setting.request, &setting.facts, now);
                for language in LANGUAGES {
                    let ctx = setting.explained(language);
                    for found in &setting.decision.findings {
                        let text = explain::finding(&ctx, found);
                        check(&text.message, language, found);
                        if let Some(reason) = found.reason {
                            check(&text.remediation, language, found);
                            told.insert(reason);
                        }
                        for evidence in &found.evidence {
                            let shown = evidence_key(&setting.facts, *evidence).is_some();
                            assert_eq!(shown, evidence.index != u16::MAX);
                        }
                    }
                    for owed in setting.decision.obligations() {
                        check(
                            &explain::obligation(&ctx, owed.finding),
                            language,
                            owed.finding,
                        );
                    }
                }
            }
        }
    }
    assert!(told.len() > 15, "{told:?}");
}

/// Every rule with every reason that it can find.
fn pairs() -> impl Iterator<Item = (RuleId, Reason)> {
    RULES.iter().flat_map(|rule| {
        let common = [Reason::FactsUnavailable, Reason::FactsStale];
        let reasons = rule.reasons.iter().copied().chain(common);
        reasons.map(|reason| (rule.id, reason))
    })
}
