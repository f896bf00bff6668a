//! Random histories: manifests in any order, processes killed anywhere, pods that fail and are corrected. In every
//! case, rerunning the last manifest leads to the state that it describes.
//!
//! A history is determined by its seed, so that a failure can be reproduced on either backend.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use rollout::driver::outcome::{ComponentOutcome, FailureKind};
use rollout::sandbox::fault::Verb;
use serde_json::Value;

use super::fault::Fate;
use super::manifest::{Component, request_for};
use super::pod_rules;
use super::process::Run;
use super::scenario::{allowances, dying_at_effect, impatient, kinds, process};
use super::test_cluster::TestCluster;
use super::{end_state, invariants, preconditions};

/// All acts, and the final manifest.
pub(crate) struct History {
    pub(crate) seed: u64,
    /// Whether each act has settled before the next begins.
    pub(crate) is_calm: bool,
    pub(crate) acts: Vec<Act>,
    pub(crate) last: Vec<Component>,
}

pub(crate) enum Act {
    /// A manifest is applied; its process may die at one of its effects.
    Apply { manifest: Vec<Component>, death: Option<Death> },
    /// The pods of these images fail from now on; all others become ready.
    Fail(Vec<String>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) effect: usize,
    pub(crate) moment: Moment,
}

/// The moments at which a process can die during a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    Before,
    Unanswered,
    After,
}

impl Moment {
    fn fate(self) -> fn() -> Fate {
        match self {
            Self::Before => || Fate::DeathBefore,
            Self::Unanswered => || Fate::DeathUnanswered,
            Self::After => || Fate::DeathAfter,
        }
    }
}

/// The outcome of a history.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For each act, how its components ended and what was changed; the last entry is for the last manifest.
    pub(crate) acts: Vec<ActResult>,
    pub(crate) end: BTreeMap<String, Value>,
}

/// The outcome of an act.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ActResult {
    pub(crate) ends: Vec<(String, &'static str)>,
    pub(crate) trace: Vec<String>,
    /// Whether its process died at a delete, whose acceptance depends on concurrent writes of the status.
    pub(crate) died_deleting: bool,
}

impl Outcome {
    /// Panics unless another backend's outcome is the same, as far as the two can be compared.
    pub(crate) fn assert_like(&self, other: &Self, history: &History) {
        let torn = |outcome: &Self| outcome.acts.iter().position(|told| told.died_deleting);
        let torn = [torn(self), torn(other)].into_iter().flatten().min();
        let until = torn.unwrap_or(self.acts.len());
        assert_eq!(self.acts[..until], other.acts[..until], "the grounds disagree in\n{history}");
        if torn.is_none() {
            end_state::assert_equal(&self.end, &other.end);
        }
    }
}

/// The rules before anything happens.
pub(crate) const RULES: &str = pod_rules::READY;

fn rules(failing: &[String]) -> String {
    let failing = failing.iter().map(|image| format!("- {{image: '{image}', fail: NeverReady}}\n"));
    failing.collect::<String>() + pod_rules::READY
}

impl History {
    /// Whether it is the same on every backend: nothing depends on how fast pods become ready, nor on which of two
    /// components was faster when their process died.
    pub(crate) fn is_comparable(&self) -> bool {
        let is_even = |act: &Act| match act {
            Act::Fail(_) => false,
            Act::Apply { manifest, death } => death.is_none() || manifest.len() == 1,
        };
        self.is_calm && self.acts.iter().all(is_even)
    }

