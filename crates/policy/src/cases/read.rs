//! Reads a case file: what the cases share, and each case over it.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::fields::{Context, Fields};
use super::{
    Case, CaseError, CaseFile, CaseProblem, Expected, Given, GivenRecord, KEY, StoreState, records,
};
use super::{expect, question};
use crate::codes::RecordKind;
use crate::domain_name::Suffixes;
use crate::identity::{KEY_MINIMUM, Sealer};

const _: () = assert!(KEY.len() >= KEY_MINIMUM);

pub(super) fn file(text: &str) -> Result<CaseFile, Vec<CaseError>> {
    let single = |problem| {
        vec![CaseError {
            case: None,
            path: String::new(),
            problem,
        }]
    };
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| single(CaseProblem::Syntax(error.to_string())))?;
    // INVARIANT: the key is long enough, and two empty lists hold no error.
    let sealer = Sealer::new(KEY).map_err(|_| single(CaseProblem::NoCases))?;
    let suffixes = Suffixes::new(&[], &[]).map_err(|_| single(CaseProblem::NoCases))?;
    let mut context = Context {
        errors: Vec::new(),
        case: None,
        sealer: &sealer,
        suffixes: &suffixes,
    };
    let empty = Table::new();
    let shared = Fields::read(&mut context, &table, String::new(), |fields| {
        let _ = fields.value("case");
        fields.table("given", check_shared);
        table.get("given").and_then(Value::as_table)
    });
    let shared = shared.unwrap_or(&empty);
    let of_shared = context.errors.len();
    let cases = cases(&mut context, &table, shared);
    leave_out_repeats(&mut context.errors, of_shared);
    if context.errors.is_empty() {
        Ok(CaseFile { cases })
    } else {
        Err(context.errors)
    }
}

/// Notes what is wrong with what the cases share, once.
fn check_shared(fields: &mut Fields<'_, '_, '_>) {
    let _ = fields.instant("now");
    let _ = fields.value("question");
    for kind in RecordKind::ALL {
        let _ = fields.tables(kind.as_str(), |fields| records::record(*kind, fields));
    }
}

/// What is wrong with a shared value is wrong in each case over it, and is reported once.
fn leave_out_repeats(errors: &mut Vec<CaseError>, of_shared: usize) {
    let of_cases = errors.split_off(of_shared.min(errors.len()));
    let repeats = |error: &CaseError| {
        errors.iter().any(|shared| {
            shared.problem == error.problem && place(&shared.path) == place(&error.path)
        })
    };
    let own: Vec<CaseError> = of_cases.into_iter().filter(|e| !repeats(e)).collect();
    errors.extend(own);
}

/// Key and field of a path, without the place in a list, which differs between a case and what
/// it shares.
fn place(path: &str) -> (&str, &str) {
    let inner = path.split_once('.').map_or("", |(_, inner)| inner);
    let (key, rest) = inner.split_once('[').unwrap_or((inner, ""));
    (key, rest.split_once(']').map_or("", |(_, field)| field))
}

fn cases(context: &mut Context<'_>, table: &Table, shared: &Table) -> Vec<Case> {
    let list = match table.get("case") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(_) => {
            context.error("case".to_owned(), CaseProblem::WrongType(Expected::Tables));
            return Vec::new();
        }
        None => &[],
    };
    if list.is_empty() {
        context.error("case".to_owned(), CaseProblem::NoCases);
    }
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let path = format!("case[{index}]");
        let Some(own) = value.as_table() else {
            context.error(path, CaseProblem::WrongType(Expected::Table));
            continue;
        };
        context.case = own.get("name").and_then(Value::as_str).map(str::to_owned);
        if let Some(name) = &context.case
            && !names.insert(name.clone())
        {
            context.error(format!("{path}.name"), CaseProblem::RepeatedName);
        }
        let merged = merged(shared, own);
        cases.extend(Fields::read(context, &merged, path, case));
        context.case = None;
    }
    cases
}

fn case(fields: &mut Fields<'_, '_, '_>) -> Option<Case> {
    fields.require(&["name", "now", "question", "expect"]);
    let name = fields.text("name");
    let now = fields.instant("now");
    let question = fields.table("question", question::question).flatten();
    let expect = fields.table("expect", expect::expectation).flatten();
    let _ = fields.codes("without", RecordKind::ALL, RecordKind::as_str);
    let given = given(fields);
    Some(Case {
        name: name?.to_owned(),
        now: now?,
        question: question?,
        given,
        expect: expect?,
    })
}

fn given(fields: &mut Fields<'_, '_, '_>) -> Given {
    let mut records: Vec<GivenRecord> = Vec::new();
    for kind in RecordKind::ALL {
        records.extend(fields.tables(kind.as_str(), |fields| records::record(*kind, fields)));
    }
    let unknown = fields.codes("unknown", RecordKind::ALL, RecordKind::as_str);
    let complete_until = fields.instant("complete_until");
    let down = fields.flag("store_down").unwrap_or_default();
    let stale = fields.flag("stale").unwrap_or_default();
    let store = match (down, stale) {
        (false, false) => StoreState::Answers,
        (true, false) => StoreState::Down,
        (false, true) => StoreState::Stale,
        (true, true) => {
            fields.error("", CaseProblem::OneOf("store_down", "stale"));
            StoreState::Down
        }
    };
    Given {
        records,
        unknown: unknown.into_iter().collect(),
        complete_until,
        store,
    }
}

/// A case over what the cases share. Kinds named in `without` are not taken over.
fn merged(shared: &Table, own: &Table) -> Table {
    let mut merged = own.clone();
    let without: Vec<&str> = own
        .get("without")
        .and_then(Value::as_array)
        .map(|kinds| kinds.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for (key, value) in shared {
        let kind = RecordKind::from_code(key);
        match (kind, value) {
            (Some(kind), Value::Array(shared)) => {
                if without.contains(&kind.as_str()) {
                    continue;
                }
                let own = merged
                    .entry(key.as_str())
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(own) = own {
                    take_over(kind, shared, own);
                }
            }
            (None, Value::Table(shared)) => {
                let own = merged
                    .entry(key.as_str())
                    .or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(own) = own {
                    fill(shared, own);
                }
            }
            (_, value) => {
                if !merged.contains_key(key) {
                    merged.insert(key.clone(), value.clone());
                }
            }
        }
    }
    merged
}

/// Adds shared records, and to records of the same key the fields that they do not name.
fn take_over(kind: RecordKind, shared: &[Value], own: &mut Vec<Value>) {
    for value in shared {
        let Some(shared) = value.as_table() else {
            continue;
        };
        let same = own
            .iter_mut()
            .filter_map(Value::as_table_mut)
            .find(|own| records::same_key(kind, own, shared));
        match same {
            Some(own) => fill(shared, own),
            None => own.push(value.clone()),
        }
    }
}

fn fill(shared: &Table, own: &mut Table) {
    for (key, value) in shared {
        if !own.contains_key(key) {
            own.insert(key.clone(), value.clone());
        }
    }
}
