//! Identifiers of the rules.

use serde::{Deserialize, Serialize};

use super::table::{FIRST, RULES, Rule};
use crate::codes::closed_set;

closed_set! {
    /// Identifier of a rule, in the order in which rules are explained.
    RuleId {
        /// Form of the name.
        R01 = "R01",
        /// Bare IP address.
        R45 = "R45",
        /// No filing outside the mainland.
        R02 = "R02",
        /// Customer verified.
        R47 = "R47",
        /// Control of the domain proven.
        R48 = "R48",
        /// Blocked domain.
        R04 = "R04",
        /// Blocked subject.
        R05 = "R05",
        /// Filing found.
        R07 = "R07",
        /// Filing could not be looked up.
        R08 = "R08",
        /// Filing in force, through whichever provider.
        R09 = "R09",
        /// First filing or new site under review.
        R13 = "R13",
        /// Change under review.
        R14 = "R14",
        /// Filing cancelled.
        R54 = "R54",
        /// Filing suspended.
        R55 = "R55",
        /// Access restricted by the authority.
        R06 = "R06",
        /// Only a service of another kind.
        R42 = "R42",
        /// Only the script twin is filed.
        R60 = "R60",
        /// App filing.
        R41 = "R41",
        /// App filing lost with its subject.
        R43 = "R43",
        /// Mini-program filing.
        R44 = "R44",
        /// Filed by another subject.
        R53 = "R53",
        /// Linked with this provider.
        R10 = "R10",
        /// Not linked with this provider.
        R11 = "R11",
        /// Days of grace.
        R12 = "R12",
        /// No access provider left.
        R15 = "R15",
        /// Form of the claimed number.
        R17 = "R17",
        /// Claimed number against the record.
        R16 = "R16",
        /// Origin and host header.
        R18 = "R18",
        /// Payment by a person.
        R19 = "R19",
        /// Payment by a representative office.
        R56 = "R56",
        /// Payment without a declared model.
        R24 = "R24",
        /// Self-operated shop.
        R23 = "R23",
        /// Licence of the subject.
        R20 = "R20",
        /// Licence in force.
        R25 = "R25",
        /// Licence about to end.
        R26 = "R26",
        /// Licence of a parent.
        R27 = "R27",
        /// Subject number in licence form.
        R28 = "R28",
        /// Marketplace business.
        R21 = "R21",
        /// Information business.
        R22 = "R22",
        /// Registrant known.
        R32 = "R32",
        /// Registrant of a person's filing.
        R29 = "R29",
        /// Registrant of an organisation's filing.
        R31 = "R31",
        /// Role of the registrant.
        R30 = "R30",
        /// Superseded certificate.
        R59 = "R59",
        /// Name of the subject.
        R52 = "R52",
        /// Real name at the registry.
        R33 = "R33",
        /// State of the registration.
        R34 = "R34",
        /// Suffix approved, before filing.
        R35 = "R35",
        /// Registrar approved, before filing.
        R36 = "R36",
        /// Suffix and registrar approved, once filed.
        R37 = "R37",
        /// Suffix meant for the nature.
        R46 = "R46",
        /// Province of number and credit code.
        R58 = "R58",
        /// Sector approvals.
        R38 = "R38",
        /// Forum run by a person.
        R57 = "R57",
        /// Number on the home page.
        R39 = "R39",
        /// Public-security filing.
        R40 = "R40",
    }
}

impl RuleId {
    /// Place in the table.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// The rule.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // INVARIANT: the table has the order of the identifiers, as a test checks.
        RULES.get(self.place()).unwrap_or(&FIRST)
    }
}
