//! A scenario: what happened before, and the run that is put to the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::ComponentOutcome;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb};
use serde_json::Value;

use super::command::Command;
use super::fault::{self, Fate};
use super::manifest::{Allowance, Component, request_for};
use super::process::{Process, Run};
use super::test_cluster::TestCluster;
use super::{end_state, invariants, preconditions};

/// The identity of every process of one scenario.
pub(crate) const IDENTITY: &str = "ci/job-1";

/// Something that happens before.
#[derive(Clone)]
pub(crate) enum Act {
    /// A manifest is applied, to whatever end.
    Apply(Vec<Component>),
    /// A manifest is applied whose pods never get ready, with a short timeout.
    ApplyInVain(Vec<Component>),
    /// A manifest is applied, and its process is killed after so many changes of a size.
    ApplyUntil(Vec<Component>, usize),
    /// A command succeeds.
    Run(Command),
    /// The pods follow other rules.
    Pods(String),
}

/// What happened before, and what is put to the test.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// The rules that pods follow at first.
    pub(crate) rules: String,
    pub(crate) before: Vec<Act>,
    /// The manifest under test. Of a command: what the run that it starts may do; nothing is said where there is none.
    pub(crate) manifest: Vec<Component>,
    /// The command under test, instead of `apply`.
    pub(crate) command: Option<Command>,
    pub(crate) tried: Tried,
}

/// With which faults a scenario is tried besides a single death of its process, which every scenario has to survive.
#[derive(Clone, Copy)]
pub(crate) struct Tried {
    /// Each request fails once, in each way in which it can.
    pub(crate) errors: bool,
    /// Two deaths, at every so many of the pairs of requests: over all of them, that meets each request several times.
    pub(crate) two_deaths: Option<usize>,
}

/// How a scenario goes when nothing disturbs it.
pub(crate) struct Reference {
    pub(crate) run: Run,
    pub(crate) requests: usize,
    pub(crate) trace: Vec<String>,
    pub(crate) end: BTreeMap<String, Value>,
}

/// A cluster on which everything before has happened.
pub(crate) struct Scene {
    pub(crate) cluster: TestCluster,
    /// Where the history of the run under test begins.
    pub(crate) from: usize,
}

/// The usual process of a scenario.
pub(crate) fn process() -> Process {
    Process::new(IDENTITY)
}

/// A process with a short batch timeout.
pub(crate) fn impatient() -> Process {
    let mut process = process();
    process.limits.batch = SOON;
    process
}

/// A process that dies at a request, if it makes as many.
pub(crate) fn dying_at(index: usize, death: fn() -> Fate) -> Process {
    Process::with(IDENTITY, move |seen| if seen.index == index { death() } else { fault::PASS })
}

/// A process that dies at one of its effects, if it has as many. Other requests come in other numbers each time
/// where time is real, and so do deletes, since one that meets a status being written is made again.
pub(crate) fn dying_at_effect(number: usize, death: fn() -> Fate) -> Process {
    let (effects, deleted) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    Process::with(IDENTITY, move |seen| {
        let is_new = is_new_effect(seen, &mut deleted.lock().unwrap());
        let is_it = is_new && effects.fetch_add(1, Ordering::Relaxed) == number;
        if is_it { death() } else { fault::PASS }
    })
}

/// Whether a request is one more effect: a delete that is made again is none.
pub(crate) fn is_new_effect(seen: &RequestInfo, deleted: &mut BTreeSet<Option<String>>) -> bool {
    fault::is_effect(seen) && (seen.verb != Verb::Delete || deleted.insert(seen.name.clone()))
}

impl Scenario {
    /// The same with components of this type, which its name then says.
    pub(crate) fn of(mut self, kind: &'static str) -> Self {
        let of = |manifest: &mut Vec<Component>| {
            manifest.iter_mut().for_each(|component| component.kind = kind);
        };
        for act in &mut self.before {
            match act {
                Act::Apply(manifest) | Act::ApplyInVain(manifest) | Act::ApplyUntil(manifest, _) => {
                    of(manifest);
                }
                Act::Run(_) | Act::Pods(_) => {}
            }
        }
        of(&mut self.manifest);
        self.name = format!("{}_{}", kind.trim_end_matches("-service"), self.name);
        self
    }

    pub(crate) fn with_errors(mut self) -> Self {
        self.tried.errors = true;
        self
    }

    pub(crate) fn dying_twice(mut self, every: usize) -> Self {
        self.tried.two_deaths = Some(every);
        self
    }

    /// Lets everything happen that happens before, in a cluster in this process.
    pub(crate) async fn open(&self) -> Scene {
        self.open_on(TestCluster::open(&self.rules).await).await
    }

