//! The compiled binary in an empty directory, and everything that its runs leave behind.
//!
//! The environment is cleared, so that tests do not depend on the user. The sandbox's state is in the file
//! `box.json` of the directory, and its pods are ready at once, unless a test writes other rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::child::Child;
use super::manifest::{application, component};
use super::{pod_rules, redact, walk};

/// The sandbox's file.
pub(crate) const FILE: &str = "box.json";

/// A separate working directory.
pub(crate) struct TestEnv {
    directory: tempfile::TempDir,
}

impl TestEnv {
    /// A directory with the examples, and rules that make pods ready at once.
    pub(crate) fn new() -> Self {
        let env = Self { directory: tempfile::tempdir().unwrap() };
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        fs::create_dir(env.path("examples")).unwrap();
        fs::create_dir(env.path("home")).unwrap();
        for entry in fs::read_dir(examples).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), env.path("examples").join(entry.file_name())).unwrap();
        }
        env.pods(pod_rules::READY);
        env
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Sets the rules of pods from the next command on.
    pub(crate) fn pods(&self, rules: impl AsRef<str>) {
        self.write("rules.yaml", format!("{}\n", rules.as_ref()));
    }

    /// Writes the kubeconfig `config`, with these fields of its cluster and of its user.
    pub(crate) fn kubeconfig(&self, cluster: &str, user: &str) {
        self.write(
            "config",
            format!(
                "{{apiVersion: v1, kind: Config, current-context: x, clusters: [{{name: c, cluster: {{{cluster}}}}}],
                  contexts: [{{name: x, context: {{cluster: c, user: u}}}}], users: [{{name: u, user: {{{user}}}}}]}}"
            ),
        );
    }

    /// A command line without a cluster; words are separated by spaces.
    pub(crate) fn bare(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollout"));
        command.args(line.split_whitespace()).current_dir(self.directory.path()).env_clear();
        command.env("HOME", self.path("home")).env("USER", "tester").stdin(Stdio::null());
        command
    }

    /// A command line against the sandbox, with the identity `tester`.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.bare(line);
        command.env("ROLLOUT_IDENTITY", "tester");
        command.args([format!("--sandbox={FILE}").as_str(), "--sandbox-rules=rules.yaml"]);
        command
    }

    /// Runs a command line against the sandbox to its end.
    #[must_use = "assert on the output, or use `run_ok`"]
    pub(crate) fn run(&self, line: &str) -> CommandOutput {
        CommandOutput::of(self.command(line).output().unwrap())
    }

    /// Runs a command line that must succeed.
    pub(crate) fn run_ok(&self, line: &str) -> CommandOutput {
        self.run_to(line, 0)
    }

    /// Runs a command line that must end with this code.
    pub(crate) fn run_to(&self, line: &str, code: i32) -> CommandOutput {
        let ran = self.run(line);
        assert_eq!(ran.code, Some(code), "rollout {line}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Starts a command line against the sandbox.
    pub(crate) fn start(&self, line: &str) -> Child {
        Child::spawn(self.command(line))
    }

    /// A command line with this identity.
    pub(crate) fn command_as(&self, identity: &str, line: &str) -> Command {
        let mut command = self.command(line);
        command.env("ROLLOUT_IDENTITY", identity);
        command
    }

    /// Starts a command line with this identity.
    pub(crate) fn start_as(&self, identity: &str, line: &str) -> Child {
        Child::spawn(self.command_as(identity, line))
    }

    /// Starts a command line with the identity `driver`, which waits for pods of an image: they become ready only once
    /// the rules change.
    pub(crate) fn waiting(self, line: &str, image: &str) -> (Self, Child) {
        self.pods(pod_rules::failing(image, "NeverReady"));
        let mut driver = self.start_as("driver", line);
        driver.until(": waiting for `web-v");
        (self, driver)
    }

    /// Makes all pods ready, including those that a running command waits for, through another command that sets the
    /// rules.
    pub(crate) fn let_pods_get_ready(&self) {
        self.pods(pod_rules::READY);
        self.write("other.yaml", application("other", &[component("other", 1, 1)]));
        self.run_ok("apply other.yaml");
        self.run_ok("delete other");
    }

    /// The sandbox's file, byte by byte.
    pub(crate) fn bytes(&self) -> String {
        fs::read_to_string(self.path(FILE)).unwrap()
    }

    /// The sandbox's document, with the objects that the lines after it have changed and removed. Their other content
    /// is ignored.
    fn document(&self) -> Value {
        let name = |object: &Value| {
            let metadata = &object["metadata"];
            [&object["kind"], &metadata["namespace"], &metadata["name"]]
                .map(|part| part.as_str().unwrap_or("").to_owned())
        };
        let text = self.bytes();
        let mut parts = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        let mut document = parts.next().unwrap().unwrap();
        let objects = document["objects"].as_array_mut().unwrap();
        // The last line may be an incomplete write of a killed process.
        for line in parts.map_while(Result::ok) {
            for removed in line["removed"].as_array().into_iter().flatten().map(|removed| &removed[1]) {
                let removed =
                    ["kind", "namespace", "name"].map(|part| removed[part].as_str().unwrap_or("").to_owned());
                objects.retain(|object| name(object) != removed);
            }
            for put in line["objects"].as_array().into_iter().flatten() {
                objects.retain(|object| name(object) != name(put));
                objects.push(put.clone());
            }
        }
        document
    }

    /// Changes the objects in the sandbox's file directly.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Vec<Value>)) {
        let mut document = self.document();
        change(document["objects"].as_array_mut().unwrap());
        self.write(FILE, document.to_string());
    }

    /// The objects of a kind in the sandbox's file.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        let document = self.document();
        let objects = document["objects"].as_array().unwrap();
        objects.iter().filter(|object| object["kind"] == kind).cloned().collect()
    }

    /// Runs commands until the controllers have nothing left to do, since a process may end before they do.
    pub(crate) fn settle(&self) {
        let is_settled = || {
            let deployments = self.objects("Deployment");
            let wanted: u64 = deployments.iter().filter_map(|one| one["spec"]["replicas"].as_u64()).sum();
            let pods = u64::try_from(self.objects("Pod").len()).unwrap();
            self.objects("ReplicaSet").len() == deployments.len() && pods == wanted
        };
        let looks = (0..500).find(|_| {
            self.run_ok("status");
            is_settled()
        });
        assert!(looks.is_some(), "the sandbox never rests");
    }

    /// Each Deployment as `name ready/replicas`.
    pub(crate) fn deployments(&self) -> Vec<String> {
        let line = |object: &Value| {
            let ready = object["status"]["readyReplicas"].as_i64().unwrap_or(0);
            format!("{} {ready}/{}", object["metadata"]["name"].as_str().unwrap(), object["spec"]["replicas"])
        };
        self.objects("Deployment").iter().map(line).collect()
    }
}

impl walk::Walker for TestEnv {
    fn rollout(&self, arguments: &[&str]) -> String {
        self.run_ok(&arguments.join(" ")).stdout
    }

    fn deployments(&self) -> Vec<String> {
        self.deployments()
    }
}

/// The output of a run.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
}

impl CommandOutput {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the binary writes UTF-8");
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }

    /// Asserts that stderr contains this text.
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "`{text}` is missing:\n{}", self.stderr);
        self
    }

    /// The whole output as one text, without parts that differ from run to run.
    pub(crate) fn transcript(&self) -> String {
        let code = self.code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        let (stdout, stderr) = (redact::data(&self.stdout), redact::conversation(&self.stderr));
        format!("{stdout}--- stderr\n{stderr}[exit {code}]")
    }
}

/// Runs a command to its end and returns the whole output as one text.
pub(crate) fn transcript(command: &mut Command) -> String {
    CommandOutput::of(command.output().unwrap()).transcript()
}
