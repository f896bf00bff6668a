//! Interaction of a run with others: foreign workloads, sibling components, other users' runs, earlier runs, and gates.

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
