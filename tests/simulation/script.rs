//! A script: who types which commands when, the faults that strike them, and the other events in the cluster.
//!
//! Each part has its own random seed, so that removing one part leaves the others unchanged.

use std::fmt;
use std::time::Duration;

use crate::support::admission::Policy;
use crate::support::manifest::{Component, application};

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

/// An event in the cluster at a certain time.
#[derive(Clone)]
pub(crate) struct Disturbance {
    pub(crate) at: Duration,
    pub(crate) event: EnvironmentEvent,
}

/// Actions of other people and of the cluster itself.
#[derive(Debug, Clone)]
pub(crate) enum EnvironmentEvent {
    /// From now on, pods with these images fail like this, and all others become ready.
    FailPods { images: Vec<String>, failure: &'static str },
    /// Every pod takes this long to become ready.
    SlowPods(Duration),
    /// `kubectl set image` of a workload of the component.
    SetImage(String),
    /// `kubectl scale` of a workload of the component.
    Scale { component: String, replicas: u32 },
    /// `kubectl scale` of a workload of the component, through its subresource.
    Rescale { component: String, replicas: u32 },
    /// Another tool applies the size of a workload of the component, and owns it then.
    OwnSize { component: String, replicas: u32 },
    /// A foreign workload with our labels appears.
    PlantForeign(u64),
    /// `kubectl delete` of a workload of the component.
    DeleteWorkload(String),
    /// `kubectl delete pod` of the component.
    DeletePod(String),
    /// `kubectl delete configmap rollout-…`.
    DeleteRecord(String),
    /// `kubectl delete lease` of the application.
    DeleteLease,
    /// `kubectl edit configmap rollout-…`, which makes the record unreadable.
    GarbleRecord(String),
    /// `kubectl delete controllerrevision` of the component's newest revision.
    DeleteRevision(String),
    /// `kubectl rollout restart` of a workload of the component.
    Restart(String),
    /// `kubectl rollout pause` of a workload of the component.
    PauseWorkload(String),
    /// `kubectl edit service` of the component.
    EditService(String),
    /// `kubectl delete service` of the component.
    DeleteService(String),
    /// A quota of the namespace is exhausted.
    FillQuota,
    /// An autoscaler appears for a workload of the component, and sets its size.
    Autoscale { component: String, replicas: u32 },
    /// Controllers and the kubelet stall for this long.
    StallControllers(Duration),
    /// A finalizer holds a workload of the component for this long.
    Hold { component: String, lasting: Duration },
    /// A policy of admission is in force for this long.
    Enforce { policy: Policy, lasting: Duration },
    /// Writes of this kind are denied to every process for this long.
    Deny { kind: &'static str, lasting: Duration },
}

impl Script {
    /// Whether a component changes its type, or is a `task` at last, which cannot change.
    pub(crate) fn changes_type(&self) -> bool {
        let invocations = self.users.iter().flat_map(|user| &user.invocations);
        let mut manifests = invocations.filter_map(|invocation| match &invocation.command {
            Command::Apply { manifest, .. } => Some(manifest),
            _ => None,
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

impl Disturbance {
    /// Whether it causes unready pods or removes pods. Slow pods count, since pods that are younger than the new delay
    /// are no longer ready.
    pub(crate) fn harms_pods(&self) -> bool {
        let is_late = matches!(self.event, EnvironmentEvent::SlowPods(_)) && !self.at.is_zero();
        is_late || self.event.harms_pods()
    }
}

impl EnvironmentEvent {
    /// Whether it causes unready pods or removes pods.
    fn harms_pods(&self) -> bool {
        match self {
            Self::FailPods { images, .. } => !images.is_empty(),
            Self::SetImage(_)
            | Self::Scale { .. }
            | Self::Rescale { .. }
            | Self::OwnSize { .. }
            | Self::Autoscale { .. }
            | Self::DeleteWorkload(_)
            | Self::DeletePod(_)
            | Self::Restart(_) => true,
            Self::SlowPods(_)
            | Self::GarbleRecord(_)
            | Self::DeleteRevision(_)
            | Self::PauseWorkload(_)
            | Self::EditService(_)
            | Self::DeleteService(_)
            | Self::PlantForeign(_)
            | Self::DeleteRecord(_)
            | Self::DeleteLease
            | Self::FillQuota
            | Self::StallControllers(_)
            | Self::Hold { .. }
            | Self::Enforce { .. }
            | Self::Deny { .. } => false,
        }
    }

    /// Whether it changes the network access to pods.
    pub(crate) fn cuts_off_pods(&self) -> bool {
        let adds_port = matches!(self, Self::Enforce { policy: Policy::AddPort, .. });
        adds_port || matches!(self, Self::EditService(_) | Self::DeleteService(_))
    }

    /// Whether it changes objects that a run has written.
    pub(crate) fn edits(&self) -> bool {
        match self {
            Self::SetImage(_)
            | Self::Scale { .. }
            | Self::Rescale { .. }
            | Self::OwnSize { .. }
            | Self::Autoscale { .. }
            | Self::DeleteWorkload(_)
            | Self::DeleteRecord(_)
            | Self::GarbleRecord(_)
            | Self::DeleteRevision(_)
            | Self::Restart(_)
            | Self::PauseWorkload(_) => true,
            Self::FailPods { .. }
            | Self::EditService(_)
            | Self::DeleteService(_)
            | Self::FillQuota
            | Self::SlowPods(_)
            | Self::PlantForeign(_)
            | Self::DeletePod(_)
            | Self::DeleteLease
            | Self::StallControllers(_)
            | Self::Hold { .. }
            | Self::Enforce { .. }
            | Self::Deny { .. } => false,
        }
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

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:?}: ", self.at)?;
        match &self.event {
            EnvironmentEvent::FailPods { images, .. } if images.is_empty() => {
                f.write_str("all pods get ready")
            }
            EnvironmentEvent::FailPods { images, failure } => {
                write!(f, "pods of {} fail with {failure}", images.join(", "))
            }
            EnvironmentEvent::FillQuota => f.write_str("a quota of the namespace is used up"),
            EnvironmentEvent::Autoscale { component, replicas } => {
                write!(f, "kubectl autoscale (a workload of {component}), which becomes {replicas}")
            }
            EnvironmentEvent::SlowPods(time) => write!(f, "pods get ready after {time:?}"),
            EnvironmentEvent::SetImage(component) => {
                write!(f, "kubectl set image (a workload of {component}) '*=edited:1'")
            }
            EnvironmentEvent::Scale { component, replicas } => {
                write!(f, "kubectl scale (a workload of {component}) --replicas {replicas}")
            }
            EnvironmentEvent::Rescale { component, replicas } => {
                write!(
                    f,
                    "kubectl scale (a workload of {component}) --replicas {replicas}, by its subresource"
                )
            }
            EnvironmentEvent::OwnSize { component, replicas } => {
                write!(
                    f,
                    "kubectl apply --server-side --field-manager gitops (replicas {replicas} of {component})"
                )
            }
            EnvironmentEvent::Enforce { policy, lasting } => {
                write!(f, "an admission policy for {lasting:?}: {policy:?}")
            }
            EnvironmentEvent::PlantForeign(seed) => write!(f, "a foreign workload with our labels ({seed})"),
            EnvironmentEvent::DeleteWorkload(component) => {
                write!(f, "kubectl delete (a workload of {component})")
            }
            EnvironmentEvent::DeletePod(component) => write!(f, "kubectl delete pod (one of {component})"),
            EnvironmentEvent::DeleteRecord(component) => {
                write!(f, "kubectl delete configmap rollout-{component}")
            }
            EnvironmentEvent::GarbleRecord(component) => {
                write!(f, "kubectl edit configmap rollout-{component}, which nobody can read then")
            }
            EnvironmentEvent::DeleteRevision(component) => {
                write!(f, "kubectl delete controllerrevision (the newest of {component})")
            }
            EnvironmentEvent::Restart(component) => {
                write!(f, "kubectl rollout restart (a workload of {component})")
            }
            EnvironmentEvent::PauseWorkload(component) => {
                write!(f, "kubectl rollout pause (a workload of {component})")
            }
            EnvironmentEvent::EditService(component) => {
                write!(f, "kubectl edit service {component}, which has only port 9 then")
            }
            EnvironmentEvent::DeleteService(component) => write!(f, "kubectl delete service {component}"),
            EnvironmentEvent::DeleteLease => f.write_str("kubectl delete lease (of shop)"),
            EnvironmentEvent::StallControllers(lasting) => {
                write!(f, "controllers do nothing for {lasting:?}")
            }
            EnvironmentEvent::Hold { component, lasting } => {
                write!(f, "a finalizer holds a workload of {component} for {lasting:?}")
            }
            EnvironmentEvent::Deny { kind, lasting } => {
                write!(f, "nobody may write {kind} for {lasting:?}")
            }
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
