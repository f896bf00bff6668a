//! The same identity takes over at once: the first run stops in any state.

use std::time::Duration;

use rollout::driver::outcome::FailureKind;

use super::lock_queue::{is_scaled, judge, released};
use crate::support::fault::PASS;
use crate::support::manifest::{Component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{IDENTITY, Scenario};
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

fn v3() -> Vec<Component> {
    vec![web(3, 5).batches(&["2", "3"])]
}

fn check(cluster: &TestCluster, from: usize, first: &Run, second: &Run) {
    assert!(second.is_success(), "{}", second.transcript());
    let failures = first.failures();
    assert_eq!(
        failures.iter().map(|one| one.kind).collect::<Vec<_>>(),
        [FailureKind::Superseded],
        "{}",
        first.transcript()
    );
    assert_eq!(cluster.sizes(), [("web-v3".to_owned(), 5)]);
    judge(cluster, from, &[&first.requests, &second.requests], &v3());
    assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn the_first_run_ends_as_superseded() {
    for scaled in 1..=3 {
        let cluster = released(pod_rules::ready_after("30s")).await;
        let from = cluster.history().len();
        let (first, second) = (Process::new(IDENTITY), Process::new(IDENTITY));
        let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
        let (one, other) = tokio::join!(cluster.run(&first, &manifest), async {
            first.heard(scaled, is_scaled).await;
            cluster.run(&second, &request_for(&v3())).await
        });
        cluster.settle().await;
        check(&cluster, from, &one, &other);
    }
}

/// The second run takes over after each write of the first.
#[tokio::test(start_paused = true)]
async fn a_takeover_at_every_write_keeps_the_invariants() {
    let scenario = Scenario { manifest: vec![web(2, 5).batches(&["2", "3"])], ..scenarios::named("upgrade") };
    let reference = scenario.reference().await;
    for request in reference.run.writes() {
        let index = request.seen.index;
        case(&format!("takeover at {}", request.line()));
        let scene = scenario.open().await;
        let cluster = &scene.cluster;
        let reached = std::sync::Arc::new(tokio::sync::Notify::new());
        let told = reached.clone();
        let first = Process::with(IDENTITY, move |seen| {
            if seen.index == index {
                told.notify_one();
            }
            PASS
        });
        let second = Process::new(IDENTITY);
        let manifest = request_for(&scenario.manifest);
        let (one, other) = tokio::join!(cluster.run(&first, &manifest), async {
            reached.notified().await;
            // Two processes never acquire the Lease at exactly the same time.
            cluster.clock.pause(Duration::from_millis(1)).await;
            cluster.run(&second, &request_for(&v3())).await
        });
        cluster.settle().await;
        assert!(other.is_success(), "{}\n{}", one.transcript(), other.transcript());
        assert_eq!(
            cluster.sizes(),
            [("web-v3".to_owned(), 5)],
            "{}\n{}",
            one.transcript(),
            other.transcript()
        );
        judge(cluster, scene.from, &[&one.requests, &other.requests], &v3());
    }
}
