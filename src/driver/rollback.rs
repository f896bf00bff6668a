//! `--on-failure undo`: the rollback of a component whose pods did not become ready.
//!
//! It runs at once, under the Lease of the failed run and bound to its claim, while the other components are still
//! driven. If another run has claimed the component since, there is no rollback.

use std::collections::BTreeSet;

use crate::cluster::record_store;
use crate::driver::checks::run_state::{check_bound, refuse_paused};
use crate::driver::checks::target::refuse_other_kind;
use crate::driver::component_run::{ComponentRun, Leadership};
use crate::driver::component_services::Services;
use crate::driver::context::{Context, FailFast, Limits, OnFailure};
use crate::driver::inherited_metadata::InheritedMetadata;
use crate::driver::leftovers::objects_of_batches;
use crate::driver::live_objects::LiveObjects;
use crate::driver::namespace_watch::NamespaceWatch;
use crate::driver::object_owner::ObjectOwner;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind};
use crate::driver::prepare::PreparedComponent;
use crate::driver::prepare::target_parts::{Basis, TargetParts, earlier_objects};
use crate::driver::request::{Adoption, Intent};
use crate::driver::resolve;
use crate::oam::object::ObjectRef;
use crate::oam::render::services;
use crate::oam::revision::StoredRevision;
use crate::plan::epoch::Epoch;
use crate::plan::rollback::is_first_release;
use crate::plan::run::Purpose;

/// A run that ended, and its claim.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// How it ended.
    pub end: &'a ComponentOutcome,
    /// Its claim.
    pub epoch: Epoch,
}

/// Rolls back a failed run if that is requested. The outcome of the rollback is reported; that of the run remains
/// failed.
pub async fn after_failure(
    context: &Context,
    watch: &NamespaceWatch,
    leadership: &Leadership<'_>,
    failed_component: &PreparedComponent,
    failed: Failed<'_>,
) {
    let is_late = match failed.end {
        ComponentOutcome::Failed(failure) => {
            matches!(failure.kind, FailureKind::NotReady | FailureKind::GateFailed | FailureKind::Denied)
        }
        ComponentOutcome::Succeeded { .. }
        | ComponentOutcome::Held { .. }
        | ComponentOutcome::Skipped { .. } => false,
    };
    // A rollback that fails is not rolled back in turn.
    let is_forward = failed_component.purpose == Purpose::Forward;
    let undoes = context.limits.on_failure == OnFailure::Undo && is_forward;
    if !is_late || !undoes || context.control.is_stopped() {
        return;
    }
    match prepared(context, watch, failed_component, failed.epoch).await {
        Ok(Some(prepared)) => {
            let limits = Limits { fail_fast: FailFast::Off, on_failure: OnFailure::Hold, ..context.limits };
            let context = Context { limits, ..context.clone() };
            ComponentRun::new(&context, watch, Some(leadership), &prepared).run().await;
        }
        Ok(None) => {}
        Err(failure) => {
            context.emit(
                &failed_component.application,
                Some(&failed_component.component),
                failure.event(None),
            );
        }
    }
}

/// Prepares the rollback of a run; `None` if it was a first release.
async fn prepared(
    context: &Context,
    watch: &NamespaceWatch,
    failed: &PreparedComponent,
    epoch: Epoch,
) -> Result<Option<PreparedComponent>, Failure> {
    let PreparedComponent { namespace, component, .. } = failed;
    let Some(stored) = record_store::load_record(&context.session, namespace, component).await? else {
        return Ok(None);
    };
    check_bound(Some(epoch), Some(&stored.record), component)?;
    // The run of a suspended process may have passed its deadline and been paused in the meantime.
    refuse_paused(&stored.record)?;
    let revisions = with_target(failed);
    if is_first_release(&stored.record, &revisions) {
        return Ok(None);
    }
    let ownership = failed.ownership.with_record(Some(&stored.record));
    let present = resolve::Present {
        component,
        record: Some(&stored.record),
        stored: &revisions,
        taken: &[],
        workloads: watch.cache.workloads(&ownership),
        decision: None,
    };
    let resolved = resolve::resolve_abort(&present)?;
    refuse_other_kind(&resolved, Some(&stored.record), &revisions, component)?;
    let kind = resolved.desired.kind;
    let earlier = earlier_objects(&revisions, Some(&stored.record));
    let mut references: BTreeSet<ObjectRef> = earlier.iter().copied().filter_map(ObjectRef::of).collect();
    let mut services = BTreeSet::new();
    if resolved.target.objects().is_some() {
        references.extend(objects_of_batches(component, &revisions, kind));
    } else {
        services.extend(services::service_names(component, kind).into_iter().map(|(name, _)| name));
    }
    let policies = Some(&stored.record.policies).filter(|policies| !policies.is_empty());
    let application = &failed.application;
    let basis = Basis {
        owner: ObjectOwner { application, component, namespace, policies, adoption: Adoption::Refuse },
        record: Some(&stored.record),
        stored: &revisions,
        cache: &watch.cache,
        objects: &LiveObjects::read(&context.session, namespace, &references).await?,
        services: &Services::read(&context.session, namespace, &services).await?,
    };
    let parts = TargetParts::new(basis, ownership, &resolved)?;
    let service_changes =
        parts.service_changes(Some(&stored.record), &resolved.desired, &Intent::Abort { kind })?;
    let restored = || InheritedMetadata::restored(kind, &resolved.target, &revisions);
    let inherited_metadata = if parts.objects.is_none() { restored() } else { None };
    Ok(Some(PreparedComponent {
        ownership: parts.ownership,
        desired: resolved.desired,
        is_at_end: false,
        new_revision: None,
        adopted_revision: None,
        target: resolved.target,
        objects: parts.objects,
        trait_objects: parts.trait_objects,
        recorded_outputs: parts.recorded_outputs,
        component_services: parts.component_services,
        service_changes,
        metadata_change: None,
        inherited_metadata,
        policies: None,
        have_policies_changed: false,
        record: Some(stored),
        warnings: Vec::new(),
        purpose: resolved.purpose,
        bound_to: Some(epoch),
        promoted_gate: None,
        respects_a_pause: true,
        // It acts at once.
        workflow: None,
        ..failed.clone()
    }))
}

/// The revisions of a component, including the one that its run has recorded.
fn with_target(failed: &PreparedComponent) -> Vec<StoredRevision> {
    let mut stored = failed.stored.clone();
    if !stored.iter().any(|one| one.name == failed.target.name) {
        stored.push(failed.target.clone());
    }
    stored
}
