//! The steps of an application's workflow: the order in which components are applied, and what is waited for in
//! between.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::oam::origin::Origin;

/// A step. It starts once all steps that it follows are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowStep {
    /// Its name, unique within the application.
    pub name: String,
    /// What it does.
    pub action: StepAction,
    /// The indexes of the steps that it directly follows; each is less than its own index.
    pub after: Vec<usize>,
    /// Its place in the manifest.
    pub origin: Origin,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAction {
    /// Applies components, side by side as far as their `dependsOn` permits, and waits for them.
    Apply {
        /// Their names; no other step applies them.
        components: Vec<String>,
    },
    /// Waits until a user promotes the run.
    Suspend {
        /// The message to that user.
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
    /// The step's type in manifests.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply-component",
            Self::Suspend { .. } => "suspend",
            Self::DependsOnApp { .. } => "depends-on-app",
        }
    }
}

/// A step between components: those of later steps start when it has been passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepGate {
    /// The step's name.
    pub step: String,
    /// What it waits for.
    pub condition: GateCondition,
}

/// What a gate waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GateCondition {
    /// A user's promotion, or a time.
    Promotion {
        /// The message to that user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Seconds after which no promotion is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_seconds: Option<u64>,
    },
    /// The components of another application.
    Application {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
}

impl StepGate {
    /// The gate of a step; `None` for a step that applies components.
    #[must_use]
    pub fn of(step: &WorkflowStep) -> Option<Self> {
        let condition = match &step.action {
            StepAction::Apply { .. } => return None,
            StepAction::Suspend { message, duration_seconds } => {
                GateCondition::Promotion { message: message.clone(), after_seconds: *duration_seconds }
            }
            StepAction::DependsOnApp { name, namespace } => {
                GateCondition::Application { name: name.clone(), namespace: namespace.clone() }
            }
        };
        Some(Self { step: step.name.clone(), condition })
    }

    /// Whether only a user's promotion can pass it.
    #[must_use]
    pub fn needs_promotion(&self) -> bool {
        match &self.condition {
            GateCondition::Promotion { after_seconds, .. } => after_seconds.is_none(),
            GateCondition::Application { .. } => false,
        }
    }
}

/// The indexes of all steps that a step follows, directly or indirectly.
#[must_use]
pub fn steps_before(steps: &[WorkflowStep], place: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![place];
    while let Some(step) = open.pop().and_then(|place| steps.get(place)) {
        open.extend(step.after.iter().copied().filter(|before| found.insert(*before)));
    }
    found
}

/// The gates before a component, in order.
#[must_use]
pub fn gates_before(steps: &[WorkflowStep], component: &str) -> Vec<StepGate> {
    let applies = |step: &WorkflowStep| match &step.action {
        StepAction::Apply { components } => components.iter().any(|name| name == component),
        StepAction::Suspend { .. } | StepAction::DependsOnApp { .. } => false,
    };
    let Some(place) = steps.iter().position(applies) else { return Vec::new() };
    steps_before(steps, place).into_iter().filter_map(|before| StepGate::of(&steps[before])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, action: StepAction) -> WorkflowStep {
        WorkflowStep { name: name.to_owned(), action, after: Vec::new(), origin: Origin::default() }
    }

    fn apply(components: &[&str]) -> WorkflowStep {
        let components = components.iter().map(|name| (*name).to_owned()).collect();
        step("apply", StepAction::Apply { components })
    }

    #[test]
    fn a_component_has_the_gates_of_all_steps_before_its_own() {
        let suspend = |name| step(name, StepAction::Suspend { message: None, duration_seconds: None });
        let app = StepAction::DependsOnApp { name: "db".to_owned(), namespace: "data".to_owned() };
        let mut steps = [
            step("data", app),
            apply(&["a", "b"]),
            suspend("first"),
            apply(&["c"]),
            apply(&["d"]),
            suspend("idle"),
        ];
        let afters = |after: [&[usize]; 6], steps: &mut [WorkflowStep]| {
            steps.iter_mut().zip(after).for_each(|(step, after)| step.after = after.to_vec());
        };
        let gates = |component, steps: &[WorkflowStep]| -> Vec<String> {
            gates_before(steps, component).into_iter().map(|gate| gate.step).collect()
        };
        afters([&[], &[], &[1], &[0], &[2, 3], &[]], &mut steps);
        assert_eq!(
            ["a", "c", "d"].map(|component| gates(component, &steps).join(" ")),
            ["", "data", "data first"]
        );
        afters([&[], &[0], &[1], &[2], &[3], &[4]], &mut steps);
        let names = |component| gates(component, &steps);
        assert_eq!(names("a"), ["data"]);
        assert_eq!(names("b"), ["data"]);
        assert_eq!(names("c"), ["data", "first"]);
        assert_eq!(names("d"), ["data", "first"]);
        assert!(names("other").is_empty());
    }
}
