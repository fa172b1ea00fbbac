//! What errors of the server mean for the caller: later, never, or mend the database.

use crate::store::StoreError;

/// Context for errors: sorts them by what their reader can do about it. Codes:
/// postgresql.org/docs/current/errcodes-appendix.html; the first two characters are the class.
pub(super) fn store_error(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |source| {
        if passes(&source) {
            StoreError::Unavailable { action, source }
        } else {
            StoreError::Failed { action, source }
        }
    }
}

/// As [`store_error`], while the store is being opened: a server that refuses the user then will
/// refuse it again.
pub(super) fn open_error(
    place: &str,
    action: &'static str,
) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |source| {
        let code = code(&source).unwrap_or_default();
        let problem = match (code.get(..2), code.as_str()) {
            (Some("28"), _) => {
                "the server refuses this user; check user and password, and the server's \
                 pg_hba.conf"
            }
            (_, "3D000") => "the server has no such database; make it with `createdb`",
            (_, "42501") => {
                "this user lacks a right; let it use and create in the schema, or run \
                 `icpgate migrate` as the owner and grant this user its tables"
            }
            _ if is_about_encryption(&source) => {
                return unusable(
                    place,
                    format!(
                        "no encrypted connection comes about: {source}; check `sslmode` and \
                         `sslrootcert`"
                    ),
                );
            }
            _ => return store_error(action)(source),
        };
        unusable(place, problem)
    }
}

/// Whether no encrypted connection came about: a certificate is not trusted, or one side wants what
/// the other does not offer. The library for it reports that as data that are not valid.
fn is_about_encryption(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Tls(_))
        || matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData)
}

/// The database cannot be used as a store; `problem` says why and what to do.
pub(super) fn unusable(place: &str, problem: impl Into<String>) -> StoreError {
    StoreError::Unusable {
        path: place.to_owned(),
        problem: problem.into(),
    }
}

/// Whether the same call may succeed later.
fn passes(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(code) => {
            // Connection, rolled back (serialisation, deadlock), resources, operator (shutdown,
            // time-out of a statement), system.
            let class = ["08", "40", "53", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class));
            // A server that is a standby now, time-outs within a transaction, a lock not got.
            class || ["25006", "25P03", "25P04", "55P03"].contains(&code.as_str())
        }
        None => matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                // A server that goes away in the middle of a greeting, or of an answer.
                | sqlx::Error::Protocol(_)
                | sqlx::Error::Tls(_)
        ),
    }
}

/// Whether the connection is gone, or about to be: the server has ended it or is ending itself.
pub(super) fn lost(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(code) => code.starts_with("08") || code.starts_with("57P0"),
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_and_the_rest_has_failed() {
        for source in [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed,
            sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".into()),
            sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
        ] {
            let error = store_error("try")(source);
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
        let error = store_error("try")(sqlx::Error::RowNotFound);
        assert!(
            matches!(error, StoreError::Failed { action: "try", .. }),
            "{error:?}"
        );
    }
}
