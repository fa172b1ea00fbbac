//! `icpgate health`: asks a running server whether it is ready. For probes of what runs the program
//! where nothing but the program is at hand, as in its container.
//!
//! It asks what `grpc.health.v1` tells, which costs the server no look at its store, and opens
//! nothing itself: a probe runs every few seconds. What is wrong with an installation is for
//! `icpgate doctor` to find.

use std::time::Duration;

use clap::Args;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::exit::{self, Failure};
use super::{output, remote};

/// Longest time for the server to answer: below the time-outs that probes commonly have.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Flags of `icpgate health`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate health
  icpgate health --server https://icpgate.internal:50051
  icpgate health --service icpgate.v1.RecordService

Exit codes: 0 ready, 1 not ready, 69 no server answers")]
pub struct HealthArgs {
    /// Server to ask [default: the configured gRPC address, on this machine]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Service to ask about, such as icpgate.v1.RecordService [default: the server as a whole]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub service: String,
}

/// Asks, and tells the answer in one word.
///
/// # Errors
///
/// No server answers, or it does not say.
pub async fn run(args: &HealthArgs, url: &str, access: &remote::Access) -> Result<u8, Failure> {
    let channel = remote::connect(url, access, Some(ANSWER_TIMEOUT)).await?;
    let request = HealthCheckRequest {
        service: args.service.clone(),
    };
    let status = match HealthClient::new(channel).check(request).await {
        Ok(answer) => answer.into_inner().status(),
        // The server has no such service, and so it is not ready either.
        Err(status) if status.code() == Code::NotFound => ServingStatus::ServiceUnknown,
        Err(status) => return Err(remote::failure(url, status)),
    };
    output::print(&format!("{}\n", status.as_str_name()))?;
    Ok(match status {
        ServingStatus::Serving => exit::SUCCESS,
        ServingStatus::NotServing | ServingStatus::ServiceUnknown | ServingStatus::Unknown => {
            exit::REFUSED
        }
    })
}
