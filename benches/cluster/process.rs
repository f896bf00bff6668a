//! Running a process and measuring it: wall time, CPU, peak memory, connections.
//!
//! CPU is what the kernel accounts for the process when it ends. Peak memory (`VmHWM`) and the number of connections
//! are read every few milliseconds, so what happens just before the end may be missed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// How often a process is sampled.
const INTERVAL: Duration = Duration::from_millis(20);

/// What a process cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) wall: f64,
    /// Of the process and of those that it waited for.
    pub(crate) cpu: f64,
    pub(crate) peak_mib: f64,
    pub(crate) connections: usize,
}

/// Runs a command to its end, which has to be a success.
pub(crate) fn measure(command: &mut Command, log: &Path) -> Measured {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(log).unwrap());
    let begun = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let measured = follow(child, begun);
    assert!(measured.0, "{command:?}: {}", last_lines(log));
    measured.1
}

/// Follows a process to its end: whether it succeeded, and what it cost.
pub(crate) fn follow(mut child: Child, begun: Instant) -> (bool, Measured) {
    let has_ended = Arc::new(AtomicBool::new(false));
    let pid = child.id();
    let sampler = thread::spawn({
        let has_ended = Arc::clone(&has_ended);
        move || sample(pid, &has_ended)
    });
    let id = Pid::from_child(&child);
    // Left to be reaped, so that its accounts can still be read.
    waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    let wall = begun.elapsed().as_secs_f64();
    has_ended.store(true, Ordering::Relaxed);
    let (peak_mib, connections) = sampler.join().unwrap();
    let cpu = cpu_seconds(pid);
    let is_success = child.wait().unwrap().success();
    (is_success, Measured { wall, cpu, peak_mib, connections })
}

/// The CPU time of a process so far, with that of its children that have ended.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may contain anything (proc(5)).
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(4).map(|field| field.parse().unwrap_or(0.0)).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

fn sample(pid: u32, has_ended: &AtomicBool) -> (f64, usize) {
    let (mut peak, mut most) = (0.0_f64, 0);
    while !has_ended.load(Ordering::Relaxed) {
        peak = peak.max(peak_mib(pid));
        most = most.max(connections(pid));
        thread::sleep(INTERVAL);
    }
    (peak, most)
}

/// The most memory that a process has had so far.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The TCP connections of a process.
fn connections(pid: u32) -> usize {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    // The tenth column is the inode (proc_pid_net(5)).
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let tables = table("tcp") + &table("tcp6");
    let inodes = tables.lines().filter_map(|line| line.split_whitespace().nth(9));
    inodes.filter(|inode| sockets.iter().any(|socket| socket == inode)).count()
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
