//! What has been seen of one component in the cluster.
//!
//! An observation is a stale opinion: every write that is planned from it is conditional on what the
//! plan relied on, and a write that is refused means *observe again*.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::record::Record;

/// The number of a claim on a component: each claim is one more than the last, never the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the claim after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An object's `metadata.uid`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uid(pub String);

/// One component as it was last seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Every live workload of the component, in no particular order.
    pub workloads: Vec<Workload>,
    /// The run record, where there is one.
    pub record: Option<Record>,
    /// The epoch that this process has claimed; `None` before the claim.
    pub held: Option<Epoch>,
}

/// One workload: the Deployment of one revision, or the one object of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workload {
    /// Its name: the revision's, or the component's.
    pub name: String,
    /// Its identity; a namesake created later has another.
    pub uid: Uid,
    /// The version that this observation is of.
    pub resource_version: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `metadata.generation`: moves with each change of the spec.
    pub generation: i64,
    /// `status.observedGeneration`; −1 when absent, so that it never equals a generation.
    pub observed_generation: i64,
    /// `status.replicas`: pods that exist, terminating ones left out.
    pub status_replicas: u32,
    /// `status.readyReplicas`.
    pub ready_replicas: u32,
    /// `status.updatedReplicas`: pods of the workload's present template.
    pub updated_replicas: u32,
    /// The stamp of the run that may write to it.
    pub epoch: Option<Epoch>,
    /// Whether it carries any annotation, so that a stamp can be added beside them.
    pub annotated: bool,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether its controller makes no pods of a new template, `spec.paused` of a Deployment.
    pub paused: bool,
    /// The images of its template, by container.
    pub images: BTreeMap<String, String>,
    /// What one object for all revisions shows besides; `None` for a Deployment.
    pub in_place: Option<InPlace>,
}

/// What a workload shows that serves all revisions with one object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InPlace {
    /// What its last writer of ours noted on it.
    pub written: Option<Written>,
    /// Pods that stay on the template before, or the ordinal below which they do.
    pub partition: u32,
    /// `spec.updateStrategy` as it is: what others set in it stays.
    pub strategy: Value,
    /// Ready pods of the present template, or fewer where the status does not tell them from others.
    pub updated_ready: u32,
}

/// What a write to an in-place workload leaves on it: it tells whose spec it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The revision that the template is of.
    pub revision: String,
    /// `metadata.generation` with that write; it moves with every later change of the spec.
    pub generation: i64,
    /// The claim under which it was written.
    pub epoch: Epoch,
}

impl Observed {
    /// The newest epoch that a workload is stamped with; zero where none is.
    #[must_use]
    pub fn newest_stamp(&self) -> Epoch {
        self.workloads.iter().filter_map(|workload| workload.epoch).max().unwrap_or(Epoch(0))
    }
}

impl Workload {
    /// The revision that its template is of; `None` where somebody else has changed its spec since our last write,
    /// and for a Deployment, which is named after it.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        let written = self.in_place.as_ref()?.written.as_ref()?;
        (self.generation <= written.generation).then_some(written.revision.as_str())
    }

    /// The revision that it runs: the one that it is named after, or that its template is of, as far as that is
    /// known.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        match self.in_place {
            Some(_) => self.template(),
            None => Some(&self.name),
        }
    }

    /// Whether its last writer of ours noted a generation that the object has not reached: the write changed nothing, and
    /// the next change of somebody else's would pass for it.
    #[must_use]
    pub fn is_noted_ahead(&self) -> bool {
        let written = self.in_place.as_ref().and_then(|in_place| in_place.written.as_ref());
        written.is_some_and(|written| written.generation > self.generation)
    }

    /// Whether somebody else has changed its spec since the run of this claim wrote it.
    #[must_use]
    pub fn is_disturbed(&self, epoch: Epoch) -> bool {
        let written = self.in_place.as_ref().and_then(|in_place| in_place.written.as_ref());
        written.is_some_and(|written| written.epoch == epoch && self.generation > written.generation)
    }
}

impl Observed {
    /// The live workload of this name.
    #[must_use]
    pub fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.name == name && !workload.deleting)
    }

    /// Every live workload but the target: all of them are sources, however they came to be.
    #[must_use]
    pub fn sources(&self, target: &str) -> Vec<&Workload> {
        self.workloads.iter().filter(|workload| workload.name != target && !workload.deleting).collect()
    }
}
