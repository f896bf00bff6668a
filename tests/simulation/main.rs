//! Whole commands of several users, simulated on one store beside an environment that interferes, with time and chance
//! that follow from a seed.
//!
//! * `cargo test --test simulation` plays the seeds that CI plays.
//! * `ROLLOUT_SIMULATION_SEED=7 cargo test --test simulation` replays one, and prints its script and its history.
//! * `ROLLOUT_SIMULATION_HOURS=8 cargo test --release --test simulation` plays further ones for so long, and prints how
//!   many there were and which of them failed. `ROLLOUT_SIMULATION_FROM` is where it begins.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what is asked for by hand is printed")]

#[path = "../support/mod.rs"]
mod support;

mod environment;
mod generate;
mod invocation;
mod network;
mod planted;
mod play;
mod script;
mod shrink;
mod verdict;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use play::{failure_of, play_through};

/// How many seeds CI plays.
const SEEDS: u64 = 2_000;

/// How many of them are one test.
const EACH: u64 = 100;

/// How many seeds are played twice.
const TWICE: u64 = 100;

fn main() -> ExitCode {
    play::hush_panics();
    if let Some(seed) = number("ROLLOUT_SIMULATION_SEED") {
        return replay(seed);
    }
    if let Some(hours) = number("ROLLOUT_SIMULATION_HOURS") {
        return play_for(hours, number("ROLLOUT_SIMULATION_FROM").unwrap_or(SEEDS));
    }
    let parts = (0..SEEDS / EACH).map(|part| {
        let (from, to) = (part * EACH, (part + 1) * EACH);
        Trial::test(format!("seeds_from_{from}"), move || (from..to).try_for_each(holds))
    });
    let repeats = Trial::test("the_same_seed_gives_the_same_history", || (0..TWICE).try_for_each(repeats));
    let trials = parts.chain([repeats]).chain(planted::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A number that the environment gives.
#[expect(clippy::disallowed_methods, reason = "a test's options are variables")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Plays a seed; a failure says how to replay it, and the shortest script that fails alike.
fn holds(seed: u64) -> Result<(), Failed> {
    let script = generate::script(seed);
    let Some(failure) = failure_of(&script) else { return Ok(()) };
    let (shortest, failure) = shrink::shrink(&script, failure);
    Err(Failed::from(format!(
        "{failure}\n\nReplay the seed with\n  ROLLOUT_SIMULATION_SEED={seed} cargo test --test simulation\n\n\
         The shortest script that fails alike:\n{shortest}"
    )))
}

/// Plays a seed twice.
fn repeats(seed: u64) -> Result<(), Failed> {
    let script = generate::script(seed);
    let (first, second) = (play_through(&script).history, play_through(&script).history);
    let differing = first.iter().zip(&second).position(|(one, other)| one != other);
    match differing.or((first.len() != second.len()).then_some(first.len().min(second.len()))) {
        None => Ok(()),
        Some(at) => Err(Failed::from(format!("seed {seed} goes another way from change {at} on"))),
    }
}

/// Prints a seed's script, its history and how it failed.
fn replay(seed: u64) -> ExitCode {
    let script = generate::script(seed);
    println!("{script}");
    let outcome = play_through(&script);
    for (index, change) in outcome.history.iter().enumerate() {
        let by = change.user_agent.as_deref().unwrap_or("-");
        println!("{index:>5} {} {by}: {:?} {} {}", change.at, change.verb, change.kind, change.name);
    }
    match outcome.failure {
        None => {
            println!("\nseed {seed} holds, with {} requests", outcome.requests);
            ExitCode::SUCCESS
        }
        Some(failure) => {
            println!("\nseed {seed}: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Plays seeds on every core until the time is over.
#[expect(clippy::disallowed_methods, reason = "people wait for so long")]
fn play_for(hours: u64, from: u64) -> ExitCode {
    let until = Instant::now() + Duration::from_secs(hours * 3_600);
    let (next, has_failed) = (AtomicU64::new(from), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while Instant::now() < until {
                    if let Err(failed) = holds(next.fetch_add(1, Ordering::Relaxed)) {
                        has_failed.store(true, Ordering::Relaxed);
                        println!("{}\n", failed.message().unwrap_or_default());
                    }
                }
            });
        }
    });
    println!("{} seeds from {from} on in {hours} h", next.into_inner() - from);
    if has_failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
