//! Who is let in, made from the configuration; and where the program does not listen.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;

use crate::auth::{self, AuthOptions, KeySource, RateLimit, TlsOptions, TokenOptions, Watch};
use crate::clock::Clock;
use crate::config::{CallRate, Config, Reflection};
use crate::grpc::Door;

/// Opens the door as it is configured.
///
/// # Errors
///
/// The address may not be listened on without more protection, or something that protects is missing
/// or wrong.
pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<(Door, Option<Watch>)> {
    permitted(config)?;
    let opened = auth::open(options(config)?, clock)
        .await
        .context("let callers in")?;
    let reflection = match config.grpc.reflection {
        Reflection::Auto => !opened.auth.is_required() && is_loopback(config.grpc.listen),
        Reflection::Off => false,
        Reflection::On => true,
    };
    let door = Door {
        acceptor: opened.acceptor,
        auth: opened.auth,
        reflection,
    };
    if !is_loopback(config.grpc.listen) && !door.auth.is_required() {
        tracing::warn!(
            "whoever reaches {} may ask and write records: grpc.insecure is set",
            config.grpc.listen
        );
    }
    Ok((door, opened.watch))
}

/// Refuses to listen where strangers could come in, or listen in.
fn permitted(config: &Config) -> anyhow::Result<()> {
    let grpc = &config.grpc;
    if is_loopback(grpc.listen) || grpc.insecure {
        return Ok(());
    }
    let encrypted = grpc.tls_cert_file.is_some();
    let authenticated = grpc.client_ca_file.is_some() || takes_tokens(config);
    let missing = match (encrypted, authenticated) {
        (true, true) => return Ok(()),
        (false, true) => {
            "tokens could be read on their way: give grpc.tls_cert_file and grpc.tls_key_file"
        }
        (true, false) => {
            "whoever reaches it could write records: give grpc.client_ca_file or auth.jwks_file \
             (or auth.jwks_url), and auth.callers_file"
        }
        (false, false) => {
            "whoever reaches it could write records: give grpc.tls_cert_file, grpc.tls_key_file, \
             grpc.client_ca_file and auth.callers_file"
        }
    };
    anyhow::bail!(
        "listen on {}: {missing}, as docs/SECURING.md tells; or listen on 127.0.0.1; or say \
         `--insecure` where a proxy in front of it authenticates and encrypts",
        grpc.listen
    )
}

fn options(config: &Config) -> anyhow::Result<AuthOptions> {
    let (grpc, auth) = (&config.grpc, &config.auth);
    let tls = match (&grpc.tls_cert_file, &grpc.tls_key_file) {
        (Some(cert_file), Some(key_file)) => Some(TlsOptions {
            cert_file: cert_file.clone(),
            key_file: key_file.clone(),
            client_ca_file: grpc.client_ca_file.clone(),
        }),
        (_, _) => None,
    };
    let tokens = if takes_tokens(config) {
        Some(tokens(config)?)
    } else {
        None
    };
    Ok(AuthOptions {
        tls,
        callers_file: auth.callers_file.clone(),
        tokens,
        default_rate: match auth.caller_rate {
            CallRate::PerSecond(rate) => Some(RateLimit::per_second(rate)),
            CallRate::Unlimited => None,
        },
        look_every: auth.reload_interval,
    })
}

fn takes_tokens(config: &Config) -> bool {
    config.auth.jwks_file.is_some() || config.auth.jwks_url.is_some()
}

fn tokens(config: &Config) -> anyhow::Result<TokenOptions> {
    let auth = &config.auth;
    let keys = match (&auth.jwks_file, &auth.jwks_url) {
        (_, Some(url)) => KeySource::Url {
            url: url.as_str().to_owned(),
            ca_file: auth.jwks_ca_file.clone(),
            timeout: auth.jwks_timeout,
        },
        (file, None) => KeySource::File(file.clone().unwrap_or_default()),
    };
    let issuer = auth.jwt_issuer.as_ref().context("give auth.jwt_issuer")?;
    let audience = auth
        .jwt_audience
        .as_ref()
        .context("give auth.jwt_audience")?;
    let algorithms: Result<Vec<_>, _> = auth
        .jwt_algorithms
        .as_slice()
        .iter()
        .map(|name| name.parse())
        .collect();
    Ok(TokenOptions {
        issuer: issuer.as_str().to_owned(),
        audience: audience.as_str().to_owned(),
        algorithms: algorithms.context("read auth.jwt_algorithms")?,
        leeway: auth.jwt_leeway,
        keys,
        refresh: auth.jwks_refresh,
        cooldown: auth.jwks_cooldown,
    })
}

pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
