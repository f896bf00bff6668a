//! What has been seen of one component in the cluster.
//!
//! An observation is a stale opinion: every write that is planned from it is conditional on what the
//! plan relied on, and a write that is refused means *observe again*.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::epoch::Epoch;
use crate::plan::record::Record;

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
    pub claimed_epoch: Option<Epoch>,
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
    /// The stamp of the last write of a run; `None` if no run has written.
    pub spec_stamp: Option<SpecStamp>,
    /// Pods that stay on the template before, or the ordinal below which they do.
    pub partition: u32,
    /// `spec.updateStrategy` as it is: what others set in it stays.
    pub strategy: Value,
    /// Ready pods of the newest template; a lower bound where the status does not count them apart from others.
    pub updated_ready: u32,
}

/// What a write to an in-place workload stores on it, so that a later run knows whose spec it is (ARCHITECTURE.md, *One
/// object for all revisions*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecStamp {
    /// The revision that the template is of.
    pub revision: String,
    /// `metadata.generation` with that write; it moves with every later change of the spec.
    pub generation: i64,
    /// The claim under which it was written, or found as written.
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
    /// What the last write of a run left on it; `None` for a Deployment, and where no run has written.
    #[must_use]
    pub fn spec_stamp(&self) -> Option<&SpecStamp> {
        self.in_place.as_ref()?.spec_stamp.as_ref()
    }

    /// The revision that its template is of; `None` if its spec was modified externally since our last write,
    /// and for a Deployment, which is named after it.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        let stamp = self.spec_stamp()?;
        (self.generation <= stamp.generation).then_some(stamp.revision.as_str())
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

    /// Whether its stamp names a generation that the object has not reached. That write changed nothing, and the next
    /// change by something else would be taken for it.
    #[must_use]
    pub fn is_stamp_ahead(&self) -> bool {
        self.spec_stamp().is_some_and(|stamp| stamp.generation > self.generation)
    }

    /// Whether its spec was modified externally since the run of this claim stamped or wrote it.
    #[must_use]
    pub fn is_modified_externally(&self, epoch: Epoch) -> bool {
        self.spec_stamp().is_some_and(|stamp| stamp.epoch == epoch && self.generation > stamp.generation)
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
