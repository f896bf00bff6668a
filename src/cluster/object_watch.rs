//! Watches of the objects of components that are applied as a whole: one for each kind and namespace, begun when a
//! component needs it. They feed an [`ObjectCache`].

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::Selector;
use tokio::sync::watch;

use crate::cluster::error::ClusterError;
use crate::cluster::object_cache::ObjectCache;
use crate::cluster::served_kind::ServedKind;
use crate::cluster::session::Session;
use crate::cluster::watch_loop::{WatchSink, run_watch};
use crate::oam::object::ObjectRef;
use crate::plan::observed::Uid;

/// Which objects are watched: those of a kind, in a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectScope {
    /// The kind.
    pub kind: ServedKind,
    /// The namespace; `None` for kinds without namespaces.
    pub namespace: Option<String>,
}

/// Objects, as watches report them.
#[derive(Debug)]
pub struct ObjectWatch {
    /// What is known.
    pub cache: ObjectCache,
    selector: Selector,
    /// What is watched; it grows.
    wanted: watch::Sender<Vec<ObjectScope>>,
}

impl ObjectWatch {
    /// Watches nothing yet, and then only what the selector matches.
    #[must_use]
    pub fn new(selector: Selector) -> Self {
        Self { cache: ObjectCache::default(), selector, wanted: watch::Sender::new(Vec::new()) }
    }

    /// Has these objects watched as well, as long as [`ObjectWatch::feed`] is polled.
    pub fn watch_scopes(&self, scopes: impl Iterator<Item = ObjectScope>) {
        for scope in scopes {
            let is_known = self.wanted.borrow().contains(&scope);
            if !is_known {
                self.wanted.send_modify(|wanted| wanted.push(scope));
            }
        }
    }

    /// Feeds the cache for as long as it is polled.
    pub async fn feed(&self, session: &Session) {
        let mut changes = self.wanted.subscribe();
        let mut running = FuturesUnordered::new();
        let mut known = 0;
        loop {
            let scopes: Vec<ObjectScope> = changes.borrow_and_update().iter().skip(known).cloned().collect();
            known += scopes.len();
            running.extend(scopes.into_iter().map(|scope| async move {
                let api = session.objects(&scope.kind.resource, scope.namespace.as_deref());
                run_watch(session, &api, &self.selector, &OneScope { scope: &scope, cache: &self.cache })
                    .await;
            }));
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                // A watch ends only where it fails for good, which the cache reports.
                Some(()) = running.next() => {}
            }
        }
    }
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
        self.cache.mark()
    }

    fn replace(&self, objects: &[DynamicObject], mark: u64) {
        let listed: Vec<_> = objects.iter().map(|object| (self.reference(object), object)).collect();
        self.cache.replace(&listed, mark, |reference| self.includes(reference));
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
        self.cache.fail(error);
    }
}
