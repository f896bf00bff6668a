//! What a command requests, before the cluster is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cluster::lease::Acquisition;
use crate::cluster::permissions::Operation;
use crate::oam::application::{Application, Batch, Component};
use crate::oam::kind::WorkloadKind;
use crate::oam::policies::Policies;
use crate::oam::render;
use crate::oam::traits::{Trait, TraitKind};
use crate::oam::workflow::{StepGate, gates_before};
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;
use crate::plan::run::WorkflowPlace;

/// A request about one application.
#[derive(Debug, Clone)]
pub struct RolloutRequest {
    /// The application's name.
    pub application: String,
    /// The namespace.
    pub namespace: String,
    /// The requests about its components; at least one.
    pub components: Vec<ComponentRequest>,
    /// Settings of the command line that override the manifest.
    pub overrides: Overrides,
    /// Whether it waits for a run in progress.
    pub turn: Acquisition,
    /// Steps of the application's workflow that are passed, in addition to those recorded for its components.
    pub passed: BTreeSet<String>,
}

/// A request about one component.
#[derive(Debug, Clone)]
pub struct ComponentRequest {
    /// The component's name.
    pub name: String,
    /// Components that must be done first.
    pub depends_on: Vec<String>,
    /// Where the desired state comes from.
    pub intent: Intent,
    /// Its place in the workflow of the manifest; `None` if no step is a gate before it.
    pub workflow: Option<WorkflowPlace>,
    /// The claim that the request is bound to: it fails if another claim has followed. `None` if it is not about a
    /// particular run.
    pub bound_to: Option<Epoch>,
}

/// Where the desired state comes from.
#[derive(Debug, Clone)]
pub enum Intent {
    /// The manifest.
    Manifest {
        /// The application, for its labels.
        application: Arc<Application>,
        /// The component.
        component: Arc<Component>,
    },
    /// An earlier revision.
    Revision {
        /// Its full name, the part after `<component>-`, or its number; `None` means the target of a rollback.
        reference: Option<String>,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
    /// The recorded run, from its present state.
    Recorded {
        /// What to do with its gate.
        gate: Gate,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
    /// The state before the recorded run.
    Abort {
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
    /// The same revision at another size.
    Scale {
        /// The desired number of replicas.
        replicas: u32,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
}

/// What to do with a run's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Leave it as it is.
    Stay,
    /// If the run is held at it, move it to the next batch.
    Next,
    /// Remove it.
    Open,
}

impl Intent {
    /// Whether traits of a manifest patch the workload with fields that only the server can validate.
    #[must_use]
    pub fn patches_workload(&self) -> bool {
        let is_patch = |one: &Trait| matches!(one.kind, TraitKind::JsonMergePatch | TraitKind::JsonPatch);
        match self {
            Self::Manifest { component, .. } => component.traits.iter().any(is_patch),
            Self::Revision { .. } | Self::Recorded { .. } | Self::Abort { .. } | Self::Scale { .. } => false,
        }
    }

    /// Whether it is about the recorded run, so that it must not affect a run that has claimed the component since.
    #[must_use]
    pub fn is_about_a_run(&self) -> bool {
        match self {
            Self::Revision { reference: None, .. } | Self::Recorded { .. } | Self::Abort { .. } => true,
            Self::Manifest { .. } | Self::Revision { reference: Some(_), .. } | Self::Scale { .. } => false,
        }
    }

    /// Whether a rejected request waits for a run in progress, after which it may be accepted.
    #[must_use]
    pub fn waits_for_a_run(&self) -> bool {
        match self {
            Self::Scale { .. } => true,
            Self::Manifest { .. } | Self::Revision { .. } | Self::Recorded { .. } | Self::Abort { .. } => {
                false
            }
        }
    }

    /// The policies of its manifest.
    #[must_use]
    pub fn policies(&self) -> Option<&Policies> {
        match self {
            Self::Manifest { application, .. } => Some(&application.policies),
            Self::Revision { .. } | Self::Recorded { .. } | Self::Abort { .. } | Self::Scale { .. } => None,
        }
    }

    /// Whether it promotes the recorded run past its gate.
    #[must_use]
    pub fn promotes(&self) -> bool {
        match self {
            Self::Recorded { gate, .. } => *gate != Gate::Stay,
            Self::Manifest { .. } | Self::Revision { .. } | Self::Abort { .. } | Self::Scale { .. } => false,
        }
    }

    /// Whether it is rejected while the component is paused: a manifest may come from a pipeline that does not know of
    /// the pause.
    #[must_use]
    pub fn respects_a_pause(&self) -> bool {
        match self {
            Self::Manifest { .. } => true,
            Self::Revision { .. } | Self::Recorded { .. } | Self::Abort { .. } | Self::Scale { .. } => false,
        }
    }
}

impl ComponentRequest {
    /// A request about a component that has been rolled out.
    #[must_use]
    pub fn of_record(record: &Record, intent: Intent) -> Self {
        Self {
            name: record.component.clone(),
            depends_on: Vec::new(),
            workflow: None,
            bound_to: intent.is_about_a_run().then_some(record.epoch),
            intent,
        }
    }

    /// The kind of workload that the component will run as.
    #[must_use]
    pub fn kind(&self) -> WorkloadKind {
        match &self.intent {
            Intent::Manifest { component, .. } => component.kind.workload().unwrap_or_default(),
            Intent::Revision { kind, .. }
            | Intent::Recorded { kind, .. }
            | Intent::Abort { kind }
            | Intent::Scale { kind, .. } => *kind,
        }
    }
}

/// Settings of the command line that override the manifest.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Batches instead of the manifest's.
    pub batches: Option<Vec<Batch>>,
    /// A gate instead of the manifest's: zero-based index of the last batch that may run.
    pub partition: Option<u32>,
    /// Whether an `externalRevision` that exists with different content is used as it is.
    pub reuse_revision: bool,
    /// What to do with objects that exist and belong to no application.
    pub adoption: Adoption,
}

/// What to do with an object that exists and belongs to no application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adoption {
    /// Refuse it.
    #[default]
    Refuse,
    /// Take it over with all its fields.
    TakeOver,
}

impl RolloutRequest {
    /// A request to roll out a manifest.
    #[must_use]
    pub fn of_manifest(application: &Application, namespace: String, overrides: Overrides) -> Self {
        let has_gates = application.steps.iter().any(|step| StepGate::of(step).is_some());
        let has_order = application.components.iter().any(|component| !component.depends_on.is_empty());
        let content = (has_gates || has_order).then(|| render::content_hash(application, &namespace));
        let dependencies = application.dependencies();
        // Share what does not change: cloning the application for each component would take quadratic space.
        let shared = Arc::new(application.clone());
        let components = application.components.iter().map(|component| ComponentRequest {
            name: component.name.clone(),
            depends_on: component.depends_on.clone(),
            workflow: content
                .as_deref()
                .map(|content| workflow_place(application, component, content, dependencies(component))),
            bound_to: None,
            intent: Intent::Manifest {
                application: Arc::clone(&shared),
                component: Arc::new(component.clone()),
            },
        });
        Self {
            application: application.name.clone(),
            namespace,
            components: components.collect(),
            overrides,
            turn: Acquisition::Wait,
            passed: BTreeSet::new(),
        }
    }

