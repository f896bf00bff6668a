//! A stage for runs: some cluster, whole runs of the tool on it, faults, and judges.
//!
//! [`manifest`] writes manifests, [`process`] is one run of the tool over any client, [`fault`] is what may
//! happen to its requests ([`wire`] has it happen between any client and its server), [`hold`] keeps one of them
//! on its way. A [`ground`] is the cluster: the sandbox with paused time, or a real one. [`stage`] puts bystanders
//! on it, and [`scenario`] plays a story there. The judges look at what the server saw: [`invariants`] at its
//! history, [`conditions`] at the requests, [`end`] at what is left. [`histories`] are stories made up by [`chance`].

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod chance;
pub(crate) mod conditions;
pub(crate) mod end;
pub(crate) mod fault;
pub(crate) mod ground;
pub(crate) mod histories;
pub(crate) mod hold;
pub(crate) mod invariants;
pub(crate) mod manifest;
pub(crate) mod process;
pub(crate) mod scenario;
pub(crate) mod stage;
pub(crate) mod stories;
pub(crate) mod typed;
pub(crate) mod wire;

/// Says which case it is, for the test that fails.
#[allow(clippy::print_stdout, reason = "the test harness shows it when the test fails")]
pub(crate) fn case(what: &str) {
    println!("{what}");
}
