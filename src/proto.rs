//! Generated messages and services of the public API, with their JSON form.

pub mod convert;
mod response;

/// `icpgate.v1`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::pedantic,
    reason = "generated from the protos, which carry the documentation"
)]
pub mod v1 {
    tonic::include_proto!("icpgate.v1");
    include!(concat!(env!("OUT_DIR"), "/icpgate.v1.serde.rs"));
    pub use super::response::CheckProvisioningResponse;
}

/// Encoded `FileDescriptorSet` of the API, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/icpgate.v1.bin"));

/// What may be shown of messages that hold personal data: nothing that names a person.
mod shown {
    use std::fmt;

    use super::v1;

    macro_rules! show {
        ($($name:ident: $($field:ident),*;)+) => {$(
            impl fmt::Debug for v1::$name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name))
                        $(.field(stringify!($field), &self.$field))*
                        .finish_non_exhaustive()
                }
            }
        )+};
    }

    show! {
        Applicant: subject_number, nature, entity, province;
        Certificate: kind;
        Person: role;
        Registrant: redacted;
        Subject: subject_number, nature, entity, status;
    }
}