    /// A request about one component that has been rolled out.
    #[must_use]
    pub fn of_record(record: &Record, namespace: String, intent: Intent, overrides: Overrides) -> Self {
        Self {
            application: record.application.clone(),
            namespace,
            components: vec![ComponentRequest::of_record(record, intent)],
            overrides,
            turn: Acquisition::Wait,
            passed: BTreeSet::new(),
        }
    }

    /// The component that it is about, if it is about one component rather than a manifest.
    #[must_use]
    pub fn single_component(&self) -> Option<&str> {
        match self.components.as_slice() {
            [ComponentRequest { intent: Intent::Manifest { .. }, .. }] => None,
            [component] => Some(&component.name),
            _ => None,
        }
    }

    /// The kinds of workload that its components run as.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<WorkloadKind> {
        self.components.iter().map(ComponentRequest::kind).collect()
    }

    /// The operation that it needs rights for: only manifests create revisions.
    #[must_use]
    pub fn operation(&self) -> Operation {
        let is_manifest = |one: &ComponentRequest| matches!(one.intent, Intent::Manifest { .. });
        if self.components.iter().any(is_manifest) { Operation::Apply } else { Operation::Rerun }
    }

    /// The components' names.
    #[must_use]
    pub fn component_names(&self) -> Vec<String> {
        self.components.iter().map(|component| component.name.clone()).collect()
    }
}

fn workflow_place(
    application: &Application,
    component: &Component,
    content: &str,
    depends_on: Vec<String>,
) -> WorkflowPlace {
    let gates = gates_before(&application.steps, &component.name);
    WorkflowPlace {
        application: content.to_owned(),
        is_waiting: !gates.is_empty() || !depends_on.is_empty(),
        depends_on,
        gates,
        ..WorkflowPlace::default()
    }
}
