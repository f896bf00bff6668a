//! Conditions and warnings from before a batch do not count for it, and pauses are reported or ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use rollout::cluster::pods::baseline::Baseline;
use rollout::cluster::pods::inspect_workload;
use rollout::cluster::pods::owner::{PodOwner, PodOwnerKind};
use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::context::FailFast;
use rollout::oam::kind::WorkloadKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};
use serde_json::{Value, json};

use crate::support::fault::{Fate, PASS, answer};
use crate::support::manifest::{NAMESPACE, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::IDENTITY;
use crate::support::tapped_client;
use crate::support::test_cluster::TestCluster;

fn hasty() -> Process {
    let mut process = Process::new(IDENTITY);
    process.limits.fail_fast = FailFast::On;
    process
}

async fn patch(cluster: &TestCluster, name: &str, patch: &Value) {
    let api: Api<Deployment> = Api::default_namespaced(cluster.client());
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn complain(cluster: &TestCluster, name: &str) {
    let api: Api<Deployment> = Api::default_namespaced(cluster.client());
    let condition = json!({
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "long ago",
        "lastUpdateTime": "2020-03-04T20:00:00Z", "lastTransitionTime": "2020-03-04T20:00:00Z",
    });
    let patch = Patch::Merge(json!({"status": {"conditions": [condition]}}));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn warn(cluster: &TestCluster, name: &str) {
    let api: Api<Event> = Api::default_namespaced(cluster.client());
    let event = json!({
        "metadata": {"name": "old"}, "type": "Warning", "reason": "FailedCreate", "message": "a quota of yesterday",
        "involvedObject": {"kind": "StatefulSet", "name": name, "namespace": NAMESPACE}, "count": 3,
        "lastTimestamp": "2020-03-04T20:00:00Z",
    });
    api.create(&PostParams::default(), &serde_json::from_value(event).unwrap()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_condition_from_before_the_batch_does_not_end_the_run() {
    let cluster = TestCluster::open(pod_rules::ready_after("20s")).await;
    let is_scaled = |seen: &RequestInfo| {
        let operations = seen.body.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        seen.kind == "deployments" && operations.iter().any(|one| one["path"] == "/spec/replicas")
    };
    let dying = Process::with(IDENTITY, move |seen| if is_scaled(seen) { Fate::DeathAfter } else { PASS });
    cluster.run(&dying, &request_for(&[web(1, 2)])).await;
    cluster.clock.pause(Duration::from_secs(1)).await;
    complain(&cluster, "web-v1").await;
    cluster.run(&hasty(), &request_for(&[web(1, 2)])).await.succeeded();
}

/// A process that has not written yet compares with its first observation.
#[tokio::test(start_paused = true)]
async fn a_condition_from_before_a_wait_does_not_end_the_run() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    assert!(cluster.run(&hasty(), &request_for(&[web(1, 2)])).await.is_success());
    cluster.settle().await;
    cluster.set_pod_rules(pod_rules::failing("*", "NeverReady"));
    cluster.settle().await;
    complain(&cluster, "web-v1").await;
    let mut process = hasty();
    process.limits.run = Duration::from_secs(30);
    let run = cluster.run(&process, &request_for(&[web(1, 2)])).await;
    assert!(run.failures()[0].reason.starts_with("not ready after 30s"), "{}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn a_warning_from_before_the_batch_does_not_end_the_run() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let db = |size: u32| request_for(&[component("db", 1, size).of("statefulset")]);
    assert!(cluster.run(&hasty(), &db(1)).await.is_success());
    warn(&cluster, "db").await;
    cluster.set_pod_rules(pod_rules::ready_after("20s"));
    cluster.run(&hasty(), &db(3)).await.succeeded();
    // A warning that recurs during the batch still ends the run.
    let (process, five) = (hasty(), db(5));
    let (run, ()) = tokio::join!(cluster.run(&process, &five), async {
        process.heard(1, |what| matches!(what, EventKind::Waiting { .. })).await;
        let api: Api<Event> = Api::default_namespaced(cluster.client());
        let again = Patch::Merge(json!({"count": 4, "message": "a quota of today"}));
        api.patch("old", &PatchParams::default(), &again).await.unwrap();
    });
    assert!(run.failures()[0].reason.contains("a quota of today"), "{}", run.transcript());
}

fn warnings(run: &Run) -> Vec<&str> {
    let told = run.events.iter().filter_map(|event| match &event.what {
        EventKind::Warned { message } => Some(message.as_str()),
        _ => None,
    });
    told.collect()
}

/// The state in which KubeVela leaves a rejected target.
#[tokio::test(start_paused = true)]
async fn a_paused_target_is_unpaused_with_its_batch() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    assert!(cluster.run(&Process::new(IDENTITY), &request_for(&[web(1, 2)])).await.is_success());
    let is_made = |seen: &RequestInfo| seen.verb == Verb::Create && seen.kind == "deployments";
    let dying = Process::with(IDENTITY, move |seen| if is_made(seen) { Fate::DeathAfter } else { PASS });
    cluster.run(&dying, &request_for(&[web(2, 2)])).await;
    patch(&cluster, "web-v2", &json!({"spec": {"paused": true}})).await;
    let run = cluster.run(&Process::new(IDENTITY), &request_for(&[web(2, 2)])).await.succeeded();
    assert_eq!(warnings(&run), ["deployment `web-v2` was paused; unpausing it"]);
    let unpausing = |seen: &RequestInfo| {
        let operations = seen.body.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        operations
            .iter()
            .filter(|one| one["path"] == "/spec/paused" || one["path"] == "/spec/replicas")
            .count()
    };
    let writes = run.requests.iter().map(|request| unpausing(&request.seen));
    assert_eq!(writes.max(), Some(4), "size and pause are tested and written as one: {}", run.transcript());
    assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 2)]);
}

/// A pod template that was changed during the pause would replace all pods at once.
#[tokio::test(start_paused = true)]
async fn a_pause_with_another_template_is_reported() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    assert!(cluster.run(&Process::new(IDENTITY), &request_for(&[web(1, 2)])).await.is_success());
    let template = json!({"metadata": {"annotations": {"changed": "yes"}}});
    patch(&cluster, "web-v1", &json!({"spec": {"paused": true, "template": template}})).await;
    cluster.settle().await;
    let mut process = Process::new(IDENTITY);
    process.limits.batch = Duration::from_secs(30);
    let run = cluster.run(&process, &request_for(&[web(1, 3)])).await;
    let evidence = run.failures()[0].evidence.join("\n");
    assert!(
        evidence.contains("deployment `web-v1`: it is paused: resume it with `kubectl rollout resume"),
        "{evidence}"
    );
    let paused: Vec<Value> =
        cluster.objects("Deployment").iter().map(|one| one["spec"]["paused"].clone()).collect();
    assert!(paused.contains(&json!(true)), "{paused:?}");
}

