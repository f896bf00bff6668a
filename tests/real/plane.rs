//! A control plane under way.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::build;
use crate::site::Site;

/// A control plane; it ends when this is dropped, or when this process dies.
pub(crate) struct Plane {
    pub(crate) program: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) limited: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) audit: PathBuf,
    pub(crate) kubelet: Kubelet,
    talk: Mutex<Talk>,
    child: Child,
    _folder: TempDir,
}

struct Talk {
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Plane {
    pub(crate) fn start(program: &Path) -> Self {
        Self::start_with(program, &[])
    }

    /// With the CloneSet controller as one more part.
    pub(crate) fn start_with_kruise(program: &Path) -> Self {
        Self::start_with(program, &["--kruise".as_ref(), build::kruise(program).as_os_str()])
    }

    fn start_with(program: &Path, more: &[&OsStr]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = fs::File::create(folder.path().join("up.log")).unwrap();
        let mut child = Command::new(program)
            .args(["up", "--dir"])
            .arg(folder.path().join("plane"))
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut talk =
            Talk { stdin: child.stdin.take(), stdout: BufReader::new(child.stdout.take().unwrap()) };
        let mut line = String::new();
        talk.stdout.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("{}", fs::read_to_string(folder.path().join("up.log")).unwrap_or_default())
        });
        let path = |value: &Value| PathBuf::from(value.as_str().unwrap());
        Self {
            program: program.to_owned(),
            kubeconfig: path(&said["kubeconfig"]),
            limited: path(&said["kubeconfigs"]["limited"]),
            certificate: path(&said["kubeconfigs"]["certificate"]),
            ca: path(&said["ca"]),
            audit: path(&said["audit"]),
            kubelet: Kubelet { rules: path(&said["rulesDir"]) },
            talk: Mutex::new(talk),
            child,
            _folder: folder,
        }
    }

    /// Installs the definitions of Kruise's objects, without anything that acts on them.
    pub(crate) fn install_kruises_definitions(&self) {
        let mut command = Command::new(build::kruise(&self.program));
        let ended = command.args(["crds", "--kubeconfig"]).arg(&self.kubeconfig).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    /// A namespace of its own for a story.
    pub(crate) fn site(&self, story: &str) -> Site<'_> {
        let name: String = story.replace('_', "-").chars().take(50).collect();
        Site::open(self, name.trim_end_matches('-'))
    }

    /// Asks the program for something and expects that it was done.
    pub(crate) fn ask(&self, request: &Value) -> Value {
        let mut talk = self.talk.lock().unwrap();
        let stdin = talk.stdin.as_mut().unwrap();
        stdin.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        talk.stdout.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    pub(crate) fn part(&self, what: &str, part: &str) {
        self.ask(&json!({"do": what, "part": part}));
    }
}

/// A kubelet that does what rules say.
#[derive(Debug, Clone)]
pub(crate) struct Kubelet {
    rules: PathBuf,
}

impl Kubelet {
    /// Scripts it for a namespace; it may already know some rules.
    pub(crate) fn script(&self, namespace: &str, rules: &str) {
        let file = self.rules.join(format!("{namespace}.yaml"));
        let partial = self.rules.join(format!("{namespace}.partial"));
        fs::write(&partial, rules).unwrap();
        fs::rename(partial, file).unwrap();
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if let Ok(mut talk) = self.talk.lock() {
            talk.stdin = None;
        }
        if let Err(error) = self.child.wait() {
            build::say(&format!("the control plane did not end: {error}"));
        }
    }
}
