//! A run: its specification, frozen at the claim, and its state.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oam::application::Strategy;
use crate::oam::batch_gates::BatchGates;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::oam::workflow::{GateCondition, StepGate};
use crate::plan::gate_place::GatePlace;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its specification, frozen at the claim.
    pub spec: RunSpec,
    /// Its purpose, which decides what rerunning the same command does.
    #[serde(default)]
    pub purpose: Purpose,
    /// Its state.
    pub outcome: Outcome,
    /// Who has paused it; no writes are sent while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// Replicas of the component before the first run since the last success, to which a rollback returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_before: Option<u32>,
    /// Its place in the order of its application; `None` if that has neither gates nor dependencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowPlace>,
    /// Its progress through the gates between its batches.
    #[serde(default, skip_serializing_if = "GatePlace::is_new")]
    pub gates: GatePlace,
    /// Which Lease its process holds.
    #[serde(default)]
    pub lease: LeaseScope,
    /// Who claimed it.
    pub by: String,
    /// When it was first claimed.
    pub started: Timestamp,
    /// When it ended or was held; `None` while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Why it ended as it did, if that needs an explanation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The purpose of a run.
///
/// The target alone does not show it: an interrupted rollback from `v2` to `v1` looks like an upgrade from `v2`, and
/// rolling *that* back would lead to `v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Purpose {
    /// To reach the state that a manifest or a size requests.
    #[default]
    Forward,
    /// To roll back to an earlier revision.
    Undo,
    /// To return to the state before the previous run.
    Abort,
}

/// Which Lease the process that drives a run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LeaseScope {
    /// That of the application, for which its runs queue.
    #[default]
    Application,
    /// That of the component, which was taken over from a run of the application; that run continues with the other
    /// components.
    Component,
}

/// A user's request to pause a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// The identity of the user.
    pub by: String,
    /// The time.
    pub at: Timestamp,
}

/// The place of a run in the order of its application: nothing is applied before the components that it depends on are
/// done and it has passed its gates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowPlace {
    /// A hash of the application's content. A step that one component has passed is passed for all; a changed
    /// application starts its workflow over.
    pub application: String,
    /// Components that must be done first, directly or through others.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// The gates that remain, in order.
    #[serde(default)]
    pub gates: Vec<StepGate>,
    /// The steps that it has passed.
    #[serde(default)]
    pub passed: BTreeSet<String>,
    /// When it reached the first of its gates; `None` while it waits for other components, and after the last gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Timestamp>,
    /// Whether nothing has been applied yet.
    #[serde(default)]
    pub is_waiting: bool,
}

impl WorkflowPlace {
    /// The namespaces of the applications that the remaining gates wait for.
    pub fn awaited_namespaces(&self) -> impl Iterator<Item = &str> {
        self.gates.iter().filter_map(|gate| match &gate.condition {
            GateCondition::Application { namespace, .. } => Some(namespace.as_str()),
            GateCondition::Promotion { .. } => None,
        })
    }

    /// The place once these steps are passed.
    #[must_use]
    pub fn past(&self, steps: &BTreeSet<String>) -> Self {
        let is_past = |gate: &StepGate| steps.contains(&gate.step);
        let mut place = self.clone();
        if place.gates.first().is_some_and(is_past) {
            place.reached = None;
        }
        place.passed.extend(self.gates.iter().filter(|gate| is_past(gate)).map(|gate| gate.step.clone()));
        place.gates.retain(|gate| !is_past(gate));
        place
    }

    /// The gate that it has reached and not passed.
    #[must_use]
    pub fn held_at(&self) -> Option<&StepGate> {
        self.gates.first().filter(|_| self.is_waiting && self.reached.is_some())
    }
}

/// The specification of a run, frozen at its claim. Only a user's command changes it, with different batches, gates or
/// strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSpec {
    /// The kind of run.
    pub mode: Mode,
    /// The kind of workload that the component runs as.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// The revision being rolled out.
    pub target: String,
    /// The revisions being replaced, as they were at the claim.
    pub sources: Vec<String>,
    /// Replicas at the claim: in an upgrade those of all sources, otherwise those of the target.
    pub original_size: u32,
    /// The target's replicas at the claim; zero if it did not exist.
    pub target_start: u32,
    /// Desired replicas at the end.
    pub target_size: u32,
    /// The batches, in absolute numbers. Never empty.
    pub batches: Vec<FrozenBatch>,
    /// Zero-based index of the last batch that may run, inclusive; `None` means all.
    pub partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: FrozenStrategy,
    /// Whether an upgrade returns to the revision that succeeded last, so that its sources are not worth keeping.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_return: bool,
    /// The gates between batches.
    #[serde(default, skip_serializing_if = "BatchGates::is_empty")]
    pub gates: BatchGates,
    /// The objects that are applied as a whole, each with its namespace; in other modes, those of traits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectRef>,
}

/// A batch in absolute numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenBatch {
    /// Its size.
    pub size: u32,
    /// How many pods may be unready for it to pass.
    pub max_unavailable: u32,
}

/// The kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// The first release: there was nothing before.
    Release,
    /// One revision replaces others.
    Upgrade,
    /// The same revision gets a different size.
    Scale,
    /// The objects of a revision are applied as a whole; there is one batch.
    Apply,
}

/// [`Strategy`], as stored in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrozenStrategy {
    /// The target grows before the source shrinks.
    IncreaseFirst,
    /// The source shrinks before the target grows.
    DecreaseFirst,
}

