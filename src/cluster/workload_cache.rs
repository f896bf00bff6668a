//! A cache of the workloads of one namespace, fed by a watch, by lists and by the responses to writes.
//!
//! An older state never replaces a newer one: a late watch event or a lagging server cannot override the response to a
//! write. A workload counts as deleted only if it is missing from a list that was requested after it was last observed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::sync::watch;

use crate::cluster::batched_read::BatchedRead;
use crate::cluster::change_signal::ChangeSignal;
use crate::cluster::error::ClusterError;
use crate::cluster::ownership::{ComponentOwner, LabelledWorkload};
use crate::cluster::workload;
use crate::oam::kind::WorkloadKind;
use crate::plan::observed::{Uid, Workload};

/// The workloads of some components of one namespace.
#[derive(Debug)]
pub struct WorkloadCache {
    state: RefCell<CacheState>,
    /// The components whose workloads are cached; `None` for all.
    components: Option<BTreeSet<String>>,
    /// The number of states that were applied.
    sightings: Rc<Cell<u64>>,
    refreshes: BTreeMap<WorkloadKind, WorkloadReads>,
    changed: ChangeSignal,
}

/// Lists of components' workloads, by component.
pub(in crate::cluster) type WorkloadReads = BatchedRead<String, Rc<WorkloadList>>;

/// The workloads of a component at one point in time.
#[derive(Debug)]
pub(in crate::cluster) struct WorkloadList {
    pub(in crate::cluster) objects: Vec<DynamicObject>,
    pub(in crate::cluster) mark: ListMark,
}

#[derive(Debug, Default)]
struct CacheState {
    /// By component, then by kind and name.
    entries: BTreeMap<String, BTreeMap<(WorkloadKind, String), Entry>>,
    deleted: BTreeSet<Uid>,
    /// The kinds whose first complete list is still pending.
    pending: BTreeSet<WorkloadKind>,
    failure: Option<ClusterError>,
}

#[derive(Debug)]
struct Entry {
    labelled: LabelledWorkload,
    seen: u64,
}

/// Marks the beginning of a list, see [`WorkloadCache::replace`].
#[derive(Debug, Clone, Copy)]
pub struct ListMark(u64);

