//! What to do next, as commands that can be typed as they are printed.

pub(in crate::cli) mod misplaced;
pub mod repeat;
pub mod rewriter;
