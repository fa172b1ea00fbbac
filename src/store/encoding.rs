//! How records, kinds and instants stand in the rows of every engine.
//!
//! **Invariant:** what is written here can be read by every later version: the numbers of the
//! kinds are fixed, and a payload says in its first byte how to read the rest.
//! **Absent on purpose:** SQL.
//!
//! Handles and leads are derived from the record when it is written. A version that derives them
//! otherwise has to rewrite those of the records that are there.

use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Facts;
use icpgate_policy::records::{Handle, Record};
use icpgate_policy::request::Profile;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{NewRecord, RecordedCaller, StoreError};

/// First byte of a payload whose rest is the record in postcard's wire format, version 1.
const POSTCARD: u8 = 1;

/// The payload of a version whose record was erased: no more than this.
pub(super) const ERASED_RECORD: &[u8] = &[0];

/// Room for a payload from the start; most need less.
const PAYLOAD: usize = 512;

/// Records encoded between two points at which other tasks may run.
const ENCODED_AT_ONCE: usize = 256;

/// A record as it goes into the rows.
#[derive(Debug)]
pub(super) struct Row {
    /// Number of the kind.
    pub(super) kind: i64,
    /// Key within the kind.
    pub(super) key: String,
    /// Key as shown to people; `None` where it is the key itself.
    pub(super) shown_key: Option<String>,
    /// Who reported it.
    pub(super) source: std::sync::Arc<str>,
    /// When the source observed it, in microseconds.
    pub(super) observed_at: i64,
    /// Handles under which it is found.
    pub(super) handles: Vec<Handle>,
    /// Handles that it leads to.
    pub(super) leads: Vec<Handle>,
    /// The record.
    pub(super) payload: Vec<u8>,
}

/// What the rows hold of a record itself.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) key: String,
    pub(super) shown_key: Option<String>,
    pub(super) handles: Vec<Handle>,
    pub(super) leads: Vec<Handle>,
    pub(super) payload: Vec<u8>,
}

/// Encodes records for their rows. Lets other tasks run between pieces: a bulk write would
/// otherwise hold a thread of the runtime for tens of milliseconds.
///
/// # Errors
/// [`StoreError::Inconsistent`] where a record has no encoding.
pub(super) async fn rows(records: Vec<NewRecord>) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::with_capacity(records.len());
    for (place, new) in records.into_iter().enumerate() {
        if place % ENCODED_AT_ONCE == ENCODED_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        rows.push(row(new)?);
    }
    Ok(rows)
}

/// Reads a payload.
///
/// # Errors
/// [`StoreError::Inconsistent`], naming the table and the key, where it was written in a form
/// that this version does not know, or is damaged.
pub(super) fn record(table: &'static str, key: &str, payload: &[u8]) -> Result<Record, StoreError> {
    let inconsistent = |problem: String| StoreError::Inconsistent {
        table,
        key: key.to_owned(),
        problem,
    };
    match payload.split_first() {
        Some((&POSTCARD, rest)) => match postcard::take_from_bytes(rest) {
            Ok((record, [])) => Ok(record),
            Ok((_, more)) => Err(inconsistent(format!(
                "{} bytes follow the record",
                more.len()
            ))),
            Err(error) => Err(inconsistent(format!("the record is damaged: {error}"))),
        },
        Some(_) if payload == ERASED_RECORD => Err(inconsistent("it was erased".to_owned())),
        Some((form, _)) => Err(inconsistent(format!("form {form} of records is not known"))),
        None => Err(inconsistent("the record is empty".to_owned())),
    }
}

/// Reads rows of keys and payloads.
pub(super) fn page(rows: Vec<(String, Vec<u8>)>) -> Result<Vec<(String, Record)>, StoreError> {
    let read = |(key, payload): (String, Vec<u8>)| {
        let record = record("record_version", &key, &payload)?;
        Ok((key, record))
    };
    rows.into_iter().map(read).collect()
}

/// Reads rows of sources and when they wrote, into the order of their names.
pub(super) fn source_syncs(
    rows: Vec<(String, i64)>,
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let read = |(source, at): (String, i64)| {
        let at = instant("source_sync", &source, at)?;
        Ok((source, at))
    };
    let mut syncs: Vec<_> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    syncs.sort_unstable();
    Ok(syncs)
}

/// Number of a kind in the rows. The numbers are fixed: new kinds take new numbers.
pub(super) const fn kind_number(kind: RecordKind) -> i64 {
    match kind {
        RecordKind::Subject => 1,
        RecordKind::Service => 2,
        RecordKind::Access => 3,
        RecordKind::Application => 4,
        RecordKind::Licence => 5,
        RecordKind::Registration => 6,
        RecordKind::Block => 7,
        RecordKind::Approval => 8,
        RecordKind::PublicSecurityFiling => 9,
        RecordKind::DisplayObservation => 10,
    }
}

/// Kind of a number in the rows.
///
/// # Errors
/// [`StoreError::Inconsistent`] where no kind has the number.
pub(super) fn kind(table: &'static str, number: i64) -> Result<RecordKind, StoreError> {
    RecordKind::ALL
        .iter()
        .copied()
        .find(|kind| kind_number(*kind) == number)
        .ok_or_else(|| StoreError::Inconsistent {
            table,
            key: number.to_string(),
            problem: "no kind of record has this number".to_owned(),
        })
}

