//! One death in each command that controls a run, at every request and each of its moments; then the same once more.

use std::collections::BTreeMap;

use rollout::driver::outcome::FailureKind;
use serde_json::Value;

use crate::single_death::moments;
use crate::support::case;
use crate::support::command::Command;
use crate::support::manifest::{Component, web};
use crate::support::process::Run;
use crate::support::scenario::{Act, Scenario, Scene, dying_at, process};
use crate::support::{end_state, invariants};

const FAST: &str = "- {image: '*', readyAfter: 50ms}";

/// A command, and what was before it.
struct Case {
    before: Vec<Act>,
    /// Commands that were given after that.
    given: Vec<Command>,
    command: Command,
    /// The largest size and batch that it may make; nothing is said of its pods where there is none.
    allowed: Vec<Component>,
}

/// How a command ends that nothing disturbs.
struct Reference {
    run: Run,
    trace: Vec<String>,
    end: BTreeMap<String, Value>,
    is_paused: bool,
}

impl Case {
    fn transcript(&self) -> Scenario {
        Scenario { rules: FAST, before: self.before.clone(), manifest: self.allowed.clone() }
    }

    /// Lets everything happen that was before.
    async fn open(&self) -> Scene {
        let mut scene = self.transcript().open().await;
        for command in &self.given {
            let run = command.run(&scene.cluster, &process()).await;
            assert!(run.is_success(), "{command:?}: {}", run.transcript());
        }
        scene.from = scene.cluster.mark().await;
        scene
    }

    async fn reference(&self) -> Reference {
        let scene = self.open().await;
        let run = self.command.run(&scene.cluster, &process()).await;
        assert!(run.is_success(), "{:?}: {}", self.command, run.transcript());
        self.transcript().judge(&scene, &[&run]).await;
        Reference {
            trace: invariants::trace(&scene.cluster.history(), scene.from),
            end: end_state::normalised(&scene.cluster.all_objects()),
            is_paused: is_paused(&scene),
            run,
        }
    }

    /// Gives the command again after its death, unless all was done; compares with how it ends undisturbed.
    async fn complete(&self, scene: &Scene, dead: &Run, reference: &Reference) {
        let mut runs = Vec::new();
        if !(self.command.goes_further() && is_recorded(scene, reference)) {
            runs.push(self.command.run(&scene.cluster, &process()).await);
        }
        for run in &runs {
            // What was done to the end before the process died cannot be done again.
            let is_refused = run.failures().iter().all(|failure| failure.kind == FailureKind::Refused);
            let is_done = is_refused && self.command == Command::Abort && is_recorded(scene, reference);
            assert!(run.is_success() || is_done, "{}", run.transcript());
        }
        let runs: Vec<&Run> = std::iter::once(dead).chain(&runs).collect();
        self.transcript().judge(scene, &runs).await;
        let trace = invariants::trace(&scene.cluster.history(), scene.from);
        assert_eq!(trace, reference.trace, "other deeds than undisturbed");
        end_state::check(&reference.end, &scene.cluster.all_objects());
        assert_eq!(is_paused(scene), reference.is_paused);
    }

    async fn dies_anywhere(&self) {
        let reference = self.reference().await;
        assert!(!reference.run.writes().is_empty(), "{:?} does nothing", self.command);
        for (index, moment, death) in moments(&reference.run.requests) {
            let scene = self.open().await;
            let dead = self.command.run(&scene.cluster, &dying_at(index, death)).await;
            case(&format!("{:?}: death at request {index}, {moment}", self.command));
            self.complete(&scene, &dead, &reference).await;
        }
    }
}

/// Whether the record says of the run what it says at the end.
fn is_recorded(scene: &Scene, reference: &Reference) -> bool {
    let record = "ConfigMap rollout-web";
    end_state::normalised(&scene.cluster.all_objects()).get(record) == reference.end.get(record)
}

fn is_paused(scene: &Scene) -> bool {
    scene.cluster.record("web").is_some_and(|record| record["run"]["paused"].is_object())
}

fn released(kind: &'static str) -> Vec<Act> {
    vec![Act::Apply(vec![web(1, 5).of(kind)])]
}

fn next(kind: &'static str) -> Component {
    web(2, 5).batches(&["2", "2", "1"]).of(kind)
}

/// Held after its first batch.
fn held(kind: &'static str) -> Vec<Act> {
    [released(kind), vec![Act::Apply(vec![next(kind).partition(0)])]].concat()
}

/// In its first batch, its process killed.
fn forsaken(kind: &'static str) -> Vec<Act> {
    [released(kind), vec![Act::ApplyUntil(vec![next(kind)], 1)]].concat()
}

