//! Failing requests: a run succeeds nevertheless, or reports the cause correctly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod finalizers;
mod outages;
mod preflight;
mod rejections;
mod retry_after;
mod rights;
