//! A run reads something, another run claims, and the first acts on what it read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use kube::client::Body;
use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};
use tokio::sync::Notify;

use super::lock_queue::{is_scaled, judge, released};
use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::{Fate, PASS};
use crate::support::manifest::{request_for, web};
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::scenario::{IDENTITY, Scenario, process};
use crate::support::scenarios;

fn is_of(request: &Request<Body>, method: &str, object: &str) -> bool {
    request.method() == method && request.uri().path().ends_with(object)
}

/// Whether the request is the `number`th, from zero, that matches.
fn nth(
    number: usize,
    is_such: impl Fn(&Request<Body>) -> bool + Send + Sync + 'static,
) -> impl Fn(&Request<Body>) -> bool + Send + Sync + 'static {
    let seen = AtomicUsize::new(0);
    move |request| is_such(request) && seen.fetch_add(1, Ordering::Relaxed) == number
}

/// The source has no pods, and the run is about to delete it when it becomes the target of another.
#[tokio::test(start_paused = true)]
async fn a_drained_source_stamped_by_a_later_claim_is_not_deleted() {
    let cluster = released(pod_rules::READY).await;
    let from = cluster.history().len();
    let (first, second) = (process(), Process::new(IDENTITY));
    let look = DelayedRequest::new(|request| is_of(request, "GET", "/deployments/web-v1"));
    // The first request is the stamp.
    let growth = DelayedRequest::new(nth(1, |request| is_of(request, "PATCH", "/deployments/web-v1")));
    let (manifest, back) = (request_for(&[web(2, 5)]), request_for(&[web(1, 5)]));
    let (one, other) = tokio::join!(
        async {
            let client = cluster.delayed_client(&first, look.clone());
            let run = first.apply(client, &cluster.clock, &manifest).await;
            growth.release();
            run
        },
        async {
            look.reached().await;
            // Two processes never acquire the Lease at exactly the same time.
            cluster.clock.pause(Duration::from_millis(1)).await;
            let client = cluster.delayed_client(&second, growth.clone());
            let (run, ()) = tokio::join!(second.apply(client, &cluster.clock, &back), async {
                growth.reached().await;
                look.release();
            });
            run
        }
    );
    cluster.settle().await;
    assert_eq!(one.failures()[0].kind, FailureKind::Superseded, "{}", one.transcript());
    assert!(other.is_success(), "{}\n{}", one.transcript(), other.transcript());
    judge(&cluster, from, &[&one.requests, &other.requests], &[web(1, 5)]);
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 5)]);
}

/// The first run creates its target after the second has read the workloads and before it claims, and no watch of the
/// second reports it.
#[tokio::test(start_paused = true)]
async fn a_target_created_just_before_the_claim_is_stamped() {
    let scenario = Scenario { manifest: vec![web(2, 5).batches(&["2", "3"])], ..scenarios::named("upgrade") };
    let scene = scenario.open().await;
    let cluster = &scene.cluster;
    let (first, watches) = (process(), AtomicUsize::new(0));
    let second = Process::with(IDENTITY, move |seen| match (seen.verb, seen.kind.as_str()) {
        (Verb::Watch, "deployments") if watches.fetch_add(1, Ordering::Relaxed) == 0 => {
            Fate::Verdict(Verdict::Watch(WatchFault::Silent))
        }
        _ => PASS,
    });
    let create = DelayedRequest::new(|request| is_of(request, "POST", "/deployments"));
    let growth = DelayedRequest::new(|request| is_of(request, "PATCH", "/deployments/web-v2"));
    let claim = DelayedRequest::new(|request| is_of(request, "PATCH", "/configmaps/rollout-web"));
    let (manifest, successor) = (request_for(&scenario.manifest), request_for(&[web(3, 5)]));
    let (one, other, ()) = tokio::join!(
        async {
            let client = growth.clone().over(cluster.delayed_client(&first, create.clone()));
            first.apply(client, &cluster.clock, &manifest).await
        },
        async {
            create.reached().await;
            cluster.clock.pause(Duration::from_millis(1)).await;
            let client = cluster.delayed_client(&second, claim.clone());
            second.apply(client, &cluster.clock, &successor).await
        },
        async {
            claim.reached().await;
            create.release();
            growth.reached().await;
            claim.release();
            second.heard(1, is_scaled).await;
            growth.release();
        },
    );
    cluster.settle().await;
    assert_eq!(one.failures()[0].kind, FailureKind::Superseded, "{}", one.transcript());
    assert!(other.is_success(), "{}", other.transcript());
    judge(cluster, scene.from, &[&one.requests, &other.requests], &[web(3, 5)]);
    assert_eq!(cluster.sizes(), [("web-v3".to_owned(), 5)]);
}

