//! Random histories in an in-process cluster, with other seeds than those that are also played on a real one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::histories::{Act, RULES};
use support::random;
use support::test_cluster::TestCluster;

/// The first seed.
const FIRST: u64 = 1_000;

/// The number of histories in each of four tests: as many as fit into a quarter of a minute.
const EACH: u64 = 200;

async fn play(part: u64) {
    let (mut applied, mut refused) = (0_usize, 0_usize);
    for seed in FIRST + part * EACH..FIRST + (part + 1) * EACH {
        let history = random::history(seed);
        let outcome = history.play(&TestCluster::open(RULES).await).await;
        applied += history.acts.iter().filter(|act| matches!(act, Act::Apply { .. })).count();
        refused += outcome.acts.iter().filter(|act| act.ends.iter().any(|(_, end)| *end == "failed")).count();
    }
    assert!(refused * 3 < applied, "{refused} of {applied} runs failed: that tests too little");
}

#[tokio::test(start_paused = true)]
async fn first_part() {
    play(0).await;
}

#[tokio::test(start_paused = true)]
async fn second_part() {
    play(1).await;
}

#[tokio::test(start_paused = true)]
async fn third_part() {
    play(2).await;
}

#[tokio::test(start_paused = true)]
async fn fourth_part() {
    play(3).await;
}
