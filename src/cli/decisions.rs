//! `icpgate decisions`: removes recorded decisions that need no longer be kept.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::exit::{self, Failure, OrExit as _};
use super::keys::spinner;
use super::output::{self, BOLD, Output};
use super::values;
use crate::config::Setting as _;
use crate::store::{Aged, KEPT_AT_LEAST, Progress, Prune, Upkeep};

/// Flags of `icpgate decisions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate decisions prune --older-than 400d
  icpgate decisions prune --older-than 400d --yes

docs/RETENTION.md tells what decisions are kept for, and how to keep a copy.")]
pub struct DecisionsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: DecisionsCommand,
}

/// What is done with recorded decisions.
#[derive(Debug, Subcommand)]
pub enum DecisionsCommand {
    /// Remove decisions that were recorded long ago, with their orders, callers and facts
    Prune(PruneArgs),
}

/// Flags of `icpgate decisions prune`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("age").required(true)))]
#[command(after_help = "Examples:
  icpgate decisions prune --older-than 400d                (tells, and does nothing)
  icpgate decisions prune --before 2026-01-01 --yes
  icpgate decisions prune --older-than 400d --yes --output json

Without --yes it only tells what it would do. Decisions of the last 30 days stay in any case. It
works beside running servers, in small steps; interrupted, it is run again and goes on.
docs/RETENTION.md tells more.

