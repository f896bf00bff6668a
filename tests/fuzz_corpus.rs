//! The corpus of the fuzz targets, with any compiler: each input is run once, and so are some slight variations of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, clippy::expect_used, reason = "it is another crate's")]
mod rollout_fuzz;

/// The number of variations of each input: few, since libFuzzer tries millions.
const VARIATIONS: usize = 16;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let tried = catch_unwind(|| run(&bytes));
        assert!(tried.is_ok(), "{}", path.display());
        let mut random = fastrand::Rng::with_seed(bytes.len() as u64);
        for _ in 0..VARIATIONS {
            let mut varied = bytes.clone();
            if !varied.is_empty() {
                let at = random.usize(..varied.len());
                match random.u8(..3) {
                    0 => varied.truncate(at),
                    1 => varied[at] = random.u8(..),
                    _ => drop(varied.remove(at)),
                }
            }
            run(&varied);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "there is no input for `{target}`");
}

#[test]
fn manifests() {
    replay("manifest", rollout_fuzz::manifest);
}

#[test]
fn fleets() {
    replay("fleet", rollout_fuzz::fleet);
}

#[test]
fn conditions() {
    replay("conditions", rollout_fuzz::conditions);
}

#[test]
fn traits() {
    replay("traits", rollout_fuzz::traits);
}

#[test]
fn plans() {
    replay("plan", rollout_fuzz::plan);
}

#[test]
fn quantities() {
    replay("quantities", rollout_fuzz::quantities);
}

#[test]
fn kubeconfigs() {
    replay("kubeconfig", rollout_fuzz::kubeconfig);
}

#[test]
fn answers() {
    replay("answers", rollout_fuzz::answers);
}

#[test]
fn sandbox_files() {
    replay("sandbox_file", rollout_fuzz::sandbox_file);
}

#[test]
fn rules() {
    replay("rules", rollout_fuzz::rules);
}

#[test]
fn watch_streams() {
    replay("watch_stream", rollout_fuzz::watch_stream);
}
