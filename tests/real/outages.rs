//! Temporary outages of parts of the control plane.

use std::time::Duration;

use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::real_env::{RealEnv, pass, v1, v2};
use crate::support::child::Child;

/// Slow enough for a batch to be in progress when something happens.
const SLOW: &str = "- {image: '*', readyAfter: 3s}\n";

fn under_way<'a>(plane: &'a ControlPlane, name: &str) -> (RealEnv<'a>, Child) {
    let env = plane.env(name);
    env.applied(&v1());
    env.script(SLOW);
    let running = env.apply_until(&v2(), &[], "0 of 2 ready");
    (env, running)
}

fn ends_right(env: &RealEnv, running: Child) {
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(env.deployments(), [("express-server-v2".to_owned(), "5/5".to_owned())]);
}

fn away_for(plane: &ControlPlane, seconds: u64) {
    let (env, running) = under_way(plane, &format!("away-for-{seconds}"));
    plane.part("kill", "apiserver");
    pass(Duration::from_secs(seconds));
    plane.part("start", "apiserver");
    plane.part("wait", "apiserver");
    // Kubernetes' own controllers would wait longer and longer before each retry.
    plane.part("kill", "controllers");
    plane.part("start", "controllers");
    ends_right(&env, running);
}

pub(crate) fn one_and_ten_seconds(plane: &ControlPlane) {
    away_for(plane, 1);
    away_for(plane, 10);
}

pub(crate) fn forty_seconds(plane: &ControlPlane) {
    away_for(plane, 40);
}

fn freeze_for(plane: &ControlPlane, seconds: u64) {
    plane.part("stop", "apiserver");
    pass(Duration::from_secs(seconds));
    plane.part("cont", "apiserver");
}

pub(crate) fn frozen(plane: &ControlPlane) {
    let (env, running) = under_way(plane, "frozen");
    freeze_for(plane, 20);
    ends_right(&env, running);
    let (env, running) = under_way(plane, "frozen-and-compacted");
    freeze_for(plane, 8);
    plane.ask(&json!({"do": "compact"}));
    ends_right(&env, running);
}

pub(crate) fn no_controllers(plane: &ControlPlane) {
    let env = plane.env("no-controllers");
    env.applied(&v1());
    plane.part("stop", "controllers");
    let ran = env.apply(&v2(), &["--batch-timeout", "6s"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("not yet observed by its controller (is it running?)"), "{ran:#?}");
    plane.part("cont", "controllers");
    env.applied(&v2());
}
