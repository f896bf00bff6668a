//! One death in runs of CloneSets and StatefulSets.

use crate::single_death::dies_anywhere;
use crate::support::case;
use crate::support::scenarios;

async fn every_story(kind: &'static str) {
    for (name, scenario) in scenarios::IN_PLACE {
        case(&format!("{kind}: {name}"));
        dies_anywhere(scenario(kind)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn exposed_stateful_sets() {
    for (name, scenario) in scenarios::EXPOSED_IN_PLACE {
        case(name);
        dies_anywhere(scenario()).await;
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
