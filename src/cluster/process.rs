//! Telling whether a process on this machine still lives, so that a killed run's Lease need not expire.
//!
//! The Lease is advisory; a wrong answer here costs a run its place in the queue, never its safety.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process, as it is written on the Lease that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Which machine and process namespace the number counts in.
    pub scope: String,
    /// The process's number.
    pub pid: u32,
    /// When it started, in the kernel's ticks: a number used again has another start.
    pub started: String,
}

impl Process {
    /// This process; `None` if the system does not say enough.
    #[must_use]
    pub fn this() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { scope: scope()?, pid, started: started(&stat(pid)?)? })
    }

    /// Whether it certainly lives no more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        scope().is_some_and(|scope| scope == self.scope)
            && self.has_ended(stat(self.pid).as_deref(), || exists(self.pid))
    }

    /// Whether it has ended, given what the system says of its number, and whether any process has that. `/proc` may
    /// hide those of other users.
    fn has_ended(&self, stat: Option<&str>, exists: impl FnOnce() -> bool) -> bool {
        match stat {
            Some(stat) => started(stat).as_ref() != Some(&self.started),
            None => !exists(),
        }
    }
}

/// The boot and the process namespace: numbers of two containers never meet.
fn scope() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

/// What the system says of a process; `None` if there is none, or it may not be seen.
fn stat(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

/// Whether a process has this number, whoever's it is.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Field 22 of `/proc/PID/stat`; the second field may hold spaces and brackets. A zombie is gone.
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
    fn this_process_lives() {
        let this = Process::this();
        assert!(this.is_none_or(|this| !this.is_gone()));
    }

    #[test]
    fn a_number_with_another_start_is_gone() {
        let Some(this) = Process::this() else { return };
        assert!(Process { started: "1".into(), ..this.clone() }.is_gone());
        assert!(!Process { scope: "elsewhere".into(), started: "1".into(), ..this }.is_gone());
    }

    #[test]
    fn a_process_that_is_hidden_may_live() {
        let Some(this) = Process::this() else { return };
        assert!(!this.has_ended(None, || exists(this.pid)));
        assert!(!this.has_ended(None, || exists(1)), "it is another user's, unless this is root");
        assert!(this.has_ended(None, || exists(u32::MAX)));
        assert!(this.has_ended(Some("7 (a) Z 1"), || true), "a zombie");
    }
}
