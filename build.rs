//! Compiles the protos with a compiler written in Rust, so that no `protoc` is needed.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

const PROTOS: [&str; 2] = [
    "icpgate/v1/provisioning_service.proto",
    "icpgate/v1/record_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    #[expect(
        clippy::disallowed_methods,
        reason = "how cargo tells a build script its folder"
    )]
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    std::fs::write(out.join("icpgate.v1.bin"), &encoded)?;
    tonic_prost_build::configure()
        .extern_path(".google.protobuf.Timestamp", "::pbjson_types::Timestamp")
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .extern_path(
            ".icpgate.v1.CheckProvisioningResponse",
            "crate::proto::response::CheckProvisioningResponse",
        )
        // These hold personal data; `src/proto.rs` writes what may be shown of them.
        .skip_debug([
            ".icpgate.v1.Applicant",
            ".icpgate.v1.Certificate",
            ".icpgate.v1.Person",
            ".icpgate.v1.Registrant",
            ".icpgate.v1.Subject",
        ])
        .compile_fds(descriptors)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .exclude([
            // Sent in encoded parts.
            ".icpgate.v1.CheckProvisioningResponse",
            // Their errors are carried as `google.protobuf.Any`, which has no JSON form here.
            ".icpgate.v1.CheckProvisioningResult",
            ".icpgate.v1.BatchCheckProvisioningResponse",
            ".icpgate.v1.ScreenDomainsResponse",
        ])
        .build(&[".icpgate.v1"])?;
    Ok(())
}
