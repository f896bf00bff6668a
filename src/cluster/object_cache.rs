//! The objects of components that are applied as a whole, as they were last seen.
//!
//! An older state never replaces a newer one: a late watch event cannot override the response to a write.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::{DynamicObject, TypeMeta};
use tokio::sync::watch;

use crate::cluster::error::ClusterError;
use crate::cluster::workload_cache::is_older;
use crate::oam::labels;
use crate::oam::object::ObjectRef;

/// The objects of some components.
#[derive(Debug, Default)]
pub struct ObjectCache {
    state: RefCell<CachedObjects>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct CachedObjects {
    objects: BTreeMap<ObjectRef, Sighting>,
    deleted: BTreeSet<String>,
    sightings: u64,
    failure: Option<ClusterError>,
}

#[derive(Debug)]
struct Sighting {
    object: DynamicObject,
    seen: u64,
}

impl ObjectCache {
    /// The state of an object; `None` where there is none, or it was not read.
    #[must_use]
    pub fn get(&self, reference: &ObjectRef) -> Option<DynamicObject> {
        self.state.borrow().objects.get(reference).map(|sighting| sighting.object.clone())
    }

    /// Takes the state of an object, unless a newer one is known.
    pub fn apply(&self, reference: &ObjectRef, object: &DynamicObject) {
        if self.apply_unannounced(reference, object) {
            self.touch();
        }
    }

    /// Takes a complete list of some objects that was asked for after `mark`.
    pub(in crate::cluster) fn replace(
        &self,
        listed: &[(ObjectRef, &DynamicObject)],
        mark: u64,
        includes: impl Fn(&ObjectRef) -> bool,
    ) {
        for (reference, object) in listed {
            self.apply_unannounced(reference, object);
        }
        let names: BTreeSet<&ObjectRef> = listed.iter().map(|(reference, _)| reference).collect();
        self.state.borrow_mut().objects.retain(|reference, sighting| {
            // What carries no application is in no list.
            let is_listable = sighting.object.labels().contains_key(labels::NAME);
            !includes(reference) || !is_listable || names.contains(reference) || sighting.seen > mark
        });
        self.touch();
    }

    /// Marks the moment before a list is asked for.
    pub(in crate::cluster) fn mark(&self) -> u64 {
        self.state.borrow().sightings
    }

    /// Takes note that a watch has ended for good.
    pub(in crate::cluster) fn fail(&self, error: ClusterError) {
        self.state.borrow_mut().failure.get_or_insert(error);
        self.touch();
    }

    fn apply_unannounced(&self, reference: &ObjectRef, object: &DynamicObject) -> bool {
        let state = &mut *self.state.borrow_mut();
        let (uid, version) =
            (object.uid().unwrap_or_default(), object.resource_version().unwrap_or_default());
        if state.deleted.contains(&uid) {
            return false;
        }
        state.sightings += 1;
        if let Some(Sighting { object: known, .. }) = state.objects.get(reference)
            && known.uid().unwrap_or_default() == uid
            && is_older(&version, &known.resource_version().unwrap_or_default())
        {
            return false;
        }
        let mut object = object.clone();
        // The items of a list do not say what they are, and an object of no kind counts as ready.
        object.types =
            Some(TypeMeta { api_version: reference.api_version.clone(), kind: reference.kind.clone() });
        let sighting = Sighting { object, seen: state.sightings };
        state.objects.insert(reference.clone(), sighting);
        true
    }

    /// Takes note that an object is gone.
    pub fn remove(&self, uid: &str) {
        let state = &mut *self.state.borrow_mut();
        state.objects.retain(|_, sighting| sighting.object.uid().unwrap_or_default() != uid);
        state.deleted.insert(uid.to_owned());
        self.touch();
    }

    /// Takes note that a quorum read has not found an object.
    pub fn forget(&self, reference: &ObjectRef) {
        if self.state.borrow_mut().objects.remove(reference).is_some() {
            self.touch();
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

    fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
