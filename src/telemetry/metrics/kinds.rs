//! Counters, gauges and histograms in arrays of atomics.
//!
//! **Invariant:** counting costs one atomic addition, a histogram two; nothing is allocated, looked
//! up or locked. Threads count in stripes of memory of their own, which are added up when they are
//! read: processors that count the same thing would else take the same line of memory from each
//! other at every call. An example is kept for few observations, and only where nobody reads them
//! just then.

use std::borrow::Cow;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::label::Labels;

/// Whether anything is counted. A program that is built with `--cfg icpgate_uncounted` counts nothing
/// of calls: it is for measuring what counting costs, and for nothing else.
const COUNTED: bool = !cfg!(icpgate_uncounted);

/// Series of a metric that are shown from the start, at zero; of a metric with more, those that were
/// touched.
const SHOWN: usize = 64;

/// Series of a histogram that are shown from the start.
const SHOWN_BUCKETS: usize = 8;

/// Of observations that are fast, one in so many is kept as an example.
const ONE_IN: u64 = 1024;

/// Observations up to here are fast, in the unit of the histogram: a millisecond.
const FAST: u64 = 1_000_000;

/// Stripes of each count. Further threads share them.
const STRIPES: usize = 8;

/// What one thread, or a few, count in. Aligned to two lines, since processors fetch them in pairs.
#[repr(align(128))]
struct Stripe<T>(T);

thread_local! {
    /// The stripe of the thread; beyond the last: it has none yet.
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The stripe of the next thread.
static NEXT: AtomicUsize = AtomicUsize::new(0);

#[inline]
fn stripe<T>(stripes: &[Stripe<T>; STRIPES]) -> &T {
    let place = STRIPE.get();
    match stripes.get(place) {
        Some(Stripe(cells)) => cells,
        None => first_stripe(stripes),
    }
}

/// Gives the thread a stripe.
#[cold]
fn first_stripe<T>(stripes: &[Stripe<T>; STRIPES]) -> &T {
    let place = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    STRIPE.set(place);
    let [Stripe(first), ..] = stripes;
    stripes.get(place).map_or(first, |Stripe(cells)| cells)
}

/// Measures a time that is to be counted; reads no clock where nothing is counted.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Option<Instant>);

/// What only grows.
pub struct Counter<L, const N: usize> {
    stripes: [Stripe<[AtomicU64; N]>; STRIPES],
    labels: PhantomData<fn(L)>,
}

/// A value that is set. It is not shown before.
pub struct Gauge<L, const N: usize> {
    cells: [AtomicU64; N],
    labels: PhantomData<fn(L)>,
}

/// What only grows, and is counted elsewhere, in fractions too.
pub struct Total<L, const N: usize>(Gauge<L, N>);

/// A number of things that come and go.
pub struct Level<L, const N: usize> {
    stripes: [Stripe<[AtomicI64; N]>; STRIPES],
    labels: PhantomData<fn(L)>,
}

/// How often values lay between bounds.
pub struct Histogram<L, const N: usize, const K: usize> {
    stripes: [Stripe<[Series<K>; N]>; STRIPES],
    bounds: &'static [u64; K],
    /// How many units of the bounds are one of the metric.
    per: f64,
    examples: Option<&'static Examples>,
    labels: PhantomData<fn(L)>,
}

struct Series<const K: usize> {
    buckets: [AtomicU64; K],
    beyond: AtomicU64,
    sum: AtomicU64,
}

/// Room for an example of each bucket.
pub struct Examples(Mutex<Vec<Option<(u64, Example)>>>);

/// One observation, with what leads to more about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example {
    /// Identifier of the decision.
    pub decision_id: u128,
    /// Identifier of the trace, where the call was traced.
    pub trace_id: Option<u128>,
    /// Seconds since the epoch.
    pub at: f64,
}

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values between bounds.
    Histogram,
}

/// What a series holds.
#[derive(Debug)]
pub enum Reading<'r> {
    /// Of a counter.
    Count(u64),
    /// Of a gauge, or of a counter with fractions.
    Value(f64),
    /// Of a histogram.
    Buckets(Buckets<'r>),
}

