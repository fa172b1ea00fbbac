//! Reads a configuration file into texts with their lines. Knows no key.

use toml::de::{DeTable, DeValue};

/// A value of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Name with its section, such as `grpc.listen`.
    pub(super) key: String,
    /// Line, from 1.
    pub(super) line: usize,
    /// The value.
    pub(super) value: Value,
}

/// A value of the file, flattened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Parts of a list.
    List(Vec<String>),
    /// What no key takes, such as a date.
    Other(&'static str),
    /// Text, a number or a truth value, as text.
    Text(String),
}

/// What the file says, in its order, and each place where it is not TOML as a line and what is
/// wrong there.
pub(super) fn read(text: &str) -> (Vec<Entry>, Vec<(usize, String)>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors: Vec<(usize, String)> = errors
        .iter()
        .map(|error| {
            let start = error.span().map_or(0, |span| span.start);
            (line_of(text, start), error.message().to_owned())
        })
        .collect();
    let mut entries = Vec::new();
    flatten(text, "", table.get_ref(), &mut entries);
    entries.sort_by_key(|entry| entry.line);
    (entries, errors)
}

fn flatten(text: &str, prefix: &str, table: &DeTable<'_>, entries: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        if let DeValue::Table(inner) = value.get_ref() {
            // No key lies deeper than one section; a table further down is reported as a value.
            if prefix.is_empty() {
                flatten(text, &key, inner, entries);
                continue;
            }
        }
        let line = line_of(text, name.span().start);
        entries.push(Entry {
            key,
            line,
            value: scalar(value.get_ref()),
        });
    }
}

fn scalar(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Array(parts) => parts
            .iter()
            .map(|part| part.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map_or(
                Value::Other("a list of other things than texts"),
                Value::List,
            ),
        DeValue::Boolean(truth) => Value::Text(truth.to_string()),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Float(number) => Value::Text(number.as_str().to_owned()),
        DeValue::Integer(number) if number.radix() == 10 => {
            Value::Text(number.as_str().trim_start_matches('+').replace('_', ""))
        }
        DeValue::Integer(_) => Value::Other("a number that is not decimal"),
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Table(_) => Value::Other("a table"),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_lines() {
        let (entries, errors) = read(
            "top = 1\n[grpc]\nlisten = \"a\"\n\n[records]\ncomplete_for = [\"x\", \"y\"]\n\
             deep.er = 1\nsize = 1_000\n",
        );
        assert!(errors.is_empty());
        let seen: Vec<(&str, usize, &Value)> = entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.line, &entry.value))
            .collect();
        assert_eq!(
            seen,
            [
                ("top", 1, &Value::Text("1".into())),
                ("grpc.listen", 3, &Value::Text("a".into())),
                (
                    "records.complete_for",
                    6,
                    &Value::List(vec!["x".into(), "y".into()])
                ),
                ("records.deep", 7, &Value::Other("a table")),
                ("records.size", 8, &Value::Text("1000".into())),
            ]
        );
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line() {
        let (_, errors) = read("[grpc]\nlisten = \nx = 1\n[store\n");
        let lines: Vec<usize> = errors.iter().map(|(line, _)| *line).collect();
        assert!(lines.contains(&2) && lines.contains(&4), "{errors:?}");
    }
}
