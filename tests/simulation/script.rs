//! A script: who types which commands when, the faults that strike them, and the other events in the cluster.
//!
//! Each part has its own random seed, so that removing one part leaves the others unchanged.

mod event;

use std::fmt;
use std::time::Duration;

use crate::support::manifest::{Component, application};

pub(crate) use event::{Disturbance, EnvironmentEvent};

/// The name of the other application.
pub(crate) const OTHER: &str = "store";

/// All events of a simulation.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) users: Vec<User>,
    pub(crate) environment: Vec<Disturbance>,
    /// The manifest that is applied after all disturbances have ended.
    pub(crate) last: Vec<Component>,
}

/// A user who types one command after another.
#[derive(Clone)]
pub(crate) struct User {
    /// The identity of the user's processes; two CI jobs may share one.
    pub(crate) identity: String,
    pub(crate) invocations: Vec<Invocation>,
}

/// A command line, and the faults of its process.
#[derive(Clone)]
pub(crate) struct Invocation {
    /// The time since the previous one.
    pub(crate) after: Duration,
    /// Whether it starts earlier if another process is killed, stopped or cut off before.
    pub(crate) at_fault: bool,
    pub(crate) command: Command,
    pub(crate) pace: Pace,
    /// The faults that strike it, in order.
    pub(crate) faults: Vec<Fault>,
    /// The seed of its delays.
    pub(crate) seed: u64,
}

/// A command with its flags.
#[derive(Clone)]
pub(crate) enum Command {
    Apply {
        manifest: Vec<Component>,
        prune: bool,
        undo_on_failure: bool,
    },
    Undo {
        component: String,
        to_revision: Option<String>,
        now: bool,
    },
    Abort(String),
    Promote {
        component: String,
        full: bool,
    },
    Pause(String),
    Resume(String),
    Scale {
        component: String,
        replicas: u32,
    },
    DeleteComponent(String),
    DeleteApplication,
    /// Applies another application whose components have the same names.
    ApplyOther(Vec<Component>),
    DeleteOther,
    Status,
    /// Plans what applying a manifest does; it precedes an `apply` on a calm cluster.
    Plan(Vec<Component>),
}

/// How fast requests and their responses travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Without delay.
    Instant,
    /// Within a few milliseconds.
    Fast,
    /// Within several seconds.
    Slow,
}

/// A fault of a process at one of its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// Which requests count.
    pub(crate) counted: Counted,
    /// The number of such requests since the previous fault.
    pub(crate) request: usize,
    pub(crate) stage: Stage,
    pub(crate) kind: FaultKind,
}

/// Classes of requests, some of which are rare but important.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    All,
    Leases,
    Records,
    Workloads,
    /// Reads of one workload.
    Looks,
    Creations,
    /// Creations of workloads.
    Targets,
    Removals,
    Watches,
}

/// The stages of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before it is sent.
    Before,
    /// While it travels: it arrives nevertheless.
    Sent,
    /// After its response.
    After,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultKind {
    /// `kill -9`.
    Death,
    /// `SIGSTOP`, and `SIGCONT` after this time.
    Freeze(Duration),
    /// Nothing gets through for this long.
    Outage(Duration),
    /// No request about Leases gets through for this long.
    LeaseOutage(Duration),
    /// The request is answered like this, and not served.
    Answer(Answer),
    /// The request is served, and answered like this.
    AnswerAfterServing(Answer),
    /// The request is served, and its answer takes this long.
    LateAnswer(Duration),
}

/// A bad answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Conflict,
    TooManyRequests,
    InternalError,
    Unavailable,
    Timeout,
    Reset,
}

impl Script {
    /// Whether a component changes its type, or is a `task` at last, which cannot change.
    pub(crate) fn changes_type(&self) -> bool {
        let invocations = self.users.iter().flat_map(|user| &user.invocations);
        let mut manifests = invocations.filter_map(|invocation| {
            let Command::Apply { manifest, .. } = &invocation.command else { return None };
            Some(manifest)
        });
        let differs = |one: &Component| {
            self.last
                .iter()
                .any(|last| last.name == one.name && (last.kind != one.kind || last.kind == "task"))
        };
        manifests.any(|manifest| manifest.iter().any(differs))
    }

    /// Whether the only events are failing or slow pods, with a single user.
    pub(crate) fn has_only_failing_pods(&self) -> bool {
        let mut invocations = self.users.iter().flat_map(|user| &user.invocations);
        let is_about_pods = |one: &Disturbance| {
            matches!(one.event, EnvironmentEvent::FailPods { .. } | EnvironmentEvent::SlowPods(_))
        };
        self.users.len() == 1
            && invocations.all(|invocation| invocation.faults.is_empty())
            && self.environment.iter().all(is_about_pods)
    }
}

