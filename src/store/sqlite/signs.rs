//! Signs that something was written to a file, among the stores of this process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;

/// The lines of the files that are open in this process; each lives as long as a store has it.
static LINES: Mutex<BTreeMap<PathBuf, Weak<watch::Sender<()>>>> = Mutex::new(BTreeMap::new());

/// The line of one store.
#[derive(Debug)]
pub(super) struct Signs {
    line: Arc<watch::Sender<()>>,
    /// Keeps, between calls, whether a sign came that nobody was told of.
    heard: tokio::sync::Mutex<watch::Receiver<()>>,
}

impl Signs {
    /// Joins the line of a file; the first sign is there at once. Two names of one file are two
    /// lines.
    pub(super) fn join(path: &Path) -> Self {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| line.strong_count() > 0);
        let line = lines.get(path).and_then(Weak::upgrade).unwrap_or_default();
        lines.insert(path.to_owned(), Arc::downgrade(&line));
        let mut heard = line.subscribe();
        heard.mark_changed();
        Self {
            line,
            heard: tokio::sync::Mutex::new(heard),
        }
    }

    /// Gives a sign to every store on the line.
    pub(super) fn give(&self) {
        self.line.send_replace(());
    }

    /// Waits for a sign.
    pub(super) async fn next(&self) {
        // An error would say that the sender has gone, and `line` is one.
        let _ = self.heard.lock().await.changed().await;
    }
}
