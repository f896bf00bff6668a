//! Runs that meet: they wait in line, take over, or vanish; and what a run costs in writes.

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
