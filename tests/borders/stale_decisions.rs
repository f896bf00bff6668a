//! Commands that were decided before another one claimed, and writes that arrive after a removal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request};
use kube::client::Body;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};

use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS};
use crate::support::manifest::{Component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::rules::{self, Circumstances};
use crate::support::scenario::{IDENTITY, process};
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

/// The remaining objects of the application, without bystanders.
fn left(cluster: &TestCluster) -> Vec<String> {
    let of_shop = |object: &serde_json::Value| object["metadata"]["labels"]["app.oam.dev/name"] == "shop";
    let objects = cluster.all_objects();
    objects
        .iter()
        .filter(|object| of_shop(object))
        .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
        .collect()
}

/// The server cannot reject a superseded run's create, because no object with that name exists any longer.
#[tokio::test(start_paused = true)]
async fn late_creations_of_a_superseded_run_are_removed_as_well() {
    type Manifest = fn() -> Component;
    let components: [(&str, Manifest); 3] = [
        ("whole", || web(1, 2).exposing(80).plain()),
        ("rollout", || web(1, 2)),
        ("in place", || web(1, 2).of("statefulset")),
    ];
    for (name, component) in components {
        for command in [Command::Delete, Command::DeleteComponent] {
            case(&format!("{name}, {command:?}"));
            let cluster = TestCluster::open(pod_rules::READY).await;
            let (first, remover) = (Process::new(IDENTITY), Process::new(IDENTITY));
            let create = DelayedRequest::new(|request| {
                let path = request.uri().path();
                let is_workload = path.contains("/deployments") || path.contains("/statefulsets");
                let is_dry = request.uri().query().is_some_and(|query| query.contains("dryRun"));
                is_workload && !is_dry && [Method::POST, Method::PATCH].contains(request.method())
            });
            let client = cluster.delayed_client(&first, create.clone());
            let manifest = request_for(&[component()]);
            let (_, removed) = tokio::join!(first.apply(client, &cluster.clock, &manifest), async {
                create.reached().await;
                cluster.clock.pause(Duration::from_millis(1)).await;
                let (removed, ()) = tokio::join!(command.run(&cluster, &remover), async {
                    cluster.clock.pause(Duration::from_secs(12)).await;
                    create.release();
                });
                removed
            });
            cluster.settle().await;
            assert!(removed.is_success(), "{}", removed.transcript());
            assert!(cluster.sizes().is_empty(), "{}", removed.transcript());
            assert!(cluster.record("web").is_none(), "{}", removed.transcript());
            // If only the component is deleted, the first process still holds the application's Lease.
            let left = left(&cluster);
            assert!(left.iter().all(|object| object.contains("Lease")), "{left:?}");
        }
    }
}

/// The Lease is free only once it has expired.
#[tokio::test(start_paused = true)]
async fn the_lease_of_a_dead_process_is_deleted_with_its_component() {
    let cluster = TestCluster::open(pod_rules::slow("*:2", "10m")).await;
    cluster.apply(&[web(1, 2)]).await;
    let (first, dead) = (process(), dying_at_first_effect());
    let manifest = request_for(&[web(2, 2).batches(&["1", "1"])]);
    let (one, ()) = tokio::join!(
        async {
            let one = cluster.run(&first, &manifest);
            tokio::select! {
                one = one => Some(one),
                () = cluster.clock.pause(Duration::from_secs(30)) => None,
            }
        },
        async {
            first.heard(1, |event| matches!(event, EventKind::WorkloadScaled { .. })).await;
            Command::Abort.run(&cluster, &dead).await;
        },
    );
    assert!(one.is_none(), "it waits for its pods");
    assert!(left(&cluster).iter().any(|object| object.contains("rollout.web")), "{:?}", left(&cluster));
    let removed = Command::Delete.run(&cluster, &process()).await;
    cluster.settle().await;
    assert!(removed.is_success(), "{}", removed.transcript());
    assert_eq!(left(&cluster), [""; 0], "{}", removed.transcript());
}

/// A process of another identity that dies before it claims.
fn dying_at_first_effect() -> Process {
    Process::with("dead", |seen| match (seen.verb, seen.kind.as_str()) {
        (Verb::Patch, "configmaps") => Fate::DeathBefore,
        _ => PASS,
    })
}

/// A process whose first watch of Deployments delivers nothing.
fn with_silent_watch() -> Process {
    let watches = AtomicUsize::new(0);
    Process::with("second", move |seen| match (seen.verb, seen.kind.as_str()) {
        (Verb::Watch, "deployments") if watches.fetch_add(1, Ordering::Relaxed) == 0 => {
            Fate::Verdict(Verdict::Watch(WatchFault::Silent))
        }
        _ => PASS,
    })
}

/// The watch delivers a workload whose revision is missing from the earlier list.
#[tokio::test(start_paused = true)]
async fn a_rejection_due_to_a_concurrent_run_is_decided_again() {
    let second = Process::new("second");
    let read = DelayedRequest::of_answer(|request| is_list_of(request, "/controllerrevisions"));
    overtaken(&second, read, web(1, 4), web(2, 3).batches(&["1", "2"])).await;
}

fn is_list_of(request: &Request<Body>, objects: &str) -> bool {
    request.method() == Method::GET && request.uri().path().ends_with(objects)
}

/// The second process reads, the first manifest is applied completely, and the second process continues.
async fn overtaken(second: &Process, read: DelayedRequest, first: Component, manifest: Component) -> Run {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let client = cluster.delayed_client(second, read.clone());
    let manifest = request_for(&[manifest]);
    let (run, ()) = tokio::join!(second.apply(client, &cluster.clock, &manifest), async {
        read.reached().await;
        cluster.apply(&[first]).await;
        read.release();
    });
    cluster.settle().await;
    rules::check(&cluster.history(), Circumstances::default())
        .unwrap_or_else(|violation| panic!("{violation}\n{}", run.transcript()));
    assert_eq!(cluster.sizes(), [("web-v2".to_owned(), 3)], "{}", run.transcript());
    let record = cluster.record("web").unwrap();
    assert_eq!(record["run"]["spec"]["mode"], "Upgrade", "{record:#}");
    assert_eq!(record["run"]["outcome"], "Succeeded", "{record:#}");
    run.succeeded()
}

/// The second run does not know what the first has recorded, created and exposed, and must read it before its claim.
#[tokio::test(start_paused = true)]
async fn a_run_is_prepared_again_if_another_claims_in_between() {
    let before: [fn() -> Component; 2] = [|| web(1, 4).exposing(80), || web(1, 4).exposing(80).plain()];
    for first in before {
        let second = with_silent_watch();
        let read = DelayedRequest::of_answer(|request| is_list_of(request, "/controllerrevisions"));
        overtaken(&second, read, first(), web(2, 3).exposing(81).batches(&["1", "2"])).await;
    }
}

/// The first run has claimed when the second reads, and then records its revision and ends.
#[tokio::test(start_paused = true)]
async fn a_run_is_prepared_again_if_it_was_prepared_during_another() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let (first, second) = (Process::new("first"), Process::new("second"));
    let recording = DelayedRequest::new(|request| {
        request.method() == Method::POST && request.uri().path().ends_with("/controllerrevisions")
    });
    let read = DelayedRequest::of_answer(|request| is_list_of(request, "/controllerrevisions"));
    let whole = request_for(&[web(1, 4).exposing(80).plain()]);
    let batches = request_for(&[web(2, 3).exposing(81).batches(&["1", "2"])]);
    let begun = async {
        first
            .apply(cluster.delayed_client(&first, recording.clone()), &cluster.clock, &whole)
            .await
            .succeeded();
        read.release();
    };
    let follower = async {
        recording.reached().await;
        let client = cluster.delayed_client(&second, read.clone());
        let released = async {
            read.reached().await;
            recording.release();
        };
        tokio::join!(second.apply(client, &cluster.clock, &batches), released).0.succeeded()
    };
    let ((), run) = tokio::join!(begun, follower);
    cluster.settle().await;
    rules::check(&cluster.history(), Circumstances::default())
        .unwrap_or_else(|violation| panic!("{violation}\n{}", run.transcript()));
}

/// The same for a run that is held in the workflow before it starts.
#[tokio::test(start_paused = true)]
async fn a_held_claim_uses_workloads_as_recent_as_the_record() {
    let second = with_silent_watch();
    let read = DelayedRequest::new(|request| is_list_of(request, "/configmaps/rollout-web"));
    let gate = "{name: check, type: suspend, properties: {duration: 5s}}";
    overtaken(&second, read, web(1, 4), web(2, 3).batches(&["1", "2"]).behind(gate)).await;
}

/// The first run's record is read, but the watch has not delivered its workload.
#[tokio::test(start_paused = true)]
async fn a_claim_uses_workloads_as_recent_as_the_record() {
    let second = with_silent_watch();
    let read = DelayedRequest::new(|request| is_list_of(request, "/configmaps/rollout-web"));
    let run = overtaken(&second, read, web(1, 4), web(2, 3).batches(&["1", "2"])).await;
    let is_start = |event: &EventKind| matches!(event, EventKind::RunStarted { .. });
    let starts = run.events.iter().filter(|event| is_start(&event.what)).count();
    assert_eq!(starts, 1, "{:?}", run.events);
}
