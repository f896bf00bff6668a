//! With every fault, a run ends as without it, or its rerun does. One test is generated for each scenario and kind of
//! fault.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod command_deaths;
mod deaths;
mod errors;
mod foreign_workloads;

use std::process::ExitCode;

fn main() -> ExitCode {
    let trials = [deaths::trials(), command_deaths::trials(), errors::trials(), foreign_workloads::trials()];
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials.into_iter().flatten().collect())
        .exit_code()
}
