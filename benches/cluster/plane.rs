//! The control plane that is benchmarked on: the one of the tests.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::build::{self, Cluster};

/// A running control plane, which ends when this is dropped.
pub(crate) struct Plane {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) audit: PathBuf,
    /// The program, which has kubectl.
    program: PathBuf,
    rules: PathBuf,
    child: Child,
    folder: TempDir,
}

impl Plane {
    pub(crate) fn start() -> Self {
        let program = match build::cluster() {
            Ok(Cluster::Own(program)) => program,
            Ok(Cluster::Somebodys(..)) => panic!("the benchmark needs a control plane of its own"),
            Err(reason) => panic!("no control plane: {reason}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(&program)
            .args(["up", "--dir"])
            .arg(folder.path().join("plane"))
            .arg("--apiserver-arg=--service-cluster-ip-range=10.0.0.0/16")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("up.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("{}", fs::read_to_string(folder.path().join("up.log")).unwrap_or_default())
        });
        let path = |name: &str| PathBuf::from(answer[name].as_str().unwrap());
        Self {
            kubeconfig: path("kubeconfig"),
            audit: path("audit"),
            rules: path("rulesDir"),
            program,
            child,
            folder,
        }
    }

    /// A folder for files of this run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// kubectl: that of the path, which starts faster than ours, or ours.
    pub(crate) fn kubectl(&self) -> Vec<String> {
        match Command::new("kubectl").args(["version", "--client"]).output() {
            Ok(output) if output.status.success() => vec!["kubectl".to_owned()],
            _ => vec![self.program.display().to_string(), "kubectl".to_owned()],
        }
    }

    /// Runs kubectl, which has to succeed.
    pub(crate) fn run_kubectl(&self, arguments: &[&str]) {
        let kubectl = self.kubectl();
        let mut command = Command::new(&kubectl[0]);
        command.args(&kubectl[1..]).args(arguments).env("KUBECONFIG", &self.kubeconfig);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Creates a namespace whose pods follow these rules.
    pub(crate) fn namespace(&self, name: &str, rules: &str) {
        self.run_kubectl(&["create", "namespace", name]);
        self.script(name, rules);
    }

    /// Makes the pods of a namespace follow these rules.
    pub(crate) fn script(&self, namespace: &str, rules: &str) {
        let partial = self.rules.join(format!("{namespace}.partial"));
        fs::write(&partial, rules).unwrap();
        fs::rename(partial, self.rules.join(format!("{namespace}.yaml"))).unwrap();
    }

    /// Writes a file of this run.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

/// Rules under which pods are ready after so many milliseconds.
pub(crate) fn ready_after(milliseconds: u64) -> String {
    format!("- {{image: '*', readyAfter: {milliseconds}ms}}\n")
}
