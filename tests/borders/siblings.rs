//! A command about one component beside a process that drives it and others: the others end at their own targets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::{ComponentOutcome, FailureKind};
use rollout::report::event::EventKind;

use crate::common::case;
use crate::common::hold::Hold;
use crate::common::manifest::{Component, component, request_for, web};
use crate::common::process::{Process, Run};
use crate::common::scenario::{Story, process};
use crate::common::stage::Stage;
use crate::common::stories;
use crate::common::typed::Command;

fn release(version: u32) -> [Component; 2] {
    let batches = |component: Component| component.batches(&["1", "3"]);
    [batches(component("api", version, 4)), batches(web(version, 4))]
}

/// Both components on their first revision; the pods of the second take a minute.
async fn open() -> Stage {
    let stage = Stage::open("- {image: '*:2', readyAfter: 1m}\n- {image: '*', readyAfter: 50ms}").await;
    let run = stage.run(&process(), &request_for(&release(1))).await;
    assert!(run.is_well(), "{}", run.story());
    stage
}

fn is_scaled(what: &EventKind) -> bool {
    matches!(what, EventKind::WorkloadScaled { .. })
}

/// How a component ended.
fn end<'a>(run: &'a Run, name: &str) -> &'a ComponentOutcome {
    let found = run.ends.iter().flatten().find(|(of, _)| of == name);
    &found.unwrap_or_else(|| panic!("{name}: {}", run.story())).1
}

fn is_superseded(end: &ComponentOutcome) -> bool {
    matches!(end, ComponentOutcome::Failed(failure) if failure.kind == FailureKind::Superseded)
}

