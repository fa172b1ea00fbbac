//! Labels: closed sets whose members have places, so that a series is found by counting.
//!
//! **Invariant:** nothing that a caller sends becomes a value of a label, but for the source of
//! records. A set is fixed when the program is built, or holds names up to a bound
//! ([`super::names`]): configured ones, and the sources.

use std::borrow::Cow;

use icpgate_policy::codes::{Product, Purpose, Reason, RecordKind, Verdict};

use super::names;
use crate::auth::methods::METHODS;

/// A value of one label.
pub trait Label: Copy + 'static {
    /// Name of the label.
    const NAME: &'static str;
    /// How many values there are.
    const COUNT: usize;

    /// The place of the value among them.
    fn place(self) -> usize;

    /// The value at a place; `None` where it is not taken yet.
    fn text(place: usize) -> Option<Cow<'static, str>>;
}

/// The labels of one metric, in their order.
pub trait Labels: Copy + 'static {
    /// How many series there may be.
    const COUNT: usize;

    /// The place of the series.
    fn place(self) -> usize;

    /// Names of the labels.
    fn names() -> Vec<&'static str>;

    /// Values of the labels at a place; `None` where a value is not taken yet.
    fn texts(place: usize) -> Option<Vec<Cow<'static, str>>>;

    /// Every value of each label that is taken.
    fn sets() -> Vec<Vec<Cow<'static, str>>>;
}

impl Labels for () {
    const COUNT: usize = 1;

    fn place(self) -> usize {
        0
    }

    fn names() -> Vec<&'static str> {
        Vec::new()
    }

    fn texts(_: usize) -> Option<Vec<Cow<'static, str>>> {
        Some(Vec::new())
    }

    fn sets() -> Vec<Vec<Cow<'static, str>>> {
        Vec::new()
    }
}

impl<A: Label> Labels for (A,) {
    const COUNT: usize = A::COUNT;

    #[inline]
    fn place(self) -> usize {
        self.0.place()
    }

    fn names() -> Vec<&'static str> {
        vec![A::NAME]
    }

    fn texts(place: usize) -> Option<Vec<Cow<'static, str>>> {
        Some(vec![A::text(place)?])
    }

    fn sets() -> Vec<Vec<Cow<'static, str>>> {
        vec![set::<A>()]
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;

    #[inline]
    fn place(self) -> usize {
        self.0.place() * B::COUNT + self.1.place()
    }

    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME]
    }

    fn texts(place: usize) -> Option<Vec<Cow<'static, str>>> {
        Some(vec![A::text(place / B::COUNT)?, B::text(place % B::COUNT)?])
    }

    fn sets() -> Vec<Vec<Cow<'static, str>>> {
        vec![set::<A>(), set::<B>()]
    }
}

impl<A: Label, B: Label, C: Label> Labels for (A, B, C) {
    const COUNT: usize = A::COUNT * B::COUNT * C::COUNT;

    #[inline]
    fn place(self) -> usize {
        (self.0.place() * B::COUNT + self.1.place()) * C::COUNT + self.2.place()
    }

    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME, C::NAME]
    }

    fn texts(place: usize) -> Option<Vec<Cow<'static, str>>> {
        Some(vec![
            A::text(place / C::COUNT / B::COUNT)?,
            B::text(place / C::COUNT % B::COUNT)?,
            C::text(place % C::COUNT)?,
        ])
    }

    fn sets() -> Vec<Vec<Cow<'static, str>>> {
        vec![set::<A>(), set::<B>(), set::<C>()]
    }
}

fn set<L: Label>() -> Vec<Cow<'static, str>> {
    (0..L::COUNT).filter_map(L::text).collect()
}

/// Declares labels with the values that they have.
macro_rules! labels {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal {
        $($(#[doc = $vdoc:literal])+ $variant:ident = $value:literal,)+
    })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $vdoc])+ $variant,)+
        }

        impl $name {
            /// Every value, in the order of their places.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value as it is shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value,)+ }
            }
        }

        impl Label for $name {
            const NAME: &'static str = $text;
            const COUNT: usize = Self::ALL.len();

            #[inline]
            fn place(self) -> usize {
                self as usize
            }

            fn text(place: usize) -> Option<Cow<'static, str>> {
                Self::ALL.get(place).map(|value| value.as_str().into())
            }
        }
    )+};
}

