//! The application model: the content of a valid manifest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::oam::batch_gates::BatchGates;
use crate::oam::kind::WorkloadKind;
use crate::oam::origin::Origin;
use crate::oam::policies::Policies;
use crate::oam::properties::Properties;
use crate::oam::traits::Trait;
use crate::oam::workflow::WorkflowStep;

/// One Application document (`core.oam.dev/v1beta1`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Application {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, if the document has one.
    pub namespace: Option<String>,
    /// `metadata.labels`; copied to the workloads.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`; copied to the workloads.
    pub annotations: BTreeMap<String, String>,
    /// The components in the manifest's order; at least one.
    pub components: Vec<Component>,
    /// The policies about single objects.
    pub policies: Policies,
    /// The workflow's steps in order; empty if there is no workflow. The dependencies of the components include this
    /// order.
    pub steps: Vec<WorkflowStep>,
    /// The place of the document.
    pub origin: Origin,
    /// Warnings about accepted parts that should be written differently or have no effect.
    pub warnings: Vec<ManifestWarning>,
}

/// A warning about an accepted part of a manifest that should be written differently or has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestWarning {
    /// Its place.
    pub origin: Origin,
    /// The field, such as `spec.components[0].properties.port`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// How a component is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// Its objects are applied as a whole.
    #[default]
    AsAWhole,
    /// Its revisions replace each other in batches, according to the `rollout` trait.
    InBatches,
}

impl Application {
    /// Finds the components that one depends on, directly or through others, in the manifest's order.
    pub fn dependencies(&self) -> impl Fn(&Component) -> Vec<String> {
        let places: BTreeMap<&str, usize> =
            self.components.iter().enumerate().map(|(place, one)| (one.name.as_str(), place)).collect();
        move |component| {
            let mut found: BTreeSet<usize> = BTreeSet::new();
            let mut next = vec![component];
            while let Some(one) = next.pop() {
                let places = one.depends_on.iter().filter_map(|name| places.get(name.as_str()));
                next.extend(
                    places.filter(|place| found.insert(**place)).map(|place| &self.components[*place]),
                );
            }
            found.into_iter().map(|place| self.components[place].name.clone()).collect()
        }
    }
}

/// One entry of `spec.components`.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The component's name, a DNS label.
    pub name: String,
    /// The component's type.
    pub kind: ComponentKind,
    /// The revision's name, if the manifest sets it.
    pub external_revision: Option<String>,
    /// Components of the same application that must complete first.
    pub depends_on: Vec<String>,
    /// The component's content.
    pub body: ComponentBody,
    /// The `rollout` trait; `None` if the component is applied as a whole.
    pub rollout: Option<RolloutTrait>,
    /// The other traits, in the manifest's order.
    pub traits: Vec<Trait>,
    /// The place of the entry.
    pub origin: Origin,
}

/// The content of a component.
#[derive(Debug, Clone, PartialEq)]
pub enum ComponentBody {
    /// Pods with one main container: the type's properties, checked.
    Container(Box<Properties>),
    /// Objects as written in the manifest; traits change the first. Never empty.
    Objects(Vec<Value>),
}

impl Component {
    /// How the component is released.
    #[must_use]
    pub fn release(&self) -> Release {
        if self.rollout.is_some() { Release::InBatches } else { Release::AsAWhole }
    }

    /// The properties of its container; `None` if it consists of objects.
    #[must_use]
    pub fn properties(&self) -> Option<&Properties> {
        match &self.body {
            ComponentBody::Container(properties) => Some(properties),
            ComponentBody::Objects(_) => None,
        }
    }
}

/// The component types that `rollout` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentKind {
    /// A Deployment that serves; may have a Service.
    Webservice,
    /// A Deployment that works in the background.
    Worker,
    /// A CloneSet of OpenKruise.
    ClonesetService,
    /// A StatefulSet, whose pods have an identity.
    StatefulSet,
    /// A DaemonSet, with a pod on every node.
    Daemon,
    /// A Job, which runs once.
    Task,
    /// A CronJob, which runs Jobs.
    CronTask,
    /// Objects that the manifest contains.
    K8sObjects,
    /// One object that the manifest contains; deprecated.
    Raw,
    /// Objects that the manifest contains; KubeVela can also read them from clusters.
    RefObjects,
}

impl ComponentKind {
    /// All types.
    pub const ALL: [Self; 10] = [
        Self::Webservice,
        Self::Worker,
        Self::ClonesetService,
        Self::StatefulSet,
        Self::Daemon,
        Self::Task,
        Self::CronTask,
        Self::K8sObjects,
        Self::Raw,
        Self::RefObjects,
    ];

    /// The type's name in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webservice => "webservice",
            Self::Worker => "worker",
            Self::ClonesetService => "cloneset-service",
            Self::StatefulSet => "statefulset",
            Self::Daemon => "daemon",
            Self::Task => "task",
            Self::CronTask => "cron-task",
            Self::K8sObjects => "k8s-objects",
            Self::Raw => "raw",
            Self::RefObjects => "ref-objects",
        }
    }

    /// The kind of workload that it runs as; `None` if it cannot be rolled out in batches.
    pub fn workload(self) -> Option<WorkloadKind> {
        match self {
            Self::Webservice | Self::Worker => Some(WorkloadKind::Deployment),
            Self::ClonesetService => Some(WorkloadKind::CloneSet),
            Self::StatefulSet => Some(WorkloadKind::StatefulSet),
            Self::Daemon | Self::Task | Self::CronTask | Self::K8sObjects | Self::Raw | Self::RefObjects => {
                None
            }
        }
    }
}

/// The `rollout` trait of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutTrait {
    /// The kind of workload that the component's type runs as.
    pub kind: WorkloadKind,
    /// The revision to converge to; `None` is the one this manifest renders.
    pub target_revision: Option<String>,
    /// The target size.
    pub target_size: u32,
    /// The batches in order; `None` is one batch of everything. Never empty.
    pub batches: Option<Vec<Batch>>,
    /// Zero-based index of the last batch that may run, inclusive; `None` is all.
    pub batch_partition: Option<u32>,
    /// Which half of a batch comes first.
    pub strategy: Strategy,
    /// The gates between the batches.
    pub gates: BatchGates,
}

/// One entry of `rolloutBatches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The batch's size.
    pub replicas: Amount,
    /// How many of the pods reached so far may be unready for the batch to pass.
    pub max_unavailable: Amount,
}

/// A number of pods, absolute or relative to the run's base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// An absolute number.
    Count(u32),
    /// A percentage of the base, rounded up; 0 to 100.
    Percent(u32),
}

/// The order of a batch's two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The target grows before the source shrinks.
    #[default]
    IncreaseFirst,
    /// The source shrinks before the target grows.
    DecreaseFirst,
}
