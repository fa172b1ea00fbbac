//! Files of records: lines, plain and compressed, up to the sealed record.

use std::cell::RefCell;
use std::io::Cursor;
use std::pin::Pin;
use std::sync::LazyLock;

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use icpgate::intake::ndjson::{Limits, Lines};
use icpgate::intake::{Intake, Line, Violation, outgoing};
use icpgate::proto::v1;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::explain::Language;
use icpgate_policy::explain::file::file_problem;
use icpgate_policy::identity::{CertificateKind, Holder};
use icpgate_policy::records::Record;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::runtime::Runtime;

use super::registry::{NOW, fact, intake};

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

/// Small, so that short inputs reach them.
const LIMITS: Limits = Limits {
    line: 2048,
    decompressed: 32 * 1024,
};

/// Octets that a reader may have in hand beyond a bound: a line, or a piece that is skipped.
const IN_HAND: u64 = 256 * 1024 + 2050;

static INTAKE: LazyLock<Intake> = LazyLock::new(intake);

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// Reads the input as a file. Where the first octet is 1 or 2, what follows the second is
/// compressed first, with gzip or zstd, as many times over as the second says.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let runtime = RUNTIME.take().unwrap_or_else(|| {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime is built")
    });
    runtime.block_on(async {
        let file = match input {
            [1, times, text @ ..] => {
                let text = text.repeat(usize::from(*times).max(1));
                packed(Box::pin(GzipEncoder::new(Cursor::new(text)))).await
            }
            [2, times, text @ ..] => {
                let text = text.repeat(usize::from(*times).max(1));
                packed(Box::pin(ZstdEncoder::new(Cursor::new(text)))).await
            }
            _ => input.to_vec(),
        };
        read(file).await;
    });
    RUNTIME.set(Some(runtime));
}

async fn packed(mut encoder: Pin<Box<dyn AsyncRead>>) -> Vec<u8> {
    let mut file = Vec::new();
    encoder
        .read_to_end(&mut file)
        .await
        .expect("memory always takes it");
    file
}

async fn read(file: Vec<u8>) {
    let compressed = file.starts_with(&[0x1f, 0x8b]) || file.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let size = file.len() as u64;
    let mut lines = match Lines::new(Cursor::new(file), LIMITS).await {
        Ok(lines) => lines,
        Err(problem) => {
            for language in LANGUAGES {
                assert!(!file_problem(&problem, language).is_empty(), "{problem:?}");
            }
            return;
        }
    };
    let mut before = 0;
    let mut ended = false;
    while let Some(next) = lines.next().await {
        assert!(!ended, "a line behind the end");
        let most = if compressed {
            LIMITS.decompressed + IN_HAND
        } else {
            size
        };
        assert!(lines.octets() <= most, "{} octets", lines.octets());
        match next {
            Ok((number, line)) => {
                assert!(number > before, "line {number} after {before}");
                before = number;
                if let Line::Text(_) = &line {
                    assert_eq!(format!("{line:?}"), "Text(..)");
                }
                match line.into_record() {
                    Ok(record) => taken(record),
                    Err(violation) => told(&violation, &[]),
                }
            }
            Err(problem) => {
                ended = true;
                for language in LANGUAGES {
                    assert!(!file_problem(&problem, language).is_empty(), "{problem:?}");
                }
            }
        }
    }
}

/// What becomes of a record: refused without a word of what is personal in it, or sealed.
fn taken(wire: v1::Record) {
    let personal = personal(&wire);
    let again = serde_json::to_string(&wire).expect("a record has a JSON form");
    assert_eq!(
        serde_json::from_str::<v1::Record>(&again).ok().as_ref(),
        Some(&wire)
    );
    nothing_raw("Debug of the message", &format!("{wire:?}"), &personal);
    let new = match INTAKE.record(wire, *NOW) {
        Ok(new) => new,
        Err(violations) => {
            assert!(!violations.is_empty());
            for violation in &violations {
                told(violation, &personal);
            }
            return;
        }
    };
    nothing_raw("Debug of the record", &format!("{new:?}"), &personal);
    let stored = postcard::to_stdvec(&new.record).expect("a record is encoded");
    for text in &personal {
        let mut windows = stored.windows(text.len());
        assert!(
            !windows.any(|window| window == text.as_bytes()),
            "stored: {text:?}"
        );
    }
    let read: Record = postcard::from_bytes(&stored).expect("a stored record reads");
    assert_eq!(read, new.record);
    assert!(RecordKind::ALL.contains(&read.kind()));
    nothing_raw("the key", &read.key(), &personal);
    assert_eq!(read.handles(), new.record.handles());
    let sent = serde_json::to_string(&outgoing(&fact(new))).expect("a record has a JSON form");
    nothing_raw("what is sent", &sent, &personal);
}

