//! A fleet: clusters that are rolled out one wave after the other.

use crate::oam::application::Origin;
use crate::oam::manifest::FileOverrides;

/// The clusters of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// The waves, in their order; never empty.
    pub waves: Vec<FleetWave>,
}

/// Clusters that are rolled out side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetWave {
    /// The clusters; never empty.
    pub clusters: Vec<FleetCluster>,
    /// How long the wave must stay ready before the next one, in seconds; `None` is as long as the command line says.
    pub soak_seconds: Option<u64>,
}

/// One of the clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetCluster {
    /// What it is called; the context's name if the file has no other.
    pub name: String,
    /// The context of the kubeconfig.
    pub context: String,
    /// The namespace, over that of the manifest and of the context.
    pub namespace: Option<String>,
    /// How it changes the components of manifests.
    pub overrides: Option<FileOverrides>,
    /// Where the file has it.
    pub origin: Origin,
}
