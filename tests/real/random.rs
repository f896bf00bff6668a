//! The random histories on a real cluster, each compared with the sandbox: if the two differ, the sandbox is wrong.

use std::thread::{self, JoinHandle};

use futures::{StreamExt as _, stream};

use crate::backend::RealBackend;
use crate::control_plane::ControlPlane;
use crate::engine::in_real_time;
use crate::support::histories::{History, Outcome, RULES};
use crate::support::random;
use crate::support::test_cluster::TestCluster;
use crate::support::trial::in_paused_time;

/// The number of histories per trial.
const EACH: u64 = 50;

/// The number of histories at a time.
const AT_A_TIME: usize = 3;

/// Parts of the histories as separate trials, so that they can run in parallel.
pub(crate) const PARTS: [(&str, u64); 4] = [
    ("random_histories_first_part", 0),
    ("random_histories_second_part", 1),
    ("random_histories_third_part", 2),
    ("random_histories_fourth_part", 3),
];

/// Plays one part of the histories.
pub(crate) fn play(plane: &ControlPlane, part: u64) {
    let seeds = part * EACH..(part + 1) * EACH;
    in_real_time(async {
        let histories = stream::iter(seeds).map(|seed| both(plane, random::history(seed)));
        histories.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    });
}

async fn both(plane: &ControlPlane, history: History) {
    let namespace = format!("history-{}", history.seed);
    let simulated = simulated(history.seed);
    let cluster = TestCluster::on(RealBackend::open(plane, &namespace, RULES).await).await;
    let real = history.play(&cluster).await;
    let simulated = simulated.join().unwrap();
    // The number of ready pods at a death, and so the remaining work, is the same only if everything was at rest.
    if history.is_comparable() {
        simulated.assert_like(&real, &history);
    }
}

/// Uses a thread, since a runtime cannot run inside another one, and this one has its own clock.
fn simulated(seed: u64) -> JoinHandle<Outcome> {
    let play = move || {
        let history = random::history(seed);
        in_paused_time(async { history.play(&TestCluster::open(RULES).await).await })
    };
    thread::spawn(play)
}
