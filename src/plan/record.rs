//! The run record: what a run froze when it was claimed, and how the last runs ended.
//!
//! It is written when a run is claimed and when it ends, never for progress: progress is observed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oam::application::Strategy;
use crate::oam::exposure::Exposure;
use crate::oam::kind::WorkloadKind;
use crate::plan::observed::Epoch;

/// How many past runs a record keeps.
pub const PAST_RUNS: usize = 10;

/// How many revisions that worked a record keeps besides the run's own: a rollback of a run that succeeded leads to the
/// first of them that is another, and one of them may be the same.
pub const SUCCEEDED_REVISIONS: usize = 2;

/// Everything that is stored about a component's runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The application that the component belongs to.
    pub application: String,
    /// The component.
    pub component: String,
    /// The epoch of the newest claim.
    pub epoch: Epoch,
    /// The run of that claim.
    pub run: Run,
    /// Earlier runs, newest first, at most [`PAST_RUNS`].
    #[serde(default)]
    pub past: Vec<Run>,
    /// The revisions to which runs before this one succeeded, the last first, each once. It outlives [`Record::past`],
    /// where scales count as well.
    #[serde(default)]
    pub succeeded: Vec<String>,
    /// What revisions expose, where they do not say it themselves or where that has changed since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exposes: BTreeMap<String, Exposure>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// What it does, frozen at the claim.
    pub spec: RunSpec,
    /// What it was asked for as; decides what the same command means when it is given again.
    #[serde(default)]
    pub purpose: Purpose,
    /// How it stands.
    pub outcome: Outcome,
    /// Who has paused it; no write is sent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// Replicas of the component before the first run since the last success: what a rollback returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_before: Option<u32>,
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
    /// Why it ended as it did, where that needs words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a run was asked for as.
///
/// The end alone does not tell: an interrupted way back from `v2` to `v1` looks like an upgrade from `v2`, and going
/// back *from it* would turn it round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Purpose {
    /// To the state that a manifest or a size asks for.
    #[default]
    Forward,
    /// To an earlier revision.
    Undo,
    /// Back to where the run before began.
    Abort,
}

/// Which Lease the process that drives a run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LeaseScope {
    /// That of the application: its runs wait in line for each other.
    #[default]
    Application,
    /// That of the component alone: it was taken over from a run of the application, whose other components go on.
    Component,
}

/// A user's word that a run has to stand still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// The identity of who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What a run does. Nothing in it changes while the run lasts, but by the user's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSpec {
    /// What kind of run it is.
    pub mode: Mode,
    /// The kind of workload that the component runs as.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// The revision being rolled out.
    pub target: String,
    /// The revisions being replaced, as they were at the claim.
    pub sources: Vec<String>,
    /// Replicas at the claim: of the sources together in an upgrade, of the target otherwise.
    pub original_size: u32,
    /// The target's replicas at the claim; zero where it did not exist.
    pub target_start: u32,
    /// Replicas wanted at the end.
    pub target_size: u32,
    /// The batches, absolute. Never empty.
    pub batches: Vec<FrozenBatch>,
    /// Zero-based index of the last batch that may run, inclusive; `None` is all.
    pub partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: FrozenStrategy,
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

/// What kind of run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Nothing was there before.
    Release,
    /// One revision replaces others.
    Upgrade,
    /// The same revision gets another size.
    Scale,
}

/// [`Strategy`], as it is stored.
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

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Claimed and not ended; its process may be gone.
    Running,
    /// Stopped at its gate as asked.
    Held,
    /// Paused by a user; its process, where it lives, waits and writes nothing.
    Paused,
    /// The target was reached.
    Succeeded,
    /// It did not get ready in time; resumable.
    Failed,
    /// Stopped by a signal; resumable.
    Interrupted,
    /// Another run took over before it ended.
    Superseded,
}

impl RunSpec {
    /// The goal after each batch: of the target's size, cumulative.
    ///
    /// The last is always the target size (spec §5.2).
    #[must_use]
    pub fn goals(&self) -> Vec<u32> {
        let last = self.batches.len().saturating_sub(1);
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
                    Mode::Upgrade => moved,
                }
            })
            .collect()
    }

    /// Replicas of the component at the claim, whichever revision they were of.
    #[must_use]
    pub fn size_before(&self) -> u32 {
        match self.mode {
            Mode::Upgrade => self.original_size.saturating_add(self.target_start),
            Mode::Release | Mode::Scale => self.original_size,
        }
    }

    /// Whether a scale makes the workload smaller.
    #[must_use]
    pub fn is_shrink(&self) -> bool {
        self.mode != Mode::Upgrade && self.target_size < self.original_size
    }

    /// Whether the gate is closed after this batch (zero-based). The last batch has no gate.
    #[must_use]
    pub fn holds_after(&self, batch: usize) -> bool {
        batch + 1 < self.batches.len() && self.partition.is_some_and(|partition| partition as usize <= batch)
    }
}

