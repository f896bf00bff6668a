//! The commands through the compiled binary: their streams and exit codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batch_gates;
mod ci_output;
mod completion;
mod concurrent_commands;
mod connection;
mod convert;
mod delete;
mod exit_codes;
mod exit_table;
mod fleet;
mod help;
mod history;
mod hostile_text;
mod kind_changes;
mod lock_queue;
mod manifests;
mod output_formats;
mod plan;
mod plan_diff;
mod prune;
mod raw_objects;
mod rbac_and_job;
mod rehearse;
mod run_control;
mod sandbox_file;
mod screens;
mod secrets;
mod services;
mod shared_objects;
mod sigkill;
mod signals;
mod status_until;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod traits;
mod undo;
mod views;
mod whole_components;
mod workflow;
