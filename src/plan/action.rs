//! The actions and waits of a claimed run, shared by both batch loops.

use serde_json::Value;

use crate::plan::observed::{Uid, Workload};
use crate::plan::readiness;
use crate::plan::run::RunSpec;

/// The next action of a claimed run. Batches count from zero.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the target with no replicas.
    Create,
    /// Change the size of a workload.
    Scale {
        /// The change.
        scaling: Scaling,
        /// The batch it belongs to.
        batch: usize,
    },
    /// Let the controller of an in-place workload replace more pods.
    Roll {
        /// The change.
        rolling: Rolling,
        /// The batch it belongs to.
        batch: usize,
    },
    /// Nothing can be done until something changes.
    Wait {
        /// What it waits for.
        waiting: Waiting,
        /// The batch it belongs to.
        batch: usize,
    },
    /// The gate after this batch is closed: the run stops here as requested.
    Hold {
        /// The batch that is done.
        batch: usize,
    },
    /// Delete a drained source.
    Delete {
        /// The source.
        workload: String,
        /// Its UID.
        uid: Uid,
    },
    /// Every workload is as desired: record the success.
    Finish,
}

impl Action {
    /// The batch of a run that it belongs to, from zero.
    #[must_use]
    pub fn batch(&self, spec: &RunSpec) -> usize {
        match self {
            Self::Create => 0,
            Self::Scale { batch, .. }
            | Self::Roll { batch, .. }
            | Self::Wait { batch, .. }
            | Self::Hold { batch } => *batch,
            Self::Delete { .. } | Self::Finish => spec.last_batch(),
        }
    }
}

/// The side of a rollout that a workload is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The revision that the run rolls out.
    Target,
    /// A revision that the run replaces.
    Source,
}

/// A change of a size, with the observation that it was planned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// The workload's name.
    pub workload: String,
    /// Its UID.
    pub uid: Uid,
    /// Which side it is on.
    pub side: Side,
    /// Its observed size; the server rejects the write if it has changed since.
    pub from: u32,
    /// Its new size.
    pub to: u32,
    /// Whether it was paused, so that the same write unpauses it.
    pub unpauses: bool,
}

/// The two numbers that limit how many pods the controller of an in-place workload replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// `spec.replicas`.
    pub replicas: u32,
    /// Pods that keep the previous template: in a CloneSet, this many; in a StatefulSet, those with smaller ordinals.
    pub partition: u32,
}

impl Shape {
    /// The observed shape of a workload.
    #[must_use]
    pub fn of(workload: &Workload) -> Self {
        let partition = workload.in_place.as_ref().map_or(0, |in_place| in_place.partition);
        Self { replicas: workload.replicas, partition }
    }

    /// The number of pods that may be of the newest template.
    #[must_use]
    pub fn updated(self) -> u32 {
        self.replicas.saturating_sub(self.partition)
    }
}

/// A write to an in-place workload, with the observation that it was planned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    /// The workload's name.
    pub workload: String,
    /// Its UID.
    pub uid: Uid,
    /// Its observed `metadata.generation`; the server rejects the write if the spec has changed since.
    pub generation: i64,
    /// The new revision of its pods.
    pub revision: String,
    /// Whether the template has to be written, too.
    pub extent: RollExtent,
    /// Its observed `spec.updateStrategy`.
    pub strategy: Value,
    /// Its observed shape.
    pub from: Shape,
    /// Its new shape.
    pub to: Shape,
}

/// How much of a spec a [`Rolling`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollExtent {
    /// Everything in the revision.
    Template,
    /// Size and partition.
    Shape,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// The controller has to observe the newest spec.
    Generation {
        /// The workload.
        workload: String,
    },
    /// Pods have to become ready.
    Ready {
        /// The workload.
        workload: String,
        /// Ready pods.
        ready: u32,
        /// Desired ready pods, before tolerance.
        goal: u32,
        /// How many of them may be unready.
        tolerated: u32,
    },
    /// Surplus pods have to be gone.
    Drained {
        /// The workload.
        workload: String,
        /// Its pods.
        replicas: u32,
        /// Desired pods.
        goal: u32,
    },
    /// A workload with the target's name has to be gone.
    Deletion {
        /// The workload.
        workload: String,
    },
    /// An object that is applied as a whole has to become ready.
    Object {
        /// Its kind and name, such as `deployment.apps/web`.
        object: String,
        /// What it waits for, such as `1 of 3 ready`.
        reason: String,
        /// Whether it has pods, which may show why.
        has_pods: bool,
    },
}

impl Waiting {
    /// The workload, or object, that the run waits for.
    #[must_use]
    pub fn workload(&self) -> &str {
        match self {
            Self::Generation { workload }
            | Self::Ready { workload, .. }
            | Self::Drained { workload, .. }
            | Self::Deletion { workload }
            | Self::Object { object: workload, .. } => workload,
        }
    }
}

/// The wait until `goal` pods, less those tolerated, are ready; `None` once they are.
pub(super) fn await_ready(workload: &Workload, goal: u32, tolerated: u32) -> Option<Waiting> {
    if readiness::has_ready(workload, goal, tolerated) {
        return None;
    }
    Some(await_observed(workload).unwrap_or_else(|| Waiting::Ready {
        workload: workload.name.clone(),
        ready: readiness::ready_replicas(workload),
        goal,
        tolerated,
    }))
}

/// The wait until no more pods exist than the spec requests; `None` once that is so.
pub(super) fn await_drained(workload: &Workload) -> Option<Waiting> {
    if readiness::is_drained(workload) {
        return None;
    }
    Some(await_observed(workload).unwrap_or_else(|| Waiting::Drained {
        workload: workload.name.clone(),
        replicas: workload.status_replicas,
        goal: workload.replicas,
    }))
}

/// The wait until the status is about the newest spec; `None` once it is.
pub(super) fn await_observed(workload: &Workload) -> Option<Waiting> {
    (!readiness::is_fresh(workload)).then(|| Waiting::Generation { workload: workload.name.clone() })
}
