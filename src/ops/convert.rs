//! Converting objects into an application.

pub use crate::oam::convert::{ConvertError, ConvertedRelease, convert};
pub use crate::oam::manifest::parse_objects;