/// Instant of microseconds in the rows.
///
/// # Errors
/// [`StoreError::Inconsistent`] outside the years -9999 to 9999.
pub(super) fn instant(
    table: &'static str,
    key: &str,
    microseconds: i64,
) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::Inconsistent {
        table,
        key: key.to_owned(),
        problem: format!("{microseconds} is no instant: {error}"),
    })
}

/// A row of who asked for a decision. An empty order is none, so that it can stand in a key.
pub(super) fn recorded_caller(
    decision_id: &str,
    caller: String,
    order_id: String,
    microseconds: i64,
) -> Result<RecordedCaller, StoreError> {
    Ok(RecordedCaller {
        caller,
        order_id: (!order_id.is_empty()).then_some(order_id),
        recorded_at: instant("decision_caller", decision_id, microseconds)?,
    })
}

/// Handles as a JSON array of hexadecimal values: the form in which one statement takes any
/// number of them.
pub(super) fn handles_json(handles: &[Handle]) -> String {
    let octets: usize = handles.iter().map(|handle| handle.as_bytes().len()).sum();
    let mut json = String::with_capacity(2 + 3 * handles.len() + 2 * octets);
    json.push('[');
    for (place, handle) in handles.iter().enumerate() {
        json.push_str(if place == 0 { "\"" } else { ",\"" });
        push_hex(&mut json, handle.as_bytes());
        json.push('"');
    }
    json.push(']');
    json
}

/// Writes bytes with two hexadecimal digits each.
pub(super) fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
}

fn row(new: NewRecord) -> Result<Row, StoreError> {
    let NewRecord {
        record,
        source,
        observed_at,
    } = new;
    let Contents {
        key,
        shown_key,
        handles,
        leads,
        payload,
    } = contents(&record)?;
    Ok(Row {
        kind: kind_number(record.kind()),
        key,
        shown_key,
        source,
        observed_at: observed_at.as_microsecond(),
        handles,
        leads,
        payload,
    })
}

/// What the rows hold of a record itself.
///
/// # Errors
/// [`StoreError::Inconsistent`] where it has no encoding.
pub(super) fn contents(record: &Record) -> Result<Contents, StoreError> {
    let key = record.key();
    let mut payload = Vec::with_capacity(PAYLOAD);
    payload.push(POSTCARD);
    let payload = match postcard::to_extend(record, payload) {
        Ok(mut payload) => {
            payload.shrink_to_fit();
            payload
        }
        Err(error) => {
            return Err(StoreError::Inconsistent {
                table: "record",
                key,
                problem: format!("the record has no encoding: {error}"),
            });
        }
    };
    let mut handles = record.handles();
    handles.sort_unstable();
    handles.dedup();
    Ok(Contents {
        shown_key: Some(record.shown_key()).filter(|shown| *shown != key),
        handles,
        leads: record.leads_to(),
        payload,
        key,
    })
}

/// Reads the facts of a decision, which stand in postcard's wire format.
///
/// # Errors
/// [`StoreError::Inconsistent`] where this version cannot read them.
pub(super) fn facts(bytes: &[u8]) -> Result<Facts, StoreError> {
    decoded("content", String::new(), bytes)
}

/// Reads the question of a decision, which stands in postcard's wire format.
///
/// # Errors
/// [`StoreError::Inconsistent`] where this version cannot read it.
pub(super) fn profile(decision_id: &str, bytes: &[u8]) -> Result<Profile, StoreError> {
    decoded("decision", decision_id.to_owned(), bytes)
}

/// The form in which facts and questions stand beside decisions.
///
/// # Errors
/// [`StoreError::Inconsistent`] where the value has none.
pub(super) fn encoded(table: &'static str, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(|error| StoreError::Inconsistent {
        table,
        key: String::new(),
        problem: format!("a value has no encoding: {error}"),
    })
}

fn decoded<T: DeserializeOwned>(
    table: &'static str,
    key: String,
    bytes: &[u8],
) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Inconsistent {
        table,
        key,
        problem: format!("it was written by another version, or is damaged: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kinds_are_fixed() {
        let numbers: Vec<(&str, i64)> = RecordKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), kind_number(*kind)))
            .collect();
        assert_eq!(
            numbers,
            [
                ("subject", 1),
                ("service", 2),
                ("access", 3),
                ("application", 4),
                ("licence", 5),
                ("registration", 6),
                ("block", 7),
                ("approval", 8),
                ("public_security_filing", 9),
                ("display_observation", 10),
            ]
        );
        for kind_here in RecordKind::ALL {
            assert_eq!(kind("sync", kind_number(*kind_here)).unwrap(), *kind_here);
        }
        assert!(matches!(
            kind("sync", 11),
            Err(StoreError::Inconsistent { table: "sync", key, .. }) if key == "11"
        ));
    }

    #[test]
    fn payloads_of_unknown_form_are_named_not_guessed() {
        for payload in [
            &[][..],
            &[0],
            &[2, 0, 0],
            &[POSTCARD],
            &[POSTCARD, 200, 1, 1],
        ] {
            let error = record("record_version", "k1", payload).unwrap_err();
            assert!(
                matches!(
                    &error,
                    StoreError::Inconsistent { table: "record_version", key, .. } if key == "k1"
                ),
                "{payload:?}: {error}"
            );
        }
    }

    #[test]
    fn handles_become_hexadecimal() {
        assert_eq!(handles_json(&[]), "[]");
        assert_eq!(
            handles_json(&[Handle::name("a.cn"), Handle::licence("京")]),
            r#"["6e612e636e","6ce4baac"]"#
        );
    }
}
