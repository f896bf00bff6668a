//! Before a run reports success, it observes changes that its watches have missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};
use serde_json::{Value, json};

use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS, page};
use crate::support::manifest::request_for;
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;

async fn patch(cluster: &TestCluster, change: Value) {
    let api: Api<Deployment> = Api::default_namespaced(cluster.client());
    api.patch("web-v2", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

/// Another user scales the target down while the last source is being deleted and no watch works.
#[tokio::test(start_paused = true)]
async fn a_size_reduced_at_the_end_is_restored() {
    let scenario = scenarios::named("upgrade");
    let scene = scenario.open().await;
    let cluster = &scene.cluster;
    let is_blind = Arc::new(AtomicBool::new(false));
    let blind = is_blind.clone();
    let process = Process::with(IDENTITY, move |seen| {
        if seen.verb != Verb::Watch || seen.kind != "deployments" {
            return PASS;
        }
        if blind.load(Ordering::Relaxed) {
            return Fate::Verdict(Verdict::Answer(page(503)));
        }
        Fate::Verdict(Verdict::Watch(WatchFault::CloseAfter(1)))
    });
    let delete = DelayedRequest::of_answer(|request| request.method() == "DELETE");
    let manifest = request_for(&scenario.manifest);
    let (run, ()) = tokio::join!(
        process.apply(cluster.delayed_client(&process, delete.clone()), &cluster.clock, &manifest),
        async {
            delete.reached().await;
            is_blind.store(true, Ordering::Relaxed);
            // The last event that an open watch still delivers.
            patch(cluster, json!({"metadata": {"labels": {"somebody": "was-here"}}})).await;
            cluster.clock.pause(Duration::from_millis(10)).await;
            patch(cluster, json!({"spec": {"replicas": 4}})).await;
            cluster.clock.pause(Duration::from_millis(10)).await;
            delete.release();
        }
    );
    is_blind.store(false, Ordering::Relaxed);
    assert!(run.is_success(), "{}", run.transcript());
    assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 5)], "{}", run.transcript());
}