    /// Lets everything happen that happens before, on a cluster whose pods follow this scenario's rules.
    pub(crate) async fn open_on(&self, cluster: TestCluster) -> Scene {
        for act in &self.before {
            let from = cluster.mark().await;
            match act {
                Act::Pods(rules) => cluster.set_pod_rules(rules),
                Act::Run(command) => {
                    let run = command.run(&cluster, &process()).await;
                    assert!(run.is_success(), "{command:?}: {}", run.transcript());
                }
                Act::Apply(manifest) | Act::ApplyInVain(manifest) => {
                    let is_in_vain = matches!(act, Act::ApplyInVain(_));
                    let process = if is_in_vain { impatient() } else { process() };
                    let run = cluster.run(&process, &request_for(manifest)).await;
                    assert_ne!(run.is_success(), is_in_vain, "{}", run.transcript());
                    cluster.mark().await;
                    invariants::check(&cluster.history(), from, &allowances(manifest));
                }
                Act::ApplyUntil(manifest, count) => {
                    let process = process();
                    let is_scaled = |what: &EventKind| matches!(what, EventKind::WorkloadScaled { .. });
                    let request = request_for(manifest);
                    tokio::select! {
                        biased;
                        () = process.heard(*count, is_scaled) => {}
                        run = cluster.run(&process, &request) => panic!("it ended: {}", run.transcript()),
                    }
                }
            }
        }
        let from = cluster.mark().await;
        Scene { cluster, from }
    }

    /// What the run under test may do.
    pub(crate) fn allowances(&self) -> Vec<Allowance> {
        allowances(&self.manifest)
    }

    /// Applies the manifest under test, or runs the command.
    pub(crate) async fn run(&self, scene: &Scene, process: &Process) -> Run {
        match self.command {
            Some(command) => command.run(&scene.cluster, process).await,
            None => scene.cluster.run(process, &request_for(&self.manifest)).await,
        }
    }

    /// Plays the scenario undisturbed, in a cluster in this process.
    pub(crate) async fn reference(&self) -> Reference {
        self.play(&self.open().await).await
    }

    /// Plays the scenario undisturbed.
    pub(crate) async fn play(&self, scene: &Scene) -> Reference {
        let run = self.run(scene, &process()).await.succeeded();
        self.judge(scene, &[&run]).await;
        Reference {
            requests: run.requests.len(),
            trace: invariants::trace(&scene.cluster.history(), scene.from),
            end: end_state::normalised(&scene.cluster.all_objects()),
            run,
        }
    }

    /// Judges what has happened so far, after everything that follows from it.
    pub(crate) async fn judge(&self, scene: &Scene, runs: &[&Run]) {
        scene.cluster.settle().await;
        runs.iter().for_each(|run| preconditions::check(&run.requests));
        invariants::check(&scene.cluster.history(), scene.from, &self.allowances());
    }

    /// Runs the manifest again after a disturbance, until it is done and a further run has nothing to write;
    /// then compares with the undisturbed run.
    pub(crate) async fn complete(&self, scene: &Scene, disturbed: &[&Run], reference: &Reference) {
        let mut runs = Vec::new();
        for _ in 0..2 {
            let run = self.run(scene, &process()).await;
            let is_success = run.is_success();
            runs.push(run);
            if is_success {
                break;
            }
        }
        let last = runs.last().unwrap();
        assert_eq!(kinds(last), kinds(&reference.run), "{}", last.transcript());
        let runs: Vec<&Run> = disturbed.iter().copied().chain(&runs).collect();
        self.judge(scene, &runs).await;
        self.check_done(scene, reference).await;
    }

    /// Compares with the undisturbed run, and makes sure that a further run writes nothing.
    pub(crate) async fn check_done(&self, scene: &Scene, reference: &Reference) {
        let trace = invariants::trace(&scene.cluster.history(), scene.from);
        assert_eq!(trace, reference.trace, "other deeds than undisturbed");
        end_state::check(&reference.end, &scene.cluster.all_objects());
        let changes = scene.cluster.changes_by_clients();
        let again = self.run(scene, &process()).await.succeeded();
        assert!(again.writes().is_empty(), "a further run writes: {}", again.transcript());
        scene.cluster.mark().await;
        assert_eq!(scene.cluster.changes_by_clients(), changes);
    }
}

/// How each component ended, without the details.
pub(crate) fn kinds(run: &Run) -> Vec<(String, &'static str)> {
    let kind = |end: &ComponentOutcome| match end {
        ComponentOutcome::Succeeded { .. } => "succeeded",
        ComponentOutcome::Held { .. } => "held",
        ComponentOutcome::Skipped { .. } => "skipped",
        ComponentOutcome::Failed(_) => "failed",
    };
    run.ends.iter().flatten().map(|(name, end)| (name.clone(), kind(end))).collect()
}

/// What a run of a manifest may do.
pub(crate) fn allowances(manifest: &[Component]) -> Vec<Allowance> {
    manifest.iter().map(Component::allowance).collect()
}

/// The longest that anything takes which is not slow on purpose.
pub(crate) const BRIEF: Duration = Duration::from_secs(60);

/// How long a process waits that gives up soon: long enough for a busy machine to do what comes before.
const SOON: Duration = Duration::from_secs(3);
