//! How driving a component ended.

use crate::cluster::constraints::NO_RIGHT;
use crate::cluster::error::ClusterError;
use crate::cluster::lease::{LeaseError, LeaseKey};
use crate::cluster::record_store::{RecordError, RecordProblem};
use crate::plan::batch::BatchSumError;
use crate::report::event::{EventKind, Progress};

/// The outcome of driving one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentOutcome {
    /// The component is as desired.
    Succeeded {
        /// Whether anything had to be written.
        changed: bool,
    },
    /// The run is held at a gate, as requested.
    Held {
        /// The gate.
        at: HoldPoint,
    },
    /// The run was not started, because a component that it depends on is not done.
    Skipped {
        /// That component.
        waiting_for: String,
        /// What holds that component, if it is held.
        hold: Option<Hold>,
    },
    /// The run failed.
    Failed(Failure),
}

/// Where a run is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldPoint {
    /// After this batch (zero-based).
    Batch(usize),
    /// At a step of the workflow, before anything is applied.
    Step {
        /// The step.
        step: String,
        /// The step's message for the user.
        message: Option<String>,
    },
    /// Until a component that it depends on is done, before anything is applied.
    Dependency {
        /// That component, which is held itself.
        component: String,
    },
    /// At a gate, which a user may promote the run past.
    Gate {
        /// Why it holds.
        cause: GateCause,
        /// The reason as text.
        reason: String,
    },
}

/// What holds the components before another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// This step of the workflow.
    Step(String),
    /// A gate between the batches of this component.
    Component(String),
}

/// Why a gate holds a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateCause {
    /// The measurements of this metric were inconclusive.
    Inconclusive {
        /// The metric.
        metric: String,
    },
    /// The window is closed.
    Closed,
}

/// How the components of an application ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationOutcome {
    /// The namespace.
    pub namespace: String,
    /// The application.
    pub application: String,
    /// Each component's outcome by its name, in the request's order.
    pub components: Vec<(String, ComponentOutcome)>,
}

/// Why a component failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure, which decides the exit code.
    pub kind: FailureKind,
    /// What happened, object first.
    pub reason: String,
    /// Facts that explain it, one line each.
    pub evidence: Vec<String>,
    /// What to do next, one line each.
    pub hints: Vec<String>,
}

/// The kinds of failure, which decide the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request itself is invalid, regardless of the cluster.
    Invalid,
    /// Refused before any write.
    Refused,
    /// The component did not become ready in time, or cannot. Resumable.
    NotReady,
    /// A gate between batches failed, such as a metric, a hook or a smoke test. Resumable.
    GateFailed,
    /// Another run took over, or did not end in time.
    Superseded,
    /// Another client changed the workload during the run. Resumable.
    ExternalChange,
    /// The cluster cannot be reached, or keeps returning errors.
    Cluster,
    /// The API server does not accept one of the run's writes. Resumable.
    Denied,
    /// Stopped by a signal. Resumable.
    Interrupted,
    /// A bug in `rollout`.
    Internal,
}

impl Failure {
    /// A failure without evidence.
    #[must_use]
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), evidence: Vec::new(), hints: Vec::new() }
    }

    /// A refusal before any write.
    #[must_use]
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Refused, reason)
    }

    /// The failure if another process now holds the Lease.
    #[must_use]
    pub fn taken_over(key: &LeaseKey, holder: &str) -> Self {
        let reason = format!("{key} was taken over by `{holder}`");
        Self::new(FailureKind::Superseded, reason).hint("see `rollout status`")
    }

    /// The failure if the Lease expired and could not be renewed for as long as an outage may last.
    #[must_use]
    pub fn lease_not_renewed() -> Self {
        let reason = "the lease could not be renewed: the API server does not answer properly";
        Self::new(FailureKind::Cluster, reason)
    }

    /// The event that reports the failure.
    #[must_use]
    pub fn event(&self, progress: Option<Progress>) -> EventKind {
        let Self { kind, reason, evidence, hints } = self.clone();
        // An interruption without evidence is what the user wanted.
        if kind == FailureKind::Interrupted && evidence.is_empty() {
            return EventKind::Interrupted { progress, hints };
        }
        EventKind::Failed { progress, reason, evidence, hints }
    }

    /// The failure if a namespace does not exist.
    #[must_use]
    pub fn missing_namespace(namespace: &str) -> Self {
        Self::refused(format!("namespace `{namespace}` does not exist"))
            .hint(format!("create the namespace first: `kubectl create namespace {namespace}`"))
    }

    /// The failure if the namespace is deleted during a run.
    #[must_use]
    pub fn lost_namespace(namespace: &str) -> Self {
        let reason = format!("namespace `{namespace}` is being deleted");
        Self::new(FailureKind::NotReady, reason).hint(OTHER_NAMESPACE)
    }

    /// Adds a hint about what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Converts the failure to acquire a Lease.
impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::NoNamespace { namespace, message } => {
                Self { reason: message, ..Self::missing_namespace(&namespace) }
            }
            LeaseError::Cluster(error) => error.into(),
            LeaseError::TimedOut { .. } => Self::new(FailureKind::Superseded, error.to_string())
                .hint("wait longer with `--lock-timeout`, or take over with the `--identity` of that run"),
        }
    }
}

/// The hint if the namespace is being deleted.
const OTHER_NAMESPACE: &str = "use another `--namespace`, or recreate this one once it is deleted";

/// Part of the API server's rejection of a Role with rules that its author does not have.
const GRANTS: &str = "is attempting to grant RBAC permissions not currently held";

/// Converts an error before the first write: a forbidden request is a refusal.
impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        let kind = match &error {
            ClusterError::Forbidden(_) => FailureKind::Refused,
            ClusterError::Rejected(_) => FailureKind::Denied,
            ClusterError::Stopped(_) => FailureKind::Interrupted,
            ClusterError::NotFound(_)
            | ClusterError::AlreadyExists(_)
            | ClusterError::Conflict(_)
            | ClusterError::Unauthorized(_)
            | ClusterError::Invalid(_)
            | ClusterError::Misdirected { .. }
            | ClusterError::Transient { .. }
            | ClusterError::Exhausted { .. }
            | ClusterError::Other(_) => FailureKind::Cluster,
        };
        let failure = Self::new(kind, error.to_string());
        let is_forbidden = |why| matches!(&error, ClusterError::Forbidden(message) if message.contains(why));
        let hint = if error.is_lost_namespace() {
            Some(OTHER_NAMESPACE)
        } else if is_forbidden(GRANTS) {
            Some("the manifest grants rights that you do not have: `rollout rbac FILE` prints what is needed")
        } else if is_forbidden(NO_RIGHT) {
            // Admission, such as a quota, also forbids, and its message explains what would be allowed.
            Some("request the missing permission, or use another `--context` or `--user`")
        } else {
            error.hint()
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<&BatchSumError> for Failure {
    fn from(sum_error: &BatchSumError) -> Self {
        Self::refused(sum_error.to_string()).hint(sum_error.hint())
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Cluster(error) => error.into(),
            RecordError::Unusable { ref namespace, ref name, problem, .. } => {
                let failure = Self::refused(error.to_string());
                match problem {
                    RecordProblem::Foreign => failure.hint("delete it, or give the component another name"),
                    RecordProblem::Unreadable => {
                        let delete = format!("kubectl delete configmap {name} -n {namespace}");
                        failure.hint("if a newer version of `rollout` has written it, use that version").hint(
                            format!(
                                "otherwise restore it, or delete it with `{delete}` and rerun `rollout apply`"
                            ),
                        )
                    }
                    RecordProblem::Missing => {
                        failure.hint("restore it, or rerun `rollout apply`, which creates it again")
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_namespace_is_refused_with_a_hint_to_create_it() {
        let (namespace, message) = ("shop".to_owned(), "namespaces \"shop\" not found".to_owned());
        let failure = Failure::from(LeaseError::NoNamespace { namespace, message });
        assert_eq!(failure.kind, FailureKind::Refused);
        assert_eq!(failure.hints, ["create the namespace first: `kubectl create namespace shop`"]);
    }

    #[test]
    fn permissions_are_suggested_only_if_a_right_is_missing() {
        let hints =
            |message: &str| Failure::from(ClusterError::Forbidden(message.to_owned())).hints.join("\n");
        let of_rights = "leases is forbidden: User \"ci\" cannot create resource \"leases\" in API group";
        assert!(hints(of_rights).contains("missing permission"));
        let of_the_end = "unable to create new content in namespace shop because it is being terminated";
        assert!(hints(of_the_end).contains("`--namespace`"));
        assert_eq!(hints("exceeded quota: few, requested: count/configmaps=1"), "");
    }
}
