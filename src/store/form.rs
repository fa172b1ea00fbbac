//! The form of a store, and which versions of this program may work on it.
//!
//! A version brings a store to its form by migrations. Those of the version before may be running on
//! it meanwhile, and may be started again after it, where the migrations only added what they can
//! leave alone. So the store says itself what the oldest form is that a program has to know.

/// Form that a program has to know to work on a store that this version has migrated, as the number
/// of a migration. It rises with a migration that takes away or changes what a version up to then
/// reads or writes, and with no other: docs/UPGRADING.md.
pub(super) const OLDEST_FORM: i64 = 10;

/// Whether a program that knows `known` may work on a store whose newest migration is `found`.
/// `oldest` is what the store says of itself; `None`: nothing, or nothing that is a number.
pub(super) fn may_work(known: i64, found: i64, oldest: Option<&str>) -> bool {
    let oldest: Option<i64> = oldest.and_then(|oldest| oldest.parse().ok());
    found <= known || oldest.is_some_and(|oldest| oldest <= known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_form_is_worked_on_only_where_it_says_so() {
        assert!(may_work(10, 10, None));
        assert!(may_work(10, 9, Some("12")));
        assert!(may_work(10, 11, Some("10")));
        assert!(may_work(10, 12, Some("9")));
        assert!(!may_work(10, 11, Some("11")));
        for nothing in [None, Some(""), Some("ten"), Some("10 ")] {
            assert!(!may_work(10, 11, nothing), "{nothing:?}");
        }
    }
}
