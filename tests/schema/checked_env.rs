//! A test environment that validates every document against its schema.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::published::Schemas;
use crate::support::test_env::{CommandOutput, TestEnv};

/// A test environment and the schemas.
pub(crate) struct CheckedEnv<'a> {
    pub(crate) env: TestEnv,
    schemas: &'a Schemas,
}

impl<'a> CheckedEnv<'a> {
    pub(crate) fn new(schemas: &'a Schemas) -> Self {
        Self { env: TestEnv::new(), schemas }
    }

    /// Runs a command that drives a run and ends with this code; validates its events, then `status` and `history`.
    pub(crate) fn drive(&self, line: &str, code: i32) {
        self.ended(self.env.command(&format!("{line} -o ndjson")), line, code);
        self.look();
    }

    /// Like [`Self::drive`] for any command, without `status` and `history`.
    pub(crate) fn ended(&self, mut command: Command, line: &str, code: i32) {
        let ran = CommandOutput::of(command.output().unwrap());
        assert_eq!(ran.code, Some(code), "{line}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout.lines().for_each(|event| drop(self.event(event, line)));
    }

    /// Runs a command that prints one or more documents of `status`.
    pub(crate) fn show(&self, line: &str, code: i32) {
        let ran = self.env.run(&format!("{line} -o json"));
        assert_eq!(ran.code, Some(code), "{line}\n{}{}", ran.stdout, ran.stderr);
        let documents: Vec<Value> =
            serde_json::Deserializer::from_str(&ran.stdout).into_iter().map(Result::unwrap).collect();
        assert!(!documents.is_empty(), "{line} prints nothing");
        documents.iter().for_each(|document| self.schemas.status.check(document, line));
    }

    /// Validates the output of `status` and `history`.
    pub(crate) fn look(&self) {
        let status = self.env.run_ok("status -o json").stdout;
        let status: Value = serde_json::from_str(&status).unwrap();
        self.schemas.status.check(&status, "status");
        for item in status["items"].as_array().unwrap() {
            let line = format!("history {} -o json", item["component"].as_str().unwrap());
            let history = serde_json::from_str(&self.env.run_ok(&line).stdout).unwrap();
            self.schemas.history.check(&history, &line);
        }
    }

    pub(crate) fn plan(&self, line: &str) {
        let line = format!("plan {line} -o json");
        let document = serde_json::from_str(&self.env.run_ok(&line).stdout).unwrap();
        self.schemas.plan.check(&document, &line);
    }

    pub(crate) fn open(&self, revision: &str) {
        let line = format!("history --revision {revision} -o json");
        let document = serde_json::from_str(&self.env.run_ok(&line).stdout).unwrap();
        self.schemas.revision.check(&document, &line);
    }

    /// Starts a driving command with this identity.
    pub(crate) fn start(&self, name: &str, line: &str) -> Driver<'_> {
        let mut command = self.env.command_as(name, &format!("{line} -o ndjson"));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Driver { checked_env: self, line: line.to_owned(), process, lines }
    }

    fn event(&self, text: &str, line: &str) -> Value {
        let event = serde_json::from_str(text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"));
        self.schemas.event.check(&event, line);
        event
    }
}

/// A command that drives. It is killed when it is dropped.
pub(crate) struct Driver<'a> {
    checked_env: &'a CheckedEnv<'a>,
    line: String,
    process: std::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Driver<'_> {
    /// Reads until this event.
    pub(crate) fn until(&mut self, event: &str) -> &mut Self {
        for text in self.lines.by_ref() {
            if self.checked_env.event(&text.unwrap(), &self.line)["event"] == event {
                return self;
            }
        }
        panic!("{}: `{event}` never came", self.line);
    }

    pub(crate) fn interrupt(&mut self) -> &mut Self {
        let id = i32::try_from(self.process.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
        self
    }

    /// Reads to the end, and asserts the exit code.
    pub(crate) fn end(&mut self, code: i32) {
        for text in self.lines.by_ref() {
            self.checked_env.event(&text.unwrap(), &self.line);
        }
        assert_eq!(self.process.wait().unwrap().code(), Some(code), "{}", self.line);
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