    /// Plays it on a cluster whose pods follow [`RULES`]; a failure prints the seed and all acts.
    pub(crate) async fn play(&self, cluster: &TestCluster) -> Outcome {
        match AssertUnwindSafe(self.happen(cluster)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                panic!("{self}\n{}", said.unwrap_or_default());
            }
        }
    }

    async fn happen(&self, cluster: &TestCluster) -> Outcome {
        let mut acts = Vec::new();
        let mut failing: &[String] = &[];
        for act in &self.acts {
            match act {
                Act::Fail(images) => {
                    failing = images;
                    cluster.set_pod_rules(rules(images));
                }
                Act::Apply { manifest, death } => {
                    acts.push(self.apply(cluster, manifest, *death, failing).await);
                }
            }
        }
        cluster.set_pod_rules(rules(&[]));
        acts.push(self.end(cluster).await);
        Outcome { acts, end: end_state::normalised(&cluster.all_objects()) }
    }

    async fn apply(
        &self,
        cluster: &TestCluster,
        manifest: &[Component],
        death: Option<Death>,
        failing: &[String],
    ) -> ActResult {
        let from = cluster.mark().await;
        let mut process = match death {
            Some(death) => dying_at_effect(death.effect, death.moment.fate()),
            None => process(),
        };
        if !failing.is_empty() {
            process.limits = impatient().limits;
        }
        let run = cluster.run(&process, &request_for(manifest)).await;
        if self.is_calm {
            cluster.settle().await;
        }
        cluster.mark().await;
        preconditions::check(&run.requests);
        invariants::check(&cluster.history(), from, &allowances(manifest));
        is_legitimate(&run, failing);
        let last = run.effects().last().map(|request| request.seen.verb);
        let died_deleting = run.ends.is_none() && last == Some(Verb::Delete);
        ActResult { ends: kinds(&run), trace: invariants::trace(&cluster.history(), from), died_deleting }
    }

    /// Applies the last manifest until it is done, and asserts that nothing else is left.
    async fn end(&self, cluster: &TestCluster) -> ActResult {
        let from = cluster.mark().await;
        let manifest = request_for(&self.last);
        let run = cluster.run(&process(), &manifest).await;
        assert!(run.is_success(), "the last manifest fails: {}", run.transcript());
        cluster.settle().await;
        preconditions::check(&run.requests);
        invariants::check(&cluster.history(), from, &allowances(&self.last));
        let trace = invariants::trace(&cluster.history(), from);
        let told = ActResult { ends: kinds(&run), trace, died_deleting: false };
        let targets: Vec<(&str, &str)> =
            self.last.iter().map(|one| (one.name.as_str(), one.target.as_str())).collect();
        let wanted: BTreeMap<String, u64> =
            self.last.iter().map(|one| (one.target.clone(), u64::from(one.size))).collect();
        assert_eq!(cluster.sizes().into_iter().collect::<BTreeMap<_, _>>(), wanted);
        invariants::check_no_orphans(&cluster.all_objects(), &targets);
        let again = cluster.run(&process(), &manifest).await;
        assert!(
            again.is_success() && again.writes().is_empty(),
            "a further run writes: {}",
            again.transcript()
        );
        told
    }
}

/// Whether a run ended in a way that such a history permits.
fn is_legitimate(run: &Run, failing: &[String]) {
    for (_, end) in run.ends.iter().flatten() {
        let is_legitimate = match end {
            ComponentOutcome::Succeeded { .. }
            | ComponentOutcome::Held { .. }
            | ComponentOutcome::Skipped { .. } => true,
            ComponentOutcome::Failed(failure) => match failure.kind {
                // Batches that do not fit the state after an earlier death, or a revision that it has prevented.
                FailureKind::Refused => true,
                FailureKind::NotReady => !failing.is_empty(),
                FailureKind::Invalid
                | FailureKind::GateFailed
                | FailureKind::Superseded
                | FailureKind::ExternalChange
                | FailureKind::Cluster
                | FailureKind::Denied
                | FailureKind::Interrupted
                | FailureKind::Internal => false,
            },
        };
        assert!(is_legitimate, "{}", run.transcript());
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "history of seed {}{}:", self.seed, if self.is_calm { ", calm" } else { "" })?;
        for act in &self.acts {
            match act {
                Act::Fail(images) if images.is_empty() => writeln!(f, "  all pods get ready")?,
                Act::Fail(images) => writeln!(f, "  pods of {} fail", images.join(", "))?,
                Act::Apply { manifest, death } => {
                    write!(f, "  apply {}", lines(manifest))?;
                    match death {
                        Some(death) => writeln!(f, "; dies at effect {} ({:?})", death.effect, death.moment)?,
                        None => writeln!(f)?,
                    }
                }
            }
        }
        writeln!(f, "  at last {}", lines(&self.last))
    }
}

fn lines(manifest: &[Component]) -> String {
    manifest.iter().map(Component::line).collect::<Vec<_>>().join(" | ")
}