fn told(violation: &Violation, personal: &[String]) {
    for language in LANGUAGES {
        let told = violation.description(language);
        assert!(!told.is_empty(), "{violation:?}");
        nothing_raw("what is said of it", &told, personal);
    }
    nothing_raw("Debug", &format!("{violation:?}"), personal);
}

fn nothing_raw(place: &str, text: &str, personal: &[String]) {
    for raw in personal {
        assert!(!text.contains(raw.as_str()), "{place}: {raw:?} in {text}");
    }
}

/// Certificate numbers and names of persons in a record, as far as they are long enough to be
/// told from the rest, and stand nowhere in it where texts are public.
fn personal(wire: &v1::Record) -> Vec<String> {
    let mut public = wire.clone();
    let mut found = Vec::new();
    blank(&mut public, &mut found);
    let public = serde_json::to_string(&public)
        .expect("a record has a JSON form")
        .to_uppercase();
    found.retain(|text| {
        let plain = text.chars().all(char::is_alphanumeric);
        let length = text.chars().count();
        let long = if text.is_ascii() {
            length >= 8
        } else {
            length >= 4
        };
        plain && long && !public.contains(&text.to_uppercase()) && !known(text)
    });
    found
}

/// Words that stand in every record of a kind.
fn known(text: &str) -> bool {
    const WORDS: &str = "SealedCertificate SealedName NewRecord Registration Application Provenance \
        DisplayObservation PublicSecurityFiling UnifiedSocialCreditCode OrganisationCode ResidentId \
        HkMacaoPermit TaiwanPermit ForeignPermanentResident LegalRepresentative SeniorManager \
        Shareholder certificate registrant";
    let words = WORDS.to_uppercase();
    words.contains(&text.to_uppercase())
}

fn blank(wire: &mut v1::Record, found: &mut Vec<String>) {
    use v1::record::Record as Wire;
    let mut certificate = |certificate: &mut Option<v1::Certificate>| {
        certificate
            .as_mut()
            .map(|certificate| {
                found.push(std::mem::take(&mut certificate.number));
                certificate.kind
            })
            .and_then(v1_kind)
    };
    let mut names = Vec::new();
    if let Some(Wire::Subject(subject)) = &mut wire.record {
        let _ = certificate(&mut subject.certificate);
        for person in &mut subject.people {
            let kind = certificate(&mut person.certificate);
            if Holder::of(kind) == Holder::Person {
                names.push(std::mem::take(&mut person.name));
            }
        }
        for parent in &mut subject.parents {
            let _ = certificate(&mut parent.certificate);
        }
    }
    if let Some(Wire::Licence(licence)) = &mut wire.record {
        let _ = certificate(&mut licence.holder_certificate);
    }
    if let Some(Wire::Registration(registration)) = &mut wire.record
        && let Some(registrant) = &mut registration.registrant
    {
        let kind = certificate(&mut registrant.certificate);
        if Holder::of(kind) == Holder::Person {
            names.push(std::mem::take(&mut registrant.name));
        }
    }
    if let Some(Wire::Block(v1::Block {
        target: Some(v1::block::Target::Certificate(blocked)),
        ..
    })) = &mut wire.record
    {
        names.push(std::mem::take(&mut blocked.number));
    }
    if let Some(Wire::Approval(v1::Approval {
        holder: Some(v1::approval::Holder::HolderCertificate(holder)),
        ..
    })) = &mut wire.record
    {
        names.push(std::mem::take(&mut holder.number));
    }
    found.append(&mut names);
}

fn v1_kind(number: i32) -> Option<CertificateKind> {
    use icpgate::proto::convert::Coded as _;
    CertificateKind::from_number(number)
}
