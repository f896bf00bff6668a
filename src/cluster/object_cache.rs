//! The objects of components that are applied as a whole, as they were last seen.
//!
//! An older state never replaces a newer one: a late watch event cannot override the response to a write.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::{Expression, Selector};
use tokio::sync::watch;

use crate::cluster::error::ClusterError;
use crate::cluster::served_kind::ServedKind;
use crate::cluster::session::Session;
use crate::cluster::watch_loop::{WatchSink, run_watch};
use crate::cluster::workload_cache::is_older;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::plan::observed::Uid;

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

/// Which objects are watched: those of a kind, in a namespace, of some applications.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectScope {
    /// The kind.
    pub kind: ServedKind,
    /// The namespace; `None` for kinds without namespaces.
    pub namespace: Option<String>,
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
        let sighting = Sighting { object: object.clone(), seen: state.sightings };
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

/// Feeds the cache with the objects of a scope for as long as it is polled.
pub async fn watch_objects(
    session: &Session,
    scope: &ObjectScope,
    applications: &BTreeSet<String>,
    cache: &ObjectCache,
) {
    let api = session.objects(&scope.kind, scope.namespace.as_deref());
    let selector: Selector = Expression::In(labels::NAME.to_owned(), applications.clone()).into();
    run_watch(session, &api, &selector, &OneScope { scope, cache }).await;
}

/// The part of a cache that one watch feeds.
struct OneScope<'a> {
    scope: &'a ObjectScope,
    cache: &'a ObjectCache,
}

impl OneScope<'_> {
    fn reference(&self, object: &DynamicObject) -> ObjectRef {
        let resource = &self.scope.kind.resource;
        ObjectRef {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            namespace: object.namespace(),
            name: object.name_any(),
        }
    }

    fn includes(&self, reference: &ObjectRef) -> bool {
        let resource = &self.scope.kind.resource;
        (&reference.api_version, &reference.kind, &reference.namespace)
            == (&resource.api_version, &resource.kind, &self.scope.namespace)
    }
}

impl WatchSink for OneScope<'_> {
    type Mark = u64;

    fn mark(&self) -> u64 {
        self.cache.state.borrow().sightings
    }

    fn replace(&self, objects: &[DynamicObject], mark: u64) {
        let listed: BTreeSet<ObjectRef> = objects.iter().map(|object| self.reference(object)).collect();
        for object in objects {
            self.cache.apply_unannounced(&self.reference(object), object);
        }
        self.cache.state.borrow_mut().objects.retain(|reference, sighting| {
            !self.includes(reference) || listed.contains(reference) || sighting.seen > mark
        });
        self.cache.touch();
    }

    fn apply(&self, object: &DynamicObject) {
        self.cache.apply(&self.reference(object), object);
    }

    fn remove(&self, uid: &Uid) {
        self.cache.remove(&uid.0);
    }

    fn has_synced(&self) -> bool {
        // What is watched was read before.
        true
    }

    fn fail(&self, error: ClusterError) {
        self.cache.state.borrow_mut().failure.get_or_insert(error);
        self.cache.touch();
    }
}
