//! Reading of one line, and what is said about a line that cannot be read.
//!
//! **Invariant:** the library's messages quote values, which may be personal data; of them only
//! the library's own words are used, and of the line only names that look like fields.

use icpgate_policy::field::{FieldProblem, LineProblem};
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use super::Violation;
use crate::proto::v1;

/// Longest name of an unknown field that is repeated.
const NAME_LIMIT: usize = 64;

/// Reads one line. Field names may be those of the proto or their camelCase forms; `null` is as
/// good as leaving the field out (the proto3 JSON mapping).
///
/// # Errors
///
/// The field and what is wrong with it, without any value of the line. The reader stops at the
/// first such field.
pub fn parse(line: &[u8]) -> Result<v1::Record, Violation> {
    // The path of a fault costs an allocation for every field, so it is only found out for lines
    // that have one.
    serde_json::from_slice(line).or_else(|_| read_again(line))
}

/// Reads a line that failed once more: without its `null`s, and else for what is wrong with it.
fn read_again(line: &[u8]) -> Result<v1::Record, Violation> {
    if let Err(error) = std::str::from_utf8(line) {
        let column = error.valid_up_to().saturating_add(1);
        return Err(violation(String::new(), LineProblem::NotUtf8 { column }));
    }
    if line.trim_ascii_start().first() != Some(&b'{') {
        let problem = match serde_json::from_slice::<IgnoredAny>(line) {
            Ok(IgnoredAny) => LineProblem::NotAnObject,
            Err(error) => json_problem(&error).unwrap_or(LineProblem::NotAnObject),
        };
        return Err(violation(String::new(), problem));
    }
    if line.windows(4).any(|word| word == b"null")
        && let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(line)
        && drop_nulls(&mut value)
    {
        return serde_path_to_error::deserialize(value).map_err(|error| data_violation(&error));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let record = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| data_violation(&error))?;
    deserializer.end().map_err(|error| {
        let problem = json_problem(&error).unwrap_or(LineProblem::NotAnObject);
        violation(String::new(), problem)
    })?;
    Ok(record)
}

/// Leaves out members that are `null`; whether there were any.
fn drop_nulls(value: &mut serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(members) => {
            let before = members.len();
            members.retain(|_, member| !member.is_null());
            let mut dropped = members.len() < before;
            for member in members.values_mut() {
                dropped |= drop_nulls(member);
            }
            dropped
        }
        serde_json::Value::Array(entries) => {
            let mut dropped = false;
            for entry in entries {
                dropped |= drop_nulls(entry);
            }
            dropped
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => false,
    }
}

/// What is wrong with the JSON itself; `None` where that is well-formed.
fn json_problem(error: &serde_json::Error) -> Option<LineProblem> {
    match error.classify() {
        Category::Eof => Some(LineProblem::Incomplete),
        Category::Syntax | Category::Io => Some(LineProblem::NotJson {
            column: error.column(),
        }),
        Category::Data => None,
    }
}

/// What the message of the library says, without the values that it quotes.
fn data_violation(error: &serde_path_to_error::Error<serde_json::Error>) -> Violation {
    let mut field = field_path(error.path());
    let inner = error.inner();
    if let Some(problem) = json_problem(inner) {
        return violation(field, problem);
    }
    let message = inner.to_string();
    let column = Some(inner.column()).filter(|&column| column > 0);
    let problem = if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().filter(|name| is_field_name(name));
        LineProblem::UnknownField {
            name: name.map(Into::into),
        }
    } else if let Some(rest) = message.strip_prefix("duplicate field `") {
        // The library's own name of the field.
        if let Some(name) = rest.split('`').next().filter(|name| is_field_name(name)) {
            push_name(&mut field, name);
        }
        LineProblem::Duplicate
    } else if message.starts_with("unknown variant `") {
        LineProblem::NotAMember {
            expected: expected_members(&message),
        }
    } else if message.starts_with("invalid type: ") {
        LineProblem::WrongType { column }
    } else {
        LineProblem::WrongValue { column }
    };
    violation(field, problem)
}

/// Names in backticks behind the last `expected`: the library's own, as the value stands before.
fn expected_members(message: &str) -> Vec<Box<str>> {
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        return Vec::new();
    };
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(Into::into)
        .collect()
}

fn field_path(path: &serde_path_to_error::Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                // Writing to a string cannot fail.
                let _ = write!(text, "[{index}]");
            }
            Segment::Map { key } if is_field_name(key) => push_name(&mut text, key),
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// Appends a field in its name of the proto.
fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            path.push('_');
        }
        path.push(character.to_ascii_lowercase());
    }
}

/// Whether a key may be repeated: fields have letters and underscores only, so that neither a
/// number nor a Chinese name passes.
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LIMIT
        && name
            .bytes()
            .all(|octet| octet.is_ascii_alphabetic() || octet == b'_')
}

/// The violation of a field of a line.
pub(super) fn violation(field: String, problem: LineProblem) -> Violation {
    Violation {
        field,
        problem: FieldProblem::Line(problem),
    }
}
