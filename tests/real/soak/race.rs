//! Two to five processes that run different commands on the same component at the same time.

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use rollout::sandbox::Actor;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use super::Tally;
use crate::backend::RealBackend;
use crate::control_plane::ControlPlane;
use crate::engine::in_real_time;
use crate::real_env::RealEnv;
use crate::support::manifest::{Component, application, component};
use crate::support::random::Rng;
use crate::support::rules::{self, Circumstances};
use crate::support::test_cluster::{BYSTANDER, TestCluster};

/// The possible exit codes: success, pods not ready in time, refused, or overtaken.
const ENDS: [i32; 4] = [0, 3, 4, 5];

/// Longer than a Lease is valid.
const STOPPED_FOR: Duration = Duration::from_secs(20);

/// Longer than any process takes, including deadlines.
const MOST: Duration = Duration::from_secs(240);

/// A command of a race.
struct Racer {
    identity: String,
    after: Duration,
    arguments: Vec<String>,
    /// The time after its start when it is stopped, until its Lease has expired.
    stopped_after: Option<Duration>,
}

/// Plays one race; afterwards, a last manifest succeeds, and a rerun has nothing to do.
pub(super) fn play(plane: &ControlPlane, seed: u64, tally: &Tally) {
    let mut rng = Rng(seed);
    let pods = format!("- {{image: '*', readyAfter: {}ms}}\n", 30 + rng.below(700));
    let namespace = format!("race-{seed}");
    in_real_time(async {
        let cluster = TestCluster::on(RealBackend::open(plane, &namespace, &pods).await).await;
        // Used for its folder for manifests.
        let env = RealEnv::open(plane, &format!("race-{seed}-files"));
        let racers = racers(&mut rng, &env);
        if !rng.one_in(5) {
            let first = manifest(&env, &[component("web", 1, 1 + rng.below(4))]);
            let (code, said) = run(&env, &namespace, "first", &["apply", &first]).await;
            assert_eq!(code, 0, "the first manifest: {said}");
        }
        tally.processes.fetch_add(racers.len() as u64, Ordering::Relaxed);
        let stopped = racers.iter().filter(|racer| racer.stopped_after.is_some()).count();
        tally.stopped.fetch_add(stopped as u64, Ordering::Relaxed);
        let ends = join_all(racers.iter().map(|racer| race(&env, &namespace, racer))).await;
        for (racer, (code, said)) in racers.iter().zip(&ends) {
            assert!(ENDS.contains(code), "{:?} ended with {code}: {said}", racer.arguments);
        }
        // It is no failure if the component is not paused or does not exist.
        run(&env, &namespace, "last", &["resume", "web"]).await;
        let last = manifest(&env, &[web(9, 3)]);
        let (code, said) = run(&env, &namespace, "last", &["apply", &last]).await;
        assert_eq!(code, 0, "the last manifest: {said}\nafter {ends:#?}");
        cluster.settle().await;
        assert_eq!(cluster.sizes(), [("web-v9".to_owned(), 3)], "after {ends:#?}");
        let writes = || {
            let is_write = |change: &&rollout::sandbox::Change| {
                change.actor == Actor::Client && change.kind != "leases" && change.name != BYSTANDER
            };
            cluster.history().iter().filter(is_write).count()
        };
        let before = writes();
        let (code, said) = run(&env, &namespace, "last", &["apply", &last]).await;
        cluster.settle().await;
        assert_eq!((code, writes()), (0, before), "again: {said}");
        if let Err(violation) = rules::check(&cluster.history(), Circumstances::default()) {
            panic!("{violation}\nafter {ends:#?}");
        }
    });
}

fn web(version: u32, size: u32) -> Component {
    component("web", version, size).batches(&["50%", "50%"])
}

/// The path of a file with the manifest.
fn manifest(env: &RealEnv, components: &[Component]) -> String {
    let name: String = components.iter().map(|one| format!("{}-{}", one.target, one.size)).collect();
    env.file(&format!("{name}.yaml"), &application("shop", components)).to_str().unwrap().to_owned()
}

fn racers(rng: &mut Rng, env: &RealEnv) -> Vec<Racer> {
    let shares_identity = rng.one_in(5);
    let count = 2 + rng.below(4);
    let stopped = rng.one_in(12).then(|| rng.below(count));
    let racer = |number: u32| Racer {
        identity: if shares_identity { "ci".to_owned() } else { format!("ci-{number}") },
        after: Duration::from_millis(u64::from(rng.below(1_500))),
        arguments: if number == 0 { apply(rng, env) } else { arguments(rng, env) },
        stopped_after: (stopped == Some(number)).then(|| Duration::from_millis(u64::from(rng.below(1_000)))),
    };
    (0..count).map(racer).collect()
}

fn apply(rng: &mut Rng, env: &RealEnv) -> Vec<String> {
    let wanted = web(2 + rng.below(2), 1 + rng.below(4));
    let wanted = if rng.one_in(4) { wanted.decrease_first() } else { wanted };
    vec!["apply".to_owned(), manifest(env, &[wanted])]
}

fn arguments(rng: &mut Rng, env: &RealEnv) -> Vec<String> {
    let line: &[&str] = match rng.below(12) {
        0..3 => return apply(rng, env),
        3 => &["undo", "web"],
        4 => &["undo", "web", "--now"],
        5 => &["abort", "web"],
        6 => &["promote", "web", "--full"],
        7 => &["pause", "web"],
        8 => &["resume", "web"],
        9 => {
            let size = rng.below(5).to_string();
            return ["scale", "web", "--replicas", &size].map(str::to_owned).to_vec();
        }
        10 => &["delete", "web", "--yes"],
        _ => &["delete", "shop", "--yes"],
    };
    line.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs a command to its end; returns its exit code and output.
async fn run(env: &RealEnv<'_>, namespace: &str, identity: &str, arguments: &[&str]) -> (i32, String) {
    let racer = Racer {
        identity: identity.to_owned(),
        after: Duration::ZERO,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        stopped_after: None,
    };
    race(env, namespace, &racer).await
}

async fn race(env: &RealEnv<'_>, namespace: &str, racer: &Racer) -> (i32, String) {
    sleep(racer.after).await;
    let mut arguments: Vec<&str> = racer.arguments.iter().map(String::as_str).collect();
    if arguments[0] != "pause" {
        arguments.extend(["--lock-timeout", "60s"]);
    }
    // A paused run waits for this long.
    if !["pause", "delete"].contains(&arguments[0]) {
        arguments.extend(["--batch-timeout", "40s", "--timeout", "90s"]);
    }
    let mut command = tokio::process::Command::from(env.command_in(namespace, &arguments));
    command.env("ROLLOUT_IDENTITY", &racer.identity).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn().unwrap();
    let process = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let stopping = async {
        let Some(after) = racer.stopped_after else { return };
        sleep(after).await;
        // It may have ended already.
        if kill_process(process, Signal::STOP).is_ok() {
            sleep(STOPPED_FOR).await;
            kill_process(process, Signal::CONT).ok();
        }
    };
    let (ended, ()) = tokio::join!(timeout(MOST, child.wait_with_output()), stopping);
    let output = ended.unwrap_or_else(|_| panic!("{:?} does not end", racer.arguments)).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), format!("{:?}\n{said}", racer.arguments))
}
