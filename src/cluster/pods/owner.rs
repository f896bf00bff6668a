//! Owners of pods: the workloads that are rolled out in batches, and the other kinds that components have.

use kube::api::ApiResource;
use kube::core::GroupVersionKind;

use crate::cluster::workload::workload_resource;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;

/// A kind of object that creates pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodOwnerKind {
    /// A workload that can be rolled out in batches.
    Workload(WorkloadKind),
    /// `apps/v1 DaemonSet`.
    DaemonSet,
    /// `batch/v1 Job`.
    Job,
}

/// An object that creates pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodOwner<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// Its kind.
    pub kind: PodOwnerKind,
    /// Its name.
    pub name: &'a str,
}

impl<'a> PodOwner<'a> {
    /// An object that creates pods itself; `None` for others. Without a namespace in the reference, it is in
    /// `namespace`.
    #[must_use]
    pub fn of(object: &'a ObjectRef, namespace: &'a str) -> Option<Self> {
        let is_same =
            |kind: &WorkloadKind| kind.as_str() == object.kind && kind.api_version() == object.api_version;
        let workload = WorkloadKind::ALL.into_iter().find(is_same).map(PodOwnerKind::Workload);
        let kind = workload.or(match (object.api_version.as_str(), object.kind.as_str()) {
            ("apps/v1", "DaemonSet") => Some(PodOwnerKind::DaemonSet),
            ("batch/v1", "Job") => Some(PodOwnerKind::Job),
            _ => None,
        })?;
        Some(Self { namespace: object.namespace.as_deref().unwrap_or(namespace), kind, name: &object.name })
    }
}

impl PodOwnerKind {
    /// The kind as Kubernetes spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload(kind) => kind.as_str(),
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
        }
    }

    /// The kind in running text, as kubectl writes it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Workload(kind) => kind.noun(),
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
        }
    }

    /// The API resource of the kind.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let named = |group: &str, plural: &str| {
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", self.as_str()), plural)
        };
        match self {
            Self::Workload(kind) => workload_resource(kind),
            Self::DaemonSet => named("apps", "daemonsets"),
            Self::Job => named("batch", "jobs"),
        }
    }
}
