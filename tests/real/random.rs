//! The random histories on a real cluster, each beside itself on the sandbox: where the two disagree, the sandbox is
//! wrong.

use std::thread::{self, JoinHandle};

use futures::{StreamExt as _, stream};

use crate::common::chance;
use crate::common::histories::{History, Outcome, RULES};
use crate::common::stage::Stage;
use crate::engine::{in_paused_time, in_real_time};
use crate::ground::Real;
use crate::plane::Plane;

/// How many histories one trial plays.
const EACH: u64 = 50;

/// How many of them at a time.
const AT_A_TIME: usize = 3;

/// Trials of histories, so that several can be played at once.
pub(crate) const PARTS: [(&str, u64); 4] = [
    ("random_histories_first_part", 0),
    ("random_histories_second_part", 1),
    ("random_histories_third_part", 2),
    ("random_histories_fourth_part", 3),
];

/// Plays one part of the histories.
pub(crate) fn play(plane: &Plane, part: u64) {
    let seeds = part * EACH..(part + 1) * EACH;
    in_real_time(async {
        let histories = stream::iter(seeds).map(|seed| both(plane, chance::history(seed)));
        histories.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
    });
}

async fn both(plane: &Plane, history: History) {
    let namespace = format!("history-{}", history.seed);
    let simulated = simulated(history.seed);
    let stage = Stage::on(Real::open(plane, &namespace, RULES).await).await;
    let real = history.play(&stage).await;
    let simulated = simulated.join().unwrap();
    // How many pods were ready at a death, and so what is left to do, is the same only where all came to rest.
    if history.is_comparable() {
        simulated.is_like(&real, &history);
    }
}

/// A runtime cannot run inside another one, and this one's time is its own.
fn simulated(seed: u64) -> JoinHandle<Outcome> {
    let play = move || {
        let history = chance::history(seed);
        in_paused_time(async { history.play(&Stage::open(RULES).await).await })
    };
    thread::spawn(play)
}
