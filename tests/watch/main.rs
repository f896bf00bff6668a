//! A watch is a hint to look. Whatever becomes of it, a run ends as it should, and waiting costs nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod deadlines;
mod driver_requests;
mod evidence;
mod faults;
mod missed_events;
mod observer_requests;
mod stale;
mod whole_components;
