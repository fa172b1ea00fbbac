//! How many calls a caller may make.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// Most that a caller may take at once where its entry says nothing: a whole batch.
const LEAST_BURST: u32 = 1000;

/// A number of calls a second, with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls a second, in the long run.
    pub per_second: NonZeroU32,
    /// Most that may be taken at once.
    pub burst: NonZeroU32,
}

impl RateLimit {
    /// So many a second. The burst is one second's worth, and at least a whole batch.
    #[must_use]
    pub fn per_second(per_second: NonZeroU32) -> Self {
        let burst = per_second.max(NonZeroU32::new(LEAST_BURST).unwrap_or(NonZeroU32::MIN));
        Self { per_second, burst }
    }
}

/// What is left of a caller's rate.
pub struct Rate {
    /// What it may use.
    pub limit: RateLimit,
    limiter:
        RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>,
}

/// The rate does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// More than may ever be taken at once.
    Never {
        /// Most that may be taken at once.
        burst: u32,
    },
    /// It will be allowed, if nothing else is taken, after this long.
    Wait(Duration),
}

impl Rate {
    /// A rate of which nothing is used.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        Self {
            limit,
            limiter: RateLimiter::direct_with_clock(quota, MonotonicClock),
        }
    }

    /// Takes `count` of the rate, all or none; nothing is asked for zero.
    ///
    /// # Errors
    ///
    /// The rate does not allow it now.
    pub fn take(&self, count: u32) -> Result<(), Exceeded> {
        let Some(count) = NonZeroU32::new(count) else {
            return Ok(());
        };
        match self.limiter.check_n(count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(Exceeded::Wait(
                not_until.wait_time_from(MonotonicClock.now()),
            )),
            Err(_) => Err(Exceeded::Never {
                burst: self.limit.burst.get(),
            }),
        }
    }
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.limit.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_second: u32, burst: u32) -> RateLimit {
        RateLimit {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn the_burst_is_had_at_once_and_then_it_is_waited() {
        let rate = Rate::new(limit(1, 5));
        assert_eq!(rate.take(0), Ok(()));
        assert_eq!(rate.take(4), Ok(()));
        assert_eq!(rate.take(6), Err(Exceeded::Never { burst: 5 }));
        let Err(Exceeded::Wait(wait)) = rate.take(5) else {
            panic!("more than there was");
        };
        assert!(
            wait <= Duration::from_secs(4) && wait > Duration::ZERO,
            "{wait:?}"
        );
    }

    #[test]
    fn a_batch_fits_in_every_rate_that_names_no_burst() {
        let burst = |rate| {
            RateLimit::per_second(NonZeroU32::new(rate).unwrap())
                .burst
                .get()
        };
        assert_eq!((burst(1), burst(5000)), (1000, 5000));
    }
}
