//! What the user wants of one component.

use crate::oam::application::{Batch, Strategy};

/// The end that a run drives to, as the manifest or the command line gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The revision to roll out; for Deployments also the workload's name.
    pub target: String,
    /// Replicas wanted at the end.
    pub target_size: u32,
    /// The batches asked for; `None` is one batch of everything. Never empty.
    pub batches: Option<Vec<Batch>>,
    /// Zero-based index of the last batch that may run, inclusive; `None` is all.
    pub partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: Strategy,
}
