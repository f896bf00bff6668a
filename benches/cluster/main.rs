//! `rollout` on a real control plane beside what people use, as ratios of runs that take turns.
//!
//! `cargo bench --bench cluster` runs every row and rewrites it in `benches/RESULTS.md`. After `--`:
//!
//! | argument | meaning |
//! |---|---|
//! | `ROW…` | only these rows, such as `upgrade` or `start` |
//! | `--pairs N` | as many runs of each driver (default 10; rows of many components take fewer) |
//! | `--program FILE` | measure this `rollout` instead of the one that this command builds |
//! | `--most N` | no points above N components, or ten times as many pods, in the rows of growth (default 1,000) |
//!
//! The control plane is that of `tests/control-plane`, and the peers are built by `benches/peers/build`: both need Go
//! and some minutes the first time, and are kept below `target`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and waits between runs")]

mod audit;
mod bench;
#[path = "../../tests/real/build.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod build;
mod client;
mod drivers;
mod null_driver;
mod objects;
mod peers;
mod plane;
mod poller;
mod process;
mod results;
mod rows;
mod samples;

use bench::Bench;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // The reference drivers are processes of their own, so that their start counts as ours does.
    match arguments.split_first() {
        Some((first, rest)) if first == null_driver::COMMAND => null_driver::main(rest),
        Some((first, rest)) if first == poller::COMMAND => poller::main(rest),
        Some((first, rest)) if first == peers::WAIT => peers::wait(rest),
        _ => rows::run(&mut Bench::new(&arguments)),
    }
}