/// A component may have more pods than a page has.
#[tokio::test(start_paused = true)]
async fn pods_are_counted_over_all_pages() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let db = request_for(&[component("db", 1, 3).of("statefulset")]);
    assert!(cluster.run(&Process::new(IDENTITY), &db).await.is_success());
    let pods: Vec<Value> = cluster.objects("Pod");
    let pods: Vec<Value> =
        pods.into_iter().filter(|pod| pod["metadata"]["name"].as_str().unwrap().starts_with("db-")).collect();
    let pages = Arc::new(Mutex::new(Vec::new()));
    let asked = pages.clone();
    let process = Process::with(IDENTITY, move |seen| {
        if seen.verb != Verb::List || seen.kind != "pods" {
            return PASS;
        }
        asked.lock().unwrap().push(seen.path.clone());
        let (items, metadata) = match seen.path.contains("continue=next") {
            false => (&pods[..1], json!({"continue": "next"})),
            true => (&pods[1..], json!({})),
        };
        let page = json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items});
        Fate::Verdict(Verdict::Answer(answer(200, "application/json", &page.to_string())))
    });
    let client = tapped_client::tapped(cluster.client(), process.tap.clone());
    let session = Session::new(client, cluster.clock.clone(), Timeouts::default());
    let kind = PodOwnerKind::Workload(WorkloadKind::StatefulSet);
    let owner = PodOwner { namespace: NAMESPACE, kind, name: "db" };
    let findings = inspect_workload(&session, owner, &Baseline::default()).await.unwrap();
    assert_eq!(findings.ready, 3);
    assert_eq!(pages.lock().unwrap().len(), 2);
}
