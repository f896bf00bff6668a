//! Commands during a run that another process drives, and after it.

use crate::real_env::{RealEnv, v1, v2};
use crate::support::child::Child;

const STUCK: &str = "- {image: '*:5*', fail: NeverReady}\n- {image: '*', readyAfter: 100ms}\n";
const WELL: &str = "- {image: '*', readyAfter: 100ms}\n";

/// Starts an upgrade whose first batch waits for pods that do not become ready.
fn driven(env: &RealEnv) -> Child {
    env.applied(&v1());
    env.script(STUCK);
    env.apply_until(&v2(), &[], "0 of 2 ready")
}

fn are(env: &RealEnv, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(name, ready)| ((*name).to_owned(), (*ready).to_owned())).collect();
    env.until(&format!("{expected:?}"), || env.deployments() == expected);
}

/// The driver waits while it is paused, though its pods are ready, and continues once it is resumed.
pub(crate) fn pause_and_resume(env: &RealEnv) {
    let mut driver = driven(env);
    let paused = env.rollout(&["pause"]);
    assert_eq!(paused.code, Some(0), "{paused:#?}");
    driver.until("paused by");
    env.script(WELL);
    are(env, &[("express-server-v1", "5/5"), ("express-server-v2", "2/2")]);
    let applied = env.apply(&v2(), &[]);
    assert_eq!(applied.code, Some(4), "{applied:#?}");
    let resumed = env.rollout(&["resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    let driver = driver.end();
    assert_eq!(driver.code, Some(0), "{driver:#?}");
    are(env, &[("express-server-v2", "5/5")]);
}

/// `abort` ends the other process's run at once; then a canary is promoted, step by step and in full.
pub(crate) fn abort_and_promote(env: &RealEnv) {
    let driver = driven(env);
    let aborted = env.rollout(&["abort"]);
    assert_eq!(aborted.code, Some(0), "{aborted:#?}");
    assert_eq!(driver.end().code, Some(5));
    are(env, &[("express-server-v1", "5/5")]);
    env.script(WELL);
    let canary = v2().batches(&["1", "1", "3"]);
    let held = env.apply(&canary, &["--partition", "0"]);
    assert_eq!(held.code, Some(0), "{held:#?}");
    assert_eq!(env.rollout(&["promote"]).code, Some(0));
    are(env, &[("express-server-v1", "3/3"), ("express-server-v2", "2/2")]);
    assert_eq!(env.rollout(&["promote", "--full"]).code, Some(0));
    are(env, &[("express-server-v2", "5/5")]);
}

/// A scale and an undo take effect, and a deletion leaves nothing behind.
pub(crate) fn scale_undo_and_delete(env: &RealEnv) {
    env.applied(&v1());
    env.applied(&v2());
    let scaled = env.rollout(&["scale", "express-server", "--replicas", "7", "--batches", "1,1"]);
    assert_eq!(scaled.code, Some(0), "{scaled:#?}");
    assert_eq!(env.rollout(&["undo", "--now"]).code, Some(0));
    are(env, &[("express-server-v1", "7/7")]);
    let gone = env.rollout(&["delete", "express-server"]);
    assert_eq!(gone.code, Some(0), "{gone:#?}");
    are(env, &[]);
    let left = env.kubectl(&["get", "controllerrevisions,leases,deployments,services", "-o", "name"]);
    assert_eq!(left.trim(), "", "{gone:#?}");
}
