//! The same identity takes over at once: the first run stops, whatever it was about to do.

use std::time::Duration;

use rollout::driver::outcome::FailureKind;

use super::queue::{is_scaled, judge, released};
use crate::common::case;
use crate::common::fault::PASS;
use crate::common::manifest::{Component, request_for, web};
use crate::common::process::{Process, Run};
use crate::common::scenario::{IDENTITY, Story};
use crate::common::stage::Stage;
use crate::common::stories;

fn v3() -> Vec<Component> {
    vec![web(3, 5).batches(&["2", "3"])]
}

fn check(stage: &Stage, from: usize, first: &Run, second: &Run) {
    assert!(second.is_well(), "{}", second.story());
    let failures = first.failures();
    assert_eq!(
        failures.iter().map(|one| one.kind).collect::<Vec<_>>(),
        [FailureKind::Superseded],
        "{}",
        first.story()
    );
    assert_eq!(stage.sizes(), [("web-v3".to_owned(), 5)]);
    judge(stage, from, &[&first.requests, &second.requests], &v3());
    assert_eq!(stage.record("web").unwrap()["run"]["outcome"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn the_first_ends_as_superseded() {
    for scaled in 1..=3 {
        let stage = released("- {image: '*', readyAfter: 30s}").await;
        let from = stage.history().len();
        let (first, second) = (Process::new(IDENTITY), Process::new(IDENTITY));
        let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
        let (one, other) = tokio::join!(stage.run(&first, &manifest), async {
            first.heard(scaled, is_scaled).await;
            stage.run(&second, &request_for(&v3())).await
        });
        stage.settle().await;
        check(&stage, from, &one, &other);
    }
}

/// Whatever write the first run has just made, the second takes over in that moment.
#[tokio::test(start_paused = true)]
async fn a_takeover_at_every_write_keeps_the_invariants() {
    let story = Story { manifest: vec![web(2, 5).batches(&["2", "3"])], ..stories::upgrade() };
    let reference = story.reference().await;
    for request in reference.run.writes() {
        let index = request.seen.index;
        case(&format!("takeover at {}", request.line()));
        let scene = story.open().await;
        let stage = &scene.stage;
        let reached = std::sync::Arc::new(tokio::sync::Notify::new());
        let told = reached.clone();
        let first = Process::with(IDENTITY, move |seen| {
            if seen.index == index {
                told.notify_one();
            }
            PASS
        });
        let second = Process::new(IDENTITY);
        let manifest = request_for(&story.manifest);
        let (one, other) = tokio::join!(stage.run(&first, &manifest), async {
            reached.notified().await;
            // Two processes never take the Lease at the very same moment.
            stage.clock.pause(Duration::from_millis(1)).await;
            stage.run(&second, &request_for(&v3())).await
        });
        stage.settle().await;
        assert!(other.is_well(), "{}\n{}", one.story(), other.story());
        assert_eq!(stage.sizes(), [("web-v3".to_owned(), 5)], "{}\n{}", one.story(), other.story());
        judge(stage, scene.from, &[&one.requests, &other.requests], &v3());
    }
}
