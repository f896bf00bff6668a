//! What to do next, as commands that can be typed as they are printed.

pub mod cluster_reporter;
pub mod flags;
pub(in crate::cli) mod misplaced;
