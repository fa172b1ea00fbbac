//! Flags of `icpgate serve` and `icpgate migrate`.

use clap::Args;

/// Flags of `icpgate serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate serve
  icpgate serve --sample
  icpgate serve --store-path /var/lib/icpgate/icpgate.sqlite
  icpgate serve --config /etc/icpgate/icpgate.toml --grpc-listen 0.0.0.0:50051
  icpgate serve --set policy.name=mainland-business-model")]
pub struct ServeArgs {
    /// Load sample records first, to try the program out
    #[arg(long)]
    pub sample: bool,
    /// Refuse to start on a store of an older form, and leave it as it is
    #[arg(long)]
    pub no_migrate: bool,
    /// Address and port of the gRPC listener (key grpc.listen)
    #[arg(long, value_name = "ADDRESS")]
    pub grpc_listen: Option<String>,
    /// Address and port of the HTTP listener (key http.listen): metrics and health
    #[arg(long, value_name = "ADDRESS")]
    pub http_listen: Option<String>,
    /// Listen on every address, although whoever reaches it may ask and write records (key
    /// grpc.insecure)
    #[arg(long)]
    pub insecure: bool,
    /// `SQLite` file (key store.path)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub store_path: Option<String>,
}

/// Flags of `icpgate migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate migrate
  icpgate migrate --set store.path=/var/lib/icpgate/icpgate.sqlite")]
pub struct MigrateArgs {}
