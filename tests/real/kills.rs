//! Runs that are killed at any moment, and rerun.

use std::process::Stdio;
use std::time::Duration;

use crate::real_env::{RealEnv, pass, v1, v2};
use crate::support::manifest::Component;

/// Kills a run some time after its start; the times are spread evenly over the duration of a whole run.
fn killed_after(env: &RealEnv, manifest: &Component, delay: Duration) {
    let mut command = env.applying(manifest, &[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    pass(delay);
    drop(child.kill());
    child.wait().unwrap();
}

fn ends_right(env: &RealEnv, manifest: &Component, workload: &str) {
    env.applied(manifest);
    let ready = format!("{0}/{0}", manifest.size);
    assert_eq!(env.deployments(), [(workload.to_owned(), ready)]);
}

pub(crate) fn upgrades_and_rollbacks(env: &RealEnv) {
    env.applied(&v1());
    let back = v2().rollout("targetRevision: express-server-v1");
    for round in 0..24_u64 {
        let (manifest, workload) =
            if round % 2 == 0 { (&v2(), "express-server-v2") } else { (&back, "express-server-v1") };
        killed_after(env, manifest, Duration::from_millis(40 * round));
        ends_right(env, manifest, workload);
    }
}

pub(crate) fn releases_and_scales(env: &RealEnv) {
    let out = v1().size(7).batches(&["1", "1"]);
    let back = v1().size(5).batches(&["1", "1"]);
    for round in 0..4_u64 {
        killed_after(env, &v1(), Duration::from_millis(100 + 150 * round));
    }
    ends_right(env, &v1(), "express-server-v1");
    for round in 0..8_u64 {
        let manifest = if round % 2 == 0 { &out } else { &back };
        killed_after(env, manifest, Duration::from_millis(60 * round));
        ends_right(env, manifest, "express-server-v1");
    }
}
