//! The steps of an application's workflow: what is applied in which order, and what it waits for in between.

use crate::oam::application::Origin;

/// A step. Each begins when the one before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowStep {
    /// Its name, unique within the application.
    pub name: String,
    /// What it does.
    pub action: StepAction,
    /// Where it stands.
    pub origin: Origin,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAction {
    /// Applies components, side by side as far as their `dependsOn` lets them, and waits for them.
    Apply {
        /// Their names; no other step applies them.
        components: Vec<String>,
    },
    /// Waits until somebody resumes the run.
    Suspend {
        /// What that person should know.
        message: Option<String>,
        /// Seconds after which the run resumes by itself.
        duration_seconds: Option<u64>,
    },
    /// Waits until another application is running.
    DependsOnApp {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
}

impl StepAction {
    /// The step's type as manifests spell it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply-component",
            Self::Suspend { .. } => "suspend",
            Self::DependsOnApp { .. } => "depends-on-app",
        }
    }
}
