//! The workloads and run records of a namespace, as its watches report them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::cluster::lookup::label_selector;
use crate::cluster::object_watch::ObjectWatch;
use crate::cluster::record_store::RecordReads;
use crate::cluster::record_watch::{self, RecordCache};
use crate::cluster::workload;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::workload_watch::{WatchScope, watch_workloads};
use crate::driver::context::Context;
use crate::driver::request::RolloutRequest;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;

/// The watches of one namespace, and the caches that they fill.
#[derive(Debug)]
pub struct NamespaceWatch {
    /// The watches of workloads, one per kind.
    pub scopes: Vec<WatchScope>,
    /// The workloads.
    pub cache: WorkloadCache,
    /// The run records.
    pub records: RecordCache,
    /// Reads of single run records.
    pub record_reads: RecordReads,
    /// The objects of components that are applied as a whole.
    pub objects: ObjectWatch,
}

impl NamespaceWatch {
    /// One watch per kind of workload for each namespace of the requests. The caches are empty until [`feed_all`] is
    /// polled.
    pub(crate) fn of_requests(requests: &[RolloutRequest]) -> BTreeMap<&str, Self> {
        let mut components: BTreeMap<&str, BTreeMap<WorkloadKind, BTreeSet<String>>> = BTreeMap::new();
        for request in requests {
            let by_kind = components.entry(&request.namespace).or_default();
            for component in &request.components {
                by_kind.entry(component.kind()).or_default().insert(component.name.clone());
            }
        }
        let applications = |namespace: &str| {
            let of_namespace = requests.iter().filter(|request| request.namespace == namespace);
            of_namespace.map(|request| request.application.clone()).collect()
        };
        let watch =
            |(namespace, by_kind)| (namespace, Self::of(namespace, by_kind, &applications(namespace)));
        components.into_iter().map(watch).collect()
    }

    fn of(
        namespace: &str,
        by_kind: BTreeMap<WorkloadKind, BTreeSet<String>>,
        applications: &BTreeSet<String>,
    ) -> Self {
        let names = by_kind.values().flatten().cloned();
        let cache = WorkloadCache::of(by_kind.keys().copied()).of_components(names);
        let scope = |(kind, names): (WorkloadKind, BTreeSet<String>)| {
            let names: Vec<String> = names.into_iter().collect();
            WatchScope {
                namespace: namespace.to_owned(),
                kind,
                selector: workload::component_selector(&names),
            }
        };
        Self {
            scopes: by_kind.into_iter().map(scope).collect(),
            cache,
            records: RecordCache::default(),
            record_reads: RecordReads::default(),
            objects: ObjectWatch::new(label_selector(labels::NAME, applications)),
        }
    }

    /// The watch of a kind of workload.
    #[must_use]
    pub fn scope(&self, kind: WorkloadKind) -> Option<&WatchScope> {
        self.scopes.iter().find(|scope| scope.kind == kind)
    }
}

/// Feeds the caches for as long as it is polled. It never ends: a watch that fails permanently reports that to the
/// cache, which ends the runs that read it.
pub(crate) async fn feed_all(context: &Context, watches: &BTreeMap<&str, NamespaceWatch>) {
    let session = &context.session;
    join_all(watches.iter().map(|(namespace, watch)| async {
        let records =
            record_watch::watch_records(session, namespace, None, |heard| watch.records.apply(heard));
        let workloads = watch.scopes.iter().map(|scope| watch_workloads(session, scope, &watch.cache));
        tokio::join!(join_all(workloads), records, watch.objects.feed(session));
    }))
    .await;
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;
    use serde_json::json;

    use super::*;

    /// A URI has room for the names of a limited number of applications; with more, the objects of all applications are
    /// watched.
    #[test]
    fn any_number_of_applications_can_be_watched() {
        let object: DynamicObject =
            serde_json::from_value(json!({"metadata": {"name": "x", "labels": {labels::NAME: "other"}}}))
                .unwrap();
        for (count, is_selected) in [(2, false), (400, true)] {
            let applications = (0..count).map(|index| format!("application-{index}")).collect();
            let watch = NamespaceWatch::of("shop", BTreeMap::new(), &applications);
            assert_eq!(watch.objects.is_selected(&object), is_selected, "{count}");
        }
    }
}
