//! A write of a superseded run that arrives late, when its process may be gone and the successor at work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};
use serde_json::{Value, json};

use super::queue::judge;
use crate::common::case;
use crate::common::fault::{Fate, PASS};
use crate::common::hold::Hold;
use crate::common::manifest::{Component, request_for, web};
use crate::common::process::Process;
use crate::common::scenario::{Act, IDENTITY, Story, process};
use crate::common::stage::Stage;
use crate::common::stories;

fn v3() -> Vec<Component> {
    vec![web(3, 5).batches(&["2", "3"])]
}

async fn arrives_when(is_such: fn(&EventKind) -> bool) {
    let story = Story { manifest: vec![web(2, 5).batches(&["2", "3"])], ..stories::upgrade() };
    let reference = story.reference().await;
    for late in reference.run.effects() {
        case(&format!("late: {}", late.line()));
        let scene = story.open().await;
        let stage = &scene.stage;
        let (first, second) = (process(), Process::new(IDENTITY));
        let requests = AtomicUsize::new(0);
        let index = late.seen.index;
        let hold = Hold::new(move |_| requests.fetch_add(1, Ordering::Relaxed) == index);
        let client = stage.held_client(&first, hold.clone());
        let (manifest, successor) = (request_for(&story.manifest), request_for(&v3()));
        let (one, other, ()) = tokio::join!(
            first.apply(client, &stage.clock, &manifest),
            async {
                hold.reached().await;
                // Two processes never take the Lease at the very same moment.
                stage.clock.pause(Duration::from_millis(1)).await;
                stage.run(&second, &successor).await
            },
            async {
                second.heard(1, is_such).await;
                hold.let_go();
            },
        );
        stage.settle().await;
        assert!(other.is_well(), "{}\n{}", one.story(), other.story());
        let again = stage.run(&process(), &successor).await;
        assert!(again.is_well(), "{}", again.story());
        stage.settle().await;
        judge(stage, scene.from, &[&one.requests, &other.requests, &again.requests], &v3());
        assert_eq!(stage.sizes(), [("web-v3".to_owned(), 5)], "{}\n{}", one.story(), other.story());
        let last = stage.run(&process(), &successor).await;
        assert!(last.writes().is_empty(), "{}", last.story());
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_claim() {
    arrives_when(|what| matches!(what, EventKind::RunStarted { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_target_was_made() {
    arrives_when(|what| matches!(what, EventKind::WorkloadCreated { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_first_batch_began() {
    arrives_when(|what| matches!(what, EventKind::WorkloadScaled { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn after_the_successors_end() {
    arrives_when(|what| matches!(what, EventKind::Succeeded { .. })).await;
}

/// Neither run sees what the other does: the first must not fill a target that it made after the other's claim.
#[tokio::test(start_paused = true)]
async fn a_target_made_after_the_successors_claim_stays_empty() {
    let story = Story { manifest: vec![web(2, 5).batches(&["2", "3"])], ..stories::upgrade() };
    let scene = story.open().await;
    let stage = &scene.stage;
    let first = Process::with(IDENTITY, |seen| match seen.verb {
        Verb::Watch => Fate::Verdict(Verdict::Watch(WatchFault::Silent)),
        _ => PASS,
    });
    let second = process();
    let create =
        Hold::new(|request| request.method() == "POST" && request.uri().path().ends_with("/deployments"));
    let stamp = Hold::new(|request| {
        request.method() == "PATCH" && request.uri().path().ends_with("/deployments/web-v2")
    });
    let (manifest, successor) = (request_for(&story.manifest), request_for(&v3()));
    let (one, other, ()) = tokio::join!(
        async {
            let run = first.apply(stage.held_client(&first, create.clone()), &stage.clock, &manifest).await;
            stamp.let_go();
            run
        },
        async {
            create.reached().await;
            stage.clock.pause(Duration::from_millis(1)).await;
            second.apply(stage.held_client(&second, stamp.clone()), &stage.clock, &successor).await
        },
        async {
            second.heard(1, |what| matches!(what, EventKind::WorkloadScaled { .. })).await;
            create.let_go();
        },
    );
    stage.settle().await;
    assert_eq!(one.failures()[0].kind, FailureKind::Superseded, "{}", one.story());
    assert!(other.is_well(), "{}", other.story());
    judge(stage, scene.from, &[&one.requests, &other.requests], &v3());
    assert_eq!(stage.sizes(), [("web-v3".to_owned(), 5)]);
}

/// Every write of a run to its Services, by request.
async fn late_writes_to_services(first: Story, successor: Vec<Component>) {
    let reference = first.reference().await;
    let wanted = request_for(&successor);
    let writes = reference.run.effects().into_iter().filter(|request| request.seen.kind == "services");
    for late in writes {
        case(&format!("late: {}", late.line()));
        let scene = first.open().await;
        let stage = &scene.stage;
        let (one, other) = (process(), Process::new(IDENTITY));
        let requests = AtomicUsize::new(0);
        let index = late.seen.index;
        let hold = Hold::new(move |_| requests.fetch_add(1, Ordering::Relaxed) == index);
        let client = stage.held_client(&one, hold.clone());
        let manifest = request_for(&first.manifest);
        let (one, other, ()) = tokio::join!(
            one.apply(client, &stage.clock, &manifest),
            async {
                hold.reached().await;
                stage.clock.pause(Duration::from_millis(1)).await;
                stage.run(&other, &wanted).await
            },
            async {
                other.heard(1, |what| matches!(what, EventKind::Succeeded { .. })).await;
                let from = services(stage);
                hold.let_go();
                stage.settle().await;
                assert_eq!(services(stage), from, "a superseded run changed a service");
            },
        );
        assert!(other.is_well(), "{}\n{}", one.story(), other.story());
        judge(stage, scene.from, &[&one.requests, &other.requests], &successor);
        // One that was created late selects nothing; it is removed where none is wanted.
        let again = stage.run(&process(), &wanted).await;
        assert!(again.is_well(), "{}", again.story());
        let last = stage.run(&process(), &wanted).await;
        assert!(last.writes().is_empty(), "{}", last.story());
    }
}

/// What the Services of the application let through: those that select pods.
fn services(stage: &Stage) -> Vec<Value> {
    let of_application = stage.objects("Service").into_iter().filter(|service| {
        service["metadata"]["labels"]["app.oam.dev/name"] == "shop"
            && service["spec"]["selector"] == json!({"app.oam.dev/component": "web"})
    });
    of_application.map(|service| service["spec"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn no_late_write_changes_a_service_after_the_successor_has() {
    let v3 = || vec![web(3, 5).exposing(82).batches(&["2", "3"])];
    late_writes_to_services(stories::exposed_in_mid_rollout(), v3()).await;
    let first = Story { manifest: vec![web(2, 2).exposing(8080)], ..stories::exposed_elsewhere() };
    late_writes_to_services(first, vec![web(3, 2).exposing(82)]).await;
    let first = Story { manifest: vec![web(2, 2).exposing(80)], ..stories::exposed() };
    late_writes_to_services(first, vec![web(3, 2)]).await;
    late_writes_to_services(stories::exposed_no_more(), vec![web(3, 3).exposing(80)]).await;
    // Nothing but the Service is written, and so it is by the successor.
    let of = |ports: &'static str| vec![web(1, 2).property(ports)];
    let a = of("ports: [{port: 80, name: hidden-a, expose: true}, {port: 81, name: hidden-b}]");
    let both =
        of("ports: [{port: 80, name: hidden-a, expose: true}, {port: 81, name: hidden-b, expose: true}]");
    let b = of("ports: [{port: 80, name: hidden-a}, {port: 81, name: hidden-b, expose: true}]");
    let first = Story { before: vec![Act::Apply(a)], manifest: both, ..stories::shown() };
    late_writes_to_services(first, b).await;
}
