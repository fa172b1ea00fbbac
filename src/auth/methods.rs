//! Who may call what: one table of every method, from which the documentation is made.
//!
//! **Invariant:** a method that is not in the table cannot be called by anybody. A test compares the
//! table with the descriptors of every service, so that a new method fails until it is listed.

use std::fmt::Write as _;

use super::role::{Role, Roles};

/// Where the generated page stands, from the root of the project.
pub const REFERENCE_PATH: &str = "docs/AUTHORISATION.md";

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches the port, without a credential.
    Everyone,
    /// Callers with one of these roles.
    Roles(Roles),
}

/// What a call costs of the caller's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// Nothing.
    Free,
    /// One.
    One,
    /// As many as it has questions. The first is taken when the call comes in, the others when they
    /// have been read.
    Questions,
    /// As many as it has questions, batch by batch; the stream waits where the rate is used up.
    Paced,
}

/// A method of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its path, such as `/icpgate.v1.ProvisioningService/CheckProvisioning`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What a call costs of the caller's rate.
    pub charge: Charge,
}

const CHECKS: Access = Access::Roles(Roles::of(&[Role::Checker, Role::Operator]));
const DECISIONS: Access = Access::Roles(Roles::of(&[Role::Auditor, Role::Checker, Role::Operator]));
const WRITES: Access = Access::Roles(Roles::of(&[Role::Importer, Role::Operator]));
// Importers read what they wrote.
const RECORDS: Access = Access::Roles(Roles::of(&[Role::Auditor, Role::Importer, Role::Operator]));
const CHANGES: Access = Access::Roles(Roles::of(&[Role::Auditor, Role::Operator]));
const ANY_ROLE: Access = Access::Roles(Roles::ALL);

/// Every method, those that are called most first.
pub const METHODS: &[Method] = &[
    method(
        "/icpgate.v1.ProvisioningService/CheckProvisioning",
        CHECKS,
        Charge::One,
    ),
    method(
        "/icpgate.v1.ProvisioningService/BatchCheckProvisioning",
        CHECKS,
        Charge::Questions,
    ),
    method(
        "/icpgate.v1.ProvisioningService/ScreenDomains",
        CHECKS,
        Charge::Paced,
    ),
    method(
        "/icpgate.v1.ProvisioningService/GetDecision",
        DECISIONS,
        Charge::One,
    ),
    method("/icpgate.v1.RecordService/PutRecords", WRITES, Charge::One),
    method(
        "/icpgate.v1.RecordService/ImportRecords",
        WRITES,
        Charge::One,
    ),
    method("/icpgate.v1.RecordService/GetDomain", RECORDS, Charge::One),
    method(
        "/icpgate.v1.RecordService/ListChanges",
        CHANGES,
        Charge::One,
    ),
    // Probes carry no credential, and tell no more than that the service serves.
    method(
        "/grpc.health.v1.Health/Check",
        Access::Everyone,
        Charge::Free,
    ),
    method(
        "/grpc.health.v1.Health/Watch",
        Access::Everyone,
        Charge::Free,
    ),
    // Served only where `grpc.reflection` says so.
    method(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ANY_ROLE,
        Charge::One,
    ),
    method(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ANY_ROLE,
        Charge::One,
    ),
];

/// The method of a path; `None` if there is none that may be called.
#[must_use]
pub fn find(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}

/// The page that tells who may call what.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| method |");
    for role in Role::ALL {
        let _ = write!(page, " `{role}` |");
    }
    page.push_str(" without a credential | of the rate |\n| --- |");
    page.push_str(&" --- |".repeat(Role::ALL.len() + 2));
    page.push('\n');
    for method in METHODS {
        let _ = write!(page, "| `{}` |", method.path.trim_start_matches('/'));
        let (roles, everyone) = match method.access {
            Access::Everyone => (Roles::ALL, true),
            Access::Roles(roles) => (roles, false),
        };
        for role in Role::ALL {
            page.push_str(if roles.contains(role) {
                " yes |"
            } else {
                " – |"
            });
        }
        page.push_str(if everyone { " yes |" } else { " – |" });
        page.push_str(match method.charge {
            Charge::Free => " nothing |",
            Charge::One => " 1 |",
            Charge::Questions => " 1 for each question |",
            Charge::Paced => " 1 to open, then 1 for each question: the stream waits |",
        });
        page.push('\n');
    }
    page.push_str(CLOSE);
    page
}

const INTRODUCTION: &str = "# Who may call what

This page is made from the table in `src/auth/methods.rs`, which is what the server asks; a test keeps
the two alike. [SECURING.md](SECURING.md) tells how callers are named and how they get roles.

A caller has the roles that the file of callers gives it, and none by default. What is not `yes` is
refused with `PERMISSION_DENIED`; a method that is not listed cannot be called by anybody. Where no
authentication is configured (on loopback only, or with `--insecure`), everyone is the caller `local`
with every role.

- `checker`: an ordering service or the control plane of a CDN. Asks, and reads decisions again by
  their identifiers.
- `importer`: the filing department, the feed of a registrar. Writes records, and reads what is known
  of a name.
- `auditor`: reads decisions, records and changes; asks nothing and writes nothing.
- `operator`: runs the service; everything.

";

const CLOSE: &str = "
Reflection is served only where `grpc.reflection` says so. Health is open, so that probes need no
credential; it tells whether the service serves, and nothing else. `of the rate` is what a call takes
of the caller's `rate`.
";

const fn method(path: &'static str, access: Access, charge: Charge) -> Method {
    Method {
        path,
        access,
        charge,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_is_listed_once() {
        let paths: BTreeSet<&str> = METHODS.iter().map(|method| method.path).collect();
        assert_eq!(paths.len(), METHODS.len());
        for method in METHODS {
            assert_eq!(find(method.path), Some(method));
        }
        assert_eq!(find("/icpgate.v1.ProvisioningService/"), None);
    }

    #[test]
    fn nobody_who_only_reads_may_write() {
        for path in [
            "/icpgate.v1.RecordService/PutRecords",
            "/icpgate.v1.RecordService/ImportRecords",
        ] {
            let Some(Method {
                access: Access::Roles(roles),
                ..
            }) = find(path)
            else {
                panic!("{path} is open");
            };
            assert!(!roles.contains(Role::Auditor) && !roles.contains(Role::Checker));
        }
    }
}
