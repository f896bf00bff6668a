//! Runs that meet: they wait in line, take over, or vanish; and what a run costs in writes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod budget;
mod late;
mod queue;
mod takeover;
mod vanished;
