//! Requests fail. A run ends well all the same, or says truly why not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod finalizers;
mod outages;
mod preflight;
mod rejections;
mod retry_after;
mod rights;
