//! Keeps the log from being filled by what happens a thousand times a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets so many things be told in a span of time, and counts the others.
#[derive(Debug)]
pub(crate) struct Seldom {
    most: u32,
    span: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    told: u32,
    more: u64,
}

impl Seldom {
    /// At most `most` in each `span`.
    pub(crate) const fn new(most: u32, span: Duration) -> Self {
        let state = State {
            since: None,
            told: 0,
            more: 0,
        };
        Self {
            most,
            span,
            state: Mutex::new(state),
        }
    }

    /// Calls `tell` with how many were left out since the last one that was told, or leaves this one
    /// out.
    pub(crate) fn tell(&self, tell: impl FnOnce(u64)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let over = |since: Instant| now.saturating_duration_since(since) >= self.span;
        if state.since.is_none_or(over) {
            state.since = Some(now);
            state.told = 0;
        }
        if state.told >= self.most {
            state.more += 1;
            return;
        }
        state.told += 1;
        let more = std::mem::take(&mut state.more);
        drop(state);
        tell(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let mut told = Vec::new();
        let seldom = Seldom::new(2, Duration::from_hours(1));
        for _ in 0..5 {
            seldom.tell(|more| told.push(more));
        }
        assert_eq!(told, [0, 0]);
        seldom.state.lock().unwrap().since = None;
        seldom.tell(|more| told.push(more));
        assert_eq!(told, [0, 0, 3]);
    }
}
