//! The gate between the waves of a fleet, in virtual time: waves that stay ready or do not, and interrupted ones.

use std::time::Duration;

use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::context::Context;
use rollout::driver::outcome::{ComponentOutcome, FailureKind};
use rollout::ops::fleet::{self, ClusterRequest, FleetFailure, Wave};
use rollout::report::event::EventKind;

use crate::support::manifest::{request_for, web};
use crate::support::pod_rules::{READY, failing};
use crate::support::process::{Process, Run};
use crate::support::scenario::process;
use crate::support::test_cluster::TestCluster;

const MINUTE: Duration = Duration::from_secs(60);

/// Two clusters in a wave each, ten minutes apart.
struct Fleet {
    eu: TestCluster,
    us: TestCluster,
    process: Process,
}

impl Fleet {
    async fn open() -> Self {
        let mut process = process();
        process.limits.batch = 5 * MINUTE;
        Self { eu: TestCluster::open(READY).await, us: TestCluster::open(READY).await, process }
    }

    async fn apply(&self) -> Run {
        self.apply_version(1, FleetFailure::Hold).await
    }

    /// Applies a manifest to both clusters. Returns the outcomes of `eu`, then those of `us` if its wave was started.
    async fn apply_version(&self, version: u32, on_failure: FleetFailure) -> Run {
        let requests = vec![request_for(&[web(version, 3)])];
        self.eu
            .perform(&self.process, async |eu: &Context| {
                let session = Session::new(self.us.client(), self.us.clock.clone(), Timeouts::default());
                let us = Context { session: session.with_stop(eu.control.receiver()), ..eu.clone() };
                let wave = |context: Context, soak| {
                    let requests = requests.clone();
                    Wave { clusters: vec![ClusterRequest { context, requests }], soak }
                };
                let waves = [wave(eu.clone(), 10 * MINUTE), wave(us, Duration::ZERO)];
                let outcomes = fleet::apply(&waves, on_failure).await;
                let applications = outcomes.into_iter().flatten().flatten();
                applications.flat_map(|application| application.components).collect()
            })
            .await
    }
}

/// When the second run started, in whole minutes.
fn second_start(run: &Run) -> Option<i64> {
    let starts = run.events.iter().filter(|event| matches!(event.what, EventKind::RunStarted { .. }));
    starts.map(|event| event.elapsed.as_secs() / 60).nth(1)
}

fn failure(run: &Run) -> FailureKind {
    match run.ends.as_deref() {
        Some([(_, ComponentOutcome::Failed(failure))]) => failure.kind,
        other => panic!("{other:?}"),
    }
}

/// The hints of the only component, which has failed.
fn hints(run: &Run) -> Vec<String> {
    match run.ends.as_deref() {
        Some([(_, ComponentOutcome::Failed(failure))]) => failure.hints.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_wave_begins_after_the_soak_time() {
    let run = Fleet::open().await.apply().await;
    assert_eq!(second_start(&run), Some(10));
    assert_eq!(run.ends.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_becomes_unready_restarts_the_soak_time() {
    let fleet = Fleet::open().await;
    let meddle = async {
        fleet.eu.clock.pause(6 * MINUTE).await;
        fleet.eu.set_pod_rules(failing("*", "NeverReady"));
        fleet.eu.clock.pause(2 * MINUTE).await;
        fleet.eu.set_pod_rules(READY);
    };
    let (run, ()) = tokio::join!(fleet.apply(), meddle);
    assert_eq!(second_start(&run), Some(18));
    let notices = run.events.iter().filter_map(|event| match &event.what {
        EventKind::Waiting { on, .. } if on.starts_with("the soak") => Some(on.clone()),
        EventKind::Warned { message } => Some(message.clone()),
        _ => None,
    });
    let soak = "the soak time of 10m after wave 1 of 2";
    let unready = "not ready; the soak time begins again when it is: `web-v1`: 0 of 3 ready";
    assert_eq!(notices.collect::<Vec<_>>(), [soak, unready, soak]);
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_does_not_stay_ready_fails() {
    let fleet = Fleet::open().await;
    let meddle = async {
        fleet.eu.clock.pause(6 * MINUTE).await;
        fleet.eu.set_pod_rules(failing("*", "NeverReady"));
    };
    let (run, ()) = tokio::join!(fleet.apply(), meddle);
    assert_eq!((failure(&run), second_start(&run)), (FailureKind::NotReady, None));
    assert_eq!(
        hints(&run),
        ["see `rollout status web`", "rerun the same command to continue with the next wave"]
    );
    assert!(fleet.us.objects("ConfigMap").iter().all(|map| map["metadata"]["name"] != "rollout-web"));
}

#[tokio::test(start_paused = true)]
async fn a_component_that_does_not_stay_ready_is_rolled_back_if_asked() {
    for on_failure in [FleetFailure::UndoComponent, FleetFailure::UndoWave] {
        let fleet = Fleet::open().await;
        fleet.apply().await;
        let meddle = async {
            fleet.eu.clock.pause(6 * MINUTE).await;
            fleet.eu.set_pod_rules(format!("{}{READY}", failing("*:2", "NeverReady")));
        };
        let (run, ()) = tokio::join!(fleet.apply_version(2, on_failure), meddle);
        assert_eq!(failure(&run), FailureKind::NotReady);
        let flag = if on_failure == FleetFailure::UndoWave { "undo-wave" } else { "undo" };
        assert_eq!(hints(&run), [format!("rolling back now (`--on-failure {flag}`)")]);
        let deployments = fleet.eu.objects("Deployment");
        let names = deployments.iter().filter_map(|one| one["metadata"]["name"].as_str());
        let names: Vec<&str> = names.filter(|name| name.starts_with("web")).collect();
        assert_eq!(names, ["web-v1"], "{on_failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_is_stopped_while_it_soaks_continues_with_the_rest_of_the_time() {
    let fleet = Fleet::open().await;
    let stop = async {
        fleet.eu.clock.pause(4 * MINUTE).await;
        fleet.process.stopper.stop();
    };
    let (run, ()) = tokio::join!(fleet.apply(), stop);
    assert_eq!((failure(&run), second_start(&run)), (FailureKind::Interrupted, None));
    let again = Fleet { process: process(), ..fleet };
    let begun = again.eu.clock.elapsed().as_secs() / 60;
    let run = again.apply().await;
    let starts = run.events.iter().filter(|event| matches!(event.what, EventKind::RunStarted { .. }));
    let start = starts.map(|event| event.elapsed.as_secs() / 60).next();
    assert_eq!((begun, start), (4, Some(10)), "six minutes were left");
}
