//! `kill -9`, some time after the start or after a number of answered requests, and the same command again.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::Tally;
use crate::control_plane::ControlPlane;
use crate::real_env::{RealEnv, pass};
use crate::support::manifest::{Component, application, component};
use crate::support::random::Rng;

/// The types of components, and whether they are applied as a whole.
const TYPES: [(&str, bool); 6] = [
    ("webservice", false),
    ("webservice", false),
    ("worker", false),
    ("cloneset-service", false),
    ("statefulset", false),
    ("webservice", true),
];

/// The maximum number of reads of the audit log until it contains a request.
const MAX_READS: usize = 20_000;

/// A kill during an upgrade, a return to the previous version, a scale or a first release, and the rerun.
pub(super) fn play(plane: &ControlPlane, seed: u64, tally: &Tally) {
    let mut rng = Rng(seed);
    let env = RealEnv::open(plane, &format!("kill-{seed}"));
    env.script(&format!("- {{image: '*', readyAfter: {}ms}}\n", 30 + rng.below(400)));
    let (kind, is_whole) = *rng.pick(&TYPES);
    let wanted = |version: u32, size: u32| {
        let wanted = component("web", version, size).of(kind);
        if is_whole { wanted.plain() } else { wanted.batches(&["50%", "50%"]) }
    };
    if rng.one_in(4) {
        killed(&env, &mut rng, &wanted(2, 4), tally);
    } else {
        applied(&env, &wanted(1, 3));
        let next = match rng.below(3) {
            0 => wanted(1, 5),
            _ => wanted(2, 3 + rng.below(2)),
        };
        killed(&env, &mut rng, &next, tally);
    }
}

fn arguments(env: &RealEnv, wanted: &Component) -> Vec<String> {
    let name = format!("{}-{}.yaml", wanted.target, wanted.size);
    let file = env.file(&name, &application("shop", std::slice::from_ref(wanted)));
    vec!["apply".to_owned(), file.to_str().unwrap().to_owned()]
}

fn killed(env: &RealEnv, rng: &mut Rng, wanted: &Component, tally: &Tally) {
    let arguments = arguments(env, wanted);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let from = File::open(env.plane.audit()).unwrap().metadata().unwrap().len();
    let mut command = env.command(&arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    if rng.one_in(2) {
        pass(Duration::from_millis(u64::from(rng.below(1_500))));
    } else {
        await_request(env, from, 1 + rng.below(40) as usize, &mut child);
        tally.at_a_request.fetch_add(1, Ordering::Relaxed);
    }
    // It may have ended already.
    child.kill().ok();
    let is_killed = child.wait().unwrap().code().is_none();
    tally.kills.fetch_add(u64::from(is_killed), Ordering::Relaxed);
    applied(env, wanted);
}

/// Waits until the server has answered this many requests of the process, or until it has ended.
fn await_request(env: &RealEnv, from: u64, number: usize, child: &mut Child) {
    let mut log = File::open(env.plane.audit()).unwrap();
    log.seek(SeekFrom::Start(from)).unwrap();
    let (mut partial, mut seen) = (Vec::new(), 0);
    for _ in 0..MAX_READS {
        log.read_to_end(&mut partial).unwrap();
        let whole = partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = partial.drain(..whole).collect();
        seen += lines.split(|byte| *byte == b'\n').filter(|line| is_of(line, &env.namespace)).count();
        if seen >= number || child.try_wait().unwrap().is_some() {
            return;
        }
        pass(Duration::from_millis(1));
    }
    panic!("{seen} of {number} requests were answered");
}

/// Whether a line of the audit log is about a request of `rollout` in the namespace.
fn is_of(line: &[u8], namespace: &str) -> bool {
    let Ok(entry) = serde_json::from_slice::<Value>(line) else { return false };
    entry["objectRef"]["namespace"] == namespace
        && entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("rollout"))
}

/// Checks that a rerun succeeds with the wanted size and image, and that another one has nothing to do.
fn applied(env: &RealEnv, wanted: &Component) {
    let arguments = arguments(env, wanted);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = env.rollout(&arguments);
    assert_eq!(ran.code, Some(0), "{}: {ran:#?}", wanted.line());
    let again = env.rollout(&arguments);
    assert!(again.code == Some(0) && again.stderr.contains("nothing to do"), "{}: {again:#?}", wanted.line());
    let found = workloads(env);
    let workload = (wanted.workload_name(), wanted.size.to_string(), wanted.image_name().to_owned());
    assert_eq!(found, [workload]);
}

/// The component's workloads: name, ready pods, image.
fn workloads(env: &RealEnv) -> Vec<(String, String, String)> {
    let columns =
        "NAME:.metadata.name,READY:.status.readyReplicas,IMAGE:.spec.template.spec.containers[0].image";
    let table = env.kubectl(&[
        "get",
        "deployments,statefulsets,clonesets",
        "-l",
        "app.oam.dev/component=web",
        "--no-headers",
        "-o",
        &format!("custom-columns={columns}"),
    ]);
    let rows = table.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let mut cells = line.split_whitespace().map(str::to_owned);
        let mut cell = || cells.next().unwrap_or_default();
        (cell(), cell(), cell())
    });
    rows.collect()
}
