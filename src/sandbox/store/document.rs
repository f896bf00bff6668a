//! The content of the sandbox's file: the document, and the lines of changes after it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::object::key::Key;
use crate::sandbox::rules::StoredRule;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::{Task, WorkItem};
use crate::sandbox::validation::registry;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) objects: Vec<Value>,
    #[serde(default)]
    pub(super) sandbox: SandboxState,
}

/// The state in the file besides the objects.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SandboxState {
    resource_version: u64,
    issued: u64,
    rules: Vec<StoredRule>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    absent: BTreeSet<String>,
    queue: Vec<Entry>,
    pods_created: BTreeMap<String, Timestamp>,
    deletions: Vec<(u64, ObjectReference)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    at: Timestamp,
    task: Task,
    object: ObjectReference,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectReference {
    api_version: String,
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
}

impl From<&Key> for ObjectReference {
    fn from(key: &Key) -> Self {
        Self {
            api_version: key.kind.api_version(),
            kind: key.kind.kind.to_owned(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

impl ObjectReference {
    pub(super) fn key(&self) -> Option<Key> {
        let kind = registry::find_kind(&self.api_version, &self.kind)?;
        Some(Key::new(kind, &self.namespace, &self.name))
    }
}

impl SandboxState {
    pub(super) fn of(store: &Store) -> Self {
        let entry = |(at, work): &(Timestamp, WorkItem)| Entry {
            at: *at,
            task: work.task,
            object: ObjectReference::from(&work.key),
        };
        Self {
            resource_version: store.version,
            issued: store.issued,
            rules: store.rules.iter().map(StoredRule::from).collect(),
            absent: store.missing_groups.clone(),
            queue: store.queue.entries().map(entry).collect(),
            pods_created: store.pod_starts.clone(),
            deletions: store.deletions.iter().map(|(v, key)| (*v, ObjectReference::from(key))).collect(),
        }
    }

    pub(super) fn restore(self, store: &mut Store) {
        store.version = store.version.max(self.resource_version);
        store.issued = self.issued;
        store.rules = self.rules.into_iter().filter_map(StoredRule::rule).collect();
        store.missing_groups = self.absent;
        store.pod_starts = self.pods_created;
        store.deletions = self.deletions.iter().filter_map(|(v, r)| Some((*v, r.key()?))).collect();
        for entry in &self.queue {
            if let Some(key) = entry.object.key() {
                store.queue.add(entry.task, &key, entry.at);
            }
        }
        store.queue.take_grown();
    }
}

/// One line after the document: the changes of a transaction.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChangeLine {
    /// The offset of the line in the file; a line at another offset was moved by hand.
    pub(super) at: u64,
    pub(super) resource_version: u64,
    pub(super) issued: u64,
    /// The objects that were created or changed, in their new state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) objects: Vec<Value>,
    /// The objects that were removed, with the version of the removal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) removed: Vec<(u64, ObjectReference)>,
    /// When these objects' pods were created or last got another image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) pods_created: BTreeMap<String, Timestamp>,
    /// Work that was queued, and completed work, which has no time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) queue: Vec<QueueChange>,
    /// The rules and the groups that are not installed, if they have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settings: Option<Settings>,
}

/// A change of the work queue.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct QueueChange {
    task: Task,
    object: ObjectReference,
    at: Option<Timestamp>,
}

/// The state in the file that rarely changes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    rules: Vec<StoredRule>,
    absent: BTreeSet<String>,
}

impl QueueChange {
    pub(super) fn of(work: &WorkItem, at: Option<Timestamp>) -> Self {
        Self { task: work.task, object: ObjectReference::from(&work.key), at }
    }

    pub(super) fn apply(&self, store: &mut Store) {
        if let Some(key) = self.object.key() {
            store.queue.set(WorkItem { task: self.task, key }, self.at);
        }
    }
}

impl Settings {
    pub(super) fn of(store: &Store) -> Self {
        Self {
            rules: store.rules.iter().map(StoredRule::from).collect(),
            absent: store.missing_groups.clone(),
        }
    }

    pub(super) fn restore(self, store: &mut Store) {
        store.rules = self.rules.into_iter().filter_map(StoredRule::rule).collect();
        store.missing_groups = self.absent;
    }
}
