//! Checks whether a process on this machine is still alive, so that a queued run need not wait for a killed run's Lease
//! to expire.
//!
//! The Lease is advisory: a wrong answer costs a run its place in the queue, but is never unsafe.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process, as recorded on the Lease that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The machine and process namespace of the PID.
    pub scope: String,
    /// The PID.
    pub pid: u32,
    /// When it started, in kernel ticks, which distinguishes processes with a reused PID.
    pub started: String,
}

impl Process {
    /// This process; `None` if the system does not provide enough information.
    #[must_use]
    pub fn this() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { scope: scope()?, pid, started: started(&stat(pid)?)? })
    }

    /// Whether it is certainly dead.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        scope().is_some_and(|scope| scope == self.scope)
            && self.has_ended(stat(self.pid).as_deref(), || exists(self.pid))
    }

    /// Whether it has ended, given the `/proc` entry of its PID, if any, and whether a process with its PID exists:
    /// `/proc` may hide those of other users.
    fn has_ended(&self, stat: Option<&str>, exists: impl FnOnce() -> bool) -> bool {
        match stat {
            Some(stat) => started(stat).as_ref() != Some(&self.started),
            None => !exists(),
        }
    }
}

/// The boot ID and the process namespace, so that PIDs of two containers are not confused.
fn scope() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

/// The `/proc` entry of a process; `None` if it does not exist or is hidden.
fn stat(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

/// Whether any user's process has this PID.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Field 22 of `/proc/PID/stat`; the second field may contain spaces and brackets. A zombie counts as gone.
fn started(stat: &str) -> Option<String> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive() {
        let this = Process::this();
        assert!(this.is_none_or(|this| !this.is_gone()));
    }

    #[test]
    fn a_process_whose_pid_was_reused_is_gone() {
        let Some(this) = Process::this() else { return };
        assert!(Process { started: "1".into(), ..this.clone() }.is_gone());
        assert!(!Process { scope: "elsewhere".into(), started: "1".into(), ..this }.is_gone());
    }

    #[test]
    fn a_hidden_process_may_be_alive() {
        let Some(this) = Process::this() else { return };
        assert!(!this.has_ended(None, || exists(this.pid)));
        assert!(!this.has_ended(None, || exists(1)), "it is another user's, unless this is root");
        assert!(this.has_ended(None, || exists(u32::MAX)));
        assert!(this.has_ended(Some("7 (a) Z 1"), || true), "a zombie");
    }
}
