//! Two deaths: the process that was to recover dies as well.

use crate::common::case;
use crate::common::fault::Fate;
use crate::common::scenario::{Story, dying_at};
use crate::common::stories;

/// Of all pairs of requests and moments, every so many are played: over the requests, that meets each several
/// times.
async fn dies_twice(story: Story, every: usize) {
    let reference = story.reference().await;
    let deaths: [fn() -> Fate; 2] = [|| Fate::DeathBefore, || Fate::DeathUnanswered];
    let mut cases = 0_usize;
    for first in 0..reference.requests {
        for second in 0..reference.requests {
            for death in deaths {
                cases += 1;
                if !cases.is_multiple_of(every) {
                    continue;
                }
                let scene = story.open().await;
                let one = story.run(&scene, &dying_at(first, || Fate::DeathUnanswered)).await;
                let other = story.run(&scene, &dying_at(second, death)).await;
                case(&format!("deaths at requests {first} and {second}"));
                story.complete(&scene, &[&one, &other], &reference).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn first_release() {
    dies_twice(stories::first_release(), 9).await;
}

#[tokio::test(start_paused = true)]
async fn scale_in() {
    dies_twice(stories::scale_in(), 7).await;
}
