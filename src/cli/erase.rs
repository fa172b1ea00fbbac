//! `icpgate erase`: tells what is held about somebody, and erases it.
//!
//! **Never here:** a number of a certificate in an argument or in the answer. Arguments stand in the
//! list of processes and in the histories of shells.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use icpgate_policy::domain_name::{self, Host, Suffixes};
use icpgate_policy::explain::Language;
use icpgate_policy::explain::numbers::number_error;
use icpgate_policy::identity::{Certificate, CertificateKind, CheckDigits, Sealer};
use icpgate_policy::numbers::SubjectNumber;
use icpgate_policy::records::RecordDomain;
use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::exit::{self, Failure, OrExit as _};
use super::output::{self, BOLD, CARE, Output};
use crate::store::{Erase, Erased, Upkeep, Whom};

/// Longest text that is read as a number, in octets.
const LONGEST: usize = 1024;

/// Flags of `icpgate erase`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whom").required(true)))]
#[command(after_help = "Examples:
  icpgate erase --certificate -          (type or pipe the number)
  icpgate erase --certificate number.txt --kind passport --yes
  icpgate erase --subject-number 京ICP备10000001号 --yes
  icpgate erase --domain example.cn --output json

Without --yes it only tells what it would do. docs/PRIVACY.md tells what goes, what stays and why.

Exit codes: 0 erased, or told, 1 nothing is held, 64 no such number or name, 66 no such file,
74 file or store cannot be read or written")]
pub struct EraseArgs {
    /// File with the number of the person's certificate and nothing else; `-` is standard input
    #[arg(long, group = "whom", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub certificate: Option<PathBuf>,
    /// Kind of the certificate
    #[arg(long, value_enum, default_value_t, requires = "certificate")]
    pub kind: Kind,
    /// Number of a subject, which goes whole, with its services
    #[arg(long, group = "whom", value_name = "NUMBER")]
    pub subject_number: Option<String>,
    /// Domain whose registration, applications, public-security filing and observation go
    #[arg(long, group = "whom", value_name = "NAME")]
    pub domain: Option<String>,
    /// Erase blocks of the provider's own list too; those of the authority's stay while they are in
    /// force
    #[arg(long)]
    pub provider_blocks: bool,
    /// Do it
    #[arg(long)]
    pub yes: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Kinds of certificates that persons have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Resident identity card, also the residence permit with a number of the same form
    #[default]
    ResidentId,
    /// Passport
    Passport,
    /// Travel permit of residents of Hong Kong and Macao
    HkMacaoPermit,
    /// Travel permit of residents of Taiwan
    TaiwanPermit,
    /// Permanent residence card of a foreigner
    ForeignPermanentResident,
    /// Any other
    Other,
}

