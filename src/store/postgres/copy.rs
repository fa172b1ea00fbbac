//! Rows in the binary form of COPY (postgresql.org/docs/current/sql-copy.html, "Binary Format").
//!
//! **Invariant:** memory does not grow with the number of rows; they leave in pieces of
//! [`PIECE`] octets.
//! **Absent on purpose:** what happens to a connection whose COPY is given up; the caller closes
//! it.

use icpgate_policy::records::Handle;
use sqlx::postgres::PgConnection;

/// Size at which a piece is sent, in octets.
const PIECE: usize = 64 * 1024;

/// The signature, no flags, and no more header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In place of the number of fields of a row: there is no more.
const TRAILER: i16 = -1;

/// In place of the length of a value: there is none.
const NULL: i32 = -1;

/// Number of the type BYTEA, fixed by the server.
const BYTEA: i32 = 17;

/// A row on its way; its fields are written in the order of the columns.
pub(super) struct Fields<'b> {
    buffer: &'b mut Vec<u8>,
    /// Set where a value is too long for the form.
    too_long: bool,
}

impl Fields<'_> {
    pub(super) fn bigint(&mut self, value: i64) {
        self.value(&value.to_be_bytes());
    }

    pub(super) fn bigint_or_null(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.bigint(value),
            None => self.number(NULL),
        }
    }

    /// Numbers of kinds are small; one that is not would be refused as too long.
    pub(super) fn smallint(&mut self, value: i64) {
        match i16::try_from(value) {
            Ok(value) => self.value(&value.to_be_bytes()),
            Err(_) => self.too_long = true,
        }
    }

    pub(super) fn text_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.value(value.as_bytes()),
            None => self.number(NULL),
        }
    }

    /// Bytes, or a text.
    pub(super) fn value(&mut self, value: &[u8]) {
        self.length(value.len());
        self.buffer.extend_from_slice(value);
    }

    /// An array of bytes with one dimension that begins at 1; NULL where it is empty.
    pub(super) fn handles(&mut self, handles: &[Handle]) {
        if handles.is_empty() {
            return self.number(NULL);
        }
        let elements: usize = handles
            .iter()
            .map(|handle| 4 + handle.as_bytes().len())
            .sum();
        self.length(5 * 4 + elements);
        self.number(1);
        let no_nulls = 0;
        self.number(no_nulls);
        self.number(BYTEA);
        self.length(handles.len());
        self.number(1);
        for handle in handles {
            self.value(handle.as_bytes());
        }
    }

    fn length(&mut self, length: usize) {
        match i32::try_from(length) {
            Ok(length) => self.number(length),
            Err(_) => self.too_long = true,
        }
    }

    fn number(&mut self, number: i32) {
        self.buffer.extend_from_slice(&number.to_be_bytes());
    }
}

/// Copies rows into a table; returns their number as the server counted it. `columns` is the
/// number of fields that `write` writes.
///
/// Where this fails or is dropped, the connection may be in the middle of a COPY.
pub(super) async fn copy<T>(
    connection: &mut PgConnection,
    statement: &'static str,
    columns: i16,
    rows: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Fields<'_>, T),
) -> Result<u64, sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    let mut buffer = Vec::with_capacity(PIECE + PIECE / 4);
    buffer.extend_from_slice(HEADER);
    for row in rows {
        buffer.extend_from_slice(&columns.to_be_bytes());
        let mut fields = Fields {
            buffer: &mut buffer,
            too_long: false,
        };
        write(&mut fields, row);
        if fields.too_long {
            return Err(sqlx::Error::Encode("a value is too long for COPY".into()));
        }
        if buffer.len() >= PIECE {
            copy.send(buffer.as_slice()).await?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&TRAILER.to_be_bytes());
    copy.send(buffer.as_slice()).await?;
    copy.finish().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Fields<'_>)) -> Vec<u8> {
        let mut buffer = Vec::new();
        let mut fields = Fields {
            buffer: &mut buffer,
            too_long: false,
        };
        write(&mut fields);
        assert!(!fields.too_long);
        buffer
    }

    #[test]
    fn values_have_their_length_before_them() {
        assert_eq!(
            written(|fields| fields.bigint(-2)),
            [0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254]
        );
        assert_eq!(written(|fields| fields.smallint(258)), [0, 0, 0, 2, 1, 2]);
        assert_eq!(
            written(|fields| fields.text_or_null(Some("京"))),
            [0, 0, 0, 3, 0xe4, 0xba, 0xac]
        );
        assert_eq!(written(|fields| fields.value(b"")), [0, 0, 0, 0]);
    }

    #[test]
    fn nothing_is_null_and_not_empty() {
        let null = [255; 4];
        assert_eq!(written(|fields| fields.bigint_or_null(None)), null);
        assert_eq!(written(|fields| fields.text_or_null(None)), null);
        assert_eq!(written(|fields| fields.handles(&[])), null);
    }

    #[test]
    fn a_number_that_does_not_fit_is_noticed() {
        let mut buffer = Vec::new();
        let mut fields = Fields {
            buffer: &mut buffer,
            too_long: false,
        };
        fields.smallint(40_000);
        assert!(fields.too_long);
    }
}
