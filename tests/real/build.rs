//! Builds the control plane's program once for all tests.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to do about skipped tests.
pub(crate) const HOW: &str =
    "`ROLLOUT_TEST_CLUSTER=build cargo test --test real` builds what they need (Go, some minutes)";

/// The cluster to test against.
#[derive(Debug, Clone)]
pub(crate) enum Cluster {
    /// Control planes that this program runs.
    Own(PathBuf),
    /// A given cluster, by its kubeconfig; includes the program if it has been built.
    Somebodys(PathBuf, Option<PathBuf>),
}

/// The cluster to test against, or the reason why there is none.
///
/// # Panics
/// If the program cannot be built in CI, where a skip is a failure.
pub(crate) fn cluster() -> Result<Cluster, String> {
    match variable("ROLLOUT_TEST_CLUSTER").filter(|value| value != "build") {
        Some(kubeconfig) if !Path::new(&kubeconfig).is_file() => {
            Err(format!("`ROLLOUT_TEST_CLUSTER` is `{kubeconfig}`, and there is no such kubeconfig"))
        }
        Some(kubeconfig) => Ok(Cluster::Somebodys(PathBuf::from(kubeconfig), program().ok())),
        None => program().map(Cluster::Own),
    }
}

/// Whether a skip is a failure.
pub(crate) fn is_ci() -> bool {
    variable("CI").is_some_and(|value| value == "true")
}

fn program() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = root.join("tests/control-plane");
    let program = root.join("target/control-plane").join(key(&sources)).join("control-plane");
    if program.exists() {
        return Ok(program);
    }
    let is_ci = is_ci();
    if !is_ci && variable("ROLLOUT_TEST_CLUSTER").is_none_or(|value| value != "build") {
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
    fs::remove_dir_all(&partial).or_else(is_missing).map_err(failed)?;
    let status = Command::new(sources.join("build"))
        .arg(&partial)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", sources.join("build").display()))?;
    if !status.success() {
        return Err(format!("`tests/control-plane/build` ended with {status}"));
    }
    // The program whose presence shows that all are built comes last.
    for name in ["crds", "kruise", "prometheus", "control-plane"] {
        fs::rename(partial.join(name), folder.join(name)).map_err(failed)?;
    }
    fs::remove_dir(&partial).map_err(failed)
}

fn is_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The program of the CloneSet controller, which is built together with the control plane's.
pub(crate) fn kruise(program: &Path) -> PathBuf {
    program.with_file_name("kruise")
}

/// Prometheus, which is built together with it as well.
pub(crate) fn prometheus(program: &Path) -> PathBuf {
    program.with_file_name("prometheus")
}

/// A hash of the programs' sources.
fn key(sources: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    let folders = [sources.to_owned(), sources.join("kruise"), sources.join("prometheus")];
    for file in folders.iter().flat_map(|folder| files(folder)) {
        (file.strip_prefix(sources).unwrap(), fs::read(&file).unwrap()).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// The files of a folder that a build reads.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_read = |file: &PathBuf| {
        let name = file.to_string_lossy();
        file.is_file() && !name.ends_with("_test.go") && !name.ends_with(".md")
    };
    let mut files: Vec<PathBuf> = entries.filter(is_read).collect();
    files.sort();
    files
}

/// The value of an environment variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
    let found = std::env::var(name);
    found.ok().filter(|found| !found.is_empty())
}

/// Prints a line that test runners do not capture.
pub(crate) fn say(text: &str) {
    let mut stderr = std::io::stderr();
    stderr.write_all(format!("{text}\n").as_bytes()).unwrap();
}
