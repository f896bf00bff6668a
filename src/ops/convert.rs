//! Converting objects into an application.

pub use crate::oam::application::Release;
pub use crate::oam::convert::{ConvertError, ConvertOptions, convert};
pub use crate::oam::manifest::parse_objects;
