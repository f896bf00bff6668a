//! Runs that are killed at any moment, and rerun.

use std::process::Stdio;
use std::time::Duration;

use crate::in_place::{applied, images};
use crate::real_env::{RealEnv, pass};
use crate::support::manifest::{application, web};

/// Upgrades back and forth; each is killed some time after its start and then rerun. The times are spread evenly over
/// the duration of a whole run.
fn killed(env: &RealEnv, kind: &'static str, step: u64) {
    applied(env, &web(1, 5).of(kind).batches(&["2", "3"]), "5 5 5 rolloutSucceed");
    for round in 0..30_u64 {
        let version = if round % 2 == 0 { 2 } else { 1 };
        let component = web(version, 5).of(kind).batches(&["1", "2", "2"]);
        let file = env.file("killed.yaml", &application("shop", std::slice::from_ref(&component)));
        let mut command = env.command(&["apply", file.to_str().unwrap()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        pass(Duration::from_millis(step * round));
        drop(child.kill());
        child.wait().unwrap();
        applied(env, &component, "5 5 5 rolloutSucceed");
        assert_eq!(images(env), [(format!("web:{version}"), 5)], "round {round}");
    }
}

pub(crate) fn clone_sets(env: &RealEnv) {
    killed(env, "cloneset-service", 40);
}

pub(crate) fn stateful_sets(env: &RealEnv) {
    killed(env, "statefulset", 50);
}
