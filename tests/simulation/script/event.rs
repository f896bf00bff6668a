//! The events in the cluster other than commands.

use std::fmt;
use std::time::Duration;

use crate::support::admission::Policy;

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

    /// Whether admission lowers sizes.
    pub(crate) fn lowers_sizes(&self) -> bool {
        matches!(self, Self::Enforce { policy: Policy::CapSize(_), .. })
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