impl WorkloadCache {
    /// An empty cache of these kinds.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = WorkloadKind>) -> Self {
        let pending: BTreeSet<WorkloadKind> = kinds.into_iter().collect();
        let refreshes = pending.iter().map(|kind| (*kind, WorkloadReads::default())).collect();
        Self {
            state: RefCell::new(CacheState { pending, ..CacheState::default() }),
            components: None,
            sightings: Rc::default(),
            refreshes,
            changed: ChangeSignal::default(),
        }
    }

    /// The same cache, limited to the workloads of these components.
    #[must_use]
    pub fn of_components(self, components: impl IntoIterator<Item = String>) -> Self {
        Self { components: Some(components.into_iter().collect()), ..self }
    }

    /// Applies the state of one object, unless a newer one is known.
    pub fn apply(&self, kind: WorkloadKind, object: &DynamicObject) {
        if let Some(component) = self.apply_unannounced(kind, object) {
            self.changed.touch([component.as_str()]);
        }
    }

    /// Applies the state of one object. Returns its component, unless a newer state is known.
    fn apply_unannounced(&self, kind: WorkloadKind, object: &DynamicObject) -> Option<String> {
        let component = workload::component_label(object)?;
        if self.components.as_ref().is_some_and(|components| !components.contains(&component)) {
            return None;
        }
        let labelled = LabelledWorkload::of(kind, object);
        let seen = &labelled.workload;
        let state = &mut *self.state.borrow_mut();
        if state.deleted.contains(&seen.uid) {
            return None;
        }
        let key = (kind, seen.name.clone());
        self.sightings.set(self.sightings.get() + 1);
        if let Some(Entry { labelled: LabelledWorkload { workload: known, .. }, .. }) =
            state.entries.get(&component).and_then(|entries| entries.get(&key))
            && known.uid == seen.uid
            && is_older(&seen.resource_version, &known.resource_version)
        {
            return None;
        }
        let entry = Entry { labelled, seen: self.sightings.get() };
        state.entries.entry(component.clone()).or_default().insert(key, entry);
        Some(component)
    }

    /// Removes an object; a late event does not restore it.
    pub fn remove(&self, uid: &Uid) {
        let state = &mut *self.state.borrow_mut();
        state.deleted.insert(uid.clone());
        for (component, entries) in &mut state.entries {
            let known = entries.len();
            entries.retain(|_, entry| entry.labelled.workload.uid != *uid);
            if entries.len() < known {
                self.changed.touch([component.as_str()]);
            }
        }
    }

    /// Marks the moment before a list is requested.
    #[must_use]
    pub fn mark(&self) -> ListMark {
        ListMark(self.sightings.get())
    }

    /// A function that does the same without the cache.
    pub(in crate::cluster) fn marker(&self) -> impl Fn() -> ListMark + 'static {
        let sightings = Rc::clone(&self.sightings);
        move || ListMark(sightings.get())
    }

    /// The batched lists of a kind.
    pub(in crate::cluster) fn refreshes(&self, kind: WorkloadKind) -> Option<&WorkloadReads> {
        self.refreshes.get(&kind)
    }

    /// Applies a complete list of a kind that was requested after `mark`: workloads that it does not contain and that
    /// have not been observed since are deleted. `component` limits it to one component.
    pub fn replace(
        &self,
        kind: WorkloadKind,
        objects: &[DynamicObject],
        mark: ListMark,
        component: Option<&str>,
    ) {
        let mut changed: BTreeSet<String> =
            objects.iter().filter_map(|object| self.apply_unannounced(kind, object)).collect();
        let listed: BTreeSet<Uid> = objects.iter().filter_map(ResourceExt::uid).map(Uid).collect();
        let state = &mut *self.state.borrow_mut();
        let mut remove_unlisted = |component: &str, entries: &mut BTreeMap<_, Entry>| {
            let known = entries.len();
            entries.retain(|(of_kind, _), entry| {
                *of_kind != kind || listed.contains(&entry.labelled.workload.uid) || entry.seen > mark.0
            });
            if entries.len() < known {
                changed.insert(component.to_owned());
            }
        };
        match component {
            Some(component) => {
                if let Some(entries) = state.entries.get_mut(component) {
                    remove_unlisted(component, entries);
                }
            }
            None => {
                state.entries.iter_mut().for_each(|(component, entries)| remove_unlisted(component, entries));
                if state.pending.remove(&kind) {
                    return self.changed.touch_all();
                }
            }
        }
        self.changed.touch(changed.iter().map(String::as_str));
    }

    /// Records that a watch has ended permanently. No later list clears this, since the cache is no longer updated.
    pub fn fail(&self, error: ClusterError) {
        self.state.borrow_mut().failure.get_or_insert(error);
        self.changed.touch_all();
    }

    /// Why the watch has ended, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<ClusterError> {
        self.state.borrow().failure.clone()
    }

    /// Whether a complete list of every kind has been applied.
    #[must_use]
    pub fn has_synced(&self) -> bool {
        self.state.borrow().pending.is_empty()
    }

    /// The workloads of an owner.
    #[must_use]
    pub fn workloads(&self, owner: &ComponentOwner) -> Vec<Workload> {
        owner.owned(&self.labelled(owner.component()))
    }

    /// All workloads with the label of a component, of all kinds.
    #[must_use]
    pub fn labelled(&self, component: &str) -> Vec<LabelledWorkload> {
        let state = self.state.borrow();
        let found = state.entries.get(component).into_iter().flat_map(BTreeMap::values);
        found.map(|entry| entry.labelled.clone()).collect()
    }

    /// The labels and annotations of a workload, if it is cached.
    #[must_use]
    pub fn labels_and_annotations(
        &self,
        component: &str,
        kind: WorkloadKind,
        name: &str,
    ) -> Option<(BTreeMap<String, String>, BTreeMap<String, String>)> {
        let state = self.state.borrow();
        let entry = state.entries.get(component)?.get(&(kind, name.to_owned()))?;
        Some(entry.labelled.labels_and_annotations())
    }

    /// Waits until [`WorkloadCache::has_synced`] or [`WorkloadCache::failure`].
    pub async fn wait_for_sync(&self) {
        let mut changes = self.changes();
        while !self.has_synced() && self.failure().is_none() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Subscribes to every later change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Subscribes to the later changes of a component's workloads.
    #[must_use]
    pub fn changes_of(&self, component: &str) -> watch::Receiver<u64> {
        self.changed.subscribe_to(component)
    }
}