/// A series of a histogram, in the unit of the metric.
#[derive(Debug)]
pub struct Buckets<'r> {
    /// Upper bounds, and how many values lay at or below each and above the one before; the last has
    /// no bound.
    pub counts: &'r [(f64, u64)],
    /// Sum of all values.
    pub sum: f64,
    /// Examples of the buckets, in their order, each with its value.
    pub examples: &'r [Option<(f64, Example)>],
}

/// Values of the labels of a series.
pub type Texts = Vec<Cow<'static, str>>;

/// A metric whatever its labels.
pub trait Family: Sync {
    /// What kind it is.
    fn kind(&self) -> Kind;

    /// Names of its labels.
    fn labels(&self) -> Vec<&'static str>;

    /// Every value that each label has at present.
    fn values(&self) -> Vec<Texts>;

    /// Most series that there may be.
    fn most(&self) -> usize;

    /// Shows every series.
    fn each(&self, show: &mut dyn FnMut(&Texts, Reading<'_>));
}

impl Stopwatch {
    /// Begins.
    #[inline]
    #[must_use]
    pub fn start() -> Self {
        Self(COUNTED.then(Instant::now))
    }

    /// The time since it began.
    #[inline]
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.map_or(Duration::ZERO, |begun| begun.elapsed())
    }
}

impl<L: Labels, const N: usize> Counter<L, N> {
    pub(super) const fn new() -> Self {
        Self {
            stripes: [const { Stripe([const { AtomicU64::new(0) }; N]) }; STRIPES],
            labels: PhantomData,
        }
    }

    /// Counts one.
    #[inline]
    pub fn inc(&self, labels: L) {
        self.add(labels, 1);
    }

