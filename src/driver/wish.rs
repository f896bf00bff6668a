//! What a command asks for, before the cluster has been looked at.

use std::collections::BTreeSet;

use crate::oam::application::{Application, Batch, Component};
use crate::oam::kind::WorkloadKind;

/// What is asked of one application.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The application's name.
    pub application: String,
    /// The namespace.
    pub namespace: String,
    /// What is asked of its components; at least one.
    pub components: Vec<ComponentWish>,
    /// What the command line says over the manifest.
    pub overrides: Overrides,
}

/// What is asked of one component.
#[derive(Debug, Clone)]
pub struct ComponentWish {
    /// The component's name.
    pub name: String,
    /// Components that must be done first.
    pub depends_on: Vec<String>,
    /// Where the desired state comes from.
    pub intent: Intent,
}

/// Where the desired state comes from.
#[derive(Debug, Clone)]
pub enum Intent {
    /// The manifest.
    Manifest {
        /// The application, for its labels.
        application: Box<Application>,
        /// The component.
        component: Box<Component>,
    },
    /// An earlier revision.
    Revision {
        /// Its full name, the part after `<component>-`, or its number; `None` is the one before.
        reference: Option<String>,
        /// The kind of workload that the component runs as.
        kind: WorkloadKind,
    },
}

impl ComponentWish {
    /// The kind of workload that the component is to run as.
    #[must_use]
    pub fn kind(&self) -> WorkloadKind {
        match &self.intent {
            Intent::Manifest { component, .. } => component.kind.workload(),
            Intent::Revision { kind, .. } => *kind,
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
}

impl Wish {
    /// Asks for what a manifest says.
    #[must_use]
    pub fn of_manifest(application: &Application, namespace: String, overrides: Overrides) -> Self {
        let components = application.components.iter().map(|component| ComponentWish {
            name: component.name.clone(),
            depends_on: component.depends_on.clone(),
            intent: Intent::Manifest {
                application: Box::new(application.clone()),
                component: Box::new(component.clone()),
            },
        });
        Self { application: application.name.clone(), namespace, components: components.collect(), overrides }
    }

    /// The kinds of workload that its components run as.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<WorkloadKind> {
        self.components.iter().map(ComponentWish::kind).collect()
    }

    /// The components' names.
    #[must_use]
    pub fn component_names(&self) -> Vec<String> {
        self.components.iter().map(|component| component.name.clone()).collect()
    }
}
