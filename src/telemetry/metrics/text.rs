//! The text forms of an exposition: that of Prometheus, version 0.0.4, and `OpenMetrics` 1.0.
//!
//! Written here, because the library of that project writes only the second, and takes examples
//! only from histograms of its own, which lock on each observation.

use std::fmt::Write as _;

use super::kinds::{Buckets, Example, Kind, Reading, Texts};
use super::list::{LIST, Metric};

/// The form of an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
    /// `text/plain; version=0.0.4`.
    Prometheus,
}

/// Units that `OpenMetrics` is told of, as names end in them.
const UNITS: [&str; 8] = [
    "seconds",
    "bytes",
    "calls",
    "connections",
    "questions",
    "decisions",
    "records",
    "tasks",
];

impl Format {
    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The form that suits an `Accept` header best; that of Prometheus where none does, or where
    /// there is no header.
    #[must_use]
    pub fn accepted(header: Option<&str>) -> Self {
        let mut best = (0.0_f32, Self::Prometheus);
        for range in header.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let (mut quality, mut version) = (1.0, None);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => version = Some(value.trim().trim_matches('"')),
                    _ => {}
                }
            }
            let format = match (media.to_ascii_lowercase().as_str(), version) {
                ("application/openmetrics-text", None | Some("1.0.0")) => Self::OpenMetrics,
                ("text/plain", None | Some("0.0.4")) => Self::Prometheus,
                ("*/*" | "text/*", _) => Self::Prometheus,
                _ => continue,
            };
            if quality > best.0 {
                best = (quality, format);
            }
        }
        best.1
    }
}

/// Everything that the list holds, in a form.
#[must_use]
pub fn exposition(format: Format) -> String {
    let mut out = String::with_capacity(64 * 1024);
    for metric in LIST {
        head(&mut out, metric, format);
        metric
            .family
            .each(&mut |texts, reading| series(&mut out, metric, format, texts, reading));
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

impl Metric {
    /// The name without the ending of a counter.
    #[must_use]
    pub fn base(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    /// The unit that the name ends in; `None` where the metric counts what has none.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        let last = self.base().rsplit('_').next()?;
        UNITS.iter().copied().find(|unit| *unit == last)
    }
}

fn head(out: &mut String, metric: &Metric, format: Format) {
    let name = match format {
        Format::OpenMetrics => metric.base(),
        Format::Prometheus => metric.name,
    };
    let kind = match metric.family.kind() {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let _ = write!(out, "# HELP {name} ");
    for (place, line) in metric.help.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        escape(out, line.trim());
    }
    let _ = write!(out, "\n# TYPE {name} {kind}\n");
    if format == Format::OpenMetrics
        && let Some(unit) = metric.unit()
    {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
}

fn series(out: &mut String, metric: &Metric, format: Format, texts: &Texts, reading: Reading<'_>) {
    match reading {
        Reading::Count(count) => {
            sample(out, metric, "", texts, None);
            let _ = writeln!(out, " {count}");
        }
        Reading::Value(value) => {
            sample(out, metric, "", texts, None);
            let _ = writeln!(out, " {value}");
        }
        Reading::Buckets(buckets) => histogram(out, metric, format, texts, &buckets),
    }
}

fn histogram(
    out: &mut String,
    metric: &Metric,
    format: Format,
    texts: &Texts,
    buckets: &Buckets<'_>,
) {
    let mut all = 0_u64;
    let examples = buckets.examples.iter().chain(std::iter::repeat(&None));
    for ((bound, count), example) in buckets.counts.iter().zip(examples) {
        all = all.saturating_add(*count);
        sample(out, metric, "_bucket", texts, Some(*bound));
        let _ = write!(out, " {all}");
        if format == Format::OpenMetrics
            && let Some((value, example)) = example
        {
            self::example(out, *value, example);
        }
        out.push('\n');
    }
    sample(out, metric, "_sum", texts, None);
    let _ = writeln!(out, " {}", buckets.sum);
    sample(out, metric, "_count", texts, None);
    let _ = writeln!(out, " {all}");
}

/// Name and labels of one line.
fn sample(out: &mut String, metric: &Metric, suffix: &str, texts: &Texts, bound: Option<f64>) {
    out.push_str(metric.name);
    out.push_str(suffix);
    if texts.is_empty() && bound.is_none() {
        return;
    }
    let mut separator = '{';
    for (name, text) in metric.family.labels().iter().zip(texts) {
        out.push(separator);
        let _ = write!(out, "{name}=\"");
        escape(out, text);
        out.push('"');
        separator = ',';
    }
    if let Some(bound) = bound {
        out.push(separator);
        if bound.is_infinite() {
            out.push_str("le=\"+Inf\"");
        } else if bound.fract() == 0.0 {
            // OpenMetrics wants bounds to look like numbers with a fraction, in every form alike.
            let _ = write!(out, "le=\"{bound}.0\"");
        } else {
            let _ = write!(out, "le=\"{bound}\"");
        }
    }
    out.push('}');
}

fn example(out: &mut String, value: f64, example: &Example) {
    let _ = write!(out, " # {{decision_id=\"{:032x}\"", example.decision_id);
    if let Some(trace_id) = example.trace_id {
        let _ = write!(out, ",trace_id=\"{trace_id:032x}\"");
    }
    let _ = write!(out, "}} {value} {:.3}", example.at);
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_form_is_the_one_that_is_wanted_most() {
        let openmetrics = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                           application/openmetrics-text;version=0.0.1;q=0.4,\
                           text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (header, expected) in [
            (None, Format::Prometheus),
            (Some(""), Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/html"), Format::Prometheus),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (
                Some("Application/OpenMetrics-Text; version=\"1.0.0\""),
                Format::OpenMetrics,
            ),
            (
                Some("application/openmetrics-text; version=2.0.0"),
                Format::Prometheus,
            ),
            (Some("application/openmetrics-text;q=0"), Format::Prometheus),
            (Some("application/openmetrics-text;q=x"), Format::Prometheus),
            (
                Some("application/openmetrics-text;q=0.1, text/plain;q=0.2"),
                Format::Prometheus,
            ),
            (Some(openmetrics), Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(header), expected, "{header:?}");
        }
    }

    #[test]
    fn names_are_in_form_and_none_is_there_twice() {
        let mut names = BTreeSet::new();
        for metric in LIST {
            let name = metric.name;
            assert!(names.insert(metric.base()), "{name}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(plain), "{name}");
            let counts = metric.family.kind() == Kind::Counter;
            assert_eq!(name.ends_with("_total"), counts, "{name}");
            let suffixes = ["_sum", "_count", "_bucket", "_created"];
            assert!(
                !suffixes.iter().any(|end| metric.base().ends_with(end)),
                "{name}"
            );
            if metric.family.kind() == Kind::Histogram {
                assert!(metric.unit().is_some(), "{name} names no unit");
            }
            let help: String = metric.help.concat();
            assert!(help.trim_end().ends_with('.'), "{name}: {help}");
            // Never one series a name, a number or an order: closed sets only.
            assert!(
                metric.family.most() <= 5000,
                "{name}: {}",
                metric.family.most()
            );
        }
    }

    #[test]
    fn what_stands_in_labels_cannot_break_out_of_them() {
        let mut out = String::new();
        escape(&mut out, "a\"} 1\nb\\");
        assert_eq!(out, r#"a\"} 1\nb\\"#);
    }
}
