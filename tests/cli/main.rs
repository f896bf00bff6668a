//! The commands through the compiled binary: what is said where, and which exit code it ends with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside;
mod completing;
mod connecting;
mod controlling;
mod deleting;
mod differing;
mod exit_codes;
mod exit_table;
mod exposing;
mod forms;
mod hostile;
mod in_ci;
mod killing;
mod leaving;
mod manifests;
mod planning;
mod printing;
mod queueing;
mod rehearsing;
mod screens;
mod secrets;
mod shell;
mod stopping;
mod storage;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod undoing;
mod watching;
