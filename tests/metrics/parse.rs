//! A strict reader of OpenMetrics 1.0 text, as far as the specification says MUST of what is used
//! here.

use std::collections::{BTreeMap, BTreeSet};

/// A family as it was told.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) unit: Option<String>,
    /// Values by the whole name of the sample and its labels.
    pub(crate) samples: BTreeMap<Series, f64>,
    pub(crate) exemplars: Vec<Exemplar>,
}

/// Name of a sample and its labels.
pub(crate) type Series = (String, BTreeMap<String, String>);

/// An exemplar of a bucket.
#[derive(Debug)]
pub(crate) struct Exemplar {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) at: Option<f64>,
}

/// Reads an exposition; stops the test at whatever is not allowed.
pub(crate) fn openmetrics(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    assert!(!body.contains("# EOF"), "one end");
    read(body, true)
}

/// Reads the text form of Prometheus, version 0.0.4.
pub(crate) fn prometheus(text: &str) -> BTreeMap<String, Family> {
    assert!(!text.contains("# EOF") && !text.contains("# UNIT") && !text.contains(" # {"));
    read(text, false)
}

fn read(body: &str, open: bool) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    assert!(body.is_empty() || body.ends_with('\n'));
    for line in body.lines() {
        assert_eq!(line, line.trim_end(), "no blanks at the end");
        assert!(!line.is_empty(), "no empty lines");
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap_or_default();
            if name != current {
                assert!(!families.contains_key(name), "{name} is told of twice");
                name.clone_into(&mut current);
                families.insert(current.clone(), Family::default());
            }
            let family = families.get_mut(name).unwrap();
            assert!(family.samples.is_empty(), "{name}: metadata stand first");
            match word {
                "HELP" => rest.clone_into(&mut family.help),
                "TYPE" => {
                    assert!(family.kind.is_empty(), "{name} has two types");
                    assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                    rest.clone_into(&mut family.kind);
                }
                "UNIT" => {
                    assert!(name.ends_with(&format!("_{rest}")), "{line}");
                    family.unit = Some(rest.to_owned());
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let family = families.get_mut(&current).expect(line);
        sample(line, &current, family, open);
    }
    for (name, family) in &families {
        assert!(!family.kind.is_empty() && !family.help.is_empty(), "{name}");
        if family.kind == "histogram" {
            histogram(name, family);
        }
    }
    families
}

fn sample(line: &str, current: &str, family: &mut Family, open: bool) {
    let (line, exemplar) = match line.split_once(" # ") {
        Some((line, exemplar)) => (line, Some(exemplar)),
        None => (line, None),
    };
    let (name, labels, rest) = series(line);
    let suffix = name.strip_prefix(current).unwrap_or_else(|| {
        panic!("{line} does not belong to {current}");
    });
    let allowed: &[&str] = match (family.kind.as_str(), open) {
        ("counter", true) => &["_total"],
        ("counter" | "gauge", _) => &[""],
        ("histogram", _) => &["_bucket", "_sum", "_count"],
        (kind, _) => panic!("{kind}"),
    };
    assert!(allowed.contains(&suffix), "{line}");
    assert_eq!(labels.contains_key("le"), suffix == "_bucket", "{line}");
    let value: f64 = rest.trim().parse().expect(line);
    assert!(!value.is_nan(), "{line}");
    if family.kind != "gauge" {
        assert!(value >= 0.0, "{line}");
    }
    let before = family.samples.insert((name.to_owned(), labels), value);
    assert_eq!(before, None, "{line} stands there twice");
    if let Some(text) = exemplar {
        assert!(open && suffix == "_bucket", "{line} may have no exemplar");
        let (none, labels, rest) = series(text);
        assert!(none.is_empty());
        let length: usize = labels
            .iter()
            .map(|(name, value)| name.chars().count() + value.chars().count())
            .sum();
        assert!(length <= 128, "{text}");
        let mut numbers = rest.split_whitespace().map(|text| text.parse().unwrap());
        family.exemplars.push(Exemplar {
            labels,
            value: numbers.next().unwrap(),
            at: numbers.next(),
        });
        assert_eq!(numbers.next(), None);
    }
}

/// Name, labels and what follows them.
fn series(text: &str) -> (&str, BTreeMap<String, String>, &str) {
    let end = text.find(['{', ' ']).expect(text);
    let name = &text[..end];
    let plain = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    assert!(name.chars().all(plain), "{text}");
    let mut labels = BTreeMap::new();
    let mut rest = &text[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"").expect(text);
            assert!(label.chars().all(plain) && !label.is_empty(), "{text}");
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                let (at, c) = characters.next().expect(text);
                match c {
                    '"' => break at,
                    '\\' => match characters.next().expect(text).1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        _ => panic!("{text}"),
                    },
                    c => value.push(c),
                }
            };
            assert!(!value.is_empty(), "{text}: an empty label is none");
            let before = labels.insert(label.to_owned(), value);
            assert_eq!(before, None, "{text}");
            rest = &after[end + 1..];
            rest = match rest.strip_prefix(',') {
                Some(after) if !after.starts_with('}') => after,
                Some(_) => panic!("{text}"),
                None => rest,
            };
        }
    }
    (name, labels, rest)
}

/// Buckets grow up to the last, which has no bound and holds all.
fn histogram(name: &str, family: &Family) {
    let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for ((sample, labels), value) in &family.samples {
        if sample.ends_with("_bucket") {
            let mut labels = labels.clone();
            let bound = labels.remove("le").unwrap();
            let bound = match bound.as_str() {
                "+Inf" => f64::INFINITY,
                bound => {
                    assert!(bound.contains('.'), "{name}: {bound}");
                    bound.parse().unwrap()
                }
            };
            series.entry(labels).or_default().push((bound, *value));
        }
    }
    let mut bounds = BTreeSet::new();
    for (labels, mut buckets) in series {
        buckets.sort_by(|one, other| one.partial_cmp(other).unwrap());
        assert!(
            buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1),
            "{name}"
        );
        let (last, all) = *buckets.last().unwrap();
        assert!(last.is_infinite(), "{name} {labels:?}");
        let count = &family.samples[&(format!("{name}_count"), labels.clone())];
        assert!((all - count).abs() < 0.5, "{name} {labels:?}");
        assert!(
            family
                .samples
                .contains_key(&(format!("{name}_sum"), labels))
        );
        bounds.insert(format!(
            "{:?}",
            buckets.iter().map(|one| one.0).collect::<Vec<_>>()
        ));
    }
    assert!(
        bounds.len() <= 1,
        "{name}: every series has the same bounds"
    );
}
