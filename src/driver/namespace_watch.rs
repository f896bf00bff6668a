//! The workloads and run records of a namespace, as its watches report them.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::cluster::object_cache::{ObjectCache, ObjectScope, watch_objects};
use crate::cluster::record_watch::{self, RecordCache};
use crate::cluster::session::Session;
use crate::cluster::workload;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::workload_watch::{WatchScope, watch_workloads};
use crate::driver::context::Context;
use crate::driver::request::RolloutRequest;
use crate::oam::kind::WorkloadKind;

/// What is watched of one namespace, and what is known from it.
#[derive(Debug)]
pub struct NamespaceWatch {
    /// What is watched, a kind each.
    pub scopes: Vec<WatchScope>,
    /// The workloads.
    pub cache: WorkloadCache,
    /// The run records.
    pub records: RecordCache,
    /// The objects of components that are applied as a whole.
    pub objects: ObjectCache,
    /// The applications whose objects are watched.
    applications: BTreeSet<String>,
    /// What is watched of the objects; it grows with the runs.
    wanted: watch::Sender<Vec<ObjectScope>>,
}

impl NamespaceWatch {
    /// One watch per kind of workload for each namespace of the requests. Knows nothing before [`feed_all`] is polled.
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
        let watch = |(namespace, by_kind)| (namespace, Self::of(namespace, by_kind, applications(namespace)));
        components.into_iter().map(watch).collect()
    }

    fn of(
        namespace: &str,
        by_kind: BTreeMap<WorkloadKind, BTreeSet<String>>,
        applications: BTreeSet<String>,
    ) -> Self {
        let cache = WorkloadCache::of(by_kind.keys().copied());
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
            objects: ObjectCache::default(),
            applications,
            wanted: watch::Sender::new(Vec::new()),
        }
    }

    /// Has these objects watched as well.
    pub fn watch_scopes(&self, scopes: impl Iterator<Item = ObjectScope>) {
        for scope in scopes {
            let is_known = self.wanted.borrow().contains(&scope);
            if !is_known {
                self.wanted.send_modify(|wanted| wanted.push(scope));
            }
        }
    }

    /// Feeds the cache of objects, with one watch for each scope that a run has asked for.
    async fn feed_objects(&self, session: &Session) {
        let mut changes = self.wanted.subscribe();
        let mut running = FuturesUnordered::new();
        let mut known = 0;
        loop {
            let scopes: Vec<ObjectScope> = changes.borrow_and_update().iter().skip(known).cloned().collect();
            known += scopes.len();
            running.extend(scopes.into_iter().map(|scope| async move {
                watch_objects(session, &scope, &self.applications, &self.objects).await;
            }));
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                // A watch ends only where it fails for good, which the cache reports.
                Some(()) = running.next() => {}
            }
        }
    }

    /// What is watched of a kind.
    #[must_use]
    pub fn scope(&self, kind: WorkloadKind) -> Option<&WatchScope> {
        self.scopes.iter().find(|scope| scope.kind == kind)
    }
}

/// Feeds the watches for as long as it is polled. It never ends: a watch that fails for good reports that to the cache,
/// and the runs that read the cache end.
pub(crate) async fn feed_all(context: &Context, watches: &BTreeMap<&str, NamespaceWatch>) {
    let session = &context.session;
    join_all(watches.iter().map(|(namespace, watch)| async {
        let records =
            record_watch::watch_records(session, namespace, None, |heard| watch.records.apply(heard));
        let workloads = watch.scopes.iter().map(|scope| watch_workloads(session, scope, &watch.cache));
        tokio::join!(join_all(workloads), records, watch.feed_objects(session));
    }))
    .await;
    std::future::pending::<()>().await;
}
