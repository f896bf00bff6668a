//! What a command asks for, before the cluster is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cluster::lease::Acquisition;
use crate::cluster::permissions::Operation;
use crate::oam::application::{Application, Batch, Component};
use crate::oam::kind::WorkloadKind;
use crate::oam::policies::Policies;
use crate::oam::render;
use crate::oam::workflow::{StepGate, gates_before};
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;
use crate::plan::run::WorkflowPlace;

/// What is asked of one application.
#[derive(Debug, Clone)]
pub struct RolloutRequest {
    /// The application's name.
    pub application: String,
    /// The namespace.
    pub namespace: String,
    /// What is asked of its components; at least one.
    pub components: Vec<ComponentRequest>,
    /// What the command line says over the manifest.
    pub overrides: Overrides,
    /// Whether it waits for a run that is under way.
    pub turn: Acquisition,
    /// Steps of the application's workflow that are passed, besides those that the records of its components name.
    pub passed: BTreeSet<String>,
}

/// What is asked of one component.
#[derive(Debug, Clone)]
pub struct ComponentRequest {
    /// The component's name.
    pub name: String,
    /// Components that must be done first.
    pub depends_on: Vec<String>,
    /// Where the desired state comes from.
    pub intent: Intent,
    /// Where a manifest puts it in the workflow; `None` where no step is a gate before it.
    pub workflow: Option<WorkflowPlace>,
    /// The claim that the decision is about: where another has followed it, nothing is done. `None` where it is about
    /// no particular run.
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
        /// Its full name, the part after `<component>-`, or its number; `None` is the one before.
        reference: Option<String>,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
    /// The recorded run, from where it stands.
    Recorded {
        /// What is to become of its gate.
        gate: Gate,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
    /// Where the recorded run began.
    Abort {
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
    /// The same revision in another size.
    Scale {
        /// Replicas wanted.
        replicas: u32,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
}

/// What becomes of a run's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It stays.
    Stay,
    /// If the run is held at it, it moves to the next batch.
    Next,
    /// It is removed.
    Open,
}

impl Intent {
    /// Whether it is about the recorded run, so that a run that was claimed since must not be rolled back or promoted.
    #[must_use]
    pub fn is_about_a_run(&self) -> bool {
        match self {
            Self::Revision { reference: None, .. } | Self::Recorded { .. } | Self::Abort { .. } => true,
            Self::Manifest { .. } | Self::Revision { reference: Some(_), .. } | Self::Scale { .. } => false,
        }
    }

    /// Whether a rejection waits for a run in progress: what is rejected beside the run may be accepted after it.
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
    /// Asks for something of a component that has been rolled out.
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

    /// The kind of workload that the component is to run as.
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

/// What the command line says over the manifest.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Batches instead of the manifest's.
    pub batches: Option<Vec<Batch>>,
    /// A gate instead of the manifest's: zero-based index of the last batch that may run.
    pub partition: Option<u32>,
    /// Whether an `externalRevision` that exists with other content is used as it is.
    pub reuse_revision: bool,
    /// What becomes of objects that exist and belong to no application.
    pub adoption: Adoption,
}

/// What becomes of an object that exists and belongs to no application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adoption {
    /// It is refused.
    #[default]
    Refuse,
    /// It is taken over with all its fields.
    TakeOver,
}

impl RolloutRequest {
    /// Asks for what a manifest says.
    #[must_use]
    pub fn of_manifest(application: &Application, namespace: String, overrides: Overrides) -> Self {
        let has_gates = application.steps.iter().any(|step| StepGate::of(step).is_some());
        let content = if has_gates { render::content_hash(application, &namespace) } else { String::new() };
        // What does not change is shared: a clone for each component would grow with their square.
        let shared = Arc::new(application.clone());
        let components = application.components.iter().map(|component| ComponentRequest {
            name: component.name.clone(),
            depends_on: component.depends_on.clone(),
            workflow: workflow_place(application, component, &content),
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

    /// Asks for something of one component that has been rolled out.
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

    /// The one component that it is about, where it is about a component and not about a manifest.
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

    /// What it needs rights for: only manifests lead to new revisions.
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

fn workflow_place(application: &Application, component: &Component, content: &str) -> Option<WorkflowPlace> {
    let gates = gates_before(&application.steps, &component.name);
    (!gates.is_empty()).then(|| WorkflowPlace {
        application: content.to_owned(),
        depends_on: component.depends_on.clone(),
        gates,
        is_waiting: true,
        ..WorkflowPlace::default()
    })
}
