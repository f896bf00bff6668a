//! One death in runs of CloneSets and StatefulSets.

use crate::common::case;
use crate::common::stories;
use crate::once::dies_anywhere;

async fn every_story(kind: &'static str) {
    for (name, story) in stories::IN_PLACE {
        case(&format!("{kind}: {name}"));
        dies_anywhere(story(kind)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn exposed_stateful_sets() {
    for (name, story) in stories::EXPOSED_IN_PLACE {
        case(name);
        dies_anywhere(story()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn clone_sets() {
    every_story("cloneset-service").await;
}

#[tokio::test(start_paused = true)]
async fn stateful_sets() {
    every_story("statefulset").await;
}
