//! `icpgate check`: asks a running server.

use std::time::Duration;

use clap::{ArgAction, Args};
use icpgate_policy::codes;
use jiff::Timestamp;

use super::check_view;
use super::exit::{self, Failure};
use super::output::{self, Output};
use super::{remote, values};
use crate::config::Setting as _;
use crate::intake::instant;
use crate::proto::v1;
use crate::proto::v1::check_provisioning_request::Consistency;
use crate::proto::v1::provisioning_service_client::ProvisioningServiceClient;

/// Flags of `icpgate check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate check www.example.cn --product cdn --area mainland
  icpgate check shop.example.cn --product hosting --area mainland --payment --model self-operated
  icpgate check 例子.中国 --product cdn --area global --language zh-CN --output json
  icpgate check new.example.cn --product hosting --area mainland --purpose pre-filing

Exit codes: 0 allow, 1 deny, 2 review, 3 indeterminate, 64 usage, 69 server unreachable")]
pub struct CheckArgs {
    /// The host name, in any form
    pub domain: String,
    /// What is ordered
    #[arg(long, value_parser = values::PRODUCT)]
    pub product: codes::Product,
    /// Where it is to be served
    #[arg(long, value_parser = values::AREA)]
    pub area: codes::ServiceArea,
    /// What the answer is for [default: order]
    #[arg(long, value_parser = values::PURPOSE)]
    pub purpose: Option<codes::Purpose>,
    /// The site takes payments
    #[arg(long)]
    pub payment: bool,
    /// How the site earns
    #[arg(long, value_parser = values::MODEL)]
    pub model: Option<codes::BusinessModel>,
    /// Sector of the site; may be repeated or separated by commas
    #[arg(long, value_delimiter = ',', value_parser = values::SECTOR)]
    pub sector: Vec<codes::Sector>,
    /// When the site went live: a day in Beijing or an instant
    #[arg(long, value_name = "TIME", value_parser = values::instant)]
    pub live_since: Option<Timestamp>,
    /// Filing or licence number as the customer typed it
    #[arg(long, value_name = "NUMBER")]
    pub claimed: Option<String>,
    /// CDN: host name or address of the origin
    #[arg(long, value_name = "HOST")]
    pub origin: Option<String>,
    /// CDN: whether the origin stands in the mainland
    #[arg(long, value_name = "BOOL", action = ArgAction::Set)]
    pub origin_in_mainland: Option<bool>,
    /// CDN: host header sent to the origin, where it differs
    #[arg(long, value_name = "HOST")]
    pub host_header: Option<String>,
    /// Your identifier of the customer's account
    #[arg(long, value_name = "ID")]
    pub account_id: Option<String>,
    /// Whether the customer's real name is verified
    #[arg(long, value_parser = values::REAL_NAME)]
    pub customer_real_name: Option<codes::RealName>,
    /// Whether the customer has proven control of the domain
    #[arg(long, value_parser = values::DOMAIN_CONTROL)]
    pub domain_control: Option<codes::DomainControl>,
    /// With purpose pre-filing: subject number of who wants to file
    #[arg(long, value_name = "NUMBER")]
    pub applicant: Option<String>,
    /// Your order, recorded with the decision
    #[arg(long, value_name = "ID")]
    pub order_id: Option<String>,
    /// Answer from the newest committed facts
    #[arg(long, conflicts_with = "at_least_as_fresh")]
    pub fully_consistent: bool,
    /// Answer from facts at least as fresh as this revision token
    #[arg(long, value_name = "TOKEN")]
    pub at_least_as_fresh: Option<String>,
    /// How much of the findings to return
    #[arg(long, value_enum, default_value_t)]
    pub view: View,
    /// Language of the texts: en or zh-CN
    #[arg(long, value_name = "TAG", default_value = "en")]
    pub language: String,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// The server [default: the configured gRPC address]
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    pub server: Option<String>,
    /// Longest time to wait for the answer
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span)]
    pub timeout: Duration,
}

/// How much of the findings to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum View {
    /// Without the rules that passed or do not apply.
    #[default]
    Basic,
    /// All rules.
    Full,
}

