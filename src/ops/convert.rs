//! Converting objects into an application.

use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::convert::convert;
use crate::oam::manifest::{self, ManifestErrors, Source};

pub use crate::oam::convert::ConvertedRelease;

/// Reads objects, each source a name for messages and its bytes.
///
/// # Errors
/// Every problem of every source, with its file, line and field.
pub fn parse(sources: &[Source]) -> Result<Vec<serde_json::Value>, ManifestErrors> {
    manifest::parse_objects(sources)
}

/// The Application that renders these objects, as YAML; without a `name`, the objects decide what it is called.
///
/// # Errors
/// [`FailureKind::Invalid`]: no object, or no name that an application can have.
pub fn application(
    objects: &[serde_json::Value],
    name: Option<&str>,
    release: ConvertedRelease,
) -> Result<String, Failure> {
    convert(objects, name, release).map_err(|error| Failure::new(FailureKind::Invalid, error.to_string()))
}
