//! Watches the objects of components that are applied as a whole: one watch for each kind and namespace, started when a
//! component needs it. They feed an [`ObjectCache`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use kube::api::{DynamicObject, ListParams};
use kube::core::{Selector, SelectorExt};
use kube::runtime::watcher::Config;
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use crate::cluster::batched_read::BatchedRead;
use crate::cluster::error::ClusterError;
use crate::cluster::lookup::label_selector;
use crate::cluster::object_cache::ObjectCache;
use crate::cluster::served_kind::ServedKind;
use crate::cluster::session::Session;
use crate::cluster::watch_loop::{WatchSink, run_watch};
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::plan::observed::Uid;

/// The objects that one watch covers: those of a kind in a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectScope {
    /// The kind.
    pub kind: ServedKind,
    /// The namespace; `None` for kinds without namespaces.
    pub namespace: Option<String>,
    /// The only object to watch, regardless of its labels; `None` for all that the selector matches.
    pub name: Option<String>,
}

/// The watches of objects, and the cache that they feed.
#[derive(Debug)]
pub struct ObjectWatch {
    /// The cached objects.
    pub cache: ObjectCache,
    selector: Selector,
    /// The scopes that are watched, to which more are added over time.
    wanted: watch::Sender<Vec<ObjectScope>>,
    /// Reads of single objects, by group and version, kind and namespace.
    reads: RefCell<BTreeMap<ReadScope, Rc<ObjectReads>>>,
}

/// Group and version, kind, and namespace.
type ReadScope = (String, String, Option<String>);

/// Reads of objects, by component and name.
type ObjectReads = BatchedRead<(String, String), DynamicObject>;

/// How to read several objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// In one list, by the label of their components.
    List,
    /// One by one, which does not need the right to list the kind.
    Single,
}

impl ObjectWatch {
    /// Creates it without watches; later ones only cover objects that the selector matches.
    #[must_use]
    pub fn new(selector: Selector) -> Self {
        Self {
            cache: ObjectCache::default(),
            selector,
            wanted: watch::Sender::new(Vec::new()),
            reads: RefCell::default(),
        }
    }

    /// Whether the selector of the watches matches an object.
    #[must_use]
    pub fn is_selected(&self, object: &DynamicObject) -> bool {
        self.selector.matches(object.labels())
    }

    /// Adds scopes to watch, for as long as [`ObjectWatch::feed`] is polled.
    pub fn watch_scopes(&self, scopes: impl Iterator<Item = ObjectScope>) {
        for scope in scopes {
            let is_known = self.wanted.borrow().contains(&scope);
            if !is_known {
                self.wanted.send_modify(|wanted| wanted.push(scope));
            }
        }
    }

    /// Refreshes an object of a component with a quorum read. Components that call it at about the same time share one
    /// list.
    ///
    /// # Errors
    /// See [`Session::read`].
    pub async fn refresh_object(
        &self,
        session: &Session,
        kind: &ServedKind,
        reference: &ObjectRef,
        component: &str,
        read_as: ReadMode,
    ) -> Result<(), ClusterError> {
        let scope = (reference.api_version.clone(), reference.kind.clone(), reference.namespace.clone());
        let reads = Rc::clone(self.reads.borrow_mut().entry(scope).or_default());
        let api = session.objects(&kind.resource, reference.namespace.as_deref());
        let session = session.clone();
        let read = move |names| read_objects(session, api, names, read_as);
        match reads.read((component.to_owned(), reference.name.clone()), read).await? {
            Some(found) => self.cache.apply(reference, &found),
            None => self.cache.forget(reference),
        }
        Ok(())
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
                let config = match &scope.name {
                    Some(name) => Config::default().fields(&format!("metadata.name={name}")),
                    None => Config::default().labels_from(&self.selector),
                };
                run_watch(session, &api, config, &ScopeSink { scope: &scope, watch: self }).await;
            }));
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() { return },
                // A watch ends only if it fails permanently, which the cache reports.
                Some(()) = running.next() => {}
            }
        }
    }
}

/// Reads objects, by component and name. Those that are missing from the list are read one by one: an object that is
/// about to be taken over does not have the label.
async fn read_objects(
    session: Session,
    api: Api<DynamicObject>,
    names: BTreeSet<(String, String)>,
    read_as: ReadMode,
) -> Result<BTreeMap<(String, String), DynamicObject>, ClusterError> {
    let mut found = BTreeMap::new();
    if read_as == ReadMode::List && names.len() > 1 {
        let selector = label_selector(labels::COMPONENT, names.iter().map(|(component, _)| component));
        let params = ListParams::default().labels_from(&selector);
        for object in session.read(|| api.list(&params)).await?.items {
            let component = object.labels().get(labels::COMPONENT).cloned().unwrap_or_default();
            let key = (component, object.name_any());
            if names.contains(&key) {
                found.insert(key, object);
            }
        }
    }
    let unlisted = names.into_iter().filter(|key| !found.contains_key(key));
    let unlisted = unlisted.map(|key| async {
        let object = session.read(|| api.get_opt(&key.1)).await?;
        Ok::<_, ClusterError>(object.map(|object| (key, object)))
    });
    let unlisted = try_join_all(unlisted.collect::<Vec<_>>()).await?;
    found.extend(unlisted.into_iter().flatten());
    Ok(found)
}

/// The part of a cache that one watch feeds.
struct ScopeSink<'a> {
    scope: &'a ObjectScope,
    watch: &'a ObjectWatch,
}

impl ScopeSink<'_> {
    fn reference(&self, object: &DynamicObject) -> ObjectRef {
        let resource = &self.scope.kind.resource;
        ObjectRef {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            namespace: object.namespace(),
            name: object.name_any(),
        }
    }

    /// Whether a list of the scope contains the object, if it still exists with the same labels.
    fn lists(&self, reference: &ObjectRef, object: &DynamicObject) -> bool {
        let resource = &self.scope.kind.resource;
        (&reference.api_version, &reference.kind, &reference.namespace)
            == (&resource.api_version, &resource.kind, &self.scope.namespace)
            && match &self.scope.name {
                Some(name) => reference.name == *name,
                None => self.watch.is_selected(object),
            }
    }
}

impl WatchSink for ScopeSink<'_> {
    type Mark = u64;

    fn mark(&self) -> u64 {
        self.watch.cache.mark()
    }

    fn replace(&self, objects: &[DynamicObject], mark: u64) {
        let listed: Vec<_> = objects.iter().map(|object| (self.reference(object), object)).collect();
        self.watch.cache.replace(&listed, mark, |reference, object| self.lists(reference, object));
    }

    fn apply(&self, object: &DynamicObject) {
        self.watch.cache.apply(&self.reference(object), object);
    }

    fn remove(&self, uid: &Uid) {
        self.watch.cache.remove(&uid.0);
    }

    fn has_synced(&self) -> bool {
        // Objects are read before they are watched.
        true
    }

    fn fail(&self, error: ClusterError) {
        self.watch.cache.fail(error);
    }
}
