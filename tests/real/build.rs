//! Building the control plane's program, once for all who want it.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to do about skipped tests.
pub(crate) const HOW: &str =
    "`ROLLOUT_TEST_CLUSTER=build cargo test --test real` builds what they need (Go, some minutes)";

/// The program; or why there is none.
///
/// # Panics
/// In CI, where a skip is a failure, when it cannot be built.
pub(crate) fn program() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = root.join("tests/control-plane");
    let program = root.join("target/control-plane").join(key(&sources)).join("control-plane");
    if program.exists() {
        return Ok(program);
    }
    let is_ci = is_set("CI", "true");
    if !is_ci && !is_set("ROLLOUT_TEST_CLUSTER", "build") {
        return Err(format!("it has not been built; {HOW}"));
    }
    let built = build(&sources, &program);
    assert!(built.is_ok() || !is_ci, "in CI these tests are not skipped: {built:?}");
    built.map(|()| program)
}

fn build(sources: &Path, program: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let folder = program.parent().unwrap();
    fs::create_dir_all(folder).map_err(failed)?;
    let lock = File::create(folder.join("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if program.exists() {
        return Ok(());
    }
    say("building the control plane, which takes some minutes the first time");
    let partial = folder.join("partial");
    let status = Command::new(sources.join("build"))
        .arg(&partial)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", sources.join("build").display()))?;
    if !status.success() {
        return Err(format!("`tests/control-plane/build` ended with {status}"));
    }
    fs::rename(&partial, program).map_err(failed)
}

/// What the program is built from, in a word.
fn key(sources: &Path) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files.iter().filter(|file| !file.to_string_lossy().ends_with("_test.go") && file.is_file()) {
        (file.file_name(), fs::read(file).unwrap()).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn is_set(name: &str, value: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
    let found = std::env::var(name);
    found.is_ok_and(|found| found == value)
}

/// Says something that no test runner swallows.
pub(crate) fn say(text: &str) {
    let mut stderr = std::io::stderr();
    stderr.write_all(format!("{text}\n").as_bytes()).unwrap();
}
