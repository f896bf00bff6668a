//! The number of writes of a run, and the sizes that it sets.

use rollout::sandbox::fault::Verb;

use crate::support::invariants;
use crate::support::manifest::{Component, web};
use crate::support::pod_rules;
use crate::support::scenario::{Act, Scenario, process};
use crate::support::scenarios::scenario;

fn upgrade(batches: &[&'static str]) -> Scenario {
    scenario("upgrade", [Act::Apply(vec![web(1, 5)])], [web(2, 5).batches(batches)])
}

async fn costs(batches: &[&'static str], sizes: &[&str]) {
    let scenario = upgrade(batches);
    let scene = scenario.open().await;
    let run = scenario.run(&scene, &process()).await.succeeded();
    let effects = run.effects();
    assert!(effects.len() <= 2 * batches.len() + 6, "{} writes\n{}", effects.len(), run.transcript());
    let trace = invariants::trace(&scene.cluster.history(), scene.from);
    let changes: Vec<&String> = trace.iter().filter(|deed| deed.contains("->")).collect();
    assert_eq!(changes, sizes);
    // The Lease is acquired and released; the run is too short for renewals.
    assert_eq!(run.writes().len() - effects.len(), 2, "{}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_in_one_batch() {
    costs(&["5"], &["web-v2 0->5", "web-v1 5->0"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_in_two_batches() {
    costs(&["2", "3"], &["web-v2 0->2", "web-v1 5->3", "web-v2 2->5", "web-v1 3->0"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_in_five_batches() {
    let sizes = [
        "web-v2 0->1",
        "web-v1 5->4",
        "web-v2 1->2",
        "web-v1 4->3",
        "web-v2 2->3",
        "web-v1 3->2",
        "web-v2 3->4",
        "web-v1 2->1",
        "web-v2 4->5",
        "web-v1 1->0",
    ];
    costs(&["1", "1", "1", "1", "1"], &sizes).await;
}

async fn goes(before: Vec<Component>, manifest: Component, sizes: &[&str]) {
    let before: Vec<Act> = before.into_iter().map(|one| Act::Apply(vec![one])).collect();
    let reference = scenario("any", before, [manifest]).reference().await;
    let changes: Vec<&String> = reference.trace.iter().filter(|deed| deed.contains("->")).collect();
    assert_eq!(changes, sizes);
}

#[tokio::test(start_paused = true)]
async fn the_sizes_of_other_runs() {
    goes(vec![], web(1, 3).batches(&["1", "2"]), &["web-v1 0->1", "web-v1 1->3"]).await;
    goes(vec![web(1, 5)], web(1, 3).batches(&["1", "1"]), &["web-v1 5->4", "web-v1 4->3"]).await;
    goes(vec![web(1, 3)], web(1, 6).batches(&["1", "2"]), &["web-v1 3->4", "web-v1 4->6"]).await;
    let sizes = ["web-v1 5->3", "web-v2 0->2", "web-v1 3->0", "web-v2 2->5"];
    goes(vec![web(1, 5)], web(2, 5).batches(&["2", "3"]).decrease_first(), &sizes).await;
    let sizes = ["web-v2 0->2", "web-v2 2->5", "web-v1 3->0"];
    goes(vec![web(1, 3)], web(2, 5).batches(&["2", "3"]), &sizes).await;
    let held = web(2, 5).batches(&["2", "3"]).partition(0);
    let sizes = ["web-v3 0->2", "web-v1 3->1", "web-v3 2->5", "web-v1 1->0", "web-v2 2->0"];
    goes(vec![web(1, 5), held.clone()], web(3, 5).batches(&["2", "3"]), &sizes).await;
    goes(vec![web(1, 5)], held, &["web-v2 0->2", "web-v1 5->3"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_apply_writes_nothing() {
    for batches in [&["5"][..], &["2", "3"], &["1", "1", "1", "1", "1"]] {
        let scenario = upgrade(batches);
        let scene = scenario.open().await;
        assert!(scenario.run(&scene, &process()).await.is_success());
        let again = scenario.run(&scene, &process()).await;
        assert!(again.is_success() && again.writes().is_empty(), "{}", again.transcript());
    }
}

/// While pods start slowly, the workloads are not written.
#[tokio::test(start_paused = true)]
async fn waiting_writes_nothing() {
    let scenario = Scenario { rules: pod_rules::ready_after("8m"), ..upgrade(&["5"]) };
    let scene = scenario.open().await;
    let run = scene.cluster.apply(&scenario.manifest).await;
    assert!(run.effects().len() <= 8, "{}", run.transcript());
    assert!(run.effects().iter().all(|one| one.seen.verb != Verb::Update));
}
