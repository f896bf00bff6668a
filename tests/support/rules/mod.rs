//! The invariants of every history of the server, in one checker.
//!
//! It reads only the accepted changes. It takes the limits of a run from the run record that its claim wrote to the
//! server, never from the state of a client.
//!
//! | rule | invariant |
//! |---|---|
//! | `ownership` | no process changes or deletes foreign objects, or objects without the application's labels |
//! | `epochs` | a record's epoch and a workload's stamp never decrease, and no stamp is ahead of the record |
//! | `record` | only the process that claimed a record writes it, except to pause and resume, and no ended run is resumed |
//! | `single writer` | writes follow the order of their claims, and only to workloads with the claim's stamp |
//! | `direction` | within one claim, a workload does not both grow and shrink |
//! | `floor` | a process's writes preserve the ready pods that the claim found, except for those that the batches allow |
//! | `ceiling` | a process requests no more pods than the claim found or wants, plus one batch |
//! | `gate` | an upgrade does not go beyond the batch of its partition |
//! | `batch gates` | the target grows into a batch only after the gates before it are passed |
//! | `hold` | an upgrade held at its partition has all batches up to it, ready, and no source pods that they replace |
//! | `pause` | a paused run writes nothing except requests already sent, and no apply ends its pause |
//! | `success` | a run recorded as succeeded has its whole target, ready, and no source |
//! | `service` | every serving pod is reached on its exposed ports, and receives no traffic for a port that it lacks |
//! | `decision` | an apply rolls back only its own run |
//! | `external change` | no run changes a workload of all revisions that another client has changed since its claim |
//! | `handover` | no run deletes what serves before what replaces it is ready |
//! | `removal` | only a command that deletes removes the record of a component |

mod claim;
mod handover;
mod record;
pub(crate) mod service;
mod workload;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rollout::sandbox::{Actor, Change};

use claim::Claim;
use world::World;

/// The circumstances of a history.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Circumstances {
    /// Whether pods fail, or are deleted by others.
    pub(crate) pods_are_harmed: bool,
    /// Whether others edit or delete objects that processes write.
    pub(crate) others_edit: bool,
    /// Whether admission lowers the sizes that processes write.
    pub(crate) sizes_are_lowered: bool,
    /// Whether others edit or delete Services.
    pub(crate) others_cut_off: bool,
}

/// A violated rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) problem: String,
    /// The index of the change.
    pub(crate) at: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (change {})", self.rule, self.problem, self.at)
    }
}

/// A rule, and how it is violated.
type Broken = (&'static str, String);

/// The judge's state of a component.
#[derive(Default)]
struct Memory {
    claim: Option<Claim>,
    /// The highest epoch that has changed a size or deleted a workload.
    acted: u64,
    /// The sign of the size changes, by epoch and workload.
    directions: BTreeMap<(u64, String), bool>,
    /// The workloads that others have edited or deleted since the claim.
    edited: BTreeSet<String>,
    /// The in-place workloads that others have changed, with the claim at that time.
    respecified: BTreeMap<String, u64>,
    /// Whether others have deleted the record of a component that was applied as a whole.
    has_lost_whole: bool,
    /// Whether an earlier run's creation of a Service arrived after the claim, and no run has written it since: a
    /// creation has no version as a precondition (ARCHITECTURE.md, *Fencing*).
    has_late_service: bool,
    /// Whether others have deleted the record, and no later claim has replaced an existing one.
    has_lost_record: bool,
}

/// Checks a history.
struct Judge {
    circumstances: Circumstances,
    world: World,
    components: BTreeMap<String, Memory>,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author<'a> {
    Controller,
    /// Another person or program.
    Other,
    /// A process of `rollout`, by its user agent; empty if that is not known.
    Process(&'a str),
}

/// The prefix of the user agents of processes under test.
pub(crate) const PROCESS: &str = "rollout/";

impl<'a> Author<'a> {
    fn of(change: &'a Change) -> Self {
        match (change.actor, change.user_agent.as_deref()) {
            (Actor::Controller, _) => Self::Controller,
            (Actor::Client, None) => Self::Process(""),
            (Actor::Client, Some(agent)) if agent.starts_with(PROCESS) => Self::Process(agent),
            (Actor::Client, Some(_)) => Self::Other,
        }
    }
}

/// Whether a process with this user agent runs one of these commands; unknown ones may.
fn runs(agent: &str, commands: &[&str]) -> bool {
    agent.is_empty() || commands.iter().any(|command| agent.ends_with(&format!(" {command}")))
}

/// Checks a history against the rules.
///
/// # Errors
/// The first violation.
pub(crate) fn check(history: &[Change], circumstances: Circumstances) -> Result<(), Violation> {
    let mut judge = Judge { circumstances, world: World::default(), components: BTreeMap::new() };
    for (at, change) in history.iter().enumerate() {
        judge.look(change).map_err(|(rule, problem)| {
            let by = change.user_agent.as_deref().unwrap_or("nobody known");
            let what = format!("{:?} {} {} by {by} at {}", change.verb, change.kind, change.name, change.at);
            Violation { rule, problem: format!("{problem}; {what}"), at }
        })?;
    }
    Ok(())
}

impl Judge {
    /// Resets the state of a component once neither its record nor a workload is left, since its epochs are then lost.
    fn forget_removed(&mut self, change: &Change) {
        let before = change.before.as_deref().filter(|_| change.after.is_none());
        let Some(component) = before.and_then(world::component) else { return };
        if self.world.recorded(component).is_none() && self.world.workloads(component).next().is_none() {
            self.components.remove(component);
        }
    }

    fn look(&mut self, change: &Change) -> Result<(), Broken> {
        let author = Author::of(change);
        if let Author::Process(_) = author {
            world::check_ownership(change)?;
        }
        self.look_at_record(change, author)?;
        self.world.take_in(change);
        self.look_at_workload(change, author)?;
        self.look_at_handover(change, author)?;
        self.forget_removed(change);
        self.note_late_service(change, author);
        self.look_at_service(change)
    }
}
