//! A watch is a hint to look. Whatever becomes of it, a run ends as it should, and waiting costs nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod deadlines;
mod evidence;
mod faults;
mod hidden;
mod looking;
mod stale;
mod waiting;