impl Outcome {
    /// Whether a later run with the same end goes on where this one stopped.
    #[must_use]
    pub fn is_resumable(self) -> bool {
        match self {
            Self::Running | Self::Held | Self::Paused | Self::Failed | Self::Interrupted => true,
            Self::Succeeded | Self::Superseded => false,
        }
    }
}

impl Record {
    /// Every revision that its runs name: what a workload of the component may be of.
    pub fn revision_names(&self) -> impl Iterator<Item = String> {
        let runs = std::iter::once(&self.run).chain(&self.past);
        runs.flat_map(|run| std::iter::once(&run.spec.target).chain(&run.spec.sources)).cloned()
    }

    /// The revisions to which runs succeeded, this run's included, the last first, each once.
    #[must_use]
    pub fn succeeded_revisions(&self) -> Vec<String> {
        let has_succeeded = |run: &&Run| run.outcome == Outcome::Succeeded;
        let of_run = Some(&self.run).into_iter().filter(has_succeeded).map(|run| &run.spec.target);
        // Records of earlier versions have their past alone.
        let of_past = self.past.iter().filter(has_succeeded).map(|run| &run.spec.target);
        let mut names: Vec<String> = Vec::new();
        for name in of_run.chain(&self.succeeded).chain(of_past) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The record after a claim of `spec`.
    ///
    /// No claim is paused. A run that goes on keeps its first start; one that is replaced moves to the past, as superseded
    /// where it had neither ended nor failed.
    #[must_use]
    pub fn claim(
        previous: Option<&Self>,
        application: &str,
        component: &str,
        spec: RunSpec,
        claim: Claim,
    ) -> Self {
        let mut record = Self {
            application: application.to_owned(),
            component: component.to_owned(),
            epoch: previous.map_or(Epoch(0), |previous| previous.epoch).max(claim.newest_stamp).next(),
            run: Run {
                size_before: Some(size_before(previous, &spec, claim.resumes)),
                spec,
                purpose: claim.purpose,
                outcome: Outcome::Running,
                paused: None,
                lease: claim.lease,
                by: claim.by,
                started: claim.at,
                finished: None,
                message: None,
            },
            past: previous.map(|previous| previous.past.clone()).unwrap_or_default(),
            succeeded: previous.map(Self::succeeded_revisions).unwrap_or_default(),
            exposes: previous.map(|previous| previous.exposes.clone()).unwrap_or_default(),
        };
        record.succeeded.truncate(SUCCEEDED_REVISIONS);
        if let Some(previous) = previous {
            if claim.resumes {
                record.run.started = previous.run.started;
            } else {
                let mut past = previous.run.clone();
                if past.outcome.is_resumable() && past.outcome != Outcome::Failed {
                    past.outcome = Outcome::Superseded;
                    past.finished = past.finished.or(Some(claim.at));
                }
                record.past.insert(0, past);
                record.past.truncate(PAST_RUNS);
            }
        }
        record
    }
}

impl Run {
    /// Replicas of the component at the moment that a rollback of this run returns to.
    #[must_use]
    pub fn size_before(&self) -> u32 {
        self.size_before.unwrap_or_else(|| self.spec.size_before())
    }
}

/// The size that a rollback of a run of `spec` returns to. A run that begins amid an unfinished one finds more pods than
/// anybody has asked for; then it is the size from before that one.
fn size_before(previous: Option<&Record>, spec: &RunSpec, resumes: bool) -> u32 {
    match previous {
        Some(Record { run, .. }) if resumes || run.outcome != Outcome::Succeeded => run.size_before(),
        Some(_) | None => spec.size_before(),
    }
}

impl Record {
    /// The record after its component's removal has begun: whatever run is under way is superseded, and no run of an
    /// earlier claim can write any more.
    #[must_use]
    pub fn fence(&self, at: Timestamp, newest_stamp: Epoch) -> Self {
        let mut record = self.clone();
        record.epoch = record.epoch.max(newest_stamp).next();
        record.run.paused = None;
        if record.run.outcome.is_resumable() {
            record.run.outcome = Outcome::Superseded;
            record.run.finished = Some(at);
        }
        record
    }
}

/// Who claims a run, when, and whether an unfinished one goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The identity of the claiming process.
    pub by: String,
    /// The time of the claim.
    pub at: Timestamp,
    /// The newest epoch that any workload is stamped with: a record that was lost takes its epoch with it.
    pub newest_stamp: Epoch,
    /// Whether the recorded run goes on.
    pub resumes: bool,
    /// What it is asked for as.
    pub purpose: Purpose,
    /// Which Lease the claiming process holds.
    pub lease: LeaseScope,
}
