//! SIGHUP, by which an operator asks to look at once at files that may have changed.

/// Signals that ask to look at once. Any number of tasks may listen; each hears every signal.
#[cfg(unix)]
#[derive(Debug)]
pub struct Hangups(Option<tokio::signal::unix::Signal>);

/// Signals that ask to look at once, of which other systems know none.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Hangups;

#[cfg(unix)]
impl Hangups {
    /// Listens from now on; the signal does not end the process any more.
    #[must_use]
    pub fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::hangup());
        Self(
            signals
                .inspect_err(|error| tracing::warn!(%error, "SIGHUP is not listened to"))
                .ok(),
        )
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        let heard = match &mut self.0 {
            Some(signals) => signals.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Hangups {
    /// Hears nothing.
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// Waits for ever.
    pub async fn next(&mut self) {
        std::future::pending().await
    }
}

impl Default for Hangups {
    fn default() -> Self {
        Self::new()
    }
}
