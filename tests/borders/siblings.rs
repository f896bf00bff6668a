//! A command about one component while a process drives it and others: the others reach their own targets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::{ComponentOutcome, FailureKind, HoldPoint};
use rollout::report::event::EventKind;

use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::manifest::{Component, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{Scenario, process};
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

fn release(version: u32) -> [Component; 2] {
    let batches = |component: Component| component.batches(&["1", "3"]);
    [batches(component("api", version, 4)), batches(web(version, 4))]
}

/// Both components on their first revision; the pods of the second take a minute.
async fn open() -> TestCluster {
    let cluster = TestCluster::open(pod_rules::slow("*:2", "1m")).await;
    cluster.apply(&release(1)).await;
    cluster
}

/// A dependency that is held at its gate is not done, so its dependents do not start. A promotion of the dependency
/// continues them.
#[tokio::test(start_paused = true)]
async fn dependents_of_a_held_component_do_not_start() {
    let release = |version, api: Component| [api.batches(&["1", "1"]), web(version, 2).depends_on("api")];
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&release(1, component("api", 1, 2))).await;
    let held = release(2, component("api", 2, 2).partition(0));
    let run = cluster.run(&process(), &request_for(&held)).await;
    assert!(matches!(end(&run, "api"), ComponentOutcome::Held { .. }), "{}", run.transcript());
    let behind = ComponentOutcome::Held { at: HoldPoint::Dependency { component: "api".to_owned() } };
    assert_eq!(end(&run, "web"), &behind, "{}", run.transcript());
    let size = |name: &str, size| (name.to_owned(), size);
    assert_eq!(cluster.sizes(), [size("api-v1", 1), size("api-v2", 1), size("web-v1", 2)]);
    let before = cluster.changes_by_clients();
    let again = cluster.run(&process(), &request_for(&held)).await;
    assert_eq!(
        (end(&again, "web"), cluster.changes_by_clients()),
        (&behind, before),
        "{}",
        again.transcript()
    );
    Command::PromoteWorkflow.run(&cluster, &process()).await;
    assert_eq!(cluster.sizes(), [size("api-v2", 2), size("web-v2", 2)]);
}

fn is_scaled(what: &EventKind) -> bool {
    matches!(what, EventKind::WorkloadScaled { .. })
}

fn end<'a>(run: &'a Run, name: &str) -> &'a ComponentOutcome {
    let found = run.ends.iter().flatten().find(|(of, _)| of == name);
    &found.unwrap_or_else(|| panic!("{name}: {}", run.transcript())).1
}

fn is_superseded(end: &ComponentOutcome) -> bool {
    matches!(end, ComponentOutcome::Failed(failure) if failure.kind == FailureKind::Superseded)
}

/// A process drives both components; another one runs a command about `web`, under each of two identities.
async fn beside(command: Command, before: Option<Command>, sizes: &[(&str, u64)]) {
    for identity in ["jane", "driver"] {
        case(&format!("{command:?} by {identity}"));
        let cluster = open().await;
        let (driver, other) = (Process::new("driver"), Process::new(identity));
        let manifest = request_for(&release(2));
        let (driven, commanded) = tokio::join!(cluster.run(&driver, &manifest), async {
            driver.heard(2, is_scaled).await;
            if let Some(before) = before {
                before.run(&cluster, &Process::new("joe")).await;
            }
            command.run(&cluster, &other).await
        });
        cluster.settle().await;
        assert!(commanded.is_success(), "{}\n{}", commanded.transcript(), driven.transcript());
        assert!(matches!(end(&driven, "api"), ComponentOutcome::Succeeded { .. }), "{}", driven.transcript());
        assert!(is_superseded(end(&driven, "web")), "{}", driven.transcript());
        let sizes: Vec<(String, u64)> =
            sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        assert_eq!(cluster.sizes(), sizes, "{}\n{}", commanded.transcript(), driven.transcript());
        assert_eq!(cluster.record("api").unwrap()["run"]["outcome"], "Succeeded");
    }
}

const BACK: &[(&str, u64)] = &[("api-v2", 4), ("web-v1", 4)];

