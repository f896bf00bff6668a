//! A fleet: clusters that are rolled out wave by wave.

use crate::oam::manifest::FileOverrides;
use crate::oam::origin::Origin;

/// The clusters of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// The waves, in their order; never empty.
    pub waves: Vec<FleetWave>,
}

/// Clusters that are rolled out concurrently.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetWave {
    /// The clusters; never empty.
    pub clusters: Vec<FleetCluster>,
    /// How long the wave must stay ready before the next one, in seconds; `None` is the command line's value.
    pub soak_seconds: Option<u64>,
}

/// One of the clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetCluster {
    /// Its name; by default the context's.
    pub name: String,
    /// The context of the kubeconfig.
    pub context: String,
    /// The namespace, which takes precedence over those of the manifest and the context.
    pub namespace: Option<String>,
    /// How it changes the components of manifests.
    pub overrides: Option<FileOverrides>,
    /// Its place in the file.
    pub origin: Origin,
}
