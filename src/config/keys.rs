//! The table of keys. A key added here is read, checked, printed and documented.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::auth::{CallRate, KeysUrl, Reflection, TokenAlgorithms, TokenText};
use super::metrics::Every;
use super::otlp::{
    LogRequests, OtlpEndpoint, OtlpProtocol, Ratio, ResourceAttributes, ServiceName,
};
use super::redis::{RedisMode, RedisUrls, SentinelService};
use super::setting::{
    ByteSize, CacheSize, CertificateCheck, FrameSize, KindSet, LogFormat, LogLevel, MaxAge,
    PolicyName, ProviderId, ServerUrl, Setting,
};

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Section, such as `grpc`.
    pub section: &'static str,
    /// Name with its section, such as `grpc.listen`.
    pub name: &'static str,
    /// Value where none is given, as text; empty: not set.
    pub default: &'static str,
    /// What it is for, in Markdown; one or more sentences in lines.
    pub description: &'static [&'static str],
    /// What a value looks like.
    pub expected: &'static str,
    /// Whether the file may give it as a list.
    pub list: bool,
    /// Whether the file gives it without quotes.
    pub bare: bool,
    /// Whether a value may hold a password.
    pub secret: bool,
    /// Whether a text is a value of this key.
    pub(super) accepts: fn(&str) -> bool,
    /// A value as it is shown: in its shortest form.
    pub(super) canonical: fn(&str) -> Option<String>,
}

impl Key {
    /// The environment variable, such as `ICPGATE_GRPC__LISTEN`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!(
            "ICPGATE_{}",
            self.name.replace('.', "__").to_ascii_uppercase()
        )
    }
}

/// Declares the sections as types, the configuration of them all, the table of keys, and how a
/// configuration is made from texts.
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident : $section_type:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty = $default:literal,
            )+
        }
    )+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $section_type {
                $($(#[doc = $doc])+ pub $field: $type,)+
            }
        )+

        /// The whole configuration.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $section_type,)+
        }

        /// Every key, in the order of the reference.
        pub const KEYS: &[Key] = &[$($(
            Key {
                section: stringify!($section),
                name: concat!(stringify!($section), ".", stringify!($field)),
                default: $default,
                description: &[$($doc),+],
                expected: <$type as Setting>::EXPECTED,
                list: <$type as Setting>::LIST,
                bare: <$type as Setting>::BARE,
                secret: <$type as Setting>::SECRET,
                accepts: |text| <$type as Setting>::read(text).is_some(),
                canonical: |text| <$type as Setting>::read(text).map(|value| value.show()),
            },
        )+)+];

        /// Sections with what they are about, in the order of the reference.
        pub(super) const SECTIONS: &[(&str, &[&str])] =
            &[$((stringify!($section), &[$($section_doc),+]),)+];

        impl Config {
            /// Makes a configuration from the text of each key. `None` if some text is not a value
            /// of its key.
            pub(super) fn from_texts<'t>(text: impl Fn(&str) -> &'t str) -> Option<Self> {
                Some(Self {
                    $($section: $section_type {
                        $($field: <$type as Setting>::read(text(
                            concat!(stringify!($section), ".", stringify!($field))
                        ))?,)+
                    },)+
                })
            }
        }
    };
}

