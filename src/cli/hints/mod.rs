//! Hints on what to do next, with commands that can be typed as printed.

pub mod cluster_reporter;
pub mod flags;
pub(in crate::cli) mod misplaced;
