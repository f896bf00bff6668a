//! Reading manifests.

use crate::oam::manifest;

pub(crate) use crate::oam::manifest::names;
pub(crate) use crate::oam::manifest::rollout::{Excess, excess};

pub use crate::oam::application::{Amount, Application, Batch, ManifestWarning, Origin};
pub use crate::oam::fleet::{Fleet, FleetCluster, FleetWave};
pub use crate::oam::manifest::{FileOverrides, MAX_MANIFEST_BYTES, ManifestErrors, Problem, Source};

/// Parses manifests, each a name for messages and its bytes.
///
/// # Errors
/// Every problem of every manifest, with its file, line and field.
pub fn parse(sources: &[Source]) -> Result<Vec<Application>, ManifestErrors> {
    manifest::parse_manifest(sources)
}

/// Parses manifests whose components overrides of a fleet change.
///
/// # Errors
/// Every problem of every manifest and override, with its file, line and field.
pub fn parse_overridden(
    sources: &[Source],
    overrides: &FileOverrides,
) -> Result<Vec<Application>, ManifestErrors> {
    manifest::parse_overridden(sources, overrides)
}

/// Parses the file of a fleet.
///
/// # Errors
/// Every problem with its line and field.
pub fn parse_fleet(source: &Source) -> Result<Fleet, ManifestErrors> {
    manifest::parse_fleet(source)
}
