//! A process may be killed at any moment. Running it again is the recovery.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod in_place;
mod single_death;
mod two_deaths;
