//! What a caller may be: a closed set of roles.

use std::fmt;

/// What a caller may do. A caller may have several roles, and has none by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads decisions, records and changes; asks nothing and writes nothing.
    Auditor,
    /// Asks whether domains may be provisioned.
    Checker,
    /// Writes records.
    Importer,
    /// Runs the service: everything that the others may.
    Operator,
}

impl Role {
    /// Every role, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Auditor, Self::Checker, Self::Importer, Self::Operator];

    /// The name, as in the file of callers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Checker => "checker",
            Self::Importer => "importer",
            Self::Operator => "operator",
        }
    }

    /// The role of a name; `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);

    /// Every role.
    pub const ALL: Self = Self::of(&Role::ALL);

    /// The set of some roles.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut rest = roles;
        while let [role, others @ ..] = rest {
            bits |= 1 << (*role as u8);
            rest = others;
        }
        Self(bits)
    }

    /// Adds a role; `false` if it was there.
    pub fn insert(&mut self, role: Role) -> bool {
        let before = *self;
        self.0 |= Self::of(&[role]).0;
        *self != before
    }

    /// Whether a role is among them.
    #[must_use]
    pub const fn contains(self, role: Role) -> bool {
        self.meets(Self::of(&[role]))
    }

    /// Whether some role is in both sets.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no role.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_sets_hold_what_was_put_in() {
        let mut all = Roles::NONE;
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
            assert!(!all.contains(role));
            assert!(all.insert(role));
            assert!(!all.insert(role));
        }
        assert_eq!(all, Roles::ALL);
        assert!(Roles::NONE.is_empty() && !Roles::NONE.meets(Roles::ALL));
        assert_eq!(Role::from_name("Checker"), None);
    }
}