#[tokio::test(start_paused = true)]
async fn abort_takes_over_one_component() {
    beside(Command::Abort, None, BACK).await;
}

#[tokio::test(start_paused = true)]
async fn undo_now_takes_over_one_component() {
    beside(Command::UndoNow, None, BACK).await;
}

#[tokio::test(start_paused = true)]
async fn undo_of_a_paused_component_takes_over_that_component() {
    beside(Command::Undo, Some(Command::Pause), BACK).await;
}

#[tokio::test(start_paused = true)]
async fn delete_of_a_paused_component_takes_over_that_component() {
    beside(Command::DeleteComponent, Some(Command::Pause), &[("api-v2", 4)]).await;
}

/// A queued run also waits for the run that has taken over a component, and does not block it.
#[tokio::test(start_paused = true)]
async fn the_next_in_line_waits_for_the_takeover() {
    let cluster = open().await;
    let (driver, jane, next) = (Process::new("driver"), Process::new("jane"), Process::new("next"));
    // The target of jane's rollback takes longer than the driver's `api`.
    let manifest = request_for(&release(2));
    let (driven, aborted, applied) = tokio::join!(
        cluster.run(&driver, &manifest),
        async {
            // By then, the source has lost a pod.
            driver.heard(4, is_scaled).await;
            cluster.set_pod_rules("- {image: 'web:1', readyAfter: 10m}\n- {image: '*:2', readyAfter: 1m}");
            Command::Abort.run(&cluster, &jane).await
        },
        async {
            jane.heard(1, is_scaled).await;
            cluster.run(&next, &request_for(&release(2))).await
        }
    );
    assert!(aborted.is_success(), "{}", aborted.transcript());
    assert!(is_superseded(end(&driven, "web")), "{}", driven.transcript());
    assert!(applied.is_success(), "{}", applied.transcript());
    let holders = applied.events.iter().filter_map(|event| match &event.what {
        EventKind::Queued { holder } => Some(holder.as_str()),
        _ => None,
    });
    assert_eq!(holders.collect::<Vec<_>>(), ["driver", "jane"], "{}", applied.transcript());
    let until = aborted.requests.iter().map(|request| request.at).max().unwrap();
    assert!(applied.effects().iter().all(|request| request.at >= until), "{}", applied.transcript());
    assert_eq!(cluster.sizes(), [("api-v2".to_owned(), 4), ("web-v2".to_owned(), 4)]);
}

/// If the driving process is dead, the command does not wait.
#[tokio::test(start_paused = true)]
async fn a_command_drives_the_run_if_the_driver_is_dead() {
    for command in [Command::Abort, Command::UndoNow] {
        let cluster = open().await;
        let driver = Process::new("driver");
        let manifest = request_for(&release(2));
        tokio::select! {
            () = driver.heard(2, is_scaled) => {}
            run = cluster.run(&driver, &manifest) => panic!("it ended: {}", run.transcript()),
        }
        let began = cluster.clock.elapsed();
        let run = command.run(&cluster, &Process::new("jane")).await.succeeded();
        assert!(
            cluster.clock.elapsed() - began < jiff::SignedDuration::from_secs(10),
            "{}",
            run.transcript()
        );
        cluster.run(&process(), &manifest).await.succeeded();
        assert_eq!(cluster.sizes(), [("api-v2".to_owned(), 4), ("web-v2".to_owned(), 4)]);
    }
}

#[tokio::test(start_paused = true)]
async fn scale_during_an_upgrade_queues() {
    let cluster = open().await;
    let (driver, jane) = (Process::new("driver"), Process::new("jane"));
    let manifest = request_for(&release(2));
    let (driven, scaled) = tokio::join!(cluster.run(&driver, &manifest), async {
        driver.heard(2, is_scaled).await;
        Command::Scale(6).run(&cluster, &jane).await
    });
    assert!(driven.is_success() && scaled.is_success(), "{}\n{}", driven.transcript(), scaled.transcript());
    assert_eq!(cluster.sizes(), [("api-v2".to_owned(), 4), ("web-v2".to_owned(), 6)]);
}

