//! Foreign workloads in every scenario: they are neither scaled nor deleted nor counted.

use libtest_mimic::Trial;
use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use serde_json::Value;

use crate::support::foreign::{foreign, plant};
use crate::support::invariants;
use crate::support::random::Rng;
use crate::support::scenario::{Scenario, process};
use crate::support::scenarios;
use crate::support::trial::{case, trial};

/// How often each scenario is played, each time with other foreign workloads.
const SEEDS: u64 = 12;

pub(crate) fn trials() -> Vec<Trial> {
    let trials = scenarios::of_deployments().into_iter().map(|scenario| {
        trial(format!("foreign_workloads::{}", scenario.name), async move || {
            for seed in 0..SEEDS {
                play(&scenario, seed).await;
            }
        })
    });
    trials.collect()
}

/// Plants foreign workloads in a scenario and plays it.
async fn play(scenario: &Scenario, seed: u64) {
    let mut rng = Rng(seed);
    let scene = scenario.open().await;
    let planted: Vec<Value> = (0..1 + u64::from(rng.below(3))).map(|index| plant(&mut rng, index)).collect();
    case(&format!("seed {seed}: {planted:#?}"));
    for object in &planted {
        scene.cluster.create(object.clone()).await;
    }
    scene.cluster.settle().await;
    let (before, from) = (foreign(&scene.cluster), scene.cluster.mark().await);
    let run = scenario.run(&scene, &process()).await;
    scene.cluster.settle().await;
    invariants::check(&scene.cluster.history(), from, &scenario.allowances());
    assert_eq!(foreign(&scene.cluster), before, "what is somebody else's was changed");
    let is_selected = |object: &&Value| {
        object
            .pointer("/spec/template/metadata/labels/app.oam.dev~1component")
            .is_some_and(|name| name == "web")
    };
    if let Some(object) = planted.iter().find(is_selected) {
        assert!(run.writes().is_empty(), "{}", run.transcript());
        let is_named = |name: &Value| {
            run.failures().iter().any(|failure| {
                failure.kind == FailureKind::Refused && failure.reason.contains(name.as_str().unwrap())
            })
        };
        let names = planted.iter().filter(is_selected).map(|object| &object["metadata"]["name"]);
        assert!(names.into_iter().any(is_named), "{object}: {}", run.transcript());
        return;
    }
    assert!(run.is_success(), "{}", run.transcript());
    for object in &planted {
        let name = object["metadata"]["name"].as_str().unwrap();
        let warnings = run.events.iter().filter(
            |event| matches!(&event.what, EventKind::Warned { message } if message.contains(&format!("`{name}`"))),
        );
        assert_eq!(warnings.count(), 1, "`{name}` is named once: {}", run.transcript());
    }
}
