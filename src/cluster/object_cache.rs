//! A cache of the objects of components that are applied as a whole.
//!
//! An older state never replaces a newer one: a late watch event cannot override the response to a write.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::{DynamicObject, TypeMeta};
use tokio::sync::watch;

use crate::cluster::change_signal::ChangeSignal;
use crate::cluster::error::ClusterError;
use crate::cluster::workload_cache::is_older;
use crate::oam::object::ObjectRef;

/// The objects of some components.
#[derive(Debug, Default)]
pub struct ObjectCache {
    state: RefCell<CachedObjects>,
    /// The components that wait for an object.
    followers: RefCell<BTreeMap<ObjectRef, BTreeSet<String>>>,
    changed: ChangeSignal,
}

#[derive(Debug, Default)]
struct CachedObjects {
    objects: BTreeMap<ObjectRef, CachedObject>,
    deleted: BTreeSet<String>,
    observations: u64,
    failure: Option<ClusterError>,
}

#[derive(Debug)]
struct CachedObject {
    object: DynamicObject,
    seen: u64,
}

impl ObjectCache {
    /// The state of an object; `None` if it does not exist or was not read.
    #[must_use]
    pub fn get(&self, reference: &ObjectRef) -> Option<DynamicObject> {
        self.state.borrow().objects.get(reference).map(|cached| cached.object.clone())
    }

    /// Whether an object is known and satisfies a condition.
    #[must_use]
    pub fn is_some_and(&self, reference: &ObjectRef, is_so: impl FnOnce(&DynamicObject) -> bool) -> bool {
        self.state.borrow().objects.get(reference).is_some_and(|cached| is_so(&cached.object))
    }

    /// Makes changes of an object wake a component, see [`ObjectCache::changes_of`].
    pub fn follow(&self, reference: &ObjectRef, component: &str) {
        self.followers.borrow_mut().entry(reference.clone()).or_default().insert(component.to_owned());
    }

    /// Applies the state of an object, unless a newer one is known.
    pub fn apply(&self, reference: &ObjectRef, object: &DynamicObject) {
        if self.apply_unannounced(reference, object) {
            self.touch(reference);
        }
    }

    /// Applies a complete list that was requested after `mark`; `lists` decides which objects are in it if they exist.
    pub(in crate::cluster) fn replace(
        &self,
        listed: &[(ObjectRef, &DynamicObject)],
        mark: u64,
        lists: impl Fn(&ObjectRef, &DynamicObject) -> bool,
    ) {
        let mut changed = BTreeSet::new();
        for (reference, object) in listed {
            if self.apply_unannounced(reference, object) {
                changed.insert(reference.clone());
            }
        }
        let names: BTreeSet<&ObjectRef> = listed.iter().map(|(reference, _)| reference).collect();
        self.state.borrow_mut().objects.retain(|reference, cached| {
            let is_known =
                !lists(reference, &cached.object) || names.contains(reference) || cached.seen > mark;
            if !is_known {
                changed.insert(reference.clone());
            }
            is_known
        });
        changed.iter().for_each(|reference| self.touch(reference));
    }

    /// Marks the moment before a list is requested.
    pub(in crate::cluster) fn mark(&self) -> u64 {
        self.state.borrow().observations
    }

    /// Records that a watch has ended permanently.
    pub(in crate::cluster) fn fail(&self, error: ClusterError) {
        self.state.borrow_mut().failure.get_or_insert(error);
        self.changed.touch_all();
    }

    fn apply_unannounced(&self, reference: &ObjectRef, object: &DynamicObject) -> bool {
        let state = &mut *self.state.borrow_mut();
        let (uid, version) =
            (object.uid().unwrap_or_default(), object.resource_version().unwrap_or_default());
        if state.deleted.contains(&uid) {
            return false;
        }
        state.observations += 1;
        if let Some(CachedObject { object: known, .. }) = state.objects.get(reference)
            && known.uid().unwrap_or_default() == uid
            && is_older(&version, &known.resource_version().unwrap_or_default())
        {
            return false;
        }
        let mut object = object.clone();
        // The items of a list have no kind, and an object without a kind counts as ready.
        object.types =
            Some(TypeMeta { api_version: reference.api_version.clone(), kind: reference.kind.clone() });
        let cached = CachedObject { object, seen: state.observations };
        state.objects.insert(reference.clone(), cached);
        true
    }

    /// Records that an object is gone.
    pub fn remove(&self, uid: &str) {
        let state = &mut *self.state.borrow_mut();
        let is_gone =
            |cached: &CachedObject| cached.object.metadata.uid.as_deref().unwrap_or_default() == uid;
        let gone = state.objects.iter().find(|(_, cached)| is_gone(cached));
        let gone = gone.map(|(reference, _)| reference.clone());
        state.deleted.insert(uid.to_owned());
        if let Some(reference) = gone {
            state.objects.remove(&reference);
            self.touch(&reference);
        }
    }

    /// Records that a quorum read has not found an object.
    pub fn forget(&self, reference: &ObjectRef) {
        if self.state.borrow_mut().objects.remove(reference).is_some() {
            self.touch(reference);
        }
    }

    /// Why a watch has ended, if one has.
    #[must_use]
    pub fn failure(&self) -> Option<ClusterError> {
        self.state.borrow().failure.clone()
    }

    /// Subscribes to every later change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Subscribes to the later changes of the objects that a component follows.
    #[must_use]
    pub fn changes_of(&self, component: &str) -> watch::Receiver<u64> {
        self.changed.subscribe_to(component)
    }

    fn touch(&self, reference: &ObjectRef) {
        let followers = self.followers.borrow();
        self.changed.touch(followers.get(reference).into_iter().flatten().map(String::as_str));
    }
}