/// Whether a resource version is older than another. They are decimal numbers in every API server that uses etcd; if
/// they cannot be compared, it counts as newer.
pub(in crate::cluster) fn is_older(version: &str, than: &str) -> bool {
    match (version.parse::<u128>(), than.parse::<u128>()) {
        (Ok(version), Ok(than)) => version < than,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KIND: WorkloadKind = WorkloadKind::Deployment;

    fn object(name: &str, uid: &str, version: &str, replicas: u32) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "uid": uid, "resourceVersion": version, "labels": {"app.oam.dev/component": "web"}},
            "spec": {"replicas": replicas},
        }))
        .unwrap()
    }

    fn sizes(cache: &WorkloadCache) -> Vec<u32> {
        cache.labelled("web").iter().map(|labelled| labelled.workload.replicas).collect()
    }

    #[test]
    fn an_older_state_never_replaces_a_newer_one() {
        let cache = WorkloadCache::of([KIND]);
        cache.apply(KIND, &object("web-v1", "a", "10", 3));
        cache.apply(KIND, &object("web-v1", "a", "9", 5));
        assert_eq!(sizes(&cache), [3]);
        cache.apply(KIND, &object("web-v1", "a", "100", 4));
        assert_eq!(sizes(&cache), [4]);
    }

    #[test]
    fn a_late_event_does_not_restore_a_deleted_workload() {
        let cache = WorkloadCache::of([KIND]);
        cache.apply(KIND, &object("web-v1", "a", "10", 3));
        cache.remove(&Uid("a".into()));
        cache.apply(KIND, &object("web-v1", "a", "11", 3));
        assert!(sizes(&cache).is_empty());
        cache.apply(KIND, &object("web-v1", "b", "12", 1));
        assert_eq!(sizes(&cache), [1]);
    }

    #[test]
    fn lists_do_not_clear_the_failure_of_a_watch() {
        let cache = WorkloadCache::of([KIND]);
        cache.replace(KIND, &[], cache.mark(), Some("web"));
        assert!(!cache.has_synced(), "a list of one component is not all of a kind");
        cache.replace(KIND, &[], cache.mark(), None);
        assert!(cache.has_synced());
        cache.fail(ClusterError::Forbidden("no".into()));
        cache.fail(ClusterError::Other("later".into()));
        cache.replace(KIND, &[object("web-v1", "a", "10", 5)], cache.mark(), Some("web"));
        cache.replace(KIND, &[object("web-v1", "a", "10", 5)], cache.mark(), None);
        assert_eq!(cache.failure(), Some(ClusterError::Forbidden("no".into())));
    }

    #[test]
    fn a_list_requested_before_a_create_does_not_delete_it() {
        let cache = WorkloadCache::of([KIND]);
        cache.apply(KIND, &object("web-v1", "a", "10", 5));
        let mark = cache.mark();
        cache.apply(KIND, &object("web-v2", "b", "12", 0));
        cache.replace(KIND, &[object("web-v1", "a", "10", 5)], mark, None);
        assert_eq!(sizes(&cache), [5, 0]);
        let mark = cache.mark();
        cache.replace(KIND, &[object("web-v2", "b", "12", 0)], mark, None);
        assert_eq!(sizes(&cache), [0]);
    }
}
