//! A scenario: the preceding acts, and the run under test.

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

/// A preceding act.
#[derive(Clone)]
pub(crate) enum Act {
    /// A manifest is applied, with any outcome.
    Apply(Vec<Component>),
    /// A manifest is applied whose pods never become ready, with a short timeout.
    ApplyInVain(Vec<Component>),
    /// A manifest is applied, and its process is killed after this many changes of a size.
    ApplyUntil(Vec<Component>, usize),
    /// A command succeeds.
    Run(Command),
    /// The pods follow other rules.
    Pods(String),
}

/// The preceding acts, and the run under test.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// The rules that pods follow at first.
    pub(crate) rules: String,
    pub(crate) before: Vec<Act>,
    /// The manifest under test. For a command, it sets the limits of its run, if there is one.
    pub(crate) manifest: Vec<Component>,
    /// The command under test, instead of `apply`.
    pub(crate) command: Option<Command>,
    pub(crate) tried: Tried,
}

/// The faults that a scenario is tested with, besides a single death of its process, which every scenario must survive.
#[derive(Clone, Copy)]
pub(crate) struct Tried {
    /// Each request fails once in each possible way.
    pub(crate) errors: bool,
    /// Two deaths, at every n-th pair of requests, which includes each request several times.
    pub(crate) two_deaths: Option<usize>,
}

/// The undisturbed run of a scenario.
pub(crate) struct Reference {
    pub(crate) run: Run,
    pub(crate) requests: usize,
    pub(crate) trace: Vec<String>,
    pub(crate) end: BTreeMap<String, Value>,
}

/// A cluster on which the preceding acts have happened.
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

/// A process that dies at a request, if it sends as many.
pub(crate) fn dying_at(index: usize, death: fn() -> Fate) -> Process {
    Process::with(IDENTITY, move |seen| if seen.index == index { death() } else { fault::PASS })
}

/// A process that dies at one of its effects, if it has as many. In real time, the number of other requests varies, and
/// so does that of deletes, since a delete that conflicts with a write of the status is retried.
pub(crate) fn dying_at_effect(number: usize, death: fn() -> Fate) -> Process {
    let (effects, deleted) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    Process::with(IDENTITY, move |seen| {
        let is_new = is_new_effect(seen, &mut deleted.lock().unwrap());
        let is_it = is_new && effects.fetch_add(1, Ordering::Relaxed) == number;
        if is_it { death() } else { fault::PASS }
    })
}

/// Whether a request is a further effect: a retried delete is not.
pub(crate) fn is_new_effect(seen: &RequestInfo, deleted: &mut BTreeSet<Option<String>>) -> bool {
    fault::is_effect(seen) && (seen.verb != Verb::Delete || deleted.insert(seen.name.clone()))
}

impl Scenario {
    /// The same scenario with components of this type, which is added to its name.
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

    /// Performs the preceding acts in an in-process cluster.
    pub(crate) async fn open(&self) -> Scene {
        self.open_on(TestCluster::open(&self.rules).await).await
    }

    /// Performs the preceding acts on a cluster whose pods follow this scenario's rules.
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

    /// The limits of the run under test.
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

    /// Plays the scenario undisturbed in an in-process cluster.
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

    /// Checks the history so far, after the cluster has settled.
    pub(crate) async fn judge(&self, scene: &Scene, runs: &[&Run]) {
        scene.cluster.settle().await;
        runs.iter().for_each(|run| preconditions::check(&run.requests));
        invariants::check(&scene.cluster.history(), scene.from, &self.allowances());
    }

    /// Reruns the manifest after a disturbance, until it is done and a further run has nothing to write; then compares
    /// with the undisturbed run.
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

    /// Compares with the undisturbed run, and asserts that a further run writes nothing.
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

/// The limits of a manifest's run.
pub(crate) fn allowances(manifest: &[Component]) -> Vec<Allowance> {
    manifest.iter().map(Component::allowance).collect()
}

/// The maximum duration of anything that is not slow on purpose.
pub(crate) const BRIEF: Duration = Duration::from_secs(60);

/// The patience of a process that gives up soon: long enough for its first requests on a busy machine.
const SOON: Duration = Duration::from_secs(3);
