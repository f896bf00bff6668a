//! What has been seen of one component in the cluster.
//!
//! An observation is a stale opinion: every write that is planned from it is conditional on what the
//! plan relied on, and a write that is refused means *observe again*.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// One workload (a Deployment of one revision).
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name, which is the revision's.
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
