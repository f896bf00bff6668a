//! A running command: reads its stderr line by line, and sends it signals.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::test_env::CommandOutput;

/// A running command. It is killed when it is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    reader: BufReader<ChildStderr>,
    said: String,
}

impl Child {
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let reader = BufReader::new(process.stderr.take().unwrap());
        Self { process, reader, said: String::new() }
    }

    /// Reads until a line contains this text.
    pub(crate) fn until(&mut self, text: &str) -> &mut Self {
        loop {
            assert!(self.line(), "`{text}` was never said:\n{}", self.said);
            if self.said.lines().last().is_some_and(|line| line.contains(text)) {
                return self;
            }
        }
    }

    /// Reads this many lines; returns whether there were as many.
    pub(crate) fn lines(&mut self, count: usize) -> bool {
        (0..count).all(|_| self.line())
    }

    fn line(&mut self) -> bool {
        self.reader.read_line(&mut self.said).unwrap() > 0
    }

    /// Reads stdout until a line starts with this text.
    pub(crate) fn until_data(&mut self, text: &str) -> &mut Self {
        let mut reader = BufReader::new(self.process.stdout.as_mut().unwrap());
        let mut line = String::new();
        while !line.starts_with(text) {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "`{text}` was never printed");
        }
        self
    }

    fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap()
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(self.id(), signal).unwrap();
        self
    }

    /// Waits for the end, and asserts the exit code.
    pub(crate) fn end_with(self, code: i32) -> CommandOutput {
        let ran = self.end();
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Stops it with a signal, and returns once all of its threads are stopped; `false` if it has ended before.
    pub(crate) fn stop(&mut self) -> bool {
        self.signal(Signal::STOP);
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.id()), options).unwrap().is_some_and(|status| status.stopped())
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> CommandOutput {
        self.reader.read_to_string(&mut self.said).unwrap();
        let mut stdout = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.process.wait().unwrap().code();
        CommandOutput { stdout, stderr: std::mem::take(&mut self.said), code }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