/// A process drives both; another one does something about `web` under each of the two identities.
async fn beside(command: Command, before: Option<Command>, sizes: &[(&str, u64)]) {
    for identity in ["jane", "driver"] {
        case(&format!("{command:?} by {identity}"));
        let stage = open().await;
        let (driver, other) = (Process::new("driver"), Process::new(identity));
        let manifest = request_for(&release(2));
        let (driven, commanded) = tokio::join!(stage.run(&driver, &manifest), async {
            driver.heard(2, is_scaled).await;
            if let Some(before) = before {
                before.run(&stage, &Process::new("joe")).await;
            }
            command.run(&stage, &other).await
        });
        stage.settle().await;
        assert!(commanded.is_well(), "{}\n{}", commanded.story(), driven.story());
        assert!(matches!(end(&driven, "api"), ComponentOutcome::Succeeded { .. }), "{}", driven.story());
        assert!(is_superseded(end(&driven, "web")), "{}", driven.story());
        let sizes: Vec<(String, u64)> =
            sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        assert_eq!(stage.sizes(), sizes, "{}\n{}", commanded.story(), driven.story());
        assert_eq!(stage.record("api").unwrap()["run"]["outcome"], "Succeeded");
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

/// A run that waits in line waits also for the one that has taken over a component, and is not in its way.
#[tokio::test(start_paused = true)]
async fn the_next_in_line_waits_for_the_takeover() {
    let stage = open().await;
    let (driver, jane, next) = (Process::new("driver"), Process::new("jane"), Process::new("next"));
    // What jane returns to takes its time as well, longer than the driver's api.
    let manifest = request_for(&release(2));
    let (driven, aborted, applied) = tokio::join!(
        stage.run(&driver, &manifest),
        async {
            // The source has given up a pod by then.
            driver.heard(4, is_scaled).await;
            stage.script_pods("- {image: 'web:1', readyAfter: 10m}\n- {image: '*:2', readyAfter: 1m}");
            Command::Abort.run(&stage, &jane).await
        },
        async {
            jane.heard(1, is_scaled).await;
            stage.run(&next, &request_for(&release(2))).await
        }
    );
    assert!(aborted.is_well(), "{}", aborted.story());
    assert!(is_superseded(end(&driven, "web")), "{}", driven.story());
    assert!(applied.is_well(), "{}", applied.story());
    let holders = applied.events.iter().filter_map(|event| match &event.what {
        EventKind::Queued { holder } => Some(holder.as_str()),
        _ => None,
    });
    assert_eq!(holders.collect::<Vec<_>>(), ["driver", "jane"], "{}", applied.story());
    let until = aborted.requests.iter().map(|request| request.at).max().unwrap();
    assert!(applied.effects().iter().all(|request| request.at >= until), "{}", applied.story());
    assert_eq!(stage.sizes(), [("api-v2".to_owned(), 4), ("web-v2".to_owned(), 4)]);
}

/// Where the process that drives is dead, nobody is waited for.
#[tokio::test(start_paused = true)]
async fn where_the_driver_is_dead_the_command_drives() {
    for command in [Command::Abort, Command::UndoNow] {
        let stage = open().await;
        let driver = Process::new("driver");
        let manifest = request_for(&release(2));
        tokio::select! {
            () = driver.heard(2, is_scaled) => {}
            run = stage.run(&driver, &manifest) => panic!("it ended: {}", run.story()),
        }
        let began = stage.clock.elapsed();
        let run = command.run(&stage, &Process::new("jane")).await;
        assert!(run.is_well(), "{}", run.story());
        assert!(stage.clock.elapsed() - began < jiff::SignedDuration::from_secs(10), "{}", run.story());
        let again = stage.run(&process(), &manifest).await;
        assert!(again.is_well(), "{}", again.story());
        assert_eq!(stage.sizes(), [("api-v2".to_owned(), 4), ("web-v2".to_owned(), 4)]);
    }
}

#[tokio::test(start_paused = true)]
async fn scale_beside_an_upgrade_waits_in_line() {
    let stage = open().await;
    let (driver, jane) = (Process::new("driver"), Process::new("jane"));
    let manifest = request_for(&release(2));
    let (driven, scaled) = tokio::join!(stage.run(&driver, &manifest), async {
        driver.heard(2, is_scaled).await;
        Command::Scale(6).run(&stage, &jane).await
    });
    assert!(driven.is_well() && scaled.is_well(), "{}\n{}", driven.story(), scaled.story());
    assert_eq!(stage.sizes(), [("api-v2".to_owned(), 4), ("web-v2".to_owned(), 6)]);
}

/// Nobody waits for ever: a scale of a component whose run is paused is refused as before.
#[tokio::test(start_paused = true)]
async fn scale_beside_a_paused_upgrade_is_refused() {
    let stage = open().await;
    let (driver, mut jane) = (Process::new("driver"), Process::new("jane"));
    jane.limits.lock = Duration::from_secs(60);
    let manifest = request_for(&release(2));
    let scaled = tokio::select! {
        run = stage.run(&driver, &manifest) => panic!("it ended: {}", run.story()),
        scaled = async {
            driver.heard(2, is_scaled).await;
            Command::Pause.run(&stage, &Process::new("joe")).await;
            Command::Scale(6).run(&stage, &jane).await
        } => scaled,
    };
    let kinds: Vec<FailureKind> = scaled.failures().iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [FailureKind::Refused], "{}", scaled.story());
}

/// An abort begins at every write of an upgrade, which arrives once the abort has made its claim: whatever it was, the
/// abort succeeds at once, or there was nothing left to abort.
#[tokio::test(start_paused = true)]
async fn an_abort_that_races_any_write_succeeds_at_once() {
    let story = Story { manifest: vec![web(2, 5).batches(&["2", "3"])], ..stories::upgrade() };
    let reference = story.reference().await;
    let mut aborted = 0;
    for late in reference.run.effects() {
        case(&format!("late: {}", late.line()));
        let scene = story.open().await;
        let stage = &scene.stage;
        let (driver, jane) = (Process::new("driver"), Process::new("jane"));
        let (requests, index) = (AtomicUsize::new(0), late.seen.index);
        let hold = Hold::new(move |_| requests.fetch_add(1, Ordering::Relaxed) == index);
        let client = stage.held_client(&driver, hold.clone());
        let manifest = request_for(&story.manifest);
        let abort = async {
            hold.reached().await;
            stage.clock.pause(Duration::from_millis(1)).await;
            Command::Abort.run(stage, &jane).await
        };
        let claimed = async {
            jane.heard(1, |what| matches!(what, EventKind::RunStarted { .. })).await;
            hold.let_go();
            std::future::pending().await
        };
        let aborted_or_refused = async {
            tokio::select! {
                run = abort => {
                    hold.let_go();
                    run
                }
                run = claimed => run,
            }
        };
        let (_, run) = tokio::join!(driver.apply(client, &stage.clock, &manifest), aborted_or_refused);
        stage.settle().await;
        if run.is_well() {
            aborted += 1;
            assert_eq!(stage.sizes(), [("web-v1".to_owned(), 5)], "{}", run.story());
        } else {
            let kinds: Vec<FailureKind> = run.failures().iter().map(|failure| failure.kind).collect();
            let is_refused = [FailureKind::Refused, FailureKind::Superseded].contains(&kinds[0]);
            assert!(is_refused && run.effects().is_empty(), "{}", run.story());
        }
    }
    assert!(aborted > 5, "{aborted} aborts began");
}