Exit codes: 0 removed, or told, also where there is nothing to remove, 64 no such age, or too young,
74 the store cannot be read or written")]
pub struct PruneArgs {
    /// Remove what was recorded before this day began in Beijing, such as 2026-01-01
    #[arg(long, group = "age", value_name = "DATE", value_parser = values::day)]
    pub before: Option<Date>,
    /// Remove what was recorded longer ago than this, such as 400d
    #[arg(long, group = "age", value_name = "SPAN", value_parser = values::span)]
    pub older_than: Option<Duration>,
    /// Only tell how many decisions would go, of when, and roughly how large they are; as without
    /// --yes
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do it
    #[arg(long)]
    pub yes: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// Whether it was done, or would be.
    pruned: bool,
    /// What was recorded before it goes.
    before: Timestamp,
    decisions: u64,
    /// When the first and the last of them were recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_recorded_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded_at: Option<Timestamp>,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(untagged)]
enum More {
    Done {
        orders: u64,
        callers: u64,
        contents: u64,
    },
    #[serde(rename_all = "camelCase")]
    Would { about_bytes: u64 },
}

impl Default for More {
    fn default() -> Self {
        Self::Would { about_bytes: 0 }
    }
}

/// Runs `icpgate decisions prune` on a store.
///
/// # Errors
///
/// The store cannot be read or written.
pub async fn prune(args: &PruneArgs, prune: Prune, store: &dyn Upkeep) -> Result<u8, Failure> {
    let told = if args.yes {
        done(prune, store).await?
    } else {
        would(prune, store).await?
    };
    match args.output {
        Output::Json => output::print_json(&told)?,
        Output::Table => output::print(&text(&told))?,
    }
    Ok(exit::SUCCESS)
}

/// Which decisions are meant; nothing is opened before it is known to be right.
///
/// # Errors
///
/// Some of them may be too young, with [`exit::USAGE`].
pub fn which(args: &PruneArgs, now: Timestamp) -> Result<Prune, Failure> {
    let beijing = TimeZone::fixed(tz::offset(8));
    let days = KEPT_AT_LEAST.as_hours() / 24;
    let usage = |problem: String| Failure::new(exit::USAGE, anyhow!(problem));
    if let Some(span) = args.older_than {
        let before = SignedDuration::try_from(span).ok();
        let before = before.and_then(|span| now.checked_sub(span).ok());
        // Whole seconds are easier to read.
        let before = before.and_then(|before| Timestamp::from_second(before.as_second()).ok());
        let prune = before.and_then(|before| Prune::before_instant(before, now));
        return prune.ok_or_else(|| {
            usage(format!(
                "`--older-than {}`: decisions of the last {days} days stay; give `{days}d` or more",
                span.show()
            ))
        });
    }
    let Some(day) = args.before else {
        return Err(usage("say which decisions".to_owned()));
    };
    let begun = day.to_zoned(beijing.clone()).map(|begun| begun.timestamp());
    let prune = begun.ok();
    let prune = prune.and_then(|begun| Prune::before_instant(begun, now));
    prune.ok_or_else(|| {
        let latest = (now - KEPT_AT_LEAST).to_zoned(beijing).date();
        usage(format!(
            "`--before {day}`: decisions of the last {days} days stay; give {latest} or an \
             earlier day"
        ))
    })
}

async fn done(prune: Prune, store: &dyn Upkeep) -> Result<Told, Failure> {
    let bar = spinner();
    let gone = AtomicU64::new(0);
    let progress = |progress: Progress| {
        gone.store(progress.done, Ordering::Relaxed);
        bar.set_message(format!("{} decisions removed", progress.done));
    };
    let pruned = store.prune(prune, &progress).await;
    bar.finish_and_clear();
    let pruned = pruned
        .with_context(|| {
            let gone = gone.load(Ordering::Relaxed);
            format!("{gone} decisions were removed before it broke off; run it again")
        })
        .or_exit(exit::IO)?;
    Ok(Told {
        pruned: true,
        decisions: pruned.decisions,
        more: More::Done {
            orders: pruned.orders,
            callers: pruned.callers,
            contents: pruned.contents,
        },
        ..Told::of(prune, pruned.recorded)
    })
}

async fn would(prune: Prune, store: &dyn Upkeep) -> Result<Told, Failure> {
    let prunable = store.prunable(prune).await.or_exit(exit::IO)?;
    Ok(Told {
        decisions: prunable.decisions,
        more: More::Would {
            about_bytes: prunable.octets,
        },
        ..Told::of(prune, prunable.recorded)
    })
}

impl Told {
    fn of(prune: Prune, recorded: Option<Aged>) -> Self {
        Self {
            before: prune.before(),
            first_recorded_at: recorded.map(|aged| aged.first),
            last_recorded_at: recorded.map(|aged| aged.last),
            ..Self::default()
        }
    }
}

fn text(told: &Told) -> String {
    let day = |instant: Timestamp| tz::offset(8).to_datetime(instant).date();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let (Some(first), Some(last)) = (told.first_recorded_at, told.last_recorded_at) else {
        let before = tz::offset(8).to_datetime(told.before);
        let before = before.strftime("%Y-%m-%d %H:%M:%S");
        let _ = writeln!(text, "no decision was recorded before {before} +08:00");
        return text;
    };
    let head = if told.pruned {
        "removed"
    } else {
        "would remove"
    };
    let _ = writeln!(text, "{BOLD}{head}{BOLD:#}");
    let _ = writeln!(
        text,
        "  {} decisions, recorded from {} to {} (Beijing)",
        told.decisions,
        day(first),
        day(last)
    );
    let _ = match told.more {
        More::Done {
            orders,
            callers,
            contents,
        } => writeln!(
            text,
            "  {orders} orders, {callers} callers, {contents} facts and policies\n\
             docs/RETENTION.md tells how their space is given back"
        ),
        More::Would { about_bytes } => writeln!(
            text,
            "  about {}, and their orders, callers and facts\n\
             nothing was done; say --yes to do it",
            size(about_bytes)
        ),
    };
    text
}

/// Octets for people: one figure behind the point.
fn size(octets: u64) -> String {
    let (unit, name) = match octets {
        0..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let tenths = octets / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(before: Option<&str>, older_than: Option<&str>) -> Result<Timestamp, String> {
        let args = PruneArgs {
            before: before.map(|day| values::day(day).unwrap()),
            older_than: older_than.map(|span| values::span(span).unwrap()),
            dry_run: false,
            yes: false,
            output: Output::Table,
        };
        // The last minute of a day in Beijing.
        let now = "2026-11-22T15:59:00.25Z".parse().unwrap();
        match which(&args, now) {
            Ok(prune) => Ok(prune.before()),
            Err(failure) => {
                assert_eq!(failure.code, exit::USAGE);
                Err(failure.error.to_string())
            }
        }
    }

    #[test]
    fn ages_become_instants() {
        let instant = |text: &str| Ok(text.parse().unwrap());
        assert_eq!(
            asked(Some("2026-01-01"), None),
            instant("2025-12-31T16:00:00Z")
        );
        assert_eq!(
            asked(Some("2026-10-23"), None),
            instant("2026-10-22T16:00:00Z")
        );
        assert_eq!(asked(None, Some("720h")), instant("2026-10-23T15:59:00Z"));
        assert_eq!(asked(None, Some("400d")), instant("2025-10-18T15:59:00Z"));
    }

    #[test]
    fn what_is_young_is_refused_with_what_is_not() {
        for (day, span, told) in [
            (
                Some("2026-10-24"),
                None,
                ["`--before 2026-10-24`", "2026-10-23"],
            ),
            (
                Some("2026-11-22"),
                None,
                ["`--before 2026-11-22`", "2026-10-23"],
            ),
            (
                Some("2030-01-01"),
                None,
                ["`--before 2030-01-01`", "2026-10-23"],
            ),
            (None, Some("29d"), ["`--older-than 29d`", "`30d` or more"]),
            (None, Some("719h"), ["`--older-than 719h`", "`30d` or more"]),
        ] {
            let error = asked(day, span).unwrap_err();
            for part in told {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn sizes_are_rounded() {
        assert_eq!(size(0), "0.0 kB");
        assert_eq!(size(4_499), "4.4 kB");
        assert_eq!(size(12_345_678), "12.3 MB");
        assert_eq!(size(2_200_000_000_000), "2200.0 GB");
    }
}
