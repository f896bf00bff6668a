//! Reads manifests and fleet files.

pub(crate) use crate::oam::manifest::names;
pub(crate) use crate::oam::manifest::rollout::{Excess, excess};

pub use crate::oam::application::{Amount, Application, Batch, ManifestWarning};
pub use crate::oam::fleet::{Fleet, FleetCluster, FleetWave};
pub use crate::oam::manifest::{
    FileOverrides, MAX_MANIFEST_BYTES, ManifestErrors, Problem, Source, parse_fleet, parse_manifest,
    parse_overridden,
};
pub use crate::oam::origin::Origin;
