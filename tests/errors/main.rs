//! Requests fail. A run ends well all the same, or says truly why not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod answered;
mod foreseen;
mod held;
mod lasting;
mod once;
mod refused;