/// Asks the server at `url`, showing it what `access` holds, and prints its answer.
///
/// # Errors
///
/// The server cannot be reached, or refuses the question.
pub async fn run(args: &CheckArgs, url: &str, access: &remote::Access) -> Result<u8, Failure> {
    let channel = remote::connect(url, access, Some(args.timeout)).await?;
    let mut client = ProvisioningServiceClient::new(channel);
    let answer = client
        .check_provisioning(request(args))
        .await
        .map_err(|status| remote::failure(url, status))?;
    let decision = answer.into_inner().decision.unwrap_or_default();
    match args.output {
        Output::Json => output::print_json(&decision)?,
        Output::Table => output::print(&check_view::table(&decision))?,
    }
    match decision.verdict() {
        v1::Verdict::Allow => Ok(exit::SUCCESS),
        v1::Verdict::Deny => Ok(exit::REFUSED),
        v1::Verdict::Review => Ok(exit::REVIEW),
        v1::Verdict::Indeterminate => Ok(exit::INDETERMINATE),
        v1::Verdict::Unspecified => Err(Failure::new(
            exit::SOFTWARE,
            anyhow::anyhow!("{url} answered without a verdict that this version knows"),
        )),
    }
}

/// The question that the flags ask.
fn request(args: &CheckArgs) -> v1::CheckProvisioningRequest {
    let site = v1::Site {
        payment_enabled: args.payment,
        business_model: args.model.map_or(0, model),
        sectors: args.sector.iter().copied().map(sector).collect(),
        live_since: args.live_since.map(instant),
    };
    let customer = v1::Customer {
        account_id: args.account_id.clone().unwrap_or_default(),
        real_name: args.customer_real_name.map_or(0, real_name),
        domain_control: args.domain_control.map_or(0, domain_control),
    };
    let applicant = args.applicant.as_ref().map(|number| v1::Applicant {
        subject_number: number.clone(),
        ..v1::Applicant::default()
    });
    let token = args
        .at_least_as_fresh
        .clone()
        .map(Consistency::AtLeastAsFresh);
    let consistency = if args.fully_consistent {
        Some(Consistency::FullyConsistent(true))
    } else {
        token
    };
    let view = match args.view {
        View::Basic => v1::View::Basic,
        View::Full => v1::View::Full,
    };
    v1::CheckProvisioningRequest {
        domain: args.domain.clone(),
        product: product(args.product),
        service_area: area(args.area),
        purpose: args.purpose.map_or(0, purpose),
        site: (site != v1::Site::default()).then_some(site),
        claimed_filing_number: args.claimed.clone().unwrap_or_default(),
        origin_host: args.origin.clone().unwrap_or_default(),
        origin_in_mainland: args.origin_in_mainland,
        host_header: args.host_header.clone().unwrap_or_default(),
        customer: (customer != v1::Customer::default()).then_some(customer),
        consistency,
        applicant,
        order_id: args.order_id.clone().unwrap_or_default(),
        view: view.into(),
        language: args.language.clone(),
    }
}

/// The number of a member on the wire, found by its name, which both sides share.
macro_rules! on_the_wire {
    ($($name:ident: $set:ident, $prefix:literal;)+) => {
        $(pub(super) fn $name(member: codes::$set) -> i32 {
            let name = format!(concat!($prefix, "_{}"), member);
            v1::$set::from_str_name(&name).map_or(0, i32::from)
        })+

        #[cfg(test)]
        #[test]
        fn every_member_is_on_the_wire() {
            $(for member in codes::$set::ALL {
                assert_ne!($name(*member), 0, "{member}");
            })+
        }
    };
}

on_the_wire! {
    product: Product, "PRODUCT";
    area: ServiceArea, "SERVICE_AREA";
    purpose: Purpose, "PURPOSE";
    model: BusinessModel, "BUSINESS_MODEL";
    sector: Sector, "SECTOR";
    real_name: RealName, "REAL_NAME";
    domain_control: DomainControl, "DOMAIN_CONTROL";
}

pub(super) fn span(text: &str) -> Result<Duration, String> {
    Duration::read(text).ok_or_else(|| format!("give {}", Duration::EXPECTED))
}
