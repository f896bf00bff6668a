//! Checks that need the namespace of an application besides its manifest, but nothing from the cluster.

use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::application::Application;
use crate::oam::origin::Origin;
use crate::oam::render;
use crate::oam::workflow::{StepAction, WorkflowStep, gates_before};

/// Refuses a step that waits for its own application, a trait that does not fit in the namespace, and a Secret that
/// would be applied after a promotion.
///
/// # Errors
/// [`FailureKind::Invalid`], with the line of the manifest.
pub fn check_manifest(application: &Application, namespace: &str) -> Result<(), Failure> {
    if let Some(reason) = self_dependency(application, namespace) {
        return Err(Failure::new(FailureKind::Invalid, reason).hint("omit the step; nothing was changed"));
    }
    if let Some(failure) = unfit_trait(application, namespace) {
        return Err(failure);
    }
    if let Some(reason) = secret_behind_promotion(application, namespace) {
        let hint = "apply it in a component before the step; nothing was changed";
        return Err(Failure::new(FailureKind::Invalid, reason).hint(hint));
    }
    Ok(())
}

/// Describes a step that waits for its own application.
fn self_dependency(application: &Application, namespace: &str) -> Option<String> {
    let is_itself = |step: &&WorkflowStep| match &step.action {
        StepAction::DependsOnApp { name, namespace: of } => *name == application.name && of == namespace,
        StepAction::Apply { .. } | StepAction::Suspend { .. } => false,
    };
    let WorkflowStep { name, origin: Origin { file, line, column }, .. } =
        application.steps.iter().find(is_itself)?;
    Some(format!("{file}:{line}:{column}: step `{name}` waits for the application that it belongs to"))
}

/// The failure for a trait that does not fit in the namespace of the application.
fn unfit_trait(application: &Application, namespace: &str) -> Option<Failure> {
    if application.namespace.as_deref().unwrap_or(render::CHECKED_NAMESPACE) == namespace {
        return None;
    }
    application.components.iter().find_map(|component| {
        let problem = render::check_traits(application, component, namespace).err()?;
        let Origin { file, line, column } = &component.origin;
        let (name, message) = (&component.name, problem.message);
        let reason = format!(
            "{file}:{line}:{column}: a trait of component `{name}` does not fit in namespace `{namespace}`: {message}"
        );
        let failure = Failure::new(FailureKind::Invalid, reason);
        Some(problem.hint.into_iter().fold(failure, Failure::hint))
    })
}

/// Describes a Secret that would be applied after a promotion: `promote` has no manifest, and revisions do not contain
/// a Secret's values.
fn secret_behind_promotion(application: &Application, namespace: &str) -> Option<String> {
    application.components.iter().find_map(|component| {
        let gates = gates_before(&application.steps, &component.name);
        let gate = gates.iter().rev().find(|gate| gate.needs_promotion())?;
        let objects = match component.rollout {
            None => render::render_objects(application, component, namespace, ""),
            Some(_) => render::render_trait_objects(application, component, namespace),
        };
        let secret = objects.iter().find(|object| object["kind"] == "Secret")?;
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        let Origin { file, line, column } = &component.origin;
        let (component, step) = (&component.name, &gate.step);
        Some(format!(
            "{file}:{line}:{column}: component `{component}` has secret `{name}`, and comes after step `{step}`: `rollout promote` continues from recorded revisions, which contain no values of secrets"
        ))
    })
}