labels! {
    /// How a call ended: the codes of gRPC, in the order of their numbers.
    Code "code" {
        /// 0.
        Ok = "OK",
        /// 1; also where the caller went away before the answer.
        Cancelled = "CANCELLED",
        /// 2.
        Unknown = "UNKNOWN",
        /// 3.
        InvalidArgument = "INVALID_ARGUMENT",
        /// 4.
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        /// 5.
        NotFound = "NOT_FOUND",
        /// 6.
        AlreadyExists = "ALREADY_EXISTS",
        /// 7.
        PermissionDenied = "PERMISSION_DENIED",
        /// 8.
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// 9.
        FailedPrecondition = "FAILED_PRECONDITION",
        /// 10.
        Aborted = "ABORTED",
        /// 11.
        OutOfRange = "OUT_OF_RANGE",
        /// 12.
        Unimplemented = "UNIMPLEMENTED",
        /// 13.
        Internal = "INTERNAL",
        /// 14.
        Unavailable = "UNAVAILABLE",
        /// 15.
        DataLoss = "DATA_LOSS",
        /// 16.
        Unauthenticated = "UNAUTHENTICATED",
    }

    /// What kind of work a call asks for.
    CallKind "kind" {
        /// One question that somebody waits for.
        Check = "check",
        /// A batch.
        Batch = "batch",
        /// A stream of batches.
        Screen = "screen",
        /// A stream of records.
        Import = "import",
        /// Everything else but health and reflection.
        Other = "other",
    }

    /// Why a call was turned away without having been worked on.
    Shed "why" {
        /// All places and the whole queue were taken.
        QueueFull = "queue_full",
        /// It waited in the queue for as long as calls may.
        Waited = "waited",
        /// Its message did not come while places were short.
        SlowMessage = "slow_message",
    }

    /// Why a connection was not served.
    Unserved "why" {
        /// There were as many as there may be.
        Limit = "limit",
        /// There were as many from its address as there may be.
        AddressLimit = "address_limit",
        /// It did not greet in time.
        Handshake = "handshake",
        /// Its greeting was refused: no TLS, or a certificate that nobody vouches for.
        Refused = "refused",
    }

    /// Why the server ended a connection.
    Ended "why" {
        /// It was as old as connections may be.
        Age = "age",
        /// Its peer was told to leave and went on asking.
        Deaf = "deaf",
        /// Nothing was asked for long.
        Idle = "idle",
        /// Its peer was told to leave, and nothing ran any more.
        Left = "left",
        /// Its peer did not greet.
        Silent = "silent",
        /// Its peer did not take its answers.
        Stuck = "stuck",
    }

    /// Why a call was not let in.
    Refusal "reason" {
        /// Nothing was shown that would name a caller.
        NoCredential = "no_credential",
        /// What was shown names no caller.
        Credential = "credential",
        /// Tokens could not be checked.
        NoKeys = "no_keys",
        /// There is no such method.
        NoMethod = "no_method",
        /// The caller has none of the roles.
        Role = "role",
        /// The caller's rate is used up.
        Rate = "rate",
    }

    /// Where the facts of an answer came from; of several sets, the farthest.
    Source "served_from" {
        /// The memory of the process.
        Local = "local_cache",
        /// Redis.
        Shared = "shared_cache",
        /// The store.
        Store = "store",
    }

    /// A call with more than one question.
    Bulk "kind" {
        /// A batch.
        Batch = "batch",
        /// A batch on a stream of screening.
        Screen = "screen",
    }

    /// A cache.
    Level "level" {
        /// Answers that equal questions share, in the memory of the process.
        Answers = "answers",
        /// Facts in the memory of the process.
        Local = "local",
        /// Facts in Redis.
        Shared = "shared",
    }

    /// A way in which signs of writes come.
    Channel "channel" {
        /// From the store.
        Store = "store",
        /// From other replicas, through Redis.
        Shared = "shared",
    }

    /// How a read of facts ended.
    LoadEnd "outcome" {
        /// With facts.
        Read = "read",
        /// With an error of the store.
        Failed = "failed",
        /// Without an answer in time.
        Late = "late",
    }

    /// What certificates, callers and keys of tokens are read from.
    AuthFile "file" {
        /// Certificates of the server, their key and the authorities of callers.
        Certificates = "certificates",
        /// The file of callers.
        Callers = "callers",
        /// Keys of tokens, in a file or at a URL.
        Keys = "keys",
    }

    /// What the service depends on.
    Dependency "dependency" {
        /// The database in a `PostgreSQL` server.
        Postgres = "postgresql",
        /// Its read replica.
        Replica = "postgresql_replica",
        /// The SQLite file.
        Sqlite = "sqlite",
        /// Redis.
        Redis = "redis",
        /// Who issues tokens, asked for their keys (`auth.jwks_url`).
        Issuer = "issuer",
    }

    /// What was asked of a dependency.
    Operation "operation" {
        /// Find facts.
        Find = "find",
        /// Write records.
        Put = "put",
        /// Read the newest revision.
        Head = "head",
        /// Read a page of the change log for a caller.
        Changes = "changes",
        /// Read the change log to follow it.
        Touched = "touched",
        /// Read the history of a record.
        History = "history",
        /// Write decisions.
        RecordDecisions = "record_decisions",
        /// Read a recorded decision.
        Decision = "decision",
        /// Count records, and look for those that end soon.
        Survey = "survey",
        /// Ask for a sign of life, or open a connection.
        Ping = "ping",
        /// Get from a cache.
        Get = "get",
        /// Put into a cache.
        Set = "set",
        /// Tell a cache to forget.
        Invalidate = "invalidate",
        /// Tell other replicas of a write.
        Announce = "announce",
        /// Fetch the keys of tokens.
        Fetch = "fetch",
    }

    /// How a request to a dependency failed.
    Failure "kind" {
        /// It did not answer in time.
        Timeout = "timeout",
        /// It could not be reached, or said that it cannot serve now.
        Unavailable = "unavailable",
        /// It answered, and not as it should.
        Failed = "failed",
    }

    /// A pool of connections.
    Pool "pool" {
        /// For questions and decisions.
        Main = "main",
        /// For writes of records; of a file, for all writes.
        Writer = "writer",
        /// For health and counts.
        Service = "service",
        /// To the read replica.
        Replica = "replica",
    }

    /// What a connection of a pool does.
    PoolState "state" {
        /// It is used.
        Used = "used",
        /// It rests.
        Idle = "idle",
    }

    /// A place in the change log.
    Place "place" {
        /// The newest revision that this replica has heard of.
        Newest = "newest",
        /// The newest revision that this replica has applied.
        Applied = "applied",
    }

    /// What became of a record that was handed in.
    Handed "outcome" {
        /// It was written.
        Accepted = "accepted",
        /// It says what was known.
        Unchanged = "unchanged",
        /// It was refused.
        Rejected = "rejected",
    }

    /// Kinds of records that end on a day.
    Ending "kind" {
        /// Licences.
        Licence = "licence",
        /// Registrations of domains.
        Registration = "registration",
        /// Approvals of a sector's authority.
        Approval = "approval",
    }

    /// Kinds of records that can cease to be in force.
    InForce "kind" {
        /// Filings of subjects.
        Subject = "subject",
        /// Services under them.
        Service = "service",
        /// Access links.
        Access = "access",
        /// Licences.
        Licence = "licence",
        /// Registrations of domains.
        Registration = "registration",
        /// Approvals of a sector's authority.
        Approval = "approval",
    }

    /// How soon.
    Within "within" {
        /// Within a day.
        Day = "1d",
        /// Within a week.
        Week = "7d",
        /// Within 30 days.
        Month = "30d",
    }

    /// A queue before the log of decisions.
    Queue "queue" {
        /// Decisions that nobody waits for.
        Orders = "orders",
        /// Decisions that are durable before they are answered.
        Activations = "activations",
    }

    /// Why a replica is not ready.
    NotReady "reason" {
        /// It has not seen the end of the change log yet.
        Starting = "starting",
        /// It was told to stop.
        Stopping = "stopping",
    }

    /// How far the process is on its way to the end.
    Phase "phase" {
        /// It serves.
        Running = "running",
        /// It was told to stop, says so, and still takes calls.
        Announced = "announced",
        /// It takes no connections; calls that run finish.
        Draining = "draining",
        /// What runs is dropped.
        Dropping = "dropping",
    }

    /// Whether the store answers.
    ContactState "state" {
        /// It was not reached yet.
        Beginning = "beginning",
        /// It answers.
        Held = "held",
        /// It does not answer.
        Lost = "lost",
    }

    /// Where a panic was caught.
    Panicked "place" {
        /// In a call.
        Call = "call",
        /// In a background task, which ends the process.
        Task = "task",
    }

    /// What became of a policy that was to be put in force.
    PolicyLoad "outcome" {
        /// It is in force.
        Loaded = "loaded",
        /// It was refused, and the one before stays.
        Rejected = "rejected",
    }

    /// What became of a message with metrics.
    Pushed "outcome" {
        /// The collector took it.
        Taken = "taken",
        /// It did not get there, or was refused.
        Failed = "failed",
    }

    /// What became of a span.
    SpanEnd "outcome" {
        /// The collector took it.
        Sent = "sent",
        /// It was left out: the queue was full, or the collector did not take it in time.
        Dropped = "dropped",
    }

    /// What was asked for over HTTP.
    Page "page" {
        /// Whether the process lives.
        Health = "healthz",
        /// Metrics.
        Metrics = "metrics",
        /// Whether the replica is ready.
        Ready = "readyz",
        /// The version.
        Version = "version",
        /// Anything else.
        Other = "other",
    }

    /// Files that are read again while the process runs.
    Reload "outcome" {
        /// What was read holds.
        Taken = "taken",
        /// What was read is wrong, and what held before stays.
        Refused = "refused",
    }
}

