//! `--on-failure undo`: the rollback of a component whose pods did not become ready.
//!
//! It happens at once, under the Lease of the failed run and bound to its claim, while the other components are driven on.
//! Whoever has claimed the component since keeps it.

use std::collections::BTreeSet;

use crate::cluster::ownership::ComponentOwner;
use crate::cluster::record_store;
use crate::driver::checks::run_state::check_bound;
use crate::driver::component_run::{ComponentRun, Leadership};
use crate::driver::component_services::{ComponentServices, Known};
use crate::driver::context::{Context, FailFast, Limits, OnFailure};
use crate::driver::leftovers::objects_of_batches;
use crate::driver::live_objects::LiveObjects;
use crate::driver::namespace_watch::NamespaceWatch;
use crate::driver::object_owner::ObjectOwner;
use crate::driver::outcome::{ComponentOutcome, Failure, FailureKind};
use crate::driver::prepare::{PreparedComponent, TraitOutputs, earlier_objects, planned_services};
use crate::driver::prepared_objects::PreparedObjects;
use crate::driver::request::{Adoption, Intent};
use crate::driver::resolve;
use crate::driver::snapshot::Services;
use crate::oam::object::ObjectRef;
use crate::oam::render::services;
use crate::oam::revision::StoredRevision;
use crate::plan::epoch::Epoch;
use crate::plan::observed::Observed;
use crate::plan::run::Mode;

/// A run that ended, and its claim.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// How it ended.
    pub end: &'a ComponentOutcome,
    /// Its claim.
    pub epoch: Epoch,
}

/// Rolls a failed run back where that is asked for. How the rollback ends is reported; the failed run stays failed.
pub async fn after_failure(
    context: &Context,
    watch: &NamespaceWatch,
    leadership: &Leadership<'_>,
    failed_component: &PreparedComponent,
    failed: Failed<'_>,
) {
    let is_late = match failed.end {
        ComponentOutcome::Failed(failure) => {
            matches!(failure.kind, FailureKind::NotReady | FailureKind::Denied)
        }
        ComponentOutcome::Succeeded { .. }
        | ComponentOutcome::Held { .. }
        | ComponentOutcome::Skipped { .. } => false,
    };
    if !is_late || context.limits.on_failure != OnFailure::Undo || context.control.is_stopped() {
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

/// The rollback of a run; `None` where it was a first release, which has nothing to return to.
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
    let is_first = match stored.record.run.spec.mode {
        Mode::Release => true,
        Mode::Apply => stored.record.succeeded_revisions().is_empty(),
        Mode::Upgrade | Mode::Scale => false,
    };
    if is_first {
        return Ok(None);
    }
    let ownership = failed.ownership.with_record(Some(&stored.record));
    let present = resolve::Present {
        component,
        record: Some(&stored.record),
        stored: &failed.stored,
        taken: &[],
        workloads: watch.cache.workloads(&ownership),
    };
    let resolved = resolve::resolve_abort(&present)?;
    let kind = resolved.desired.kind;
    let known = Known {
        application: &failed.application,
        component,
        namespace,
        kind,
        target: &resolved.target,
        stored: &failed.stored,
        record: Some(&stored.record),
    };
    let stored_revisions = with_target(failed);
    let earlier = earlier_objects(&stored_revisions, Some(&stored.record));
    let left = match resolved.target.objects() {
        Some(_) => objects_of_batches(component, &stored_revisions, kind),
        None => BTreeSet::new(),
    };
    let references = earlier.iter().copied().filter_map(ObjectRef::of).chain(left.iter().cloned()).collect();
    let live = LiveObjects::read(&context.session, namespace, &references).await?;
    let owner = ObjectOwner {
        application: &failed.application,
        component,
        namespace,
        policies: Some(&stored.record.policies).filter(|policies| !policies.is_empty()),
        adoption: Adoption::Refuse,
    };
    let outputs = TraitOutputs::new(None, &resolved.target, Some(&stored.record));
    let rolled_back =
        |ownership: ComponentOwner, component_services, objects, trait_objects| PreparedComponent {
            ownership,
            desired: resolved.desired.clone(),
            component_services,
            service_changes: Vec::new(),
            objects,
            trait_objects,
            recorded_outputs: outputs.recorded.clone(),
            policies: None,
            have_policies_changed: false,
            metadata_change: None,
            inherited_metadata: None,
            new_revision: None,
            adopted_revision: None,
            target: resolved.target.clone(),
            manifest_revision: failed.manifest_revision.clone(),
            record: Some(stored.clone()),
            warnings: Vec::new(),
            purpose: resolved.purpose,
            bound_to: Some(epoch),
            respects_a_pause: false,
            ..failed.clone()
        };
    if let Some(bodies) = resolved.target.objects() {
        let ownership = ownership.with_revision(component);
        let objects =
            PreparedObjects::new(owner, bodies, &earlier, &live)?.replacing_batches(owner, left, &live);
        let objects = objects.replacing(&watch.cache.workloads(&ownership), Some(&stored.record.run));
        let services = ComponentServices::none(known);
        return Ok(Some(rolled_back(ownership, services, Some(objects), PreparedObjects::default())));
    }
    let trait_objects = PreparedObjects::new(owner, &outputs.bodies, &earlier, &live)?;
    let names = services::service_names(component, kind).into_iter().map(|(name, _)| name).collect();
    let services = Services::read(&context.session, namespace, &names).await?;
    let component_services =
        ComponentServices::new(known, None, &services)?.without(|name| trait_objects.has("Service", name));
    let trait_objects = trait_objects.of_run_in_batches(kind, &component_services);
    let observed = Observed {
        workloads: present.workloads.clone(),
        record: Some(stored.record.clone()),
        claimed_epoch: None,
    };
    let services =
        planned_services(&component_services, &observed, &resolved.desired, &Intent::Abort { kind })?;
    let prepared = rolled_back(ownership, component_services, None, trait_objects);
    Ok(Some(PreparedComponent { service_changes: services, ..prepared }))
}

/// The revisions of a component, with the one that its run has recorded.
fn with_target(failed: &PreparedComponent) -> Vec<StoredRevision> {
    let mut stored = failed.stored.clone();
    if !stored.iter().any(|one| one.name == failed.target.name) {
        stored.push(failed.target.clone());
    }
    stored
}
