//! Where a run meets what is not its own: workloads of others, sibling components, other people's runs, and the runs
//! before it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod bound;
mod deadlines;
mod foreign;
mod recorded;
mod rollback;
mod siblings;
