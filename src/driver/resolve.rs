//! Resolves a request to a revision, a size and batches, given the observed state.

mod manifest;
mod recorded;
#[cfg(test)]
mod tests;

pub(super) use recorded::resolve_abort;

use crate::driver::component_services::ManifestInput;
use crate::driver::outcome::Failure;
use crate::driver::request::{ComponentRequest, Intent, RolloutRequest};
use crate::oam::kind::WorkloadKind;
use crate::oam::revision::{
    Decision, NewRevision, RevisionError, StoredRevision, UnknownRevision, decide_revision,
};
use crate::plan::desired::Desired;
use crate::plan::observed::Workload;
use crate::plan::record::Record;
use crate::plan::run::Purpose;

/// The target that a request resolves to.
#[derive(Clone)]
pub(super) struct ResolvedTarget {
    pub(super) desired: Desired,
    pub(super) new_revision: Option<NewRevision>,
    pub(super) target: StoredRevision,
    pub(super) manifest_revision: Option<String>,
    /// What the manifest defines outside the revision; `None` without a manifest.
    pub(super) asked: Option<ManifestInput>,
    pub(super) warnings: Vec<String>,
    pub(super) purpose: Purpose,
}

/// The observed state of a component.
pub(super) struct Present<'a> {
    pub(super) component: &'a str,
    pub(super) record: Option<&'a Record>,
    pub(super) stored: &'a [StoredRevision],
    /// Foreign revisions with a name that a manifest resolves to.
    pub(super) taken: &'a [StoredRevision],
    pub(super) workloads: Vec<Workload>,
    /// The revision that the manifest renders; `None` without a manifest.
    pub(super) decision: Option<&'a Result<Decision, RevisionError>>,
}

/// Resolves a request.
pub(super) fn resolve(
    request: &RolloutRequest,
    component: &ComponentRequest,
    present: &Present<'_>,
) -> Result<ResolvedTarget, Failure> {
    match &component.intent {
        Intent::Manifest { application, component } => {
            let known = [present.stored, present.taken].concat();
            let decision = match present.decision {
                Some(decision) => decision.clone(),
                None => decide_revision(&known, application, component, &request.namespace),
            };
            let reuse = request.overrides.reuse_revision;
            manifest::resolve_manifest(application, component, &request.namespace, &known, decision, reuse)
        }
        Intent::Revision { reference, .. } => recorded::resolve_revision(present, reference.as_deref()),
        Intent::Recorded { gate, .. } => recorded::resolve_resumption(present, *gate),
        Intent::Abort { .. } => recorded::resolve_abort(present),
        Intent::Scale { replicas, .. } => recorded::resolve_scale(present, *replicas),
    }
}

fn not_resolved(unknown: &UnknownRevision) -> Failure {
    let failure = Failure::refused(unknown.to_string());
    match unknown.hint() {
        Some(hint) => failure.hint(hint),
        None => failure.hint(format!("see `rollout history {}`", unknown.component)),
    }
}

/// The name of the workload that runs a revision. Workloads that are applied as a whole are named after their
/// component.
pub(super) fn workload_name(kind: WorkloadKind, component: &str, target: &StoredRevision) -> String {
    let is_of_component = kind.is_in_place() || target.objects().is_some();
    if is_of_component { component.to_owned() } else { target.name.clone() }
}
