//! What the user wants of one component.

use crate::oam::application::{Batch, Strategy};
use crate::oam::batch_gates::BatchGates;
use crate::oam::kind::WorkloadKind;

/// The end that a run drives to, as the manifest or the command line gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The kind of workload that the component runs as.
    pub kind: WorkloadKind,
    /// The revision to roll out.
    pub target: String,
    /// The name of the workload that runs it: the revision's, or the component's where it is in place.
    pub workload: String,
    /// Replicas wanted at the end.
    pub target_size: u32,
    /// The batches asked for; `None` is one batch of everything. Never empty.
    pub batches: Option<Vec<Batch>>,
    /// Zero-based index of the last batch that may run, inclusive; `None` is all.
    pub partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: Strategy,
    /// What is called, measured and waited for between the batches.
    pub gates: BatchGates,
}
