//! Pods that never become ready: the run ends at its deadline, reports the cause, and can be resumed.

use std::time::Duration;

use rollout::driver::outcome::FailureKind;

use crate::support::fault::Request;
use crate::support::manifest::{request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{Act, BRIEF, IDENTITY, Scenario, Scene, process};
use crate::support::scenarios::scenario;
use crate::support::test_cluster::TestCluster;

const DEADLINE: Duration = Duration::from_secs(600);

/// An upgrade to an image that fails; `fail` is the failure of its pods.
async fn broken_upgrade(fail: &str) -> (Scene, Run) {
    let scenario = upgrade();
    let scene = scenario.open().await;
    scene
        .cluster
        .set_pod_rules(format!("- {{image: 'web:2', fail: {fail}}}\n- {{image: '*', readyAfter: 1s}}"));
    let begun = scene.cluster.clock.elapsed().unsigned_abs();
    let run = scenario.run(&scene, &process()).await;
    let lasted = scene.cluster.clock.elapsed().unsigned_abs() - begun;
    assert!(lasted >= DEADLINE && lasted < DEADLINE + BRIEF, "it took {lasted:?}");
    scenario.judge(&scene, &[&run]).await;
    (scene, run)
}

fn upgrade() -> Scenario {
    let next = [web(2, 4).batches(&["1", "3"])];
    Scenario {
        rules: pod_rules::ready_after("1s"),
        ..scenario("upgrade", [Act::Apply(vec![web(1, 4)])], next)
    }
}

async fn names_the_reason(fail: &str, reason: &str) {
    let (scene, run) = broken_upgrade(fail).await;
    let failures = run.failures();
    assert_eq!(failures.len(), 1, "{}", run.transcript());
    assert_eq!(failures[0].kind, FailureKind::NotReady, "{}", run.transcript());
    assert!(failures[0].reason.contains("not ready after 10m"), "{}", run.transcript());
    let evidence = failures[0].evidence.join("\n");
    assert!(evidence.contains(reason) && evidence.contains("pod `web-v2-"), "{evidence}");
    assert!(evidence.contains("`web-v1` 4/4 ready"), "{evidence}");
    assert_eq!(scene.cluster.record("web").unwrap()["run"]["outcome"], "Failed");
    assert_eq!(scene.cluster.sizes(), [("web-v1".to_owned(), 4), ("web-v2".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_never_ready() {
    names_the_reason("NeverReady", "ContainersNotReady").await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled() {
    names_the_reason("ImagePullBackOff", "ImagePullBackOff").await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_crashes() {
    names_the_reason("CrashLoopBackOff", "CrashLoopBackOff").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_be_scheduled() {
    names_the_reason("Unschedulable", "Unschedulable").await;
}

#[tokio::test(start_paused = true)]
async fn a_corrected_manifest_completes() {
    let (scene, _) = broken_upgrade("ImagePullBackOff").await;
    scene.cluster.apply(&[web(3, 4).batches(&["1", "3"])]).await;
    assert_eq!(scene.cluster.sizes(), [("web-v3".to_owned(), 4)]);
    let record = scene.cluster.record("web").unwrap();
    assert_eq!(record["run"]["outcome"], "Succeeded");
    assert_eq!(record["past"][0]["outcome"], "Failed");
}

#[tokio::test(start_paused = true)]
async fn a_repaired_image_completes_the_same_run() {
    let (scene, _) = broken_upgrade("NeverReady").await;
    scene.cluster.set_pod_rules(pod_rules::ready_after("1s"));
    scene.cluster.settle().await;
    upgrade().run(&scene, &process()).await.succeeded();
    assert_eq!(scene.cluster.sizes(), [("web-v2".to_owned(), 4)]);
    assert_eq!(scene.cluster.record("web").unwrap()["past"].as_array().unwrap().len(), 1);
}

/// The deadline applies to each batch separately.
#[tokio::test(start_paused = true)]
async fn each_batch_has_its_own_deadline() {
    let cluster = TestCluster::open(pod_rules::ready_after("8m")).await;
    cluster.apply(&[web(1, 3).batches(&["1", "1", "1"])]).await;
}

#[tokio::test(start_paused = true)]
async fn the_whole_run_has_a_deadline() {
    let cluster = TestCluster::open(pod_rules::ready_after("8m")).await;
    let mut process = Process::new(IDENTITY);
    process.limits.run = Duration::from_secs(900);
    let run = cluster.run(&process, &request_for(&[web(1, 3).batches(&["1", "1", "1"])])).await;
    let failures = run.failures();
    assert_eq!(failures[0].kind, FailureKind::NotReady, "{}", run.transcript());
    assert!(failures[0].reason.contains("`--timeout`"), "{}", run.transcript());
    assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], "Failed");
    let last_write: &Request = run.effects().pop().unwrap();
    assert!(last_write.at < Duration::from_secs(910), "{}", run.transcript());
}
