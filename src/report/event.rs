//! The events of a run.
//!
//! The driver emits events, and the displays turn them into text or JSON. Each event contains all numbers that its text
//! needs. Batches are zero-based here and one-based in text.
//!
//! `-o ndjson` prints the names of events and fields in camel case: renaming one changes the interface for programs.

use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use crate::plan::action::Side;
use crate::plan::gate_place::Phase;
use crate::plan::run::{Mode, Purpose};

/// Receives every event of a process in order.
pub trait Reporter {
    /// Reports an event.
    fn event(&mut self, event: &Event);
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The time since the process started to drive.
    #[serde(rename = "elapsedSeconds", serialize_with = "serialize_seconds")]
    pub elapsed: SignedDuration,
    /// The cluster, if the command acts on several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The namespace, if the command acts on several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The application.
    pub application: String,
    /// The component; `None` if the event is about the application as a whole.
    pub component: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// The wave of a fleet's cluster has started.
    WaveStarted {
        /// Its wave, zero-based.
        wave: usize,
        /// How many waves the fleet has.
        waves: usize,
    },
    /// The wave of a fleet's cluster is skipped.
    WaveSkipped {
        /// Its wave, zero-based.
        wave: usize,
        /// How many waves the fleet has.
        waves: usize,
        /// Why.
        reason: String,
    },
    /// Another run holds the application's Lease; this one waits its turn.
    Queued {
        /// The other run's identity.
        holder: String,
    },
    /// A component waits for those it depends on.
    DependencyAwaited {
        /// The components that have not completed.
        on: Vec<String>,
    },
    /// A revision was recorded.
    RevisionCreated {
        /// Its name.
        revision: String,
        /// Its number.
        number: i64,
    },
    /// A run was claimed; its batches start or resume.
    RunStarted {
        /// What kind of run it is.
        #[serde(serialize_with = "serialize_mode")]
        action: Mode,
        /// Whether it is a rollback, which programs see as an upgrade to an earlier revision.
        #[serde(skip)]
        purpose: Purpose,
        /// Revisions being replaced; empty for a first release and a scale.
        from: Vec<String>,
        /// The revision being rolled out.
        to: String,
        /// Replicas when the run was first claimed: of the sources in an upgrade, of the target in a scale.
        original_size: u32,
        /// Replicas of all revisions when the run was first claimed.
        #[serde(skip)]
        size_before: u32,
        /// The target size.
        target_size: u32,
        /// The goal after each batch, cumulative.
        goals: Vec<u32>,
        /// Whether an unfinished run is resumed.
        resumed: bool,
        /// The batch deadline; zero is none.
        #[serde(rename = "batchTimeoutSeconds", serialize_with = "serialize_seconds")]
        batch_timeout: SignedDuration,
        /// The run's deadline; zero is none.
        #[serde(rename = "timeoutSeconds", serialize_with = "serialize_seconds")]
        timeout: SignedDuration,
    },
    /// A workload was created.
    WorkloadCreated {
        /// Its name.
        workload: String,
    },
    /// A workload was resized.
    WorkloadScaled {
        /// Its name.
        workload: String,
        /// Whether it is the target or a source.
        #[serde(serialize_with = "serialize_side")]
        role: Side,
        /// The size before.
        from: u32,
        /// The requested size.
        to: u32,
        /// The batch this belongs to.
        batch: usize,
        /// How many batches the run has.
        batches: usize,
    },
    /// A workload that serves all revisions may update more of its pods.
    WorkloadRolled {
        /// Its name.
        workload: String,
        /// The revision that its pods are updated to.
        revision: String,
        /// How many of its pods may be of that revision now.
        moved: u32,
        /// Its desired replicas.
        replicas: u32,
        /// The batch this belongs to.
        batch: usize,
        /// How many batches the run has.
        batches: usize,
    },
    /// The condition that the run waits for has changed, or a reminder is due.
    Waiting {
        /// Where the run stands.
        progress: Progress,
        /// What it waits for, as text: "`web-v2` 1 of 2 ready".
        on: String,
        /// Whether that is a gate, whose text names its place in the run.
        at_gate: bool,
    },
    /// The cause of a run's lack of progress was diagnosed.
    Diagnosed {
        /// What is wrong: the worst pods, conditions. One line each, never empty.
        evidence: Vec<String>,
    },
    /// A batch is complete.
    BatchReady {
        /// Where the run stands.
        progress: Progress,
    },
    /// A metric was measured after a batch.
    Measured {
        /// The metric.
        metric: String,
        /// Whether the value is good.
        phase: Phase,
        /// The value, or why there is none.
        value: String,
        /// How many measurements have returned a value so far.
        taken: u32,
        /// How many measurements are required.
        count: u32,
        /// The last values, the newest last.
        values: Vec<String>,
        /// The place in the run: "after batch 1 of 3".
        point: String,
    },
    /// All gates at a point of the run are passed.
    GatePassed {
        /// The place in the run: "after batch 1 of 3".
        point: String,
    },
    /// The run is held between two batches, because a measurement was neither good nor bad.
    Inconclusive {
        /// Where the run stands.
        progress: Progress,
        /// Why.
        reason: String,
        /// What to do next, one line each.
        hints: Vec<String>,
    },
    /// A user has paused the run; the process waits.
    Paused {
        /// Where the run stands.
        progress: Progress,
        /// Who paused it.
        by: String,
    },
    /// A paused run was resumed.
    Resumed,
    /// The run is held between two batches, as requested.
    Held {
        /// Where the run stands; `progress.batch` is the last one done.
        progress: Progress,
        /// The gate that holds the run, as text; `None` for `batchPartition`.
        reason: Option<String>,
        /// What to do next, one line each.
        hints: Vec<String>,
    },
    /// The run is held at a step of the workflow, before anything of the component is applied.
    Suspended {
        /// The step.
        step: String,
        /// The step's message to the user.
        message: Option<String>,
        /// What to do next, one line each.
        hints: Vec<String>,
    },
    /// The run is held until a component that it depends on, which is held itself, is done. Nothing of the component
    /// is applied before.
    DependencyHeld {
        /// That component.
        on: String,
        /// What to do next, one line each.
        hints: Vec<String>,
    },
    /// A drained source was deleted.
    WorkloadDeleted {
        /// Its name.
        workload: String,
    },
    /// Old revisions were removed.
    RevisionsPruned {
        /// Their names.
        revisions: Vec<String>,
    },
    /// A Service was created or changed.
    ServiceApplied {
        /// Its name.
        service: String,
    },
    /// A Service was deleted, because no port is exposed any longer.
    ServiceRemoved {
        /// Its name.
        service: String,
    },
    /// An object of a component that is applied as a whole was written.
    ObjectApplied {
        /// Its kind and name, such as `deployment.apps/web`.
        object: String,
        /// Whether it was created or changed.
        change: ObjectChange,
    },
    /// An object that the component no longer renders was deleted.
    ObjectDeleted {
        /// Its kind and name, such as `service/web`.
        object: String,
    },
    /// A request failed and will be retried.
    Retrying {
        /// What went wrong.
        error: String,
        /// The delay before the retry.
        #[serde(rename = "delaySeconds", serialize_with = "serialize_seconds")]
        delay: SignedDuration,
    },
    /// A warning; the run continues.
    Warned {
        /// The warning, without a full stop.
        message: String,
    },
    /// The component is as requested.
    Succeeded {
        /// The final state.
        progress: Progress,
        /// Whether anything was changed.
        changed: bool,
    },
    /// The user interrupted the run; the same command resumes it.
    Interrupted {
        /// Where the run stands, if there is one.
        progress: Option<Progress>,
        /// What to do next, one line each.
        hints: Vec<String>,
    },
    /// The run failed.
    Failed {
        /// Where the run stands, if there is one.
        progress: Option<Progress>,
        /// Why, object first, without a full stop.
        reason: String,
        /// The evidence: conditions, the worst pods, what runs now. One line each.
        evidence: Vec<String>,
        /// What to do next, one line each.
        hints: Vec<String>,
    },
}

/// What applying an object did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectChange {
    /// It did not exist.
    Created,
    /// It existed and was changed.
    Configured,
}

impl ObjectChange {
    /// The word that kubectl prints.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The current batch, zero-based.
    pub batch: usize,
    /// How many batches the run has.
    pub batches: usize,
    /// The target size.
    pub target_size: u32,
    /// The replicas of the target requested so far.
    pub upgraded: u32,
    /// Ready pods of the target.
    pub ready: u32,
    /// The desired replicas of the sources.
    pub source: u32,
}

fn serialize_seconds<S: Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Serializes a mode under its name in documents.
pub(super) fn serialize_mode<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match mode {
        Mode::Release => "release",
        Mode::Upgrade => "upgrade",
        Mode::Scale => "scale",
        Mode::Apply => "apply",
    })
}

fn serialize_side<S: Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match side {
        Side::Target => "target",
        Side::Source => "source",
    })
}
