//! Concurrent runs: they queue, take over, or die; and the number of writes of a run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod deleted_objects;
mod late_writes;
mod lease_validity;
mod lock_queue;
mod overtaken;
mod takeover;
mod whole_components;
mod write_counts;
