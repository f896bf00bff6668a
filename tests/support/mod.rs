//! Shared parts of the tests: running the binary in its own directory, and runs of the library against a cluster.
//!
//! For the binary, [`test_env`] runs command lines, [`child`] follows a running command, [`screen`] gives it a
//! terminal, [`http_server`] serves a sandbox on a port, [`redact`] removes text that differs from run to run, [`walk`]
//! is the README's walk, and [`corpus`] is text that tries to move cursors and command CI systems.
//!
//! For the library, [`manifest`] writes manifests, [`process`] is one process of the tool over any client, [`fault`]
//! decides what happens to its requests ([`tapped_client`] does so for any client), and [`delayed_request`] delays one
//! of them; [`admission`] changes or denies writes. A [`backend`] is the cluster: the sandbox with paused time, or a
//! real one. [`test_cluster`] adds bystanders to it, [`scenario`] plays a scenario there, and [`command`] a command.
//! Three modules check the server: [`invariants`] its history, [`preconditions`] the requests, [`end_state`] the final
//! objects. [`probe`] answers hooks and measurements, and [`scenarios`] lists the scenarios; [`histories`] plays
//! random ones, which [`random`] generates from a seed.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod admission;
pub(crate) mod backend;
pub(crate) mod child;
pub(crate) mod command;
pub(crate) mod corpus;
pub(crate) mod delayed_request;
pub(crate) mod end_state;
pub(crate) mod fault;
pub(crate) mod foreign;
pub(crate) mod histories;
pub(crate) mod http_server;
pub(crate) mod invariants;
pub(crate) mod manifest;
pub(crate) mod pod_rules;
pub(crate) mod preconditions;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod redact;
pub(crate) mod rules;
pub(crate) mod scenario;
pub(crate) mod scenarios;
pub(crate) mod screen;
pub(crate) mod shop;
pub(crate) mod tapped_client;
pub(crate) mod test_cluster;
pub(crate) mod test_env;
pub(crate) mod trial;
pub(crate) mod walk;
