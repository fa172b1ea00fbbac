//! Configuration: one table of keys, from which everything else follows.
//!
//! **Invariant:** the environment is read here and nowhere else; a [`Config`] is complete and
//! valid; a report names every problem at once, each with its key, its source and its remedy.
//! **Absent on purpose:** reloading while running; a change takes effect at the next start. What
//! stands in the files that it names, certificates, callers, keys and the policy, is another matter.
//! Start at [`load()`]; the keys stand in the private module `keys`.

mod auth;
mod docs;
mod file;
mod keys;
mod load;
mod metrics;
mod otlp;
mod privacy_key;
mod problem;
mod redis;
mod secret_file;
mod setting;

pub use auth::{CallRate, KeysUrl, Reflection, TokenAlgorithms, TokenText};
pub use docs::{DEFAULT_FILE_PATH, REFERENCE_PATH, default_file, reference};
pub use keys::{
    Auth, Client, Config, Grpc, Http, Import, KEYS, Key, Limits, Log, Metrics, Otlp, PolicyChoice,
    Privacy, Provider, Records, Redis, StoreLocation,
};
pub use load::{Effective, FILE_NAME, Flag, Inputs, Loaded, load};
pub use metrics::Every;
pub use otlp::{LogRequests, OtlpEndpoint, OtlpProtocol, Ratio, ResourceAttributes, ServiceName};
pub use privacy_key::{
    KeyRing, PrivacyKey, PrivacyKeyError, add_key, key_ring, privacy_key_permissions,
};
pub use problem::{Origin, Problem, ProblemKind, Problems};
pub use redis::{RedisMode, RedisUrls, SentinelService};
pub use setting::{
    ByteSize, CacheSize, CertificateCheck, FrameSize, KindSet, LogFormat, LogLevel, MaxAge,
    PolicyName, ProviderId, ServerUrl, Setting,
};