/// Labels whose values are sets of the core.
macro_rules! of_the_core {
    ($($type:ident $name:literal;)+) => {$(
        impl Label for $type {
            const NAME: &'static str = $name;
            const COUNT: usize = Self::ALL.len();

            #[inline]
            fn place(self) -> usize {
                self as usize
            }

            fn text(place: usize) -> Option<Cow<'static, str>> {
                Self::ALL.get(place).map(|value| value.as_str().into())
            }
        }
    )+};
}

of_the_core! {
    Verdict "verdict";
    Purpose "purpose";
    Product "product";
    Reason "reason";
    RecordKind "kind";
}

/// A method of the API, such as `icpgate.v1.ProvisioningService/CheckProvisioning`, or `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method(usize);

impl Method {
    /// The method of a path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let place = METHODS.iter().position(|method| method.path == path);
        Self(place.unwrap_or(METHODS.len()))
    }
}

impl Label for Method {
    const NAME: &'static str = "method";
    const COUNT: usize = METHODS.len() + 1;

    #[inline]
    fn place(self) -> usize {
        self.0
    }

    fn text(place: usize) -> Option<Cow<'static, str>> {
        if place == METHODS.len() {
            return Some("other".into());
        }
        let method = METHODS.get(place)?;
        Some(method.path.trim_start_matches('/').into())
    }
}

