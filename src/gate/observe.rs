//! Shows the states of what the gate holds, for whoever asks for metrics. Showing reads memory only;
//! what has to be asked for its state is looked after by a worker.

use tokio_util::sync::CancellationToken;

use super::{Contact, Gate};
use crate::telemetry::metrics::label::{ContactState, Level, NotReady};
use crate::telemetry::metrics::list::{
    CACHE_BYTES, CACHE_ENTRIES, CACHE_LIMIT, CONTACT, LOG_VIEW_AGE, NOT_READY, READY, SYNC_LIMIT,
};

impl Gate {
    /// Looks after what is left alone when it fails, and asked again by questions alone.
    pub async fn look_after_caches(&self) {
        if let Some(shared) = &self.sources.caches.shared {
            shared.look_after().await;
        }
    }

    /// Shows them; from `stop` on the replica is not ready.
    pub fn observe(&self, stop: &CancellationToken) {
        let caches = &self.sources.caches;
        if let Some(local) = &caches.local {
            let state = local.state();
            CACHE_ENTRIES.set_count((Level::Local,), state.entries as u64);
            CACHE_BYTES.set_count((Level::Local,), state.octets);
            CACHE_LIMIT.set_count((Level::Local,), state.most_octets);
        }
        if let Some(answers) = &self.memo {
            let (entries, octets, most) = answers.state();
            CACHE_ENTRIES.set_count((Level::Answers,), entries);
            CACHE_BYTES.set_count((Level::Answers,), octets);
            CACHE_LIMIT.set_count((Level::Answers,), most);
        }
        if let Some(shared) = &caches.shared {
            shared.observe();
        }
        if let Some(age) = caches.completeness.max_sync_age {
            SYNC_LIMIT.set((), age.as_secs_f64());
        }
        self.log.observe();
        let ready = self.readiness(stop.clone()).now();
        READY.set_flag((), ready.is_ready());
        NOT_READY.set_flag((NotReady::Stopping,), ready.is_stopping());
        let starting = ready.contact == Contact::Beginning;
        NOT_READY.set_flag((NotReady::Starting,), starting);
        CONTACT.only((match ready.contact {
            Contact::Beginning => ContactState::Beginning,
            Contact::Held => ContactState::Held,
            Contact::Lost => ContactState::Lost,
        },));
        if !starting {
            let seen = caches.applied.confirmed_at();
            LOG_VIEW_AGE.set((), self.clock.now().duration_since(seen).as_secs_f64());
        }
    }
}
