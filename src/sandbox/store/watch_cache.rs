//! The last changes, from which watches start, and from which lists of past versions are reconstructed.
//!
//! It stands for the API server's watch cache. See
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>.

use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Kind;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::objects::Store;

/// The number of changes that are kept. A real server keeps them for minutes (etcd compacts after five); with a limit
/// by number, tests reach it without waiting.
const HISTORY: usize = 1_000;

/// The last changes, and the watches that wait for the next.
#[derive(Debug, Default)]
pub(crate) struct WatchCache {
    changes: VecDeque<ChangeRecord>,
    /// Changes up to this version have been forgotten.
    oldest: u64,
    watchers: Vec<UnboundedSender<ChangeRecord>>,
}

/// Objects at some version.
pub(crate) type Snapshot = BTreeMap<Key, Arc<Value>>;

/// The requested version is older than this one, the oldest that is available.
#[derive(Debug)]
pub(crate) struct TooOld(pub(crate) u64);

impl WatchCache {
    /// A history that begins at a version.
    pub(crate) fn from(version: u64) -> Self {
        Self { oldest: version, ..Self::default() }
    }

    /// Forgets the changes up to a version, as a compaction of etcd does.
    pub(crate) fn forget(&mut self, version: u64) {
        self.changes.retain(|change| change.version > version);
        self.oldest = self.oldest.max(version);
    }

    /// The changes after a version, oldest first.
    pub(crate) fn since(&self, version: u64) -> Result<impl Iterator<Item = &ChangeRecord>, TooOld> {
        if version < self.oldest {
            return Err(TooOld(self.oldest));
        }
        Ok(self.changes.iter().filter(move |change| change.version > version))
    }

    /// The objects of a kind at a version: the current ones with every later change undone.
    pub(crate) fn snapshot(&self, store: &Store, kind: Kind, version: u64) -> Result<Snapshot, TooOld> {
        let later: Vec<&ChangeRecord> =
            self.since(version)?.filter(|change| change.key.kind == kind).collect();
        let mut objects: Snapshot =
            store.of_kind(kind, None).map(|(key, object)| (key.clone(), Arc::clone(object))).collect();
        for change in later.into_iter().rev() {
            match &change.before {
                Some(before) => drop(objects.insert(change.key.clone(), Arc::clone(before))),
                None => drop(objects.remove(&change.key)),
            }
        }
        Ok(objects)
    }

    /// Delivers every change from now on, until the receiver is dropped.
    pub(crate) fn subscribe(&mut self) -> UnboundedReceiver<ChangeRecord> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.watchers.push(sender);
        receiver
    }

    /// Adds a change and delivers it.
    pub(crate) fn publish(&mut self, change: &ChangeRecord) {
        self.watchers.retain(|watcher| watcher.send(change.clone()).is_ok());
        self.changes.push_back(change.clone());
        while self.changes.len() > HISTORY {
            if let Some(oldest) = self.changes.pop_front() {
                self.oldest = oldest.version;
            }
        }
    }
}