impl Command {
    /// The first word, which is part of the user agent of its process.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Apply { prune: false, .. } => "apply",
            Self::Apply { prune: true, .. } => "prune",
            Self::Undo { .. } => "undo",
            Self::Abort(_) => "abort",
            Self::Promote { .. } => "promote",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Scale { .. } => "scale",
            Self::ApplyOther(_) => "apply",
            Self::DeleteComponent(_) | Self::DeleteApplication | Self::DeleteOther => "delete",
            Self::Status => "status",
            Self::Plan(_) => "plan",
        }
    }

    /// The component on whose current run it acts, if any.
    pub(crate) fn bound_component(&self) -> Option<&str> {
        match self {
            Self::Undo { component, to_revision: None, .. }
            | Self::Promote { component, .. }
            | Self::Abort(component)
            | Self::Resume(component) => Some(component),
            Self::Apply { .. }
            | Self::Undo { .. }
            | Self::Pause(_)
            | Self::Scale { .. }
            | Self::DeleteComponent(_)
            | Self::DeleteApplication
            | Self::ApplyOther(_)
            | Self::DeleteOther
            | Self::Plan(_)
            | Self::Status => None,
        }
    }

    /// Whether a rerun does further work, since it cannot be distinguished from a second command.
    pub(crate) fn goes_further(&self) -> bool {
        match self {
            Self::Promote { full: false, .. } | Self::Undo { to_revision: None, .. } => true,
            Self::Apply { .. }
            | Self::Undo { .. }
            | Self::Abort(_)
            | Self::Promote { .. }
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Scale { .. }
            | Self::DeleteComponent(_)
            | Self::DeleteApplication
            | Self::ApplyOther(_)
            | Self::DeleteOther
            | Self::Plan(_)
            | Self::Status => false,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply { manifest, prune, undo_on_failure } => {
                let prune = if *prune { " --prune --yes" } else { "" };
                let undo = if *undo_on_failure { " --on-failure undo" } else { "" };
                writeln!(f, "rollout apply -{prune}{undo} <<'EOF'")?;
                write!(f, "{}EOF", application("shop", manifest))
            }
            Self::Undo { component, to_revision, now } => {
                write!(f, "rollout undo {component}")?;
                if let Some(revision) = to_revision {
                    write!(f, " --to-revision {revision}")?;
                }
                f.write_str(if *now { " --now" } else { "" })
            }
            Self::Abort(component) => write!(f, "rollout abort {component}"),
            Self::Promote { component, full } => {
                write!(f, "rollout promote {component}{}", if *full { " --full" } else { "" })
            }
            Self::Pause(component) => write!(f, "rollout pause {component}"),
            Self::Resume(component) => write!(f, "rollout resume {component}"),
            Self::Scale { component, replicas } => {
                write!(f, "rollout scale {component} --replicas {replicas} --batches 50%,50%")
            }
            Self::DeleteComponent(component) => write!(f, "rollout delete {component} --yes"),
            Self::DeleteApplication => f.write_str("rollout delete shop --yes"),
            Self::ApplyOther(manifest) => {
                write!(f, "rollout apply - <<'EOF'\n{}EOF", application(OTHER, manifest))
            }
            Self::DeleteOther => write!(f, "rollout delete {OTHER} --yes"),
            Self::Status => f.write_str("rollout status"),
            Self::Plan(manifest) => write!(f, "rollout plan - <<'EOF'\n{}EOF", application("shop", manifest)),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# seed {}", self.seed)?;
        for (index, user) in self.users.iter().enumerate() {
            writeln!(
                f,
                "\n# user {} of {}, ROLLOUT_IDENTITY={}",
                index + 1,
                self.users.len(),
                user.identity
            )?;
            for Invocation { after, at_fault, command, pace, faults, .. } in &user.invocations {
                let unless = if *at_fault { " # or until something happens to another process" } else { "" };
                writeln!(f, "sleep {:.3}{unless}", after.as_secs_f64())?;
                write!(f, "# requests travel {pace:?}")?;
                for Fault { counted, request, stage, kind } in faults {
                    write!(f, "; at request {request} of {counted:?} ({stage:?}): {kind:?}")?;
                }
                writeln!(f)?;
                writeln!(f, "{command}")?;
            }
        }
        if !self.environment.is_empty() {
            writeln!(f, "\n# meanwhile")?;
        }
        for disturbance in &self.environment {
            writeln!(f, "# {disturbance}")?;
        }
        writeln!(
            f,
            "\n# at last, when all is calm\nrollout apply - <<'EOF'\n{}EOF",
            application("shop", &self.last)
        )
    }
}
