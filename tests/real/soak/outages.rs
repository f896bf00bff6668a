//! A part of the control plane is down or stopped for seconds while several runs are in progress.

use std::time::Duration;

use crate::control_plane::ControlPlane;
use crate::real_env::{RealEnv, pass};
use crate::support::child::Child;
use crate::support::manifest::{application, component};
use crate::support::random::Rng;

/// The number of runs.
const RUNS: u32 = 3;

/// The faults, each with the part that it strikes.
const OUTAGES: [(&str, &str); 5] = [
    ("kill", "apiserver"),
    ("stop", "apiserver"),
    ("kill", "etcd"),
    ("stop", "etcd"),
    ("kill", "controllers"),
];

/// Plays one outage: each run finishes by itself.
pub(super) fn play(plane: &ControlPlane, seed: u64) {
    let mut rng = Rng(seed);
    let runs: Vec<(RealEnv, Child)> = (0..RUNS)
        .map(|number| {
            let env = plane.env(&format!("outage-{seed}-{number}"));
            let first = apply(&env, 1);
            let arguments: Vec<&str> = first.iter().map(String::as_str).collect();
            let applied = env.rollout(&arguments);
            assert_eq!(applied.code, Some(0), "{applied:#?}");
            env.script("- {image: '*', readyAfter: 1500ms}\n");
            let second = apply(&env, 2);
            let arguments: Vec<&str> = second.iter().map(String::as_str).collect();
            let mut child = env.start(&arguments);
            // A command gives up soon if it has not received an answer yet.
            assert!(child.lines(2), "it ends before it begins");
            (env, child)
        })
        .collect();
    pass(Duration::from_millis(u64::from(rng.below(2_500))));
    let (what, part) = *rng.pick(&OUTAGES);
    let lasting = Duration::from_millis(u64::from(500 + rng.below(6_000)));
    plane.part(what, part);
    pass(lasting);
    match what {
        "stop" => plane.part("cont", part),
        _ => plane.part("start", part),
    }
    plane.part("wait", part);
    // Kubernetes' own controllers would wait longer and longer before each retry.
    if part != "controllers" {
        plane.part("wait", "apiserver");
        plane.part("kill", "controllers");
        plane.part("start", "controllers");
    }
    for (env, child) in runs {
        let ran = child.end();
        assert_eq!(ran.code, Some(0), "{what} {part} for {lasting:?}: {ran:#?}");
        let table = env.kubectl(&["get", "deploy", "-l", "app.oam.dev/component=web", "--no-headers"]);
        let cells: Vec<&str> = table.split_whitespace().take(2).collect();
        assert_eq!((cells, table.lines().count()), (vec!["web-v2", "4/4"], 1), "{ran:#?}");
    }
}

fn apply(env: &RealEnv, version: u32) -> Vec<String> {
    let wanted = component("web", version, 4).batches(&["50%", "50%"]);
    let file = env.file(&format!("{version}.yaml"), &application("shop", &[wanted]));
    ["apply", file.to_str().unwrap(), "--batch-timeout", "120s"].map(str::to_owned).to_vec()
}
