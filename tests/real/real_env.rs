//! A test environment on a real cluster: a namespace of its own, with `rollout` and `kubectl`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::control_plane::{ControlPlane, Loan};
use crate::support::child::Child;
use crate::support::manifest::{Component, application, component};
use crate::support::test_env::CommandOutput;

/// Pods that become ready quickly.
pub(crate) const QUICK: &str = "- {image: '*', readyAfter: 100ms}\n";

/// The maximum number of checks, each of which may run kubectl, which amounts to minutes.
const MAX_LOOKS: usize = 2_000;

/// A namespace and a folder.
pub(crate) struct RealEnv<'a> {
    pub(crate) plane: &'a ControlPlane,
    pub(crate) namespace: String,
    folder: TempDir,
    _loan: Loan,
}

/// The first revision of the component that most tests are about.
pub(crate) fn v1() -> Component {
    component("express-server", 1, 5).image("stefanprodan/podinfo:4.0.3").batches(&["2", "3"])
}

pub(crate) fn v2() -> Component {
    component("express-server", 2, 5).image("stefanprodan/podinfo:5.0.2").batches(&["2", "3"])
}

impl<'a> RealEnv<'a> {
    pub(crate) fn open(plane: &'a ControlPlane, namespace: &str) -> Self {
        let env = Self {
            plane,
            namespace: namespace.to_owned(),
            folder: tempfile::tempdir().unwrap(),
            _loan: plane.lend(namespace),
        };
        env.kubectl(&["create", "namespace", namespace]);
        if plane.kubelet.is_some() {
            env.script(QUICK);
        }
        env
    }

    pub(crate) fn script(&self, rules: &str) {
        self.plane.kubelet.as_ref().expect("stories say what they need").script(&self.namespace, rules);
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// `rollout` with these arguments, in the test's namespace.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_in(&self.namespace, arguments)
    }

    /// The same in another namespace.
    pub(crate) fn command_in(&self, namespace: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollout"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", &self.plane.kubectl.kubeconfig)
            .args(arguments)
            .args(["-n", namespace])
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn rollout(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(self.command(arguments).output().unwrap())
    }

    /// `rollout apply` of a manifest.
    pub(crate) fn apply(&self, component: &Component, more: &[&str]) -> CommandOutput {
        CommandOutput::of(self.applying(component, more).output().unwrap())
    }

    /// `rollout apply` of a manifest in another namespace.
    pub(crate) fn apply_in(&self, namespace: &str, component: &Component, more: &[&str]) -> CommandOutput {
        let file =
            self.file("elsewhere.yaml", &application("rollout-trait-test", std::slice::from_ref(component)));
        let arguments = [&["apply", file.to_str().unwrap()], more].concat();
        CommandOutput::of(self.command_in(namespace, &arguments).output().unwrap())
    }

    /// The command that applies a manifest.
    pub(crate) fn applying(&self, component: &Component, more: &[&str]) -> Command {
        let file = self.file(
            &format!("{}-{}.yaml", component.target, component.size),
            &application("rollout-trait-test", std::slice::from_ref(component)),
        );
        let mut arguments = vec!["apply", file.to_str().unwrap()];
        arguments.extend(more);
        self.command(&arguments)
    }

    pub(crate) fn applied(&self, component: &Component) -> CommandOutput {
        let ran = self.apply(component, &[]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran
    }

    /// Applies in the background and returns once stderr has a line with `word`.
    pub(crate) fn apply_until(&self, component: &Component, more: &[&str], word: &str) -> Child {
        let mut child = Child::spawn(self.applying(component, more));
        child.until(word);
        child
    }

    /// `rollout` with these arguments in the background.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        Child::spawn(self.command(arguments))
    }

    /// kubectl in the test's namespace; it has to succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Output {
        self.plane
            .kubectl
            .command()
            .args(arguments)
            .args(["--namespace", &self.namespace])
            .env("HOME", self.folder.path())
            .output()
            .unwrap()
    }

    /// Polls until the server has done something.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        assert!((0..MAX_LOOKS).any(|_| is_so()), "{what} never comes in {}", self.namespace);
    }

    /// `kubectl apply` of some YAML.
    pub(crate) fn put(&self, text: &str) {
        let file = self.file("put.yaml", text);
        self.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    }

    /// A table of kubectl's, without the ages.
    pub(crate) fn table(&self, arguments: &[&str]) -> String {
        without_ages(&self.kubectl(&[&["get"], arguments].concat()))
    }

    /// The component's Deployments: name and READY.
    pub(crate) fn deployments(&self) -> Vec<(String, String)> {
        let table =
            self.kubectl(&["get", "deploy", "-l", "app.oam.dev/component=express-server", "--no-headers"]);
        let mut rows: Vec<(String, String)> = table
            .lines()
            .map(|line| {
                let mut cells = line.split_whitespace().map(str::to_owned);
                (cells.next().unwrap(), cells.next().unwrap())
            })
            .collect();
        rows.sort();
        rows
    }

    /// This namespace's requests in the audit log, by the admin's `rollout`.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let log = fs::read_to_string(self.plane.audit()).unwrap();
        log.lines()
            .filter_map(|line| Request::read(&serde_json::from_str(line).ok()?, &self.namespace))
            .collect()
    }
}

/// A request as recorded by the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u64,
}

impl Request {
    fn read(entry: &Value, namespace: &str) -> Option<Self> {
        let is_ours = entry["objectRef"]["namespace"] == namespace
            && entry["user"]["username"] == "admin"
            && entry["stage"] == "ResponseComplete"
            && !entry["requestURI"].as_str().unwrap_or_default().contains("dryRun=All")
            && !entry["userAgent"].as_str().unwrap_or_default().contains("kubectl");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        is_ours.then(|| Self {
            verb: text(&entry["verb"]),
            resource: text(&entry["objectRef"]["resource"]),
            name: text(&entry["objectRef"]["name"]),
            code: entry["responseStatus"]["code"].as_u64().unwrap_or(0),
        })
    }

    /// Whether it is a write of anything except the Lease.
    pub(crate) fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete"].contains(&self.verb.as_str()) && self.resource != "leases"
    }
}

/// Lets real time pass: these tests need outages of a certain length and kills at certain times.
pub(crate) fn pass(time: Duration) {
    let (_nobody_sends, nothing_comes) = std::sync::mpsc::channel::<()>();
    assert!(nothing_comes.recv_timeout(time).is_err());
}

/// A table without its last column and without trailing blanks.
pub(crate) fn without_ages(table: &str) -> String {
    let lines = table.lines().map(|line| {
        let end = line.trim_end().rfind(char::is_whitespace).map_or(0, |end| end);
        line[..end].trim_end()
    });
    lines.collect::<Vec<_>>().join("\n")
}