impl From<Strategy> for FrozenStrategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::IncreaseFirst => Self::IncreaseFirst,
            Strategy::DecreaseFirst => Self::DecreaseFirst,
        }
    }
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Claimed and not ended; its process may be dead.
    Running,
    /// Stopped at its gate, as requested.
    Held,
    /// Paused by a user; its process, if alive, waits and writes nothing.
    Paused,
    /// The target was reached.
    Succeeded,
    /// It failed, for example because pods did not become ready in time; resumable.
    Failed,
    /// Stopped by a signal; resumable.
    Interrupted,
    /// Another run took over before it ended.
    Superseded,
}

impl RunSpec {
    /// The target's size after each batch, cumulative. The last is always the target size.
    #[must_use]
    pub fn goals(&self) -> Vec<u32> {
        let last = self.last_batch();
        let mut moved = 0_u32;
        self.batches
            .iter()
            .enumerate()
            .map(|(index, batch)| {
                moved = moved.saturating_add(batch.size);
                match self.mode {
                    _ if index == last => self.target_size,
                    Mode::Release | Mode::Scale if self.is_shrink() => {
                        self.original_size.saturating_sub(moved)
                    }
                    Mode::Release | Mode::Scale => self.original_size.saturating_add(moved),
                    Mode::Upgrade | Mode::Apply => moved,
                }
            })
            .collect()
    }

    /// The zero-based index of the last batch.
    #[must_use]
    pub fn last_batch(&self) -> usize {
        self.batches.len().saturating_sub(1)
    }

    /// How many pods may be unready when the run ends: `maxUnavailable` of its last batch.
    #[must_use]
    pub fn tolerated_at_end(&self) -> u32 {
        self.batches.last().map_or(0, |batch| batch.max_unavailable)
    }

    /// The goals for a target that already had replicas at the claim.
    ///
    /// For an upgrade of 10 with batches of 3, 3 and 4, whose target has 5 replicas from an earlier attempt:
    ///
    /// | | batch 1 | batch 2 | batch 3 |
    /// |---|---|---|---|
    /// | [`RunSpec::goals`] | 3 | 6 | 10 |
    /// | `IncreaseFirst`, and in place | 5 | 6 | 10 |
    /// | `DecreaseFirst` | 3 | 6 | 10 |
    ///
    /// With `IncreaseFirst`, the first batches count as done once the target's pods are ready. With `DecreaseFirst`,
    /// the sources shrink before anything is known about the target's pods. If pods are replaced in place, the strategy
    /// makes no difference; a StatefulSet that becomes smaller first deletes the pods that it updated first.
    #[must_use]
    pub fn effective_goals(&self) -> Vec<u32> {
        let mut goals = self.goals();
        let counts_its_start = self.kind.is_in_place() || self.strategy == FrozenStrategy::IncreaseFirst;
        if self.mode == Mode::Upgrade && counts_its_start {
            let deleted = match self.kind {
                WorkloadKind::StatefulSet => self.size_before().saturating_sub(self.target_size),
                WorkloadKind::Deployment | WorkloadKind::CloneSet => 0,
            };
            let start = self.target_start.saturating_sub(deleted).min(self.target_size);
            goals.iter_mut().for_each(|goal| *goal = start.max(*goal));
        }
        goals
    }

    /// Replicas that the sources of an upgrade of Deployments keep after each batch.
    ///
    /// They shrink only by the batches that may run, whatever the target had at the claim: if an upgrade of 10 is at 5
    /// and its size changes to 5, the target is complete, but the sources still shrink batch by batch. If the run is a
    /// return, they shrink until the total is the target size after each batch.
    #[must_use]
    pub fn source_goals(&self) -> Vec<u32> {
        let goals = if self.is_return { self.effective_goals() } else { self.goals() };
        goals.into_iter().map(|goal| self.target_size.saturating_sub(goal)).collect()
    }

    /// Replicas of the component at the claim, of any revision.
    #[must_use]
    pub fn size_before(&self) -> u32 {
        match self.mode {
            Mode::Upgrade => self.original_size.saturating_add(self.target_start),
            Mode::Release | Mode::Scale | Mode::Apply => self.original_size,
        }
    }

    /// Whether a scale makes the workload smaller.
    #[must_use]
    pub fn is_shrink(&self) -> bool {
        matches!(self.mode, Mode::Release | Mode::Scale) && self.target_size < self.original_size
    }

    /// Whether the gate is closed after this batch (zero-based). The last batch has no gate.
    #[must_use]
    pub fn holds_after(&self, batch: usize) -> bool {
        batch + 1 < self.batches.len() && self.partition.is_some_and(|partition| partition as usize <= batch)
    }
}

impl Outcome {
    /// Whether a later run with the same end resumes it.
    #[must_use]
    pub fn is_resumable(self) -> bool {
        match self {
            Self::Running | Self::Held | Self::Paused | Self::Failed | Self::Interrupted => true,
            Self::Succeeded | Self::Superseded => false,
        }
    }

    /// Whether the run has neither ended nor failed.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.is_resumable() && self != Self::Failed
    }
}

impl Run {
    /// Whether it has begun and neither ended nor failed, so that a run that replaces it abandons it.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        let is_waiting = self.workflow.as_ref().is_some_and(|place| place.is_waiting);
        self.outcome.is_open() && !is_waiting
    }

    /// Whether it has not started because of a gate of the workflow or a component that is held.
    #[must_use]
    pub fn is_held_in_workflow(&self) -> bool {
        self.outcome == Outcome::Held && self.workflow.as_ref().is_some_and(|place| place.is_waiting)
    }

    /// Replicas of the component to which a rollback of this run returns.
    #[must_use]
    pub fn size_before(&self) -> u32 {
        self.size_before.unwrap_or_else(|| self.spec.size_before())
    }
}
