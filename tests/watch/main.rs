//! Watches are only hints to read the state. A run ends correctly regardless of their failures, and waiting costs few
//! requests.

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
