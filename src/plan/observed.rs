//! The observed state of one component.
//!
//! An observation may be stale: every write that is planned from it is conditional on what the plan relied on, and a
//! rejected write means *observe again*.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::epoch::Epoch;
use crate::plan::record::Record;

/// An object's `metadata.uid`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uid(pub String);

/// One component as last observed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Every live workload of the component, in no particular order.
    pub workloads: Vec<Workload>,
    /// The run record, if there is one.
    pub record: Option<Record>,
    /// The epoch that this process has claimed; `None` before the claim.
    pub claimed_epoch: Option<Epoch>,
}

/// A workload: the Deployment of one revision, or the object that serves all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workload {
    /// Its name, which is the revision's or the component's.
    pub name: String,
    /// Its UID; a recreated workload of the same name has a different one.
    pub uid: Uid,
    /// The resource version of this observation.
    pub resource_version: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `metadata.generation`, which increases with each change of the spec.
    pub generation: i64,
    /// `status.observedGeneration`; −1 when absent, so that it never equals a generation.
    pub observed_generation: i64,
    /// `status.replicas`: pods that exist, without terminating ones.
    pub status_replicas: u32,
    /// `status.readyReplicas`.
    pub ready_replicas: u32,
    /// `status.updatedReplicas`: pods of the workload's present template.
    pub updated_replicas: u32,
    /// The stamp of the run that may write to it.
    pub epoch: Option<Epoch>,
    /// Whether it has any annotations, to which a stamp can be added.
    pub annotated: bool,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether its controller creates no pods of a new template: `spec.paused` of a Deployment.
    pub paused: bool,
    /// The images of its template that others may have set, by container.
    pub images: BTreeMap<String, String>,
    /// The additional state of an in-place workload; `None` for a Deployment.
    pub in_place: Option<InPlace>,
}

/// The additional state of a workload that serves all revisions with one object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InPlace {
    /// The stamp of the last write of a run; `None` if no run has written.
    pub spec_stamp: Option<SpecStamp>,
    /// The number of pods that keep the previous template, or the ordinal below which they do.
    pub partition: u32,
    /// The live `spec.updateStrategy`, in which fields set by others are kept.
    pub strategy: Value,
    /// Whether other clients have changed the size since that write, and no other field of the spec.
    pub is_only_resized: bool,
    /// Ready pods of the newest template; a lower bound if the status does not count them separately.
    pub updated_ready: u32,
}

/// Stored on an in-place workload with each write, so that a later run knows who wrote its spec (ARCHITECTURE.md, *One
/// object for all revisions*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecStamp {
    /// The revision of the template.
    pub revision: String,
    /// `metadata.generation` after that write; it increases with every later change of the spec.
    pub generation: i64,
    /// The claim under which it was written, or was confirmed to be as written.
    pub epoch: Epoch,
}

impl Observed {
    /// The newest epoch that a workload is stamped with; zero if none is.
    #[must_use]
    pub fn newest_stamp(&self) -> Epoch {
        self.workloads.iter().filter_map(|workload| workload.epoch).max().unwrap_or(Epoch(0))
    }
}

impl Workload {
    /// The stamp of the last write of a run; `None` for a Deployment, or if no run has written.
    #[must_use]
    pub fn spec_stamp(&self) -> Option<&SpecStamp> {
        self.in_place.as_ref()?.spec_stamp.as_ref()
    }

    /// The revision of its template; `None` if a field of its spec other than the size was modified externally since
    /// our last write, and for a Deployment, which is named after its revision.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        let in_place = self.in_place.as_ref()?;
        let stamp = in_place.spec_stamp.as_ref()?;
        let is_as_written = self.generation <= stamp.generation || in_place.is_only_resized;
        is_as_written.then_some(stamp.revision.as_str())
    }

    /// The revision that it runs: the one that it is named after, or that of its template, if it is known.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        match self.in_place {
            Some(_) => self.template(),
            None => Some(&self.name),
        }
    }

    /// Whether its stamp names a generation that the object has not reached. Then the stamped write changed nothing,
    /// and the next external change would be mistaken for it.
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
    /// The live workload with this name.
    #[must_use]
    pub fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.name == name && !workload.deleting)
    }

    /// All live workloads except the target: they are sources, whatever run created them.
    #[must_use]
    pub fn sources(&self, target: &str) -> Vec<&Workload> {
        self.workloads.iter().filter(|workload| workload.name != target && !workload.deleting).collect()
    }
}
