//! Compiles the messages of the product's interface.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let files = [
        "icpgate/v1/provisioning_service.proto",
        "icpgate/v1/record_service.proto",
    ];
    prost_build::Config::new().compile_fds(protox::compile(files, ["../../proto"])?)?;
    Ok(())
}
