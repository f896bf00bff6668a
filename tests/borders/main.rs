//! Where a run meets what is not its own: workloads of others, sibling components, other people's runs, the runs
//! before it, and those that it asks before it continues.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod batch_gates;
mod bound_decisions;
mod deadlines;
mod external_changes;
mod fleet;
mod foreign_workloads;
mod hooks;
mod lost_records;
mod rollback;
mod siblings;
mod smoke_tests;
mod stale_decisions;
mod transitions;