/// The number of a process's writes to the record so far.
fn notes(process: &Process) -> usize {
    let requests = process.tap.requests();
    requests.iter().filter(|request| request.is_write() && request.seen.kind == "configmaps").count()
}

/// Plays a script concurrently with other work, whose end is ignored.
async fn play(script: impl Future<Output = ()>, beside: impl Future) {
    tokio::select! {
        biased;
        () = script => {}
        () = async { beside.await; std::future::pending().await } => {}
    }
}

/// The `number`th write of a run to its record, from zero; the claim is the first.
fn note(number: usize) -> DelayedRequest {
    DelayedRequest::new(nth(number, |request| is_of(request, "PATCH", "/configmaps/rollout-web")))
}

fn has_failed(what: &EventKind) -> bool {
    matches!(what, EventKind::Failed { .. })
}

/// The later run is paused as well, and has not stopped yet: no other process may record that it has.
#[tokio::test(start_paused = true)]
async fn a_superseded_run_does_not_record_the_pause_of_a_later_one() {
    let cluster = released(pod_rules::slow("web:2", "1m")).await;
    let (driver, joe, jill) = (Process::new("driver"), Process::new("joe"), Process::new("jill"));
    let (taken_over, frozen) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (hung, records) = (frozen.clone(), AtomicUsize::new(0));
    let jane = Process::with("jane", move |seen| {
        let is_record = seen.verb == Verb::Patch && seen.kind == "configmaps";
        if is_record && records.fetch_add(1, Ordering::Relaxed) == 1 {
            hung.notify_one();
            return Fate::Verdict(Verdict::Hang);
        }
        PASS
    });
    let paused = note(1);
    let script = async {
        paused.reached().await;
        // The target of the later rollback takes long to become ready.
        cluster.set_pod_rules("- {image: '*', readyAfter: 10m}");
        taken_over.notify_one();
        frozen.notified().await;
        let (before, written) = (cluster.record("web"), notes(&driver));
        paused.release();
        driver.heard(1, has_failed).await;
        assert_eq!(notes(&driver), written + 1, "written over the record of a later claim");
        assert_eq!(cluster.record("web"), before);
    };
    let manifest = request_for(&[web(2, 5).batches(&["1", "4"])]);
    let beside = async {
        tokio::join!(
            driver.apply(cluster.delayed_client(&driver, paused.clone()), &cluster.clock, &manifest),
            async {
                driver.heard(3, is_scaled).await;
                Command::Pause.run(&cluster, &joe).await
            },
            async {
                taken_over.notified().await;
                Command::Undo.run(&cluster, &jane).await
            },
            async {
                jane.heard(1, is_scaled).await;
                Command::Pause.run(&cluster, &jill).await
            },
        )
    };
    play(script, beside).await;
}

/// The run was resumed, and is taken over just as it records its resumption.
#[tokio::test(start_paused = true)]
async fn a_superseded_run_does_not_record_its_resumption() {
    let cluster = released(pod_rules::slow("web:2", "10m")).await;
    let (driver, joe, jane) = (Process::new("driver"), Process::new("joe"), Process::new("jane"));
    let continued = note(2);
    let script = async {
        continued.reached().await;
        Command::Abort.run(&cluster, &jane).await.succeeded();
        let (before, written) = (cluster.record("web"), notes(&driver));
        continued.release();
        driver.heard(1, has_failed).await;
        assert_eq!(notes(&driver), written + 1, "written over the record of a later claim");
        assert_eq!(cluster.record("web"), before);
    };
    let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
    let beside = async {
        tokio::join!(
            driver.apply(cluster.delayed_client(&driver, continued.clone()), &cluster.clock, &manifest),
            async {
                driver.heard(1, is_scaled).await;
                Command::Pause.run(&cluster, &joe).await.succeeded();
                Command::Resume.run(&cluster, &joe).await
            },
        )
    };
    play(script, beside).await;
}
