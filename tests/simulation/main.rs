//! Whole commands of several users, simulated on one store alongside an environment that interferes, with time and
//! randomness determined by a seed.
//!
//! * `cargo test --test simulation` plays the seeds that CI plays.
//! * `ROLLOUT_SIMULATION_SEED=7 cargo test --test simulation` replays one, and prints its script and its history.
//! * `ROLLOUT_SIMULATION_SEEDS=20000 cargo test --test simulation` plays this many, until
//!   `ROLLOUT_SIMULATION_FAILURES` of them (one by default) have failed.
//! * `ROLLOUT_SIMULATION_HOURS=8 cargo test --release --test simulation` plays seeds for this long, and prints how many
//!   it played and which of them failed.
//!
//! `ROLLOUT_SIMULATION_FROM` is the first seed for the last two.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what is asked for by hand is printed")]

#[path = "../support/mod.rs"]
mod support;

mod batch_gates;
mod conduct;
mod environment;
mod generate;
mod invocation;
mod network;
mod planted;
mod play;
mod reach;
mod script;
mod shrink;
mod verdict;

use std::ops::{ControlFlow, Range};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use rollout::plan::record::Record;

use play::{failure_of, play_through};
use support::rules::world;

/// How many seeds CI plays.
const SEEDS: u64 = 2_000;

/// How many of them make up one test.
const EACH: u64 = 100;

/// How many seeds are played twice.
const TWICE: u64 = 100;

fn main() -> ExitCode {
    play::hush_panics();
    if let Some(seed) = number("ROLLOUT_SIMULATION_SEED") {
        return replay(seed);
    }
    let from = number("ROLLOUT_SIMULATION_FROM");
    if let Some(seeds) = number("ROLLOUT_SIMULATION_SEEDS") {
        let from = from.unwrap_or(0);
        return play_range(from..from + seeds, number("ROLLOUT_SIMULATION_FAILURES").unwrap_or(1));
    }
    if let Some(hours) = number("ROLLOUT_SIMULATION_HOURS") {
        return play_for(hours, from.unwrap_or(SEEDS));
    }
    let parts = (0..SEEDS / EACH).map(|part| {
        let (from, to) = (part * EACH, (part + 1) * EACH);
        Trial::test(format!("seeds_from_{from}"), move || (from..to).try_for_each(holds))
    });
    let repeats = Trial::test("the_same_seed_gives_the_same_history", || (0..TWICE).try_for_each(repeats));
    let trials = parts
        .chain([repeats, reach::trial(SEEDS)])
        .chain(planted::trials())
        .chain(conduct::trials())
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A number from an environment variable.
#[expect(clippy::disallowed_methods, reason = "a test's options are variables")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Plays a seed; a failure comes with the command to replay it and the shortest script that fails in the same way.
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
        print!("{index:>5} {} {by}: {:?} {} {}", change.at, change.verb, change.kind, change.name);
        let record = change.after.as_deref().filter(|_| change.kind == "configmaps").and_then(world::record);
        match record {
            Some(Record { epoch, run, .. }) => println!(" ({epoch:?}, {:?}, {:?})", run.outcome, run.spec),
            None => println!(),
        }
    }
    match outcome.failure {
        None => {
            println!("\nseed {seed} holds, with {} requests", outcome.requests);
            ExitCode::SUCCESS
        }
        Some(failure) => {
            let (shortest, as_well) = shrink::shrink(&script, failure.clone());
            println!(
                "\nThe shortest script that fails alike:\n{shortest}\n{as_well}\n\nseed {seed}: {failure}"
            );
            ExitCode::FAILURE
        }
    }
}

/// Plays seeds on every core until this many of them have failed.
fn play_range(seeds: Range<u64>, most_failures: u64) -> ExitCode {
    let failures = AtomicU64::new(0);
    let played = play_on_every_core(seeds.start, |seed| {
        if seed >= seeds.end || failures.load(Ordering::Relaxed) >= most_failures {
            return ControlFlow::Break(());
        }
        if let Some(failure) = failure_of(&generate::script(seed)) {
            failures.fetch_add(1, Ordering::Relaxed);
            println!("seed {seed}: {failure}\n");
        }
        ControlFlow::Continue(())
    });
    let failures = failures.into_inner();
    for (feature, scripts) in reach::counts(seeds.start..seeds.start + played) {
        println!("{scripts:>7} {feature}");
    }
    println!("{played} seeds from {} on, {failures} failures", seeds.start);
    if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Plays seeds on every core until the time is up.
#[expect(clippy::disallowed_methods, reason = "people wait for so long")]
fn play_for(hours: u64, from: u64) -> ExitCode {
    let until = Instant::now() + Duration::from_secs(hours * 3_600);
    let failures = AtomicU64::new(0);
    let played = play_on_every_core(from, |seed| {
        if Instant::now() >= until {
            return ControlFlow::Break(());
        }
        if let Err(failed) = holds(seed) {
            failures.fetch_add(1, Ordering::Relaxed);
            println!("{}\n", failed.message().unwrap_or_default());
        }
        ControlFlow::Continue(())
    });
    let failures = failures.into_inner();
    println!("{played} seeds from {from} on in {hours} h, {failures} failures");
    if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Plays one seed after the other on every core; returns their number.
fn play_on_every_core(from: u64, play: impl Fn(u64) -> ControlFlow<()> + Sync) -> u64 {
    let (next, played) = (AtomicU64::new(from), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while play(next.fetch_add(1, Ordering::Relaxed)).is_continue() {
                    played.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    played.into_inner()
}
