//! The application model: what a manifest says once it has been found good.

use std::collections::BTreeMap;

use crate::oam::properties::Properties;

/// One Application document (`core.oam.dev/v1beta1`).
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, where the document names one.
    pub namespace: Option<String>,
    /// `metadata.labels`; copied to the workloads.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`; copied to the workloads.
    pub annotations: BTreeMap<String, String>,
    /// The components in the manifest's order; at least one.
    pub components: Vec<Component>,
    /// Where the document stands.
    pub origin: Origin,
}

/// A place in a manifest; line and column are one-based.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file's path as the user gave it, or `<stdin>`.
    pub file: String,
    /// One-based line.
    pub line: usize,
    /// One-based column.
    pub column: usize,
}

/// One entry of `spec.components`.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The component's name, a DNS label.
    pub name: String,
    /// The component's type.
    pub kind: ComponentKind,
    /// The revision's name, where the user chooses it.
    pub external_revision: Option<String>,
    /// Components of the same application that must be done first.
    pub depends_on: Vec<String>,
    /// The type's properties, checked.
    pub properties: Properties,
    /// The `rollout` trait.
    pub rollout: RolloutTrait,
    /// Where the entry stands.
    pub origin: Origin,
}

/// The component types that `rollout` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentKind {
    /// A Deployment that serves; may have a Service.
    Webservice,
    /// A Deployment that works in the background.
    Worker,
    /// A CloneSet of OpenKruise.
    ClonesetService,
    /// A StatefulSet, whose pods have an identity.
    StatefulSet,
}

/// The `rollout` trait of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutTrait {
    /// The revision to converge to; `None` is the one this manifest renders.
    pub target_revision: Option<String>,
    /// Replicas wanted at the end.
    pub target_size: u32,
    /// The batches in order; `None` is one batch of everything. Never empty.
    pub batches: Option<Vec<Batch>>,
    /// Zero-based index of the last batch that may run, inclusive; `None` is all.
    pub batch_partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: Strategy,
}

/// One entry of `rolloutBatches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The batch's size.
    pub replicas: Amount,
    /// How many of the pods reached so far may be unready for the batch to pass.
    pub max_unavailable: Amount,
}

/// A number of pods, absolute or relative to the run's base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// That many.
    Count(u32),
    /// That many per cent of the base, rounded up; 0 to 100.
    Percent(u32),
}

/// The order of a batch's two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The target grows before the source shrinks.
    #[default]
    IncreaseFirst,
    /// The source shrinks before the target grows.
    DecreaseFirst,
}