/// A scale of a component with a paused run is rejected instead of waiting for ever.
#[tokio::test(start_paused = true)]
async fn scale_during_a_paused_upgrade_is_rejected() {
    let cluster = open().await;
    let (driver, mut jane) = (Process::new("driver"), Process::new("jane"));
    jane.limits.lock = Duration::from_secs(60);
    let manifest = request_for(&release(2));
    let scaled = tokio::select! {
        run = cluster.run(&driver, &manifest) => panic!("it ended: {}", run.transcript()),
        scaled = async {
            driver.heard(2, is_scaled).await;
            Command::Pause.run(&cluster, &Process::new("joe")).await;
            Command::Scale(6).run(&cluster, &jane).await
        } => scaled,
    };
    let kinds: Vec<FailureKind> = scaled.failures().iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [FailureKind::Refused], "{}", scaled.transcript());
}

/// An abort starts at every write of an upgrade, and the write arrives after the abort's claim. In every case, the
/// abort succeeds at once, or there is nothing left to abort.
#[tokio::test(start_paused = true)]
async fn an_abort_concurrent_with_any_write_succeeds_at_once() {
    let scenario = Scenario { manifest: vec![web(2, 5).batches(&["2", "3"])], ..scenarios::named("upgrade") };
    let reference = scenario.reference().await;
    let mut aborted = 0;
    for late in reference.run.effects() {
        case(&format!("late: {}", late.line()));
        let scene = scenario.open().await;
        let cluster = &scene.cluster;
        let (driver, jane) = (Process::new("driver"), Process::new("jane"));
        let (requests, index) = (AtomicUsize::new(0), late.seen.index);
        let delayed_request = DelayedRequest::new(move |_| requests.fetch_add(1, Ordering::Relaxed) == index);
        let client = cluster.delayed_client(&driver, delayed_request.clone());
        let manifest = request_for(&scenario.manifest);
        let abort = async {
            delayed_request.reached().await;
            cluster.clock.pause(Duration::from_millis(1)).await;
            Command::Abort.run(cluster, &jane).await
        };
        let claimed = async {
            jane.heard(1, |what| matches!(what, EventKind::RunStarted { .. })).await;
            delayed_request.release();
            std::future::pending().await
        };
        let aborted_or_refused = async {
            tokio::select! {
                run = abort => {
                    delayed_request.release();
                    run
                }
                run = claimed => run,
            }
        };
        let (_, run) = tokio::join!(driver.apply(client, &cluster.clock, &manifest), aborted_or_refused);
        cluster.settle().await;
        if run.is_success() {
            aborted += 1;
            assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 5)], "{}", run.transcript());
        } else {
            let kinds: Vec<FailureKind> = run.failures().iter().map(|failure| failure.kind).collect();
            let is_refused = [FailureKind::Refused, FailureKind::Superseded].contains(&kinds[0]);
            assert!(is_refused && run.effects().is_empty(), "{}", run.transcript());
        }
    }
    assert!(aborted > 5, "{aborted} aborts began");
}

/// Another user rolls back a component just before a run that would only change a label.
#[tokio::test(start_paused = true)]
async fn a_component_taken_over_before_its_first_write_is_not_reclaimed() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2)]).await;
    cluster.apply(&[web(2, 2)]).await;
    let driver = Process::new("driver");
    let claims = DelayedRequest::new(|request| {
        request.method() == http::Method::PATCH && request.uri().path().ends_with("/configmaps/rollout-web")
    });
    let client = cluster.delayed_client(&driver, claims.clone());
    let manifest = request_for(&[web(2, 2).of_team("blue")]);
    let (driven, ()) = tokio::join!(driver.apply(client, &cluster.clock, &manifest), async {
        claims.reached().await;
        Command::UndoNow.run(&cluster, &Process::new("jane")).await.succeeded();
        claims.release();
    });
    assert!(is_superseded(end(&driven, "web")), "{}", driven.transcript());
    assert_eq!(cluster.sizes(), [("web-v1".to_owned(), 2)]);
}
