//! Late writes to the objects of components that are applied as a whole: they change no objects of the successor.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::report::event::EventKind;
use serde_json::Value;

use crate::support::delayed_request::DelayedRequest;
use crate::support::end_state;
use crate::support::manifest::{Component, request_for, web};
use crate::support::preconditions;
use crate::support::process::Process;
use crate::support::scenario::{Act, IDENTITY, Scenario, process};
use crate::support::scenarios::scenario;
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

/// The objects of the application, without its history and the numbers of its revisions.
fn objects(cluster: &TestCluster) -> BTreeMap<String, Value> {
    let mut objects = end_state::normalised(&cluster.all_objects());
    objects.values_mut().for_each(unnumber);
    objects.retain(|name, _| {
        !["ConfigMap rollout-", "ControllerRevision", "Lease", "ReplicaSet"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
    objects
}

fn unnumber(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("app.oam.dev/revision");
            fields.remove("deployment.kubernetes.io/revision");
            fields.values_mut().for_each(unnumber);
        }
        Value::Array(items) => items.iter_mut().for_each(unnumber),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Plays the scenario once for each write of the first run, which arrives when the successor has reached this event.
async fn arrives_when(first: &Scenario, successor: Vec<Component>, is_such: fn(&EventKind) -> bool) {
    let wanted = request_for(&successor);
    let expected = {
        let scene = first.open().await;
        scene.cluster.run(&process(), &wanted).await.succeeded();
        scene.cluster.settle().await;
        objects(&scene.cluster)
    };
    let reference = first.reference().await;
    for late in reference.run.effects() {
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
                // Two processes never acquire the Lease at exactly the same time.
                cluster.clock.pause(Duration::from_millis(1)).await;
                cluster.run(&other, &wanted).await
            },
            async {
                tokio::select! {
                    () = other.heard(1, is_such) => {}
                    () = cluster.clock.pause(Duration::from_secs(60)) => {}
                }
                delayed_request.release();
            },
        );
        cluster.settle().await;
        // A revision that was recorded late may have the name of the successor's, which is then rerun.
        if late.seen.kind == "controllerrevisions" && !other.is_success() {
            cluster.run(&process(), &wanted).await.succeeded();
            cluster.settle().await;
        } else {
            assert!(other.is_success(), "{}\n{}", one.transcript(), other.transcript());
        }
        preconditions::check(&one.requests);
        preconditions::check(&other.requests);
        // An object that was created late, and that the successor does not render, is deleted by the next run.
        let is_creation =
            late.seen.body.as_ref().is_some_and(|body| body["metadata"]["resourceVersion"] == "1");
        if is_creation {
            cluster.run(&process(), &wanted).await.succeeded();
            cluster.settle().await;
        }
        end_state::assert_equal(&expected, &objects(cluster));
        let last = cluster.run(&process(), &wanted).await;
        assert!(last.writes().is_empty(), "{}", last.transcript());
    }
}

async fn arrive_whenever(first: Scenario, successor: Vec<Component>) {
    let moments: [fn(&EventKind) -> bool; 3] = [
        |what| matches!(what, EventKind::RunStarted { .. }),
        |what| matches!(what, EventKind::ObjectApplied { .. }),
        |what| matches!(what, EventKind::Succeeded { .. }),
    ];
    for moment in moments {
        arrives_when(&first, successor.clone(), moment).await;
    }
}

fn whole(version: u32) -> Component {
    web(version, 3).plain().exposing(80).storing(&version.to_string())
}

#[tokio::test(start_paused = true)]
async fn of_a_first_release() {
    arrive_whenever(scenario("first", [], [whole(1)]), vec![whole(2)]).await;
}

#[tokio::test(start_paused = true)]
async fn of_a_change() {
    arrive_whenever(scenario("change", [Act::Apply(vec![whole(1)])], [whole(2)]), vec![whole(3)]).await;
}

#[tokio::test(start_paused = true)]
async fn of_deletes_of_what_the_successor_has() {
    let bare = web(2, 3).plain();
    arrive_whenever(scenario("bare", [Act::Apply(vec![whole(1)])], [bare]), vec![whole(3)]).await;
}

#[tokio::test(start_paused = true)]
async fn of_objects_that_the_successor_lacks() {
    let bare = web(3, 3).plain();
    arrive_whenever(scenario("grown", [Act::Apply(vec![web(1, 3).plain()])], [whole(2)]), vec![bare]).await;
}