impl Kind {
    const fn certificate(self) -> CertificateKind {
        match self {
            Self::ResidentId => CertificateKind::ResidentId,
            Self::Passport => CertificateKind::Passport,
            Self::HkMacaoPermit => CertificateKind::HkMacaoPermit,
            Self::TaiwanPermit => CertificateKind::TaiwanPermit,
            Self::ForeignPermanentResident => CertificateKind::ForeignPermanentResident,
            Self::Other => CertificateKind::Other,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// Whether it was done, or would be.
    erased: bool,
    records: Vec<Count>,
    changed: Vec<Count>,
    kept: Vec<Kept>,
    subjects: Vec<String>,
    services: Vec<String>,
    versions: u64,
    decisions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

#[derive(Serialize)]
struct Count {
    kind: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Kept {
    kind: &'static str,
    key: String,
}

/// Runs the command on a store.
///
/// # Errors
///
/// What was given names nobody, or the store cannot be read or written.
pub async fn run(
    args: &EraseArgs,
    sealer: &Sealer,
    suffixes: &Suffixes,
    store: &dyn Upkeep,
    now: Timestamp,
) -> Result<u8, Failure> {
    let erase = Erase {
        whom: whom(args, sealer, suffixes, now)?,
        provider_blocks: args.provider_blocks,
    };
    let erased = store.erase(&erase, args.yes, now).await.or_exit(exit::IO)?;
    let found = erased.versions > 0 || erased.decisions > 0;
    let told = told(erased);
    match args.output {
        Output::Json => output::print_json(&told)?,
        Output::Table => output::print(&text(&told, args.yes))?,
    }
    Ok(if found { exit::SUCCESS } else { exit::REFUSED })
}

fn whom(
    args: &EraseArgs,
    sealer: &Sealer,
    suffixes: &Suffixes,
    now: Timestamp,
) -> Result<Whom, Failure> {
    let usage = |problem: String| Failure::new(exit::USAGE, anyhow::anyhow!(problem));
    if let Some(number) = &args.subject_number {
        let year = jiff::tz::offset(8).to_datetime(now).year();
        let parsed = SubjectNumber::parse(number.trim(), year);
        let problem = |error| usage(number_error(&error, Language::English));
        return parsed.map(Whom::Subject).map_err(problem);
    }
    if let Some(domain) = &args.domain {
        return match domain_name::parse(domain, suffixes) {
            Ok(Host::Name(name)) => Ok(Whom::Domain(RecordDomain::new(name.ascii()))),
            Ok(Host::Ip(_)) | Err(_) => Err(usage(format!("`{domain}` is no domain name"))),
        };
    }
    let Some(file) = &args.certificate else {
        return Err(usage("say whose records".to_owned()));
    };
    let text = read(file)?;
    let kind = args.kind.certificate();
    // What is wrong is not told with the number.
    let certificate = Certificate::parse(kind, text.trim(), CheckDigits::Accept)
        .map_err(|_| usage("what was read is no number of such a certificate".to_owned()))?;
    Ok(Whom::Person(sealer.seal_certificate(&certificate)))
}

fn read(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST));
    let done = if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(LONGEST as u64)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(LONGEST as u64).read_to_string(&mut text))
    };
    done.with_context(|| format!("read `{}`", file.display()))
        .or_exit(exit::NO_INPUT)?;
    Ok(text)
}

fn told(erased: Erased) -> Told {
    let counts = |counts: Vec<(icpgate_policy::codes::RecordKind, u64)>| {
        let counts = counts.into_iter().map(|(kind, count)| Count {
            kind: kind.as_str(),
            count,
        });
        counts.collect()
    };
    let Erased {
        records,
        changed,
        kept,
        subjects,
        services,
        versions,
        decisions,
        revision,
    } = erased;
    Told {
        erased: revision.is_some(),
        records: counts(records),
        changed: counts(changed),
        kept: kept
            .into_iter()
            .map(|(kind, key)| Kept {
                kind: kind.as_str(),
                key,
            })
            .collect(),
        subjects,
        services,
        versions,
        decisions,
        revision: revision.map(|revision| revision.0),
    }
}

fn text(told: &Told, yes: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if told.versions == 0 && told.decisions == 0 {
        let _ = writeln!(text, "nothing that could be erased is held");
    } else {
        let head = if yes { "erased" } else { "would erase" };
        let _ = writeln!(text, "{BOLD}{head}{BOLD:#}");
        for (what, counts) in [("", &told.records), (", the person in it", &told.changed)] {
            for Count { kind, count } in counts {
                let _ = writeln!(text, "  {count} {kind}{what}");
            }
        }
        let _ = writeln!(
            text,
            "  {} versions in all; the facts of {} recorded decisions",
            told.versions, told.decisions
        );
        for number in told.subjects.iter().chain(&told.services) {
            let _ = writeln!(text, "  {number}");
        }
    }
    for Kept { kind, key } in &told.kept {
        let _ = writeln!(text, "{CARE}kept{CARE:#}  {kind} {key}, in force");
    }
    match told.revision {
        Some(revision) => {
            let _ = writeln!(
                text,
                "revision {revision}; run it once more in a minute, for decisions that were on \
                 their way, and see docs/PRIVACY.md for backups and Redis"
            );
        }
        None if !yes => {
            let _ = writeln!(text, "nothing was done; say --yes to do it");
        }
        None => {}
    }
    text
}
