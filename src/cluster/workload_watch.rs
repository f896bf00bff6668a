//! Watches workloads, with one watch per kind and namespace for all components, and feeds a [`WorkloadCache`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use kube::api::{DynamicObject, ListParams};
use kube::core::Selector;
use kube::runtime::watcher::Config;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::cluster::watch_loop::{WatchSink, run_watch};
use crate::cluster::workload;
use crate::cluster::workload_cache::{ListMark, WorkloadCache, WorkloadList};
use crate::oam::kind::WorkloadKind;
use crate::plan::observed::Uid;

/// Which objects to watch.
#[derive(Debug, Clone)]
pub struct WatchScope {
    /// Their namespace.
    pub namespace: String,
    /// Their kind.
    pub kind: WorkloadKind,
    /// The label selector.
    pub selector: Selector,
}

/// Feeds the cache for as long as it is polled.
pub async fn watch_workloads(session: &Session, scope: &WatchScope, cache: &WorkloadCache) {
    let api = session.dynamic(&scope.namespace, &workload::workload_resource(scope.kind));
    let config = Config::default().labels_from(&scope.selector);
    run_watch(session, &api, config, &KindSink { kind: scope.kind, cache }).await;
}

/// Refreshes a component's workloads with a quorum read. Components that call it at about the same time share one list.
///
/// # Errors
/// See [`Session::read`].
pub async fn refresh_workloads(
    session: &Session,
    scope: &WatchScope,
    cache: &WorkloadCache,
    component: &str,
) -> Result<(), ClusterError> {
    let Some(refreshes) = cache.refreshes(scope.kind) else { return Ok(()) };
    let session = session.clone();
    let api = session.dynamic(&scope.namespace, &workload::workload_resource(scope.kind));
    let mark = cache.marker();
    let list = |components: BTreeSet<String>| async move {
        let params = ListParams::default().labels_from(&workload::component_selector(&components));
        let mark = mark();
        let list = session.read(|| api.list(&params)).await?;
        let mut found: BTreeMap<String, Vec<DynamicObject>> =
            components.into_iter().map(|component| (component, Vec::new())).collect();
        for object in list.items {
            let component = workload::component_label(&object).unwrap_or_default();
            if let Some(of_component) = found.get_mut(&component) {
                of_component.push(object);
            }
        }
        let list = |objects| Rc::new(WorkloadList { objects, mark });
        Ok(found.into_iter().map(|(component, objects)| (component, list(objects))).collect())
    };
    if let Some(found) = refreshes.read(component.to_owned(), list).await? {
        cache.replace(scope.kind, &found.objects, found.mark, Some(component));
    }
    Ok(())
}

/// The part of a cache that one watch feeds.
struct KindSink<'a> {
    kind: WorkloadKind,
    cache: &'a WorkloadCache,
}

impl WatchSink for KindSink<'_> {
    type Mark = ListMark;

    fn mark(&self) -> ListMark {
        self.cache.mark()
    }

    fn replace(&self, objects: &[DynamicObject], mark: ListMark) {
        self.cache.replace(self.kind, objects, mark, None);
    }

    fn apply(&self, object: &DynamicObject) {
        self.cache.apply(self.kind, object);
    }

    fn remove(&self, uid: &Uid) {
        self.cache.remove(uid);
    }

    fn has_synced(&self) -> bool {
        self.cache.has_synced()
    }

    fn fail(&self, error: ClusterError) {
        self.cache.fail(error);
    }
}
