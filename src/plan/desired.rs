//! The desired state of one component.

use crate::oam::application::{Batch, Strategy};
use crate::oam::batch_gates::BatchGates;
use crate::oam::kind::WorkloadKind;

/// The desired state, from the manifest or the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The kind of workload that the component runs as.
    pub kind: WorkloadKind,
    /// The revision to roll out.
    pub target: String,
    /// The name of the workload that runs it: the revision's or, in place, the component's.
    pub workload: String,
    /// Desired replicas.
    pub target_size: u32,
    /// The requested batches; `None` means one batch of everything. Never empty.
    pub batches: Option<Vec<Batch>>,
    /// Zero-based index of the last batch that may run, inclusive; `None` means all.
    pub partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: Strategy,
    /// The gates between batches.
    pub gates: BatchGates,
}
