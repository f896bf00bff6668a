//! The evidence of a component that is applied as a whole when its pods do not become ready, for every kind of
//! workload.

use std::time::Duration;

use rollout::driver::context::FailFast;
use rollout::driver::outcome::{Failure, FailureKind};

use crate::support::manifest::request_for_entries;
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

const MINUTE: Duration = Duration::from_secs(60);

const DAEMON: &str = "{name: web, type: daemon, properties: {image: 'web:1'}}";
const TASK: &str = "{name: web, type: task, properties: {image: 'web:1'}}";
const DATABASE: &str = "{name: web, type: statefulset, properties: {image: 'web:1'}}";
/// A workload and pods that have neither the name nor a label of the component.
const OBJECT: &str = "{name: web, type: k8s-objects, properties: {objects: [{apiVersion: apps/v1, kind: Deployment, \
     metadata: {name: other}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, \
     spec: {containers: [{name: c, image: 'web:1'}]}}}}]}}";

/// Applies a component whose pods fail; returns the failure and the duration.
async fn failed(component: &str, fail: &str, fail_fast: FailFast, limit: Duration) -> (Failure, Duration) {
    let cluster = TestCluster::open(format!("- {{image: '*', fail: {fail}, log: 'the last words'}}")).await;
    let mut process = Process::new(IDENTITY);
    (process.limits.batch, process.limits.fail_fast) = (limit, fail_fast);
    let begun = cluster.clock.elapsed().unsigned_abs();
    let run = cluster.run(&process, &request_for_entries(&[component])).await;
    let failure = run.failures()[0].clone();
    assert_eq!(failure.kind, FailureKind::NotReady, "{}", run.transcript());
    (failure, cluster.clock.elapsed().unsigned_abs() - begun)
}

#[tokio::test(start_paused = true)]
async fn pods_are_found_for_every_kind_of_owner() {
    for (component, described) in [
        (DAEMON, "pods -l app.oam.dev/component=web"),
        (TASK, "pods -l app.oam.dev/component=web"),
        (DATABASE, "pods -l app.oam.dev/component=web"),
        (OBJECT, "deployment.apps/other -n default"),
    ] {
        let (failure, took) = failed(component, "ImagePullBackOff", FailFast::Off, MINUTE).await;
        assert!(took >= MINUTE, "{failure:?}");
        let evidence = failure.evidence.join("\n");
        assert!(
            evidence.contains("ImagePullBackOff: Back-off pulling image \"web:1\""),
            "{component}: {evidence}"
        );
        let hint = format!("see `kubectl describe {described}`");
        assert!(failure.hints.contains(&hint), "{component}: {:?}", failure.hints);
        let (failure, took) = failed(component, "ImagePullBackOff", FailFast::On, MINUTE).await;
        assert!(took < MINUTE, "{component}: {failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_failed_ends_the_run_with_its_log() {
    let component = TASK.replace("'web:1'", "'web:1', restart: Never");
    let (failure, took) = failed(&component, "CrashLoopBackOff", FailFast::Off, MINUTE * 60).await;
    assert!(took < MINUTE * 60, "{took:?}");
    assert!(
        failure.reason.starts_with("`job.batch/shop-web` has failed: BackoffLimitExceeded"),
        "{failure:?}"
    );
    assert!(failure.evidence.iter().any(|line| line.ends_with(": the last words")), "{failure:?}");
    let delete = "delete it with `kubectl delete job.batch/shop-web -n default`";
    assert!(failure.hints[0].contains(delete), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn succeeded_pods_are_not_reported() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let mut process = Process::new(IDENTITY);
    process.limits.fail_fast = FailFast::On;
    let component = TASK.replace("'web:1'", "'web:1', count: 3");
    cluster.run(&process, &request_for_entries(&[&component])).await.succeeded();
}

#[tokio::test(start_paused = true)]
async fn the_evidence_counts_the_pods_that_still_serve() {
    let cluster = TestCluster::open("- {image: 'web:2', fail: ImagePullBackOff}").await;
    let mut process = Process::new(IDENTITY);
    process.limits.batch = MINUTE;
    let web = |image| {
        format!(
            "{{name: web, type: webservice, properties: {{image: '{image}'}}, \
             traits: [{{type: scaler, properties: {{replicas: 5}}}}]}}"
        )
    };
    cluster.run(&process, &request_for_entries(&[&web("web:1")])).await.succeeded();
    let run = cluster.run(&process, &request_for_entries(&[&web("web:2")])).await;
    let running = "running now: `web` 4/5 ready, 0 of the new template";
    assert!(run.failures()[0].evidence.iter().any(|line| line == running), "{:?}", run.failures()[0]);
}
