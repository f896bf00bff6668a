//! The process of a command that controls a run dies at every request: a rerun leads to the same state as without the
//! death.

use libtest_mimic::Trial;
use rollout::driver::outcome::FailureKind;

use super::deaths::{MOMENTS, Moment};
use crate::support::command::Command;
use crate::support::end_state;
use crate::support::invariants;
use crate::support::manifest::{Component, web};
use crate::support::process::Run;
use crate::support::scenario::{Act, Reference, Scenario, Scene, dying_at, process};
use crate::support::scenarios::{scenario, workflow};
use crate::support::trial::{case, trial};

use Act::{Apply, ApplyUntil};
use Command::{
    Abort, Delete, DeleteComponent, Pause, Promote, PromoteFull, PromoteWorkflow, Resume, Scale, Undo,
    UndoNow,
};

const CLONE_SET: Option<&str> = Some("cloneset-service");
const STATEFUL_SET: Option<&str> = Some("statefulset");

/// A command under test: its name, the in-place type with which it is also tested, the preceding acts, the command, and
/// the limits of its run.
type Row = (&'static str, Option<&'static str>, Vec<Act>, Command, Vec<Component>);

fn rows() -> Vec<Row> {
    let first = || web(1, 5);
    let scaled = |size| web(1, size).batches(&["1", "1"]);
    let exposing = |version| web(version, 5).exposing(8000 + u16::try_from(version).unwrap());
    let exposed_canary = exposing(2).batches(&["2", "3"]).partition(0);
    let paused = |before: Vec<Act>| [before, vec![Act::Run(Pause)]].concat();
    vec![
        ("pause", CLONE_SET, held(), Pause, vec![next()]),
        ("pause_after_a_death", None, interrupted(), Pause, vec![next()]),
        ("resume", STATEFUL_SET, paused(held()), Resume, vec![next()]),
        ("resume_after_a_death", None, paused(interrupted()), Resume, vec![next()]),
        ("promote", CLONE_SET, held(), Promote, vec![next()]),
        ("promote_full", STATEFUL_SET, held(), PromoteFull, vec![next()]),
        ("promote_a_paused_run", None, paused(held()), Promote, vec![next()]),
        ("promote_a_workflow", None, vec![Apply(workflow(1))], PromoteWorkflow, workflow(1)[1..].to_vec()),
        ("abort", CLONE_SET, held(), Abort, vec![first()]),
        ("abort_after_a_death", None, interrupted(), Abort, vec![first()]),
        ("scale_out", CLONE_SET, released(), Scale(7), vec![scaled(7)]),
        ("scale_in", STATEFUL_SET, released(), Scale(3), vec![scaled(3)]),
        ("undo", STATEFUL_SET, upgraded(), Undo, vec![first()]),
        ("undo_now", CLONE_SET, upgraded(), UndoNow, vec![first()]),
        ("undo_now_a_held_run", None, held(), UndoNow, vec![first()]),
        ("undo_of_a_whole", None, wholes(), Undo, vec![whole(1)]),
        (
            "undo_to_a_whole",
            None,
            vec![Apply(vec![whole(1)]), Apply(vec![web(2, 4).exposing(80)])],
            UndoNow,
            vec![whole(1)],
        ),
        ("delete_a_whole", None, wholes(), Delete, vec![]),
        ("delete", STATEFUL_SET, held(), Delete, vec![]),
        ("delete_an_exposed_component", None, vec![Apply(vec![web(1, 2).exposing(80)])], Delete, vec![]),
        ("delete_a_component", None, held(), DeleteComponent, vec![]),
        (
            "undo_to_other_ports",
            STATEFUL_SET,
            vec![Apply(vec![exposing(1)]), Apply(vec![exposing(2)])],
            Undo,
            vec![exposing(1)],
        ),
        (
            "abort_to_other_ports",
            STATEFUL_SET,
            vec![Apply(vec![exposing(1)]), Apply(vec![exposed_canary])],
            Abort,
            vec![exposing(1)],
        ),
        (
            "scale_with_other_ports",
            None,
            vec![Apply(vec![exposing(1)]), Apply(vec![exposing(2)])],
            Scale(7),
            vec![web(2, 7).exposing(8002)],
        ),
    ]
}

fn released() -> Vec<Act> {
    vec![Apply(vec![web(1, 5)])]
}

fn next() -> Component {
    web(2, 5).batches(&["2", "2", "1"])
}

/// Held after its first batch.
fn held() -> Vec<Act> {
    [released(), vec![Apply(vec![next().partition(0)])]].concat()
}

/// In its first batch, with its process killed.
fn interrupted() -> Vec<Act> {
    [released(), vec![ApplyUntil(vec![next()], 1)]].concat()
}

/// A component that is applied as a whole.
fn whole(version: u32) -> Component {
    web(version, 4).plain().exposing(80).storing(&version.to_string())
}

fn wholes() -> Vec<Act> {
    vec![Apply(vec![whole(1)]), Apply(vec![whole(2)])]
}

fn upgraded() -> Vec<Act> {
    [released(), vec![Apply(vec![web(2, 5)])]].concat()
}

/// One death of each command at each moment.
pub(crate) fn trials() -> Vec<Trial> {
    let scenarios = rows().into_iter().flat_map(|(name, in_place, before, command, allowed)| {
        let of_deployments = Scenario { command: Some(command), ..scenario(name, before, allowed) };
        let in_place = in_place.map(|kind| of_deployments.clone().of(kind));
        std::iter::once(of_deployments).chain(in_place)
    });
    let trials = scenarios.flat_map(|scenario| {
        MOMENTS.map(|moment| {
            let (name, scenario) =
                (format!("death_{}::command_{}", moment.name, scenario.name), scenario.clone());
            trial(name, async move || dies_once(&scenario, moment).await)
        })
    });
    trials.collect()
}

async fn dies_once(scenario: &Scenario, moment: Moment) {
    let reference = scenario.reference().await;
    assert!(!reference.run.writes().is_empty(), "the command does nothing");
    for index in moment.requests(&reference.run.requests) {
        case(&format!("death at request {index}"));
        let scene = scenario.open().await;
        let dead = scenario.run(&scene, &dying_at(index, moment.death)).await;
        complete(scenario, &scene, &dead, &reference).await;
    }
}

/// Reruns the command after a death, unless it was recorded as done and a rerun would do more; then compares.
async fn complete(scenario: &Scenario, scene: &Scene, dead: &Run, reference: &Reference) {
    let command = scenario.command.unwrap();
    let mut runs = Vec::new();
    if !(command.goes_further() && is_recorded(scene, reference)) {
        runs.push(scenario.run(scene, &process()).await);
    }
    for run in &runs {
        // A command that was completed before the death cannot be repeated.
        let is_refused = run.failures().iter().all(|failure| failure.kind == FailureKind::Refused);
        let is_done = is_refused && command == Abort && is_recorded(scene, reference);
        assert!(run.is_success() || is_done, "{}", run.transcript());
    }
    let runs: Vec<&Run> = std::iter::once(dead).chain(&runs).collect();
    scenario.judge(scene, &runs).await;
    let trace = invariants::trace(&scene.cluster.history(), scene.from);
    assert_eq!(trace, reference.trace, "other changes than undisturbed");
    end_state::check(&reference.end, &scene.cluster.all_objects());
}

/// Whether the record is that of the undisturbed run.
fn is_recorded(scene: &Scene, reference: &Reference) -> bool {
    let record = "ConfigMap rollout-web";
    end_state::normalised(&scene.cluster.all_objects()).get(record) == reference.end.get(record)
}
