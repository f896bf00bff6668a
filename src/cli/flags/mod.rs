//! Flags that several commands take, and the values that they parse to.

pub mod args;
pub mod trial;
pub mod values;
pub(in crate::cli) mod variables;
