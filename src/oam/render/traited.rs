//! Components with their traits applied.

use serde_json::Value;

use crate::oam::application::{Application, Component};
use crate::oam::render::services::render_services_for;
use crate::oam::render::{Output, Rendered, bare_workload, whole};
use crate::oam::traits::{TraitContext, TraitProblem, apply_traits};

/// The namespace in which traits are checked if a manifest has none.
pub const CHECKED_NAMESPACE: &str = "default";

/// Whether the component's traits can be applied to it; reports the first that cannot.
pub fn check_traits(
    application: &Application,
    component: &Component,
    namespace: &str,
) -> Result<(), TraitProblem> {
    if component.traits.is_empty() {
        return Ok(());
    }
    let mut rendered = untraited(application, component, namespace, "");
    apply(application, component, namespace, &mut rendered)
}

/// The component's objects with its traits applied.
pub(super) fn render_traited(
    application: &Application,
    component: &Component,
    namespace: &str,
    revision: &str,
) -> Rendered {
    let mut rendered = untraited(application, component, namespace, revision);
    apply_checked(application, component, namespace, &mut rendered);
    rendered
}

/// The objects of the traits of a component that is rolled out in batches, without its workload and its own Services.
pub fn render_trait_outputs(
    application: &Application,
    component: &Component,
    namespace: &str,
) -> Vec<Output> {
    if component.rollout.is_some() && component.traits.is_empty() {
        return Vec::new();
    }
    let Rendered { outputs, .. } = render_traited(application, component, namespace, "");
    outputs.into_iter().filter(|output| output.trait_type != super::AUXILIARY).collect()
}

/// The workload of a component that is rolled out in batches, with its traits applied.
pub(super) fn traited_workload(
    application: &Application,
    component: &Component,
    namespace: &str,
    workload: Value,
) -> Value {
    let mut rendered = Rendered { workload, outputs: Vec::new() };
    apply_checked(application, component, namespace, &mut rendered);
    rendered.workload
}

fn untraited(application: &Application, component: &Component, namespace: &str, revision: &str) -> Rendered {
    if component.rollout.is_none() {
        return whole::render_body(application, component, namespace, revision);
    }
    let output = |object: Value| Output {
        name: "webserviceExpose".to_owned(),
        trait_type: super::AUXILIARY.to_owned(),
        object,
    };
    let workload = bare_workload(application, component, namespace, revision);
    let services = render_services_for(application, component, namespace, &workload);
    Rendered { workload, outputs: services.into_iter().map(output).collect() }
}

fn apply(
    application: &Application,
    component: &Component,
    namespace: &str,
    rendered: &mut Rendered,
) -> Result<(), TraitProblem> {
    let release = component.release();
    let context =
        TraitContext { application: &application.name, component: &component.name, namespace, release };
    apply_traits(&component.traits, rendered, &context)
}

/// Applies traits that [`check_traits`] accepted when the manifest was read.
fn apply_checked(application: &Application, component: &Component, namespace: &str, rendered: &mut Rendered) {
    let applied = apply(application, component, namespace, rendered);
    debug_assert!(applied.is_ok(), "the manifest's traits are checked when it is read: {applied:?}");
}
