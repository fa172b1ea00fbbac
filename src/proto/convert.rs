//! The enums of the interface and the closed sets of the core, each into the other.
//!
//! **Invariant:** every member of a set has one member of the enum. The other way, `UNSPECIFIED`
//! and numbers that this version does not know are `None`: what that means (a default, or a
//! refusal) is the business of whoever reads the field.
//! **Absent on purpose:** `View` and `ServedFrom`, which the core does not know.

use icpgate_policy::codes;
use icpgate_policy::identity;

use super::v1;

/// A closed set that has an enum in the interface.
pub trait Coded: Copy + 'static {
    /// The enum.
    type Wire: TryFrom<i32> + Into<i32>;

    /// The member of the enum.
    fn to_wire(self) -> Self::Wire;

    /// The member of the set; `None` for `UNSPECIFIED`.
    fn from_wire(wire: Self::Wire) -> Option<Self>;

    /// The number of the member, as fields hold it.
    fn to_number(self) -> i32 {
        self.to_wire().into()
    }

    /// The member of the set; `None` for `UNSPECIFIED` and for a number that the enum lacks.
    fn from_number(number: i32) -> Option<Self> {
        Self::Wire::try_from(number).ok().and_then(Self::from_wire)
    }
}

/// Pairs the members of a set and an enum of one name, which are named alike. Both matches are
/// exhaustive, so that a new member on either side does not compile until it is listed.
macro_rules! coded {
    ($($room:ident::$name:ident { $($member:ident),+ $(,)? })+) => {
        $(
            impl Coded for $room::$name {
                type Wire = v1::$name;

                fn to_wire(self) -> v1::$name {
                    match self { $(Self::$member => v1::$name::$member,)+ }
                }

                fn from_wire(wire: v1::$name) -> Option<Self> {
                    match wire {
                        v1::$name::Unspecified => None,
                        $(v1::$name::$member => Some(Self::$member),)+
                    }
                }
            }
        )+

        #[cfg(test)]
        fn every_set() -> Vec<Set> {
            vec![$(Set {
                name: stringify!($name),
                members: vec![$((
                    codes_name($room::$name::$member),
                    $room::$name::$member.to_number(),
                    v1::$name::$member.as_str_name(),
                    $room::$name::from_number(v1::$name::$member.into())
                        == Some($room::$name::$member),
                ),)+],
                known: |number| v1::$name::try_from(number).is_ok(),
                read: |number| $room::$name::from_number(number).map(Coded::to_number),
            },)+]
        }
    };
}

