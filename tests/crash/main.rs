//! A process may be killed at any moment. Running it again is the recovery.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod in_place;
mod once;
mod twice;
