//! A write of a superseded run arrives late, when its process may be dead and its successor at work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};
use serde_json::{Value, json};

use super::lock_queue::judge;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS};
use crate::support::manifest::{Component, request_for, web};
use crate::support::process::Process;
use crate::support::scenario::{Act, IDENTITY, Scenario, process};
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

fn v3() -> Vec<Component> {
    vec![web(3, 5).batches(&["2", "3"])]
}

async fn arrives_when(is_such: fn(&EventKind) -> bool) {
    let scenario = Scenario { manifest: vec![web(2, 5).batches(&["2", "3"])], ..scenarios::named("upgrade") };
    let reference = scenario.reference().await;
    for late in reference.run.effects() {
        case(&format!("late: {}", late.line()));
        let scene = scenario.open().await;
        let cluster = &scene.cluster;
        let (first, second) = (process(), Process::new(IDENTITY));
        let requests = AtomicUsize::new(0);
        let index = late.seen.index;
        let delayed_request = DelayedRequest::new(move |_| requests.fetch_add(1, Ordering::Relaxed) == index);
        let client = cluster.delayed_client(&first, delayed_request.clone());
        let (manifest, successor) = (request_for(&scenario.manifest), request_for(&v3()));
        let (one, other, ()) = tokio::join!(
            first.apply(client, &cluster.clock, &manifest),
            async {
                delayed_request.reached().await;
                // Two processes never acquire the Lease at exactly the same time.
                cluster.clock.pause(Duration::from_millis(1)).await;
                cluster.run(&second, &successor).await
            },
            async {
                second.heard(1, is_such).await;
                delayed_request.release();
            },
        );
        cluster.settle().await;
        assert!(other.is_success(), "{}\n{}", one.transcript(), other.transcript());
        let again = cluster.run(&process(), &successor).await.succeeded();
        cluster.settle().await;
        judge(cluster, scene.from, &[&one.requests, &other.requests, &again.requests], &v3());
        assert_eq!(
            cluster.sizes(),
            [("web-v3".to_owned(), 5)],
            "{}\n{}",
            one.transcript(),
            other.transcript()
        );
        let last = cluster.run(&process(), &successor).await;
        assert!(last.writes().is_empty(), "{}", last.transcript());
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_claim() {
    arrives_when(|what| matches!(what, EventKind::RunStarted { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_target_was_created() {
    arrives_when(|what| matches!(what, EventKind::WorkloadCreated { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_first_batch_started() {
    arrives_when(|what| matches!(what, EventKind::WorkloadScaled { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_end() {
    arrives_when(|what| matches!(what, EventKind::Succeeded { .. })).await;
}

/// Neither run observes the other: the first must not scale up a target that it created after the other's claim.
#[tokio::test(start_paused = true)]
async fn a_target_created_after_the_successors_claim_stays_empty() {
    let scenario = Scenario { manifest: vec![web(2, 5).batches(&["2", "3"])], ..scenarios::named("upgrade") };
    let scene = scenario.open().await;
    let cluster = &scene.cluster;
    let first = Process::with(IDENTITY, |seen| match seen.verb {
        Verb::Watch => Fate::Verdict(Verdict::Watch(WatchFault::Silent)),
        _ => PASS,
    });
    let second = process();
    let create = DelayedRequest::new(|request| {
        request.method() == "POST" && request.uri().path().ends_with("/deployments")
    });
    let stamp = DelayedRequest::new(|request| {
        request.method() == "PATCH" && request.uri().path().ends_with("/deployments/web-v2")
    });
    let (manifest, successor) = (request_for(&scenario.manifest), request_for(&v3()));
    let (one, other, ()) = tokio::join!(
        async {
            let run =
                first.apply(cluster.delayed_client(&first, create.clone()), &cluster.clock, &manifest).await;
            stamp.release();
            run
        },
        async {
            create.reached().await;
            cluster.clock.pause(Duration::from_millis(1)).await;
            second.apply(cluster.delayed_client(&second, stamp.clone()), &cluster.clock, &successor).await
        },
        async {
            second.heard(1, |what| matches!(what, EventKind::WorkloadScaled { .. })).await;
            create.release();
        },
    );
    cluster.settle().await;
    assert_eq!(one.failures()[0].kind, FailureKind::Superseded, "{}", one.transcript());
    assert!(other.is_success(), "{}", other.transcript());
    judge(cluster, scene.from, &[&one.requests, &other.requests], &v3());
    assert_eq!(cluster.sizes(), [("web-v3".to_owned(), 5)]);
}

/// Every write of a run to its Services, by request.
async fn late_writes_to_services(first: Scenario, successor: Vec<Component>) {
    let reference = first.reference().await;
    let wanted = request_for(&successor);
    let writes = reference.run.effects().into_iter().filter(|request| request.seen.kind == "services");
    for late in writes {
        case(&format!("late: {}", late.line()));
        let scene = first.open().await;
        let cluster = &scene.cluster;
        let (one, other) = (process(), Process::new(IDENTITY));
        let requests = AtomicUsize::new(0);
        let index = late.seen.index;
        let delayed_request = DelayedRequest::new(move |_| requests.fetch_add(1, Ordering::Relaxed) == index);
        let client = cluster.delayed_client(&one, delayed_request.clone());
        let manifest = request_for(&first.manifest);
        let (one, other, ()) = tokio::join!(
            one.apply(client, &cluster.clock, &manifest),
            async {
                delayed_request.reached().await;
                cluster.clock.pause(Duration::from_millis(1)).await;
                cluster.run(&other, &wanted).await
            },
            async {
                other.heard(1, |what| matches!(what, EventKind::Succeeded { .. })).await;
                let from = services(cluster);
                delayed_request.release();
                cluster.settle().await;
                assert_eq!(services(cluster), from, "a superseded run changed a service");
            },
        );
        assert!(other.is_success(), "{}\n{}", one.transcript(), other.transcript());
        judge(cluster, scene.from, &[&one.requests, &other.requests], &successor);
        // A Service that was created late selects nothing; it is deleted if none is desired.
        cluster.run(&process(), &wanted).await.succeeded();
        let last = cluster.run(&process(), &wanted).await;
        assert!(last.writes().is_empty(), "{}", last.transcript());
    }
}

/// The Services of the application that select pods.
fn services(cluster: &TestCluster) -> Vec<Value> {
    let of_application = cluster.objects("Service").into_iter().filter(|service| {
        service["metadata"]["labels"]["app.oam.dev/name"] == "shop"
            && service["spec"]["selector"] == json!({"app.oam.dev/component": "web"})
    });
    of_application.map(|service| service["spec"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn no_late_write_changes_a_service_after_the_successor_has() {
    let v3 = || vec![web(3, 5).exposing(82).batches(&["2", "3"])];
    late_writes_to_services(scenarios::named("exposed_in_mid_rollout"), v3()).await;
    let first =
        Scenario { manifest: vec![web(2, 2).exposing(8080)], ..scenarios::named("exposed_elsewhere") };
    late_writes_to_services(first, vec![web(3, 2).exposing(82)]).await;
    let first = Scenario { manifest: vec![web(2, 2).exposing(80)], ..scenarios::named("exposed") };
    late_writes_to_services(first, vec![web(3, 2)]).await;
    late_writes_to_services(scenarios::named("exposed_no_more"), vec![web(3, 3).exposing(80)]).await;
    // Both runs write only the Service.
    let of = |ports: &'static str| vec![web(1, 2).property(ports)];
    let a = of("ports: [{port: 80, name: hidden-a, expose: true}, {port: 81, name: hidden-b}]");
    let both =
        of("ports: [{port: 80, name: hidden-a, expose: true}, {port: 81, name: hidden-b, expose: true}]");
    let b = of("ports: [{port: 80, name: hidden-a}, {port: 81, name: hidden-b, expose: true}]");
    let first = Scenario { before: vec![Act::Apply(a)], manifest: both, ..scenarios::named("shown") };
    late_writes_to_services(first, b).await;
}