fn upgraded(kind: &'static str) -> Vec<Act> {
    [released(kind), vec![Act::Apply(vec![web(2, 5).of(kind)])]].concat()
}

/// Plays a case with a Deployment for each revision, and with one object for all.
async fn on(in_place: &'static str, of: impl Fn(&'static str) -> Case) {
    for kind in ["webservice", in_place] {
        case(kind);
        of(kind).dies_anywhere().await;
    }
}

fn after(before: Vec<Act>, command: Command, allowed: Component) -> Case {
    Case { before, given: Vec::new(), command, allowed: vec![allowed] }
}

#[tokio::test(start_paused = true)]
async fn pause() {
    on("cloneset-service", |kind| after(held(kind), Command::Pause, next(kind))).await;
    after(forsaken("webservice"), Command::Pause, next("webservice")).dies_anywhere().await;
}

#[tokio::test(start_paused = true)]
async fn resume() {
    let paused =
        |before, kind| Case { given: vec![Command::Pause], ..after(before, Command::Resume, next(kind)) };
    on("statefulset", |kind| paused(held(kind), kind)).await;
    paused(forsaken("webservice"), "webservice").dies_anywhere().await;
}

#[tokio::test(start_paused = true)]
async fn promote() {
    on("cloneset-service", |kind| after(held(kind), Command::Promote, next(kind))).await;
}

#[tokio::test(start_paused = true)]
async fn promote_in_full() {
    on("statefulset", |kind| after(held(kind), Command::PromoteFull, next(kind))).await;
}

#[tokio::test(start_paused = true)]
async fn promote_what_is_paused() {
    let promote = after(held("webservice"), Command::Promote, next("webservice"));
    Case { given: vec![Command::Pause], ..promote }.dies_anywhere().await;
}

#[tokio::test(start_paused = true)]
async fn abort() {
    on("cloneset-service", |kind| after(held(kind), Command::Abort, web(1, 5).of(kind))).await;
    after(forsaken("webservice"), Command::Abort, web(1, 5)).dies_anywhere().await;
}

#[tokio::test(start_paused = true)]
async fn scale() {
    let to =
        |size, kind| after(released(kind), Command::Scale(size), web(1, size).batches(&["1", "1"]).of(kind));
    on("cloneset-service", |kind| to(7, kind)).await;
    on("statefulset", |kind| to(3, kind)).await;
}

#[tokio::test(start_paused = true)]
async fn undo() {
    on("statefulset", |kind| after(upgraded(kind), Command::Undo, web(1, 5).of(kind))).await;
}

#[tokio::test(start_paused = true)]
async fn undo_now() {
    on("cloneset-service", |kind| after(upgraded(kind), Command::UndoNow, web(1, 5).of(kind))).await;
    after(held("webservice"), Command::UndoNow, web(1, 5)).dies_anywhere().await;
}

#[tokio::test(start_paused = true)]
async fn delete() {
    let removal = |before, command| Case { before, given: Vec::new(), command, allowed: Vec::new() };
    on("statefulset", |kind| removal(held(kind), Command::Delete)).await;
    removal(vec![Act::Apply(vec![web(1, 2).exposing(80)])], Command::Delete).dies_anywhere().await;
    removal(held("webservice"), Command::DeleteComponent).dies_anywhere().await;
}

/// With other ports in each revision.
fn exposing(version: u32, kind: &'static str) -> Component {
    web(version, 5).exposing(8000 + u16::try_from(version).unwrap()).of(kind)
}

#[tokio::test(start_paused = true)]
async fn undo_of_other_ports() {
    let before = |kind| vec![Act::Apply(vec![exposing(1, kind)]), Act::Apply(vec![exposing(2, kind)])];
    on("statefulset", |kind| after(before(kind), Command::Undo, exposing(1, kind))).await;
}

#[tokio::test(start_paused = true)]
async fn abort_of_other_ports() {
    let before = |kind| {
        let canary = exposing(2, kind).batches(&["2", "3"]).partition(0);
        vec![Act::Apply(vec![exposing(1, kind)]), Act::Apply(vec![canary])]
    };
    on("statefulset", |kind| after(before(kind), Command::Abort, exposing(1, kind))).await;
}

#[tokio::test(start_paused = true)]
async fn scale_of_other_ports() {
    let before =
        vec![Act::Apply(vec![exposing(1, "webservice")]), Act::Apply(vec![exposing(2, "webservice")])];
    let larger = web(2, 7).exposing(8002);
    after(before, Command::Scale(7), larger).dies_anywhere().await;
}