    /// Counts more.
    #[inline]
    pub fn add(&self, labels: L, more: u64) {
        if COUNTED && let Some(cell) = stripe(&self.stripes).get(labels.place()) {
            cell.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// How much was counted.
    #[must_use]
    pub fn get(&self, labels: L) -> u64 {
        self.sum(labels.place())
    }

    fn sum(&self, place: usize) -> u64 {
        let cells = self
            .stripes
            .iter()
            .filter_map(|Stripe(cells)| cells.get(place));
        cells.map(|cell| cell.load(Ordering::Relaxed)).sum()
    }
}

impl<L: Labels, const N: usize> Gauge<L, N> {
    pub(super) const fn new() -> Self {
        Self {
            cells: [const { AtomicU64::new(f64::NAN.to_bits()) }; N],
            labels: PhantomData,
        }
    }

    /// Sets the value.
    pub fn set(&self, labels: L, value: f64) {
        if let Some(cell) = self.cells.get(labels.place()) {
            cell.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// Sets a number of things.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact up to 2^53, and then close enough"
    )]
    pub fn set_count(&self, labels: L, count: u64) {
        self.set(labels, count as f64);
    }

    /// Sets one for what is so, zero for what is not.
    pub fn set_flag(&self, labels: L, flag: bool) {
        self.set(labels, if flag { 1.0 } else { 0.0 });
    }

    /// Sets one for what is so, and zero for everything else.
    pub fn only(&self, labels: L) {
        self.all_but(labels, 0.0);
    }

    /// Sets one for what is so, and shows nothing else.
    pub fn alone(&self, labels: L) {
        self.all_but(labels, f64::NAN);
    }

    fn all_but(&self, labels: L, value: f64) {
        let chosen = labels.place();
        for (place, cell) in self.cells.iter().enumerate() {
            let value = if place == chosen { 1.0 } else { value };
            cell.store(value.to_bits(), Ordering::Relaxed);
        }
    }
}

impl<L: Labels, const N: usize> Total<L, N> {
    pub(super) const fn new() -> Self {
        Self(Gauge::new())
    }

    /// Takes over what it comes to.
    pub fn set(&self, labels: L, value: f64) {
        self.0.set(labels, value);
    }
}

impl<L: Labels, const N: usize> Level<L, N> {
    pub(super) const fn new() -> Self {
        Self {
            stripes: [const { Stripe([const { AtomicI64::new(0) }; N]) }; STRIPES],
            labels: PhantomData,
        }
    }

    /// One more.
    #[inline]
    pub fn up(&self, labels: L) {
        if COUNTED && let Some(cell) = stripe(&self.stripes).get(labels.place()) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One less.
    #[inline]
    pub fn down(&self, labels: L) {
        if COUNTED && let Some(cell) = stripe(&self.stripes).get(labels.place()) {
            cell.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<L: Labels, const N: usize, const K: usize> Histogram<L, N, K> {
    /// Of times, in bounds of nanoseconds, shown in seconds.
    pub(super) const fn of_times(bounds: &'static [u64; K]) -> Self {
        Self::new(bounds, 1e9, None)
    }

    /// Of times, with examples.
    pub(super) const fn of_times_with(
        bounds: &'static [u64; K],
        examples: &'static Examples,
    ) -> Self {
        Self::new(bounds, 1e9, Some(examples))
    }

    /// Of numbers of things.
    pub(super) const fn of_counts(bounds: &'static [u64; K]) -> Self {
        Self::new(bounds, 1.0, None)
    }

    const fn new(bounds: &'static [u64; K], per: f64, examples: Option<&'static Examples>) -> Self {
        Self {
            stripes: [const { Stripe([const { Series::new() }; N]) }; STRIPES],
            bounds,
            per,
            examples,
            labels: PhantomData,
        }
    }

    /// Takes in how long something took.
    #[inline]
    pub fn observe(&self, labels: L, took: Duration) {
        self.count(labels, nanoseconds(took));
    }

    /// Takes in a number of things.
    #[inline]
    pub fn count(&self, labels: L, value: u64) {
        if COUNTED && let Some(series) = stripe(&self.stripes).get(labels.place()) {
            series.add(self.bounds, value);
        }
    }

    /// Takes in how long something took, and now and then an example.
    #[inline]
    pub fn observe_with(&self, labels: L, took: Duration, example: impl FnOnce() -> Example) {
        if !COUNTED {
            return;
        }
        let (place, value) = (labels.place(), nanoseconds(took));
        let Some(series) = stripe(&self.stripes).get(place) else {
            return;
        };
        let (bucket, before) = series.add(self.bounds, value);
        if let Some(examples) = self.examples
            && (value > FAST || before.is_multiple_of(ONE_IN))
        {
            examples.keep(place * (K + 1) + bucket, value, example);
        }
    }

    /// How many values were taken in.
    #[must_use]
    pub fn observed(&self, labels: L) -> u64 {
        let (counts, _) = self.totals(labels.place());
        counts.iter().sum()
    }

    /// What the buckets of a series hold, and the sum of its values.
    fn totals(&self, place: usize) -> (Vec<u64>, u64) {
        let mut totals = vec![0; K + 1];
        let mut sum = 0_u64;
        for series in self.stripes.iter().filter_map(|Stripe(all)| all.get(place)) {
            for (total, count) in totals.iter_mut().zip(series.counts()) {
                *total += count;
            }
            sum = sum.saturating_add(series.sum.load(Ordering::Relaxed));
        }
        (totals, sum)
    }
}

impl<const K: usize> Series<K> {
    const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; K],
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// The bucket of a value, and what it held before.
    #[inline]
    fn add(&self, bounds: &[u64; K], value: u64) -> (usize, u64) {
        let bucket = bounds.partition_point(|bound| *bound < value);
        self.sum.fetch_add(value, Ordering::Relaxed);
        let cell = self.buckets.get(bucket).unwrap_or(&self.beyond);
        (bucket, cell.fetch_add(1, Ordering::Relaxed))
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        let cells = self.buckets.iter().chain([&self.beyond]);
        cells.map(|cell| cell.load(Ordering::Relaxed))
    }
}

impl Examples {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    #[cold]
    fn keep(&self, place: usize, value: u64, example: impl FnOnce() -> Example) {
        // Whoever reads or writes one just then is not waited for.
        let Ok(mut kept) = self.0.try_lock() else {
            return;
        };
        if kept.len() <= place {
            kept.resize(place + 1, None);
        }
        if let Some(slot) = kept.get_mut(place) {
            *slot = Some((value, example()));
        }
    }
}

impl<L: Labels, const N: usize> Family for Counter<L, N> {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn labels(&self) -> Vec<&'static str> {
        L::names()
    }

    fn values(&self) -> Vec<Texts> {
        L::sets()
    }

    fn most(&self) -> usize {
        N
    }

    fn each(&self, show: &mut dyn FnMut(&Texts, Reading<'_>)) {
        for place in 0..N {
            let count = self.sum(place);
            if (count > 0 || N <= SHOWN)
                && let Some(texts) = L::texts(place)
            {
                show(&texts, Reading::Count(count));
            }
        }
    }
}

impl<L: Labels, const N: usize> Family for Gauge<L, N> {
    fn kind(&self) -> Kind {
        Kind::Gauge
    }

    fn labels(&self) -> Vec<&'static str> {
        L::names()
    }

    fn values(&self) -> Vec<Texts> {
        L::sets()
    }

    fn most(&self) -> usize {
        N
    }

    fn each(&self, show: &mut dyn FnMut(&Texts, Reading<'_>)) {
        for (place, cell) in self.cells.iter().enumerate() {
            let value = f64::from_bits(cell.load(Ordering::Relaxed));
            if !value.is_nan()
                && let Some(texts) = L::texts(place)
            {
                show(&texts, Reading::Value(value));
            }
        }
    }
}

impl<L: Labels, const N: usize> Family for Total<L, N> {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn labels(&self) -> Vec<&'static str> {
        L::names()
    }

    fn values(&self) -> Vec<Texts> {
        L::sets()
    }

    fn most(&self) -> usize {
        N
    }

    fn each(&self, show: &mut dyn FnMut(&Texts, Reading<'_>)) {
        self.0.each(show);
    }
}

impl<L: Labels, const N: usize> Family for Level<L, N> {
    fn kind(&self) -> Kind {
        Kind::Gauge
    }

    fn labels(&self) -> Vec<&'static str> {
        L::names()
    }

    fn values(&self) -> Vec<Texts> {
        L::sets()
    }

    fn most(&self) -> usize {
        N
    }

    fn each(&self, show: &mut dyn FnMut(&Texts, Reading<'_>)) {
        for place in 0..N {
            if let Some(texts) = L::texts(place) {
                let cells = self
                    .stripes
                    .iter()
                    .filter_map(|Stripe(cells)| cells.get(place));
                // Who ends a thing may stand in another stripe than who began it.
                let level: i64 = cells.map(|cell| cell.load(Ordering::Relaxed)).sum();
                #[expect(clippy::cast_precision_loss, reason = "as of a gauge")]
                let value = level as f64;
                show(&texts, Reading::Value(value));
            }
        }
    }
}

impl<L: Labels, const N: usize, const K: usize> Family for Histogram<L, N, K> {
    fn kind(&self) -> Kind {
        Kind::Histogram
    }

    fn labels(&self) -> Vec<&'static str> {
        L::names()
    }

    fn values(&self) -> Vec<Texts> {
        L::sets()
    }

    fn most(&self) -> usize {
        N * (K + 3)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum of seconds needs no nanosecond"
    )]
    fn each(&self, show: &mut dyn FnMut(&Texts, Reading<'_>)) {
        let kept = self.examples.map(|examples| {
            let kept = examples.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.clone()
        });
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.per);
        let bounds: Vec<f64> = bounds.chain([f64::INFINITY]).collect();
        for place in 0..N {
            let (counts, sum) = self.totals(place);
            let counts: Vec<(f64, u64)> = bounds.iter().copied().zip(counts).collect();
            let touched = counts.iter().any(|(_, count)| *count > 0);
            if !(touched || N <= SHOWN_BUCKETS) {
                continue;
            }
            let Some(texts) = L::texts(place) else {
                continue;
            };
            let examples: Vec<Option<(f64, Example)>> = (place * (K + 1)..)
                .take(K + 1)
                .map(|at| {
                    let (value, example) = (*kept.as_ref()?.get(at)?)?;
                    Some((value as f64 / self.per, example))
                })
                .collect();
            let sum = sum as f64 / self.per;
            let buckets = Buckets {
                counts: &counts,
                sum,
                examples: &examples,
            };
            show(&texts, Reading::Buckets(buckets));
        }
    }
}

#[inline]
fn nanoseconds(took: Duration) -> u64 {
    // Five centuries are enough.
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
