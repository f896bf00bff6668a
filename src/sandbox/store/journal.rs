//! The lines of changes after the document: writing one for a transaction, and applying one to the state.
//!
//! A line is written in a single write and ends with a line break. A line without one is the incomplete write of a
//! killed process, which was not accepted.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::document::{ChangeLine, ObjectReference, QueueChange, Settings};
use crate::sandbox::store::objects::Store;

/// The beginning of each line, by which an incomplete one is recognised.
pub(super) const BEGINNING: &str = "{\"at\":";

/// Whether rules or groups have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingsChange {
    /// They have.
    Changed,
    /// They have not.
    Kept,
}

/// The line with the changes of a transaction, for an offset in the file.
pub(super) fn line(
    at: u64,
    store: &mut Store,
    changes: &[ChangeRecord],
    settings: SettingsChange,
) -> Vec<u8> {
    let mut put: BTreeMap<&Key, &Arc<Value>> = BTreeMap::new();
    let mut removed = Vec::new();
    for change in changes {
        match &change.after {
            Some(after) => drop(put.insert(&change.key, after)),
            None => {
                put.remove(&change.key);
                removed.push((change.version, ObjectReference::from(&change.key)));
            }
        }
    }
    let starts = put.values().filter_map(|object| {
        let uid = meta::uid(object);
        Some((uid.to_owned(), *store.pod_starts.get(uid)?))
    });
    let line = ChangeLine {
        at,
        resource_version: store.version,
        issued: store.issued,
        pods_created: starts.collect(),
        objects: Vec::new(),
        removed,
        queue: store.queue.take_log().iter().map(|(work, at)| QueueChange::of(work, *at)).collect(),
        settings: (settings == SettingsChange::Changed).then(|| Settings::of(store)),
    };
    // Serialises the objects directly, without copying them.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.pop();
    for (nth, object) in put.values().enumerate() {
        text.push_str(if nth == 0 { ",\"objects\":[" } else { "," });
        text.push_str(&object.to_string());
    }
    text.push_str(if put.is_empty() { "}\n" } else { "]}\n" });
    text.into_bytes()
}

/// A line whose objects are decoded.
pub(super) struct DecodedLine {
    pub(super) line: ChangeLine,
    pub(super) objects: Vec<(Key, Arc<Value>)>,
}

impl DecodedLine {
    /// The objects that it changes.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let removed = self.line.removed.iter().filter_map(|(_, object)| object.key());
        self.objects.iter().map(|(key, _)| key.clone()).chain(removed)
    }

    /// Applies the changes.
    pub(super) fn apply(self, store: &mut Store) {
        let Self { line, objects } = self;
        let put: BTreeSet<&Key> = objects.iter().map(|(key, _)| key).collect();
        for (version, object) in &line.removed {
            let Some(key) = object.key() else { continue };
            store.note_removal(*version, &key);
            if !put.contains(&key) {
                store.replace(key, None);
            }
        }
        for (key, object) in objects {
            store.replace(key, Some(object));
        }
        store.pod_starts.extend(line.pods_created);
        line.queue.iter().for_each(|change| change.apply(store));
        if let Some(settings) = line.settings {
            settings.restore(store);
        }
        store.version = line.resource_version;
        store.issued = line.issued;
    }
}
