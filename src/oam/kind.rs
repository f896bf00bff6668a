//! The kinds of workload that run a component's pods.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum WorkloadKind {
    /// `apps/v1 Deployment`: one for each live revision.
    #[default]
    Deployment,
    /// `apps.kruise.io/v1alpha1 CloneSet`: one object, whose pods are replaced in place.
    CloneSet,
    /// `apps/v1 StatefulSet`: one object, whose pods keep their ordinals.
    StatefulSet,
}

impl WorkloadKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::CloneSet, Self::StatefulSet];

    /// The kind's name in Kubernetes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::CloneSet => "CloneSet",
            Self::StatefulSet => "StatefulSet",
        }
    }

    /// The kind in running text, as in kubectl.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::CloneSet => "cloneset",
            Self::StatefulSet => "statefulset",
        }
    }

    /// The API group.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "apps",
            Self::CloneSet => "apps.kruise.io",
        }
    }

    /// The version of the group that `rollout` uses.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "v1",
            Self::CloneSet => "v1alpha1",
        }
    }

    /// Group and version, as in `apiVersion`.
    #[must_use]
    pub fn api_version(self) -> String {
        format!("{}/{}", self.group(), self.version())
    }

    /// The plural, as in a URL.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::CloneSet => "clonesets",
            Self::StatefulSet => "statefulsets",
        }
    }

    /// Whether one object, named like its component, serves all revisions: a rollout changes its template and lowers
    /// its partition. Otherwise each revision has its own object, and a rollout changes their sizes.
    #[must_use]
    pub fn is_in_place(self) -> bool {
        match self {
            Self::Deployment => false,
            Self::CloneSet | Self::StatefulSet => true,
        }
    }

    /// The kind of a rendered or stored workload; `None` for any other.
    #[must_use]
    pub fn of(workload: &Value) -> Option<Self> {
        let kind = Self::ALL.into_iter().find(|kind| workload["kind"] == kind.as_str())?;
        (workload["apiVersion"] == kind.api_version().as_str()).then_some(kind)
    }
}