impl Code {
    /// The code of a number as it stands in a `grpc-status` header; what is no number is unknown.
    #[must_use]
    pub fn of_header(bytes: &[u8]) -> Self {
        let number = std::str::from_utf8(bytes).ok();
        let number = number.and_then(|text| text.parse::<usize>().ok());
        let code = number.and_then(|number| Self::ALL.get(number));
        code.copied().unwrap_or(Self::Unknown)
    }
}

/// A caller of the file of callers, `local`, or `other` where there are more than are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub(super) usize);

impl Label for Caller {
    const NAME: &'static str = "caller";
    const COUNT: usize = names::CALLERS + 1;

    #[inline]
    fn place(self) -> usize {
        self.0
    }

    fn text(place: usize) -> Option<Cow<'static, str>> {
        names::caller(place)
    }
}

/// A version of the policy, or `other` where there were more than are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyVersion(pub(super) usize);

impl Label for PolicyVersion {
    const NAME: &'static str = "policy_version";
    const COUNT: usize = names::POLICIES + 1;

    #[inline]
    fn place(self) -> usize {
        self.0
    }

    fn text(place: usize) -> Option<Cow<'static, str>> {
        names::policy(place)
    }
}

/// A source of records, or `other` where there are more than are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordSource(pub(super) usize);

impl Label for RecordSource {
    const NAME: &'static str = "source";
    const COUNT: usize = names::SOURCES + 1;

    #[inline]
    fn place(self) -> usize {
        self.0
    }

    fn text(place: usize) -> Option<Cow<'static, str>> {
        names::source(place)
    }
}

/// The version of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version;

impl Label for Version {
    const NAME: &'static str = "version";
    const COUNT: usize = 1;

    fn place(self) -> usize {
        0
    }

    fn text(_: usize) -> Option<Cow<'static, str>> {
        Some(env!("CARGO_PKG_VERSION").into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_series_has_a_place_of_its_own() {
        let mut places = BTreeSet::new();
        for verdict in Verdict::ALL {
            for purpose in Purpose::ALL {
                for product in Product::ALL {
                    let labels = (*verdict, *purpose, *product);
                    let place = labels.place();
                    assert!(places.insert(place));
                    let texts = <(Verdict, Purpose, Product)>::texts(place).unwrap();
                    let shown = [verdict.as_str(), purpose.as_str(), product.as_str()];
                    assert_eq!(texts, shown);
                }
            }
        }
        assert_eq!(places.len(), <(Verdict, Purpose, Product)>::COUNT);
        assert_eq!(places.last(), Some(&(places.len() - 1)));
    }

    #[test]
    fn codes_have_the_numbers_of_grpc() {
        assert_eq!(Code::of_header(b"0"), Code::Ok);
        assert_eq!(Code::of_header(b"14"), Code::Unavailable);
        assert_eq!(Code::of_header(b"16"), Code::Unauthenticated);
        for wrong in ["17", "", "-1", "x", "99999999999999999999999"] {
            assert_eq!(Code::of_header(wrong.as_bytes()), Code::Unknown, "{wrong}");
        }
    }

    #[test]
    fn a_path_that_nobody_serves_is_no_value() {
        for path in ["", "/", "/a/b", "/icpgate.v1.ProvisioningService/X"] {
            assert_eq!(Method::text(Method::of(path).place()).unwrap(), "other");
        }
        let check = Method::of("/icpgate.v1.ProvisioningService/CheckProvisioning");
        assert_eq!(
            Method::text(check.place()).unwrap(),
            "icpgate.v1.ProvisioningService/CheckProvisioning"
        );
    }
}
