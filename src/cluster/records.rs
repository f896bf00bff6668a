//! What a watch has last told of the run records of one namespace: how a run hears that it is paused, or that
//! another has claimed. It is a hint to look; what a run writes is conditional whatever it has heard.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::cluster::record::StoredRecord;

/// The run records that have been heard of, by component.
#[derive(Debug)]
pub struct Records {
    heard: RefCell<BTreeMap<String, StoredRecord>>,
    changed: watch::Sender<u64>,
}

impl Default for Records {
    fn default() -> Self {
        Self { heard: RefCell::default(), changed: watch::Sender::new(0) }
    }
}

impl Records {
    /// Takes in what was heard.
    pub fn absorb(&self, stored: StoredRecord) {
        self.heard.borrow_mut().insert(stored.record.component.clone(), stored);
        self.changed.send_modify(|count| *count += 1);
    }

    /// What was heard of a component's record after it was as `known`.
    #[must_use]
    pub fn since(&self, known: &StoredRecord) -> Option<StoredRecord> {
        let heard = self.heard.borrow();
        heard.get(&known.record.component).filter(|stored| stored.is_newer_than(known)).cloned()
    }

    /// Sees every change from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