coded! {
    codes::AccessStatus { Active, Cancelled }
    codes::ApplicationKind { FirstFiling, NewService, NewAccess, Change }
    codes::ApplicationStage {
        Submitted, ProviderReviewPassed, AuthorityReview, Approved, Rejected,
    }
    codes::BlockList { Authority, Provider }
    codes::BusinessModel { SelfOperated, Marketplace, PaidInformation, Advertising }
    codes::DomainControl { Proven, NotProven }
    codes::LicenceStatus { Active, Suspended, Revoked }
    codes::Outcome { Pass, Deny, Review, Indeterminate, NotApplicable }
    codes::PersonRole { LegalRepresentative, Principal, SeniorManager, Shareholder, Webmaster }
    codes::Product { Cdn, Hosting, ReverseProxy, AppBackend, MiniProgramBackend, DnsOnly }
    codes::Purpose { Order, Activation, Recheck, PreFiling }
    codes::RealName { Verified, Unverified }
    codes::Reason {
        DomainInvalid, BareIp, FilingNotFound, FilingVariantOnly, FilingKindMismatch,
        FiledByAnotherSubject, FilingCancelled, FilingSuspended, FilingInProgress,
        FilingAccessRestricted, AccessNotLinked, AccessLinkGrace, EmptyShellRisk,
        DomainBlacklisted, SubjectBlacklisted, FilingNumberInvalid, FilingNumberMismatch,
        FilingNumberForm, OriginNotFiled, HostHeaderNotFiled, CommercialByIndividual,
        CommercialByRepresentativeOffice, CommercialLicenceMissing, CommercialLicenceExpired,
        CommercialLicenceSuspended, CommercialLicenceRevoked, CommercialLicenceExpiring,
        CommercialLicenceHolderMismatch, CommercialLicenceKindMissing,
        CommercialLicenceKindUnknown, CommercialModelUnknown, DisplayBusinessLicence,
        RegistrantMismatch, RegistrantVariant, RegistrantUnknown, RegistrantRoleNarrowed,
        CertificateFormOld, RealNameUnverified, RealNameSyncing, DomainNotActive, DomainExpired,
        TldNotApproved, RegistrarNotApproved, SuffixNotForNature, SectorApprovalMissing,
        SectorApprovalExpired, ForumByIndividual, DisplayMissing, DisplayWrongNumber,
        DisplaySubjectForm, DisplayNotLinked, DisplayTakedown, PublicSecurityFilingDue,
        AppNotFiled, MiniProgramNotFiled, CustomerNotVerified, DomainControlNotProven,
        SubjectNameChanged, ProvinceMismatch, FactsUnavailable, FactsStale,
    }
    codes::Sector {
        News, Publishing, Education, Health, Pharmaceuticals, MedicalDevices, Games, Culture,
        Audiovisual, Religion, Forum, RideHailing, Finance,
    }
    codes::ServiceArea { Mainland, Global, OutsideMainland }
    codes::ServiceKind { Website, App, MiniProgram, QuickApp }
    codes::ServiceStatus { Active, Changing, Suspended, Cancelled }
    codes::SubjectEntity {
        Domestic, WhollyForeignOwned, JointVenture, RepresentativeOffice, BranchOffice,
    }
    codes::SubjectNature {
        Enterprise, Individual, Government, PublicInstitution, SocialOrganisation,
    }
    codes::SubjectStatus { Active, Suspended, Cancelled }
    codes::TelecomBusiness { B11, B12, B13, B14, B21, B22, B23, B24, B25 }
    codes::Verdict { Allow, Deny, Review, Indeterminate }
    identity::CertificateKind {
        UnifiedSocialCreditCode, OrganisationCode, ResidentId, Passport, HkMacaoPermit,
        TaiwanPermit, ForeignPermanentResident, Other,
    }
}

#[cfg(test)]
struct Set {
    name: &'static str,
    /// Code, number, name in the interface, whether it reads back.
    members: Vec<(String, i32, &'static str, bool)>,
    known: fn(i32) -> bool,
    read: fn(i32) -> Option<i32>,
}

/// The stable spelling, as serialisation writes it.
#[cfg(test)]
fn codes_name(member: impl std::fmt::Debug) -> String {
    format!("{member:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_one_partner_and_reads_back() {
        for set in every_set() {
            let mut numbers: Vec<i32> = Vec::new();
            for (code, number, wire, reads_back) in &set.members {
                assert!(reads_back, "{} {code}", set.name);
                assert!(!numbers.contains(number), "{} {code}", set.name);
                numbers.push(*number);
                let plain = wire.replace('_', "").to_lowercase();
                let expected = format!("{}{code}", set.name).to_lowercase();
                assert_eq!(plain, expected);
            }
            for number in -1..200 {
                let listed = numbers.contains(&number);
                assert_eq!(
                    (set.known)(number),
                    listed || number == 0,
                    "{} {number}",
                    set.name
                );
                assert_eq!(
                    (set.read)(number),
                    listed.then_some(number),
                    "{} {number}",
                    set.name
                );
            }
        }
    }

    #[test]
    fn stable_spellings_are_those_of_the_interface() {
        macro_rules! check {
            ($($name:ident),+) => {$(
                for member in codes::$name::ALL {
                    let wire = member.to_wire().as_str_name();
                    assert!(wire.ends_with(&format!("_{}", member.as_str())), "{wire}");
                    assert_eq!(codes::$name::from_wire(member.to_wire()), Some(*member));
                }
            )+};
        }
        check!(
            AccessStatus,
            ApplicationKind,
            ApplicationStage,
            BlockList,
            BusinessModel,
            DomainControl,
            LicenceStatus,
            Outcome,
            PersonRole,
            Product,
            Purpose,
            RealName,
            Reason,
            Sector,
            ServiceArea,
            ServiceKind,
            ServiceStatus,
            SubjectEntity,
            SubjectNature,
            SubjectStatus,
            TelecomBusiness,
            Verdict
        );
    }
}
