//! All applications of a command at once, over one watch per kind and namespace and one for their records.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::cluster::record_watch::{self, RecordCache};
use crate::cluster::workload;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::workload_watch::{WatchScope, watch_workloads};
use crate::driver::apply::{Outcomes, apply};
use crate::driver::context::{Context, NamespaceWatch};
use crate::driver::request::RolloutRequest;
use crate::oam::kind::WorkloadKind;

/// Drives every request to its end, side by side. The ends come in the requests' order.
///
/// Nothing outlives this future: dropping it stops everything where it is.
pub async fn run(context: &Context, requests: &[RolloutRequest]) -> Vec<Outcomes> {
    let watched = watched(requests);
    let work = join_all(
        requests.iter().map(|request| apply(context, &watched[request.namespace.as_str()], request)),
    );
    let feeds = join_all(watched.iter().map(|(namespace, watched)| async {
        let listen = record_watch::watch_records(&context.session, namespace, None, |event| {
            watched.records.apply(event)
        });
        let watches = watched.scopes.iter();
        let watches = watches.map(|scope| watch_workloads(&context.session, scope, &watched.cache));
        tokio::join!(join_all(watches), listen);
        // A watch that cannot go on has told the view; whoever looks at it ends.
        std::future::pending::<()>().await;
    }));
    tokio::select! {
        ends = work => ends,
        _ = feeds => Vec::new(),
    }
}

fn watched(requests: &[RolloutRequest]) -> BTreeMap<&str, NamespaceWatch> {
    let mut components: BTreeMap<&str, BTreeMap<WorkloadKind, BTreeSet<String>>> = BTreeMap::new();
    for request in requests {
        let by_kind = components.entry(&request.namespace).or_default();
        for component in &request.components {
            by_kind.entry(component.kind()).or_default().insert(component.name.clone());
        }
    }
    let watched = |namespace: &str, by_kind: BTreeMap<WorkloadKind, BTreeSet<String>>| {
        let cache = WorkloadCache::of(by_kind.keys().copied());
        let scope = |(kind, names): (WorkloadKind, BTreeSet<String>)| {
            let names: Vec<String> = names.into_iter().collect();
            WatchScope {
                namespace: namespace.to_owned(),
                kind,
                selector: workload::component_selector(&names),
            }
        };
        NamespaceWatch {
            scopes: by_kind.into_iter().map(scope).collect(),
            cache,
            records: RecordCache::default(),
        }
    };
    components.into_iter().map(|(namespace, by_kind)| (namespace, watched(namespace, by_kind))).collect()
}
