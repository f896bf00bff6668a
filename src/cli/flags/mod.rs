//! Flags that several commands take, and the values that they parse to.

pub mod args;
pub mod dry_run;
pub mod shard;
pub mod states;
pub mod values;
pub(in crate::cli) mod variables;
