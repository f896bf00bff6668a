//! Resolves a manifest.

use crate::driver::component_services::ManifestInput;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::resolve::{ResolvedTarget, not_resolved, workload_name};
use crate::oam::application::{Application, Component};
use crate::oam::exposure::Exposure;
use crate::oam::render::{self, Inherited};
use crate::oam::revision::{self, Decision, RevisionError, StoredRevision};
use crate::plan::desired::Desired;
use crate::plan::run::Purpose;

pub(super) fn resolve_manifest(
    application: &Application,
    component: &Component,
    namespace: &str,
    stored: &[StoredRevision],
    decision: Result<Decision, RevisionError>,
    reuse: bool,
) -> Result<ResolvedTarget, Failure> {
    let mut warnings = Vec::new();
    let mut is_rendered = true;
    let decision = decision.map_err(|error| Failure::refused(error.to_string()))?;
    let (name, new_revision) = match decision {
        Decision::Reuse { name } => (name, None),
        Decision::Create(new) => (new.name.clone(), Some(new)),
        Decision::ReuseDiffering { name, differences } => {
            let what = format!(
                "revision `{name}` already exists with content that differs from the manifest: {}",
                differences.join("; ")
            );
            if !reuse {
                return Err(Failure::refused(what)
                    .hint("give the changed component another `externalRevision`")
                    .hint("or roll out the recorded revision with `--reuse-revision`"));
            }
            is_rendered = false;
            warnings.push(format!("{what}; rolling out the recorded revision"));
            (name, None)
        }
    };
    let rollout = component.rollout.as_ref();
    let target_name =
        rollout.and_then(|rollout| rollout.target_revision.clone()).unwrap_or_else(|| name.clone());
    let target = match (&new_revision, stored.iter().find(|one| one.name == target_name)) {
        (Some(new), _) if new.name == target_name => new
            .as_stored()
            .ok_or_else(|| Failure::new(FailureKind::Internal, "the new revision cannot be read back"))?,
        (_, Some(stored)) => stored.clone(),
        (_, None) => {
            return Err(unknown_target(&target_name, &component.name, stored));
        }
    };
    is_rendered &= target_name == name;
    let kind = target.kind().or(component.kind.workload()).unwrap_or_default();
    let is_whole = rollout.is_none();
    let asked = ManifestInput {
        exposure: is_rendered.then(|| Exposure::of(component)),
        inherited: Inherited::of(application),
        workload_metadata: Inherited::of_workload(application, component, namespace),
        objects: (is_rendered && is_whole)
            .then(|| render::render_objects(application, component, namespace, &target.name)),
        outputs: (is_rendered && !is_whole)
            .then(|| render::render_trait_objects(application, component, namespace)),
    };
    Ok(ResolvedTarget {
        desired: Desired {
            kind,
            workload: workload_name(kind, &component.name, &target),
            target: target_name,
            target_size: rollout.map_or(0, |rollout| rollout.target_size),
            batches: rollout.and_then(|rollout| rollout.batches.clone()),
            partition: rollout.and_then(|rollout| rollout.batch_partition),
            strategy: rollout.map(|rollout| rollout.strategy).unwrap_or_default(),
            gates: rollout.map(|rollout| rollout.gates.clone()).unwrap_or_default(),
        },
        new_revision,
        target,
        manifest_revision: Some(name),
        asked: Some(asked),
        warnings,
        purpose: Purpose::Forward,
    })
}

/// `targetRevision` takes full names only, so that a manifest means the same next year.
fn unknown_target(name: &str, component: &str, stored: &[StoredRevision]) -> Failure {
    match revision::resolve_revision(name, component, stored) {
        Ok(meant) => Failure::refused(format!("component `{component}` has no revision `{name}`"))
            .hint(format!("`targetRevision` takes the full name: `{}`", meant.name)),
        Err(unknown) => not_resolved(&unknown),
    }
}
