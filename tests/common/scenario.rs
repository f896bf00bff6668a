//! Stories: what has happened before, and the manifest whose run is put to the test.

use std::collections::BTreeMap;
use std::time::Duration;

use rollout::driver::outcome::End;
use rollout::report::event::What;
use serde_json::Value;

use super::fault::Fate;
use super::manifest::{Allowance, Component, wish};
use super::process::{Process, Run};
use super::stage::Stage;
use super::{conditions, end, invariants};

/// The identity of every process of one story.
pub(crate) const IDENTITY: &str = "ci/job-1";

/// Something that happens before.
#[derive(Clone)]
pub(crate) enum Act {
    /// A manifest is applied, to whatever end.
    Apply(Vec<Component>),
    /// A manifest is applied, and its process is killed after so many changes of a size.
    ApplyUntil(Vec<Component>, usize),
    /// The pods follow other rules.
    Pods(&'static str),
}

/// A story.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) rules: &'static str,
    pub(crate) before: Vec<Act>,
    pub(crate) manifest: Vec<Component>,
}

/// How a story goes when nothing disturbs it.
pub(crate) struct Reference {
    pub(crate) run: Run,
    pub(crate) requests: usize,
    pub(crate) deeds: Vec<String>,
    pub(crate) end: BTreeMap<String, Value>,
}

/// A stage on which everything before has happened.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    /// Where the history of the run under test begins.
    pub(crate) from: usize,
}

/// The usual process of a story.
pub(crate) fn process() -> Process {
    Process::new(IDENTITY)
}

/// A process that dies at a request, if it makes as many.
pub(crate) fn dying_at(index: usize, death: fn() -> Fate) -> Process {
    Process::with(IDENTITY, move |seen| if seen.index == index { death() } else { super::fault::PASS })
}

impl Story {
    /// Opens a stage and lets everything happen that happens before.
    pub(crate) async fn open(&self) -> Scene {
        let stage = Stage::open(self.rules).await;
        for act in &self.before {
            let from = stage.history().len();
            match act {
                Act::Pods(rules) => stage.script_pods(rules),
                Act::Apply(manifest) => {
                    stage.run(&process(), &wish(manifest)).await;
                    invariants::check(&stage.history(), from, &allowances(manifest));
                }
                Act::ApplyUntil(manifest, count) => {
                    let process = process();
                    let is_scaled = |what: &What| matches!(what, What::WorkloadScaled { .. });
                    let wish = wish(manifest);
                    tokio::select! {
                        biased;
                        () = process.heard(*count, is_scaled) => {}
                        run = stage.run(&process, &wish) => panic!("it ended: {}", run.story()),
                    }
                }
            }
        }
        let from = stage.history().len();
        Scene { stage, from }
    }

    /// What the run under test may do.
    pub(crate) fn allowances(&self) -> Vec<Allowance> {
        allowances(&self.manifest)
    }

    /// Applies the manifest under test.
    pub(crate) async fn run(&self, scene: &Scene, process: &Process) -> Run {
        scene.stage.run(process, &wish(&self.manifest)).await
    }

    /// Plays the story undisturbed.
    pub(crate) async fn reference(&self) -> Reference {
        let scene = self.open().await;
        let run = self.run(&scene, &process()).await;
        assert!(run.is_well(), "{}", run.story());
        self.judge(&scene, &[&run]).await;
        Reference {
            requests: run.requests.len(),
            deeds: invariants::trace(&scene.stage.history(), scene.from),
            end: end::normalised(&scene.stage.sandbox.objects()),
            run,
        }
    }

    /// Judges what has happened so far, after everything that follows from it.
    pub(crate) async fn judge(&self, scene: &Scene, runs: &[&Run]) {
        scene.stage.settle().await;
        runs.iter().for_each(|run| conditions::check(&run.requests));
        invariants::check(&scene.stage.history(), scene.from, &self.allowances());
    }

    /// Runs the manifest again after a disturbance, until it is done and a further run has nothing to write;
    /// then compares with the undisturbed story.
    pub(crate) async fn complete(&self, scene: &Scene, disturbed: &[&Run], reference: &Reference) {
        let mut runs = Vec::new();
        for _ in 0..2 {
            let run = self.run(scene, &process()).await;
            let is_well = run.is_well();
            runs.push(run);
            if is_well {
                break;
            }
        }
        let last = runs.last().unwrap();
        assert_eq!(kinds(last), kinds(&reference.run), "{}", last.story());
        let runs: Vec<&Run> = disturbed.iter().copied().chain(&runs).collect();
        self.judge(scene, &runs).await;
        self.check_done(scene, reference).await;
    }

    /// Compares with the undisturbed story, and makes sure that a further run writes nothing.
    pub(crate) async fn check_done(&self, scene: &Scene, reference: &Reference) {
        let history = scene.stage.history();
        assert_eq!(invariants::trace(&history, scene.from), reference.deeds, "other deeds than undisturbed");
        end::check(&reference.end, &scene.stage.sandbox.objects());
        let again = self.run(scene, &process()).await;
        assert!(again.is_well(), "{}", again.story());
        assert!(again.writes().is_empty(), "a further run writes: {}", again.story());
        assert_eq!(scene.stage.history().len(), history.len());
    }
}

/// How each component ended, without the details.
pub(crate) fn kinds(run: &Run) -> Vec<(String, &'static str)> {
    let kind = |end: &End| match end {
        End::Succeeded { .. } => "succeeded",
        End::Held { .. } => "held",
        End::Skipped { .. } => "skipped",
        End::Failed(_) => "failed",
    };
    run.ends.iter().flatten().map(|(name, end)| (name.clone(), kind(end))).collect()
}

fn allowances(manifest: &[Component]) -> Vec<Allowance> {
    manifest.iter().map(Component::allowance).collect()
}

/// The longest that anything takes which is not slow on purpose.
pub(crate) const BRIEF: Duration = Duration::from_secs(60);