settings! {
    /// The gRPC listener: ordering services and the CDN control plane ask here.
    grpc: Grpc {
        /// Address and port. Another address than loopback needs TLS and authentication (see
        /// `auth`), or `grpc.insecure`. Port 0 takes any free port.
        listen: SocketAddr = "127.0.0.1:50051",
        /// The server's certificate in PEM form, followed by those that lead up to an authority.
        /// With it, connections are encrypted. This file and those of the next two keys may be
        /// exchanged while the program runs. Relative to the working directory.
        tls_cert_file: Option<PathBuf> = "",
        /// Private key of the certificate, in PEM form.
        tls_key_file: Option<PathBuf> = "",
        /// Authorities of callers' certificates, in PEM form. With it, callers show a certificate
        /// whose names stand in `auth.callers_file`; where tokens are taken too, they may show
        /// only a token.
        client_ca_file: Option<PathBuf> = "",
        /// Whether the service describes itself to tools such as `grpcurl`: `on` and `off`, or
        /// `auto`: on a loopback address while nobody has to show who they are.
        reflection: Reflection = "auto",
        /// Listen on every address, although whoever reaches it may ask and write records, or
        /// could read tokens on their way. For a port behind a proxy that does both, on a network
        /// of its own.
        insecure: bool = "false",
    }

    /// Who may call. Without `grpc.client_ca_file` and without keys of tokens everybody may, with
    /// every right, on loopback only. See docs/SECURING.md.
    auth: Auth {
        /// Callers with their roles and what they are recognised by, as docs/SECURING.md tells.
        /// May be changed while the program runs. Relative to the working directory.
        callers_file: Option<PathBuf> = "",
        /// Calls a second that a caller may make whose entry in the file says nothing of it, or
        /// `unlimited`.
        caller_rate: CallRate = "unlimited",
        /// Keys that check bearer tokens (JSON Web Tokens): a JSON Web Key Set. May be changed
        /// while the program runs. Not together with `auth.jwks_url`.
        jwks_file: Option<PathBuf> = "",
        /// The same at a URL, fetched at the start, from time to time, and for a key that is not
        /// known yet. `http://` for addresses of this machine only. While it does not answer, the
        /// last keys hold.
        jwks_url: Option<KeysUrl> = "",
        /// Authorities of the certificate of that URL, in PEM form. Not set: those of the system.
        jwks_ca_file: Option<PathBuf> = "",
        /// Longest time for that URL to answer.
        jwks_timeout: Duration = "5s",
        /// How often the keys are fetched from that URL without being asked for.
        jwks_refresh: Duration = "10m",
        /// Shortest time between two looks for a key that is not known.
        jwks_cooldown: Duration = "30s",
        /// Who must have issued a token: its `iss`.
        jwt_issuer: Option<TokenText> = "",
        /// For whom a token must be: one of its `aud`.
        jwt_audience: Option<TokenText> = "",
        /// Algorithms of which one must have signed a token.
        jwt_algorithms: TokenAlgorithms = "ES256,RS256",
        /// How far the clocks of the issuer and of this machine may be apart.
        jwt_leeway: Duration = "30s",
        /// How often certificates, callers and keys in files, and the policy of `policy.file`, are
        /// looked at. SIGHUP has them looked at at once.
        reload_interval: Duration = "5s",
    }

    /// How the commands of this program reach a server: `check`, `import --server`, `doctor`.
    client: Client {
        /// Authorities of the server's certificate, in PEM form. Not set: those of the system.
        ca_file: Option<PathBuf> = "",
        /// Certificate to show to the server, in PEM form.
        cert_file: Option<PathBuf> = "",
        /// Private key of that certificate, in PEM form.
        key_file: Option<PathBuf> = "",
        /// File with a bearer token to show to the server.
        token_file: Option<PathBuf> = "",
    }

    /// The HTTP listener, for operators and their tools: `/metrics`, `/healthz`, `/readyz` and
    /// `/version`. Plain, and open to whoever reaches it.
    http: Http {
        /// Address and port. Another address than loopback needs `http.insecure`. Port 0 takes any
        /// free port.
        listen: SocketAddr = "127.0.0.1:8080",
        /// Listen on every address, although whoever reaches it may read metrics, in which names of
        /// callers stand. For a network that lets only monitoring and probes in.
        insecure: bool = "false",
    }

    /// What metrics tell of the registry; docs/METRICS.md lists all of them.
    metrics: Metrics {
        /// How often records are counted, by the counts that the store keeps.
        data_interval: Duration = "1m",
        /// How often every subject, service, access link, licence, registration and approval is
        /// read to count those that are in force and those that end soon, or `off`. At 6 million
        /// domains that is a quarter of an hour of reading at a gentle pace, by each replica.
        survey_interval: Every = "6h",
    }

    /// Where records and decisions are kept: in a file, or in a database server.
    store: StoreLocation {
        /// SQLite file; made with its folder where it is missing. Relative to the working
        /// directory. Not together with `store.url`.
        path: PathBuf = "./icpgate-data/icpgate.sqlite",
        /// Database in a `PostgreSQL` server, instead of a file; any number of processes may
        /// share it. It must be there, and empty at first. `?sslmode=verify-full` encrypts and
        /// checks the server's certificate, against the authorities of the system or those of
        /// the file in `sslrootcert`; without, the certificate is not checked. Without a
        /// password, that of the `.pgpass` of this user holds.
        url: Option<ServerUrl> = "",
        /// File that holds the value of `store.url` and nothing else: passwords are better kept
        /// in files, which are mounted as secrets, than in variables, which every process of the
        /// user can see. Read at the start. Not together with `store.url`.
        url_file: Option<PathBuf> = "",
        /// Read replica of the database of `store.url`, for checks that do not ask for the newest
        /// state. What a caller holds a token of, and what this process wrote, is read from the
        /// primary until the replica has it; so is everything while the replica does not answer.
        /// Only together with `store.url`.
        read_url: Option<ServerUrl> = "",
        /// File that holds the value of `store.read_url` and nothing else. Not together with it.
        read_url_file: Option<PathBuf> = "",
        /// Most connections of this process for checks and decisions, to the database and to its
        /// replica each; up to four more serve writes, health and signs of changes. Only together
        /// with `store.url`.
        connections: u32 = "16",
    }

    /// Facts that were read before. How old they may be while the store does not answer is a
    /// matter of the policy (`staleness`).
    cache: Cache {
        /// Most bytes that facts may take in the memory of this process, or `off`.
        local_bytes: CacheSize = "128MiB",
        /// Most bytes that answers to single questions may take in the memory of this process,
        /// or `off`. They are given again to equal questions while facts, policy and window of
        /// validity are the same.
        answer_bytes: CacheSize = "32MiB",
        /// How long facts are used before they are read anew, although the change log tells of no
        /// change.
        ttl: Duration = "1h",
        /// The same for names of which no filing is known.
        absent_ttl: Duration = "30s",
        /// How long a look at the change log counts. Facts that were read before are used without
        /// asking the store only if this replica has seen the end of the log within this time.
        max_lag: Duration = "2s",
        /// How often the change log is looked at where no sign of a write comes. Well below
        /// `cache.max_lag`.
        poll_interval: Duration = "500ms",
        /// How long reading facts from the store may take, whatever the deadlines of the callers
        /// who wait for it.
        load_timeout: Duration = "2s",
        /// Reads of facts that go on at once; more wait for their turn.
        max_loads: u32 = "64",
    }

    /// Redis, in which replicas share the facts that they read, and tell each other of changes.
    /// Not needed: without it, and while it does not answer, facts come from the store.
    redis: Redis {
        /// Addresses: of the server, of the Sentinels, or of some nodes of the cluster. Not set:
        /// no Redis. Signs of a password other than letters and digits are written as `%` and
        /// two hexadecimal digits. User, password, database and TLS are the same for all; they
        /// hold for the servers, and for Sentinels as far as these ask for them. A Redis may be
        /// shared with others, and with other installations of this program; a user of its own
        /// needs `~icpgate:* &icpgate:* +@read +@write +@scripting +@pubsub +@connection +role
        /// +cluster`.
        urls: RedisUrls = "",
        /// File that holds the value of `redis.urls`, separated by commas, and nothing else. Not
        /// together with it.
        urls_file: Option<PathBuf> = "",
        /// How the servers are arranged.
        mode: RedisMode = "standalone",
        /// Name under which the Sentinels know the master; of use with `redis.mode` `sentinel`.
        sentinel_service: SentinelService = "mymaster",
        /// Time after which a request to Redis is given up and the store is asked.
        timeout: Duration = "30ms",
        /// Authorities against which the certificates of `rediss://` servers are checked, in
        /// PEM form. Not set: those of the system. Relative to the working directory.
        ca_file: Option<PathBuf> = "",
    }

    /// The policy that decides.
    policy: PolicyChoice {
        /// A policy that is shipped with the program. Not together with `policy.file`.
        name: PolicyName = "mainland-strict",
        /// A policy document of your own; `icpgate policy lint FILE` checks one. A changed document
        /// is put in force while the server runs, see docs/POLICY.md. Relative to the working
        /// directory.
        file: Option<PathBuf> = "",
    }

    /// The access provider that runs this program.
    provider: Provider {
        /// Identifier of this provider in `access` and `application` records.
        id: ProviderId = "self",
    }

    /// What the imported records are good for.
    records: Records {
        /// Kinds of record of which the registry is complete: of these, no record means that
        /// there is none. Of the others, no record means that nobody knows.
        complete_for: KindSet = "all",
        /// How old the last sync of a complete registry may be. Beyond it, no record means that
        /// nobody knows.
        max_sync_age: MaxAge = "unlimited",
        /// What becomes of a record whose certificate has a wrong alphabet, length or check
        /// digit: `refuse` it, or `accept` it and mark the certificate, for registries with typing
        /// errors.
        certificate_check: CertificateCheck = "refuse",
    }

    /// Protection of personal data.
    privacy: Privacy {
        /// Keys under which names of persons and numbers of certificates are sealed, readable by
        /// the owner only: one of 32 bytes or more, raw or in hexadecimal digits, or several in
        /// hexadecimal digits, one a line. Made with one where it is missing. A store can be read
        /// with the keys that it is sealed under, and no others: keep a copy. `icpgate keys`
        /// replaces them; docs/KEYS.md tells how.
        key_file: PathBuf = "./icpgate-data/privacy.key",
    }

    /// Log lines, on standard error.
    log: Log {
        /// Form of the lines.
        format: LogFormat = "text",
        /// Which lines are written.
        level: LogLevel = "info",
        /// Of which requests a line tells, whatever `log.level` says: of `all`, of those that
        /// `failed` on this side, were turned away for load or could not be decided, or `off`.
        /// Of probes for health only `all` tells, at level `debug`. See docs/LOGGING.md.
        requests: LogRequests = "failed",
    }

    /// OpenTelemetry: a collector to which traces and metrics are sent. See docs/TRACING.md and
    /// docs/METRICS.md.
    otlp: Otlp {
        /// Address of the collector. Not set: nothing is sent. Over HTTP, the paths of the
        /// protocol, such as `/v1/traces`, are added to it.
        endpoint: Option<OtlpEndpoint> = "",
        /// How it is talked to: over `grpc`, or with protobuf over `http`.
        protocol: OtlpProtocol = "grpc",
        /// File with headers to show to the collector, one `name: value` a line, such as a token.
        /// Without TLS only for a collector on this machine.
        headers_file: Option<PathBuf> = "",
        /// Authorities of the collector's certificate, in PEM form. Not set: those of the system.
        ca_file: Option<PathBuf> = "",
        /// Longest time for the collector to take what is sent.
        timeout: Duration = "5s",
        /// Which part of the calls is traced that come without a trace of their caller. Where the
        /// caller has one, it says whether the call is traced.
        sample_ratio: Ratio = "0.01",
        /// How often metrics are sent, or `off`. They are there for whoever asks over HTTP too.
        metrics_interval: Every = "1m",
        /// Name of this service, as `service.name`.
        service_name: ServiceName = "icpgate",
        /// More attributes of this service, such as `deployment.environment.name=production`.
        resource: ResourceAttributes = "none",
    }

    /// Imports of files.
    import: Import {
        /// Most bytes that a file may have after it is decompressed.
        max_decompressed_bytes: ByteSize = "64GiB",
        /// Most bytes that one line may have.
        max_line_bytes: ByteSize = "1MiB",
    }

    /// Bounds on what callers may use up; `docs/LIMITS.md` tells what they see beyond them.
    limits: Limits {
        /// Most single checks that are worked on at once. Other calls have places of their own,
        /// so that they keep no order out. More wait in the queue.
        max_concurrent_calls: u32 = "1024",
        /// The same for batches.
        max_concurrent_batches: u32 = "64",
        /// The same for streams: screenings and imports.
        max_concurrent_streams: u32 = "64",
        /// The same for all other calls, health and reflection aside, which have no such bound.
        max_concurrent_others: u32 = "128",
        /// Most calls that wait for a place; more are told to come back at once. Half of the queue
        /// is for single checks alone.
        max_queued_calls: u32 = "1024",
        /// How long a call waits for a place before it is told to come back; its deadline wins.
        queue_timeout: Duration = "500ms",
        /// Most bytes that one request may have. A batch of 1000 questions needs about 1 MiB.
        max_request_bytes: ByteSize = "8MiB",
        /// Most bytes that a request with one question may have. The longest that the API allows
        /// has less than half of the default.
        max_question_bytes: ByteSize = "1MiB",
        /// Longest time that a call may take; a shorter deadline of the caller wins. Of streams it
        /// bounds what is done at once, and the silence of an import.
        call_timeout: Duration = "30s",
        /// How long a stream of screening, of health or of reflection may stay open. It is ended
        /// between two answers, and the caller goes on with a new one.
        stream_age: Duration = "30m",
        /// Most connections; more are closed at once.
        max_connections: u32 = "2048",
        /// Most connections from one address, or from one /64 network of IPv6; more are closed at
        /// once. A proxy is one address.
        max_connections_per_address: u32 = "1024",
        /// Most calls at once on one connection; callers wait with more.
        max_streams_per_connection: u32 = "512",
        /// Most bytes that the headers of one call may have.
        max_header_bytes: ByteSize = "16KiB",
        /// Longest frame, in bytes: how much of one call is taken before it is another's turn.
        max_frame_bytes: FrameSize = "16KiB",
        /// Most calls that a caller may withdraw before they were looked at; with more, the
        /// connection is closed.
        max_pending_resets: u32 = "100",
        /// How long a caller may take to say something on a new connection, encryption and all.
        handshake_timeout: Duration = "10s",
        /// How long a connection may be open without a call.
        idle_timeout: Duration = "5m",
        /// Age at which callers are asked to leave a connection for a new one, so that they spread
        /// over all replicas. A tenth more or less, so that they do not come all at once; calls
        /// that run finish.
        connection_age: Duration = "10m",
        /// Silence after which a caller is asked for a sign of life.
        keepalive_interval: Duration = "30s",
        /// How long the sign of life may take before the connection is closed.
        keepalive_timeout: Duration = "10s",
        /// How long calls are still taken after the program was told to stop and health says so:
        /// the time that balancers need to look elsewhere. At most half of `limits.drain_timeout`
        /// is used.
        lame_duck: Duration = "2s",
        /// How long the program may take to end once it is told to stop; what runs then is
        /// dropped.
        drain_timeout: Duration = "30s",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_in_its_shortest_form() {
        for key in KEYS {
            assert_eq!(
                (key.canonical)(key.default).as_deref(),
                Some(key.default),
                "{}",
                key.name
            );
            assert!((key.accepts)(key.default), "{}", key.name);
        }
    }
}
