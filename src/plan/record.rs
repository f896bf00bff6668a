//! The run record: the run as frozen at its claim, and how the last runs ended.
//!
//! It is written when a run is claimed, when it passes gates, and when it ends, never for progress: progress is
//! observed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oam::batch_gates::BatchGates;
use crate::oam::exposure::Exposure;
use crate::oam::policies::Policies;
use crate::plan::epoch::Epoch;
use crate::plan::gate_place::GatePlace;
use crate::plan::run::{LeaseScope, Mode, Outcome, Purpose, Run, RunSpec, WorkflowPlace};

/// How many past runs a record keeps.
pub const PAST_RUNS: usize = 10;

/// How many revisions that succeeded a record keeps besides the run's own: a rollback of a run that succeeded returns
/// to the first that differs from the run's target, and one of them may be that target.
pub const SUCCEEDED_REVISIONS: usize = 2;

/// All stored state about a component's runs.
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
    /// The distinct revisions to which earlier runs succeeded, the last first. It reaches back further than
    /// [`Record::past`], which includes scales.
    #[serde(default)]
    pub succeeded: Vec<String>,
    /// What revisions expose, if they do not record it themselves or it has changed since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exposes: BTreeMap<String, Exposure>,
    /// The objects of the traits of revisions that are rolled out in batches, if they have changed since a revision was
    /// recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Vec<Value>>,
    /// The policies of the last manifest, for commands without one.
    #[serde(default, skip_serializing_if = "Policies::is_empty")]
    pub policies: Policies,
}

impl Record {
    /// The names that a workload of the component may have: those of the revisions that its runs name, and the
    /// component's if one was applied as a whole.
    pub fn workload_names(&self) -> impl Iterator<Item = String> {
        let runs = || std::iter::once(&self.run).chain(&self.past);
        let component = runs().any(|run| run.spec.mode == Mode::Apply).then_some(&self.component);
        let revisions = runs().flat_map(|run| std::iter::once(&run.spec.target).chain(&run.spec.sources));
        revisions.chain(component).cloned()
    }

    /// The distinct revisions to which runs succeeded, including this run, the last first.
    #[must_use]
    pub fn succeeded_revisions(&self) -> Vec<String> {
        let has_succeeded = |run: &&Run| run.outcome == Outcome::Succeeded;
        let of_run = Some(&self.run).into_iter().filter(has_succeeded).map(|run| &run.spec.target);
        // Records of earlier versions only have the past runs.
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
    /// A claimed run is not paused. A resumed run keeps its start. A run that is replaced moves to the past, as
    /// superseded if it had neither ended nor failed.
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
                workflow: claim.workflow,
                gates: claim.gates,
                lease: claim.lease,
                by: claim.by,
                started: claim.at,
                finished: None,
                message: None,
            },
            past: previous.map(|previous| previous.past.clone()).unwrap_or_default(),
            succeeded: previous.map(Self::succeeded_revisions).unwrap_or_default(),
            exposes: previous.map(|previous| previous.exposes.clone()).unwrap_or_default(),
            outputs: previous.map(|previous| previous.outputs.clone()).unwrap_or_default(),
            policies: previous.map(|previous| previous.policies.clone()).unwrap_or_default(),
        };
        record.succeeded.truncate(SUCCEEDED_REVISIONS);
        if let Some(previous) = previous {
            if claim.resumes {
                record.run.started = previous.run.started;
            } else {
                let mut past = previous.run.clone();
                // Only the gates of the current run are needed.
                past.spec.gates = BatchGates::default();
                if past.outcome.is_open() {
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

/// The size that a rollback of a run of `spec` returns to. A run that starts during an unfinished one finds more pods
/// than any run requested, so it inherits the size from before that run or, if that is a first release, its target
/// size.
fn size_before(previous: Option<&Record>, spec: &RunSpec, resumes: bool) -> u32 {
    let Some(Record { run, .. }) = previous else { return spec.size_before() };
    match run.outcome {
        _ if resumes => run.size_before(),
        Outcome::Succeeded => spec.size_before(),
        Outcome::Running
        | Outcome::Held
        | Outcome::Paused
        | Outcome::Failed
        | Outcome::Interrupted
        | Outcome::Superseded => match run.spec.mode {
            Mode::Release => run.spec.target_size,
            Mode::Upgrade | Mode::Scale | Mode::Apply => run.size_before(),
        },
    }
}

impl Record {
    /// The record once the deletion of its component has begun: an open run is superseded, and the new epoch prevents
    /// any earlier claim from writing (ARCHITECTURE.md, *Fencing*).
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

/// A claim of a run: by whom, when and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The identity of the claiming process.
    pub by: String,
    /// The time of the claim.
    pub at: Timestamp,
    /// The newest epoch that any workload is stamped with, since the epoch of a lost record is lost as well.
    pub newest_stamp: Epoch,
    /// Whether it resumes the recorded run.
    pub resumes: bool,
    /// The purpose of the run.
    pub purpose: Purpose,
    /// Which Lease the claiming process holds.
    pub lease: LeaseScope,
    /// The run's place in the workflow of its application.
    pub workflow: Option<WorkflowPlace>,
    /// The run's progress through its gates.
    pub gates: GatePlace,
}
