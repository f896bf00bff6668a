//! Prepares components from a snapshot: decides the revision and the workload of each, and finds obstacles.
//!
//! Everything that can be refused is refused here, for every component, before the first write.

pub(super) mod target_parts;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::ownership::ComponentOwner;
use crate::cluster::permissions::Right;
use crate::cluster::record_store::StoredRecord;
use crate::cluster::served_kind::ServedKind;
use crate::cluster::service::Change;
use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::checks::immutable::{headless_service, immutable_change};
use crate::driver::checks::run_state::{check_bound, refuse_paused};
use crate::driver::checks::target::{image_drift, partition_out_of_range, refuse_other_kind};
use crate::driver::checks::{collisions, objects};
use crate::driver::component_services::ComponentServices;
use crate::driver::inherited_metadata::{InheritedMetadata, Metadata};
use crate::driver::object_owner::ObjectOwner;
use crate::driver::outcome::Failure;
use crate::driver::prepare::target_parts::{Basis, TargetParts};
use crate::driver::prepared_objects::{PreparedObject, PreparedObjects};
use crate::driver::request::{ComponentRequest, Intent, Overrides, RolloutRequest};
use crate::driver::snapshot::Snapshot;
use crate::driver::workflow_place::place_in_workflow;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::oam::policies::Policies;
use crate::oam::revision::{NewRevision, StoredRevision, adopted_revision};
use crate::plan::desired::Desired;
use crate::plan::epoch::Epoch;
use crate::plan::gate_place::{GatePlace, HeldGate};
use crate::plan::gate_point::{promoted_place, resumed_place};
use crate::plan::next_action::next_action;
use crate::plan::observed::{Observed, Uid, Workload};
use crate::plan::record::{Record, SUCCEEDED_REVISIONS};
use crate::plan::run::{Mode, Outcome, Purpose, RunSpec, WorkflowPlace};
use crate::plan::step::{Step, plan};

/// Everything that driving a component needs.
#[derive(Debug, Clone)]
pub struct PreparedComponent {
    /// The application.
    pub application: String,
    /// The component.
    pub component: String,
    /// The namespace.
    pub namespace: String,
    /// Components that must be done first.
    pub depends_on: Vec<String>,
    /// Decides which workloads are the component's.
    pub ownership: ComponentOwner,
    /// The desired state.
    pub desired: Desired,
    /// Whether the recorded run, which the request continues, has succeeded. It is not repaired: only a request with a
    /// desired state of its own changes a component at rest.
    pub is_at_end: bool,
    /// A revision to record first.
    pub new_revision: Option<NewRevision>,
    /// A revision of the objects that are taken over, as they are now, to record before the new one.
    pub adopted_revision: Option<NewRevision>,
    /// The target's revision, from which its workload is rendered.
    pub target: StoredRevision,
    /// The revision that the manifest renders, which is kept from pruning.
    pub manifest_revision: Option<String>,
    /// All existing revisions of the component.
    pub stored: Vec<StoredRevision>,
    /// The objects of a target that is applied as a whole; `None` if it is rolled out in batches.
    pub objects: Option<PreparedObjects>,
    /// The objects of the traits of a target that is rolled out in batches, and those to delete.
    pub trait_objects: PreparedObjects,
    /// The objects of the target's traits, if they have changed since the revision was recorded.
    pub recorded_outputs: Option<Vec<Value>>,
    /// What its revisions expose, and its Services.
    pub component_services: ComponentServices,
    /// The changes of its Services by the time that the run ends or is held.
    pub service_changes: Vec<Change>,
    /// The metadata that the target's workload inherits; `None` if the run leaves it as it is.
    pub inherited_metadata: Option<InheritedMetadata>,
    /// The labels and annotations of the target's workload before and after, if they change.
    pub metadata_change: Option<(Metadata, Metadata)>,
    /// The policies of the manifest, to record; `None` without a manifest.
    pub policies: Option<Policies>,
    /// Whether they differ, for an object of the component, from the recorded policies.
    pub have_policies_changed: bool,
    /// The run record as it was.
    pub record: Option<StoredRecord>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// The view that is the controller owner of the new revision, if there is one.
    pub owner: Option<Value>,
    /// The purpose that the run is recorded with.
    pub purpose: Purpose,
    /// The run's place in the workflow; `None` if no step is a gate before it.
    pub workflow: Option<WorkflowPlace>,
    /// The gate that the run was held at and is promoted past.
    pub promoted_gate: Option<HeldGate>,
    /// Known workloads that a run has stamped but that are not the component's.
    pub stamped_foreign: BTreeSet<Uid>,
    /// The claim that the run is bound to; see [`ComponentRequest::bound_to`].
    pub bound_to: Option<Epoch>,
    /// Whether the run is refused while the component is paused.
    pub respects_a_pause: bool,
    /// Whether traits patch the workload with fields that only the server can validate.
    pub is_patched: bool,
}

/// The rejection of one component.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// The component.
    pub component: String,
    /// The reason, with hints.
    pub failure: Failure,
}

impl PreparedComponent {
    /// All objects that the component renders besides its workload in batches, including those of its traits.
    pub fn all_objects(&self) -> impl Iterator<Item = &PreparedObject> {
        self.objects.iter().chain([&self.trait_objects]).flat_map(|objects| &objects.objects)
    }

    /// Whether a promotion can start its run: revisions contain no values of Secrets.
    #[must_use]
    pub fn can_be_promoted(&self) -> bool {
        self.workflow.is_some() && !self.all_objects().any(|object| object.body["kind"] == "Secret")
    }

    /// The Deployments that the component creates in the application's namespace.
    fn deployments<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a str> {
        let is_batched = self.objects.is_none() && self.desired.kind == WorkloadKind::Deployment;
        let batched = is_batched.then_some(self.desired.workload.as_str());
        let whole = self.objects.iter().flat_map(|objects| &objects.objects);
        let references = whole.chain(&self.trait_objects.objects).map(|object| &object.reference);
        let is_deployment = move |reference: &&ObjectRef| {
            reference.kind == "Deployment"
                && reference.group() == "apps"
                && reference.namespace.as_deref().is_none_or(|of| of == namespace)
        };
        batched.into_iter().chain(references.filter(is_deployment).map(|reference| reference.name.as_str()))
    }

    /// The observed state, as input of the planner.
    #[must_use]
    pub fn observed(&self, cache: &WorkloadCache) -> Observed {
        Observed {
            workloads: cache.workloads(&self.ownership),
            record: self.record.as_ref().map(|stored| stored.record.clone()),
            claimed_epoch: None,
        }
    }

    /// The next step of a component that is rolled out in batches.
    #[must_use]
    pub fn next_step(&self, observed: &Observed) -> Step {
        let step = plan(observed, &self.desired);
        if self.is_at_end && matches!(step, Step::Claim { .. }) { Step::Nothing } else { step }
    }

    /// Whether a component that is applied as a whole needs no write; `None` if it is rolled out in batches.
    #[must_use]
    pub fn are_objects_at_rest(&self) -> Option<bool> {
        let objects = self.objects.as_ref()?;
        if self.is_at_end {
            return Some(true);
        }
        let record = self.record.as_ref().map(|stored| &stored.record.run);
        let is_done = record.is_some_and(|run| {
            run.spec.mode == Mode::Apply
                && run.spec.target == self.desired.target
                && run.outcome == Outcome::Succeeded
        });
        let is_recorded = self.new_revision.is_none() && !self.have_policies_changed;
        Some(is_done && is_recorded && objects.were_applied())
    }

    /// The rights needed to apply the component's objects in its namespace.
    pub fn rights_on_objects(&self) -> impl Iterator<Item = Right<'_>> {
        let is_in_namespace =
            |one: &&PreparedObject| one.reference.namespace.as_deref() == Some(&self.namespace);
        let in_namespace = self.all_objects().filter(is_in_namespace);
        in_namespace.filter_map(|one| Some((one.kind.as_ref()?, one.is_awaited()))).flat_map(
            |(ServedKind { resource, .. }, is_awaited)| {
                let verbs: &[&str] = match is_awaited {
                    true => &["get", "list", "watch", "create", "patch"],
                    false => &["get", "create", "patch"],
                };
                verbs.iter().map(|verb| Right { verb, group: &resource.group, resource: &resource.plural })
            },
        )
    }

    /// Whether the objects of its traits need no write. While the run is held at its gate, objects that route traffic
    /// to pods wait for the end of the run.
    fn are_trait_objects_at_rest(&self) -> bool {
        let run = self.record.as_ref().map(|stored| &stored.record.run);
        let is_held =
            run.is_some_and(|run| run.outcome == Outcome::Held && run.spec.target == self.desired.target);
        self.trait_objects.were_applied() || (is_held && self.trait_objects.were_needs_applied())
    }

    /// The progress through the gates that a claim of `spec` records.
    #[must_use]
    pub fn gate_place(&self, observed: &Observed, spec: &RunSpec, resumes: bool) -> GatePlace {
        let Some(Record { run, .. }) = observed.record.as_ref().filter(|_| resumes) else {
            return GatePlace::default();
        };
        let [before, next] = [&run.spec, spec].map(|spec| next_action(spec, &observed.workloads));
        let place = resumed_place(&run.spec, &run.gates, spec, [&before, &next]);
        match self.promoted_gate {
            Some(gate) => promoted_place(place, gate),
            None => place,
        }
    }

    /// Whether anything besides the workloads has to be written.
    #[must_use]
    pub fn has_prerequisites(&self) -> bool {
        !self.is_at_end
            && (self.new_revision.is_some()
                || self.have_policies_changed
                || self.component_services.has_exposure_changed()
                || self.metadata_change.is_some()
                || !self.are_trait_objects_at_rest()
                || self.service_changes.iter().any(Change::is_pending))
    }
}

/// Prepares every component of a request from a snapshot.
///
/// # Errors
/// All rejections at once.
pub fn prepare(
    snapshot: &Snapshot<'_>,
    request: &RolloutRequest,
) -> Result<Vec<PreparedComponent>, Vec<Rejection>> {
    let mut components = Vec::new();
    let mut refused = Vec::new();
    for component in &request.components {
        match prepare_component(snapshot, request, component) {
            Ok(prepared) => components.push(prepared),
            Err(failure) => refused.push(Rejection { component: component.name.clone(), failure }),
        }
    }
    let revisions = components.iter().flat_map(|prepared| {
        let new = prepared.new_revision.iter().map(|new| new.name.as_str());
        new.chain([prepared.desired.target.as_str()]).map(|name| (prepared.component.as_str(), name))
    });
    let deployments = components.iter().flat_map(|prepared| {
        let names = prepared.deployments(&request.namespace);
        names.map(|name| (prepared.component.as_str(), name))
    });
    let collision = collisions::find_automatic_collision("revision", revisions)
        .or_else(|| collisions::find_automatic_collision("deployment", deployments));
    if let Some((component, reason)) = collision {
        let failure = Failure::refused(reason).hint("choose another `externalRevision` for one of them");
        refused.push(Rejection { component: component.to_owned(), failure });
    }
    if refused.is_empty() { Ok(components) } else { Err(refused) }
}

fn prepare_component(
    snapshot: &Snapshot<'_>,
    request: &RolloutRequest,
    component: &ComponentRequest,
) -> Result<PreparedComponent, Failure> {
    let record = snapshot.record(&component.name)?.cloned();
    let known_record = record.as_ref().map(|stored| &stored.record);
    let stored = snapshot.revisions(&component.name).to_vec();
    refuse_other_application(request, component, known_record, &stored)?;
    if let Some(record) = known_record.filter(|_| component.intent.respects_a_pause()) {
        refuse_paused(record)?;
    }
    check_bound(component.bound_to, known_record, &component.name)?;
    let ownership = snapshot.owner(request, component)?;
    let resolved = snapshot.resolved(&component.name)?;
    refuse_other_kind(&resolved, known_record, &stored, &component.name)?;
    refuse_revision_of_another(&resolved.target, &request.application)?;
    let (application, namespace) = (&request.application, &request.namespace);
    let recorded_policies = known_record.map(|record| &record.policies);
    let asked_policies = component.intent.policies();
    let policies = asked_policies.or(recorded_policies.filter(|policies| !policies.is_empty()));
    let adoption = request.overrides.adoption;
    let basis = Basis {
        owner: ObjectOwner { application, component: &component.name, namespace, policies, adoption },
        record: known_record,
        stored: &stored,
        cache: snapshot.cache,
        objects: snapshot.objects(),
        services: snapshot.services(),
    };
    let parts = TargetParts::new(basis, ownership, &resolved)?;
    let desired = overridden(resolved.desired, &request.overrides);
    let mut warnings = resolved.warnings;
    warnings.extend(check_target(snapshot, basis, &parts, &resolved.target, &desired)?);
    let service_changes = parts.service_changes(known_record, &desired, &component.intent)?;
    let inherited_metadata = match resolved.asked.filter(|_| parts.objects.is_none()) {
        Some(asked) => {
            Some(InheritedMetadata::new(asked.workload_metadata, desired.kind, &resolved.target, &stored))
        }
        None if resolved.purpose == Purpose::Forward => None,
        None => InheritedMetadata::restored(desired.kind, &resolved.target, &stored),
    };
    let before = Metadata::known(snapshot.cache, &component.name, desired.kind, &desired.workload);
    let metadata_change = inherited_metadata.as_ref().zip(before).map(|(inherited_metadata, before)| {
        let after = inherited_metadata.applied(&before);
        (before, after)
    });
    let promoted_gate = known_record
        .filter(|record| component.intent.promotes() && record.run.outcome == Outcome::Held)
        .and_then(|record| record.run.gates.held_at);
    let adopted = parts.objects.as_ref().map(PreparedObjects::adopted).unwrap_or_default();
    Ok(PreparedComponent {
        application: request.application.clone(),
        component: component.name.clone(),
        namespace: request.namespace.clone(),
        depends_on: component.depends_on.clone(),
        is_at_end: matches!(component.intent, Intent::Recorded { .. } | Intent::Abort { .. })
            && known_record.is_some_and(|record| record.run.outcome == Outcome::Succeeded),
        new_revision: resolved.new_revision,
        adopted_revision: adopted_revision(&stored, application, &component.name, namespace, &adopted),
        target: resolved.target,
        manifest_revision: resolved.manifest_revision,
        service_changes,
        metadata_change: metadata_change.filter(|(before, after)| before != after),
        inherited_metadata,
        policies: asked_policies.cloned(),
        have_policies_changed: asked_policies
            .zip(recorded_policies)
            .is_some_and(|(asked, recorded)| parts.differ_about(asked, recorded)),
        warnings,
        owner: None,
        purpose: resolved.purpose,
        workflow: place_in_workflow(snapshot, request, component, known_record.map(|record| &record.run)),
        promoted_gate,
        stamped_foreign: parts.ownership.stamped_foreign(&snapshot.cache.labelled(&component.name)),
        bound_to: component.bound_to,
        respects_a_pause: component.intent.respects_a_pause(),
        is_patched: component.intent.patches_workload(),
        ownership: parts.ownership,
        objects: parts.objects,
        trait_objects: parts.trait_objects,
        recorded_outputs: parts.recorded_outputs,
        component_services: parts.component_services,
        desired,
        stored,
        record,
    })
}

/// Checks a target beside the objects that exist, and returns the warnings about it.
fn check_target(
    snapshot: &Snapshot<'_>,
    basis: Basis<'_>,
    parts: &TargetParts,
    target: &StoredRevision,
    desired: &Desired,
) -> Result<Vec<String>, Failure> {
    let ObjectOwner { component, namespace, .. } = basis.owner;
    let mut foreign = parts.ownership.foreign(&snapshot.labelled(component));
    // Objects of components that are applied as a whole have their own ownership rules, regardless of their names.
    let known_objects = parts.known_objects(basis.stored, basis.record);
    foreign.retain(|one| !known_objects.iter().any(|reference| one.is(reference, namespace)));
    let mut warnings = objects::check_foreign(component, &foreign, target, desired)?;
    if parts.objects.is_none() {
        let found = snapshot.workload(desired.kind, &desired.workload);
        if desired.kind.is_in_place() || !parts.workloads.iter().any(|one| one.name == desired.workload) {
            objects::check_object(namespace, &parts.ownership, desired, target, found)?;
        }
        if basis.record.is_none_or(|record| record.run.spec.target != desired.target) {
            warnings.extend(objects::service_name_warning(desired, found));
        }
        warnings.extend(image_drift(desired, target, &parts.workloads));
    }
    warnings.extend(partition_out_of_range(desired));
    warnings.extend(parts.prepared_objects().flat_map(PreparedObjects::unrestored));
    if let Some(failure) = parts.single_objects().find_map(headless_service) {
        return Err(failure);
    }
    warnings.extend(parts.single_objects().filter_map(immutable_change));
    Ok(warnings)
}

fn refuse_revision_of_another(target: &StoredRevision, application: &str) -> Result<(), Failure> {
    let Some(owner) = target.application.as_ref().filter(|owner| *owner != application) else {
        return Ok(());
    };
    let reason = format!("revision `{}` belongs to application `{owner}`", target.name);
    Err(Failure::refused(reason).hint("only revisions of the same application are rolled out"))
}

/// Refuses a component that belongs to another application, as its record or, if that is lost, its revisions show.
fn refuse_other_application(
    request: &RolloutRequest,
    component: &ComponentRequest,
    record: Option<&Record>,
    stored: &[StoredRevision],
) -> Result<(), Failure> {
    let of_revisions = stored.iter().filter(|_| record.is_none()).filter_map(|one| one.application.as_ref());
    let mut owners = record.map(|record| &record.application).into_iter().chain(of_revisions);
    let Some(owner) = owners.find(|owner| **owner != request.application) else { return Ok(()) };
    let reason = format!("component `{}` belongs to application `{owner}`", component.name);
    Err(Failure::refused(reason)
        .hint("give the component another name, or apply it as part of that application"))
}

fn overridden(mut desired: Desired, overrides: &Overrides) -> Desired {
    if overrides.batches.is_some() {
        desired.batches.clone_from(&overrides.batches);
    }
    if overrides.partition.is_some() {
        desired.partition = overrides.partition;
    }
    desired
}

/// The revisions that must not be pruned: those that live workloads, the manifest, an unfinished run or a rollback
/// need.
#[must_use]
pub fn in_use(prepared: &PreparedComponent, observed: &Observed) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        observed.workloads.iter().filter_map(Workload::revision).map(str::to_owned).collect();
    names.insert(prepared.desired.target.clone());
    names.extend(prepared.manifest_revision.clone());
    if let Some(record) = &observed.record {
        names.insert(record.run.spec.target.clone());
        names.extend(record.succeeded_revisions().into_iter().take(SUCCEEDED_REVISIONS));
        if record.run.outcome.is_resumable() {
            names.extend(record.run.spec.sources.iter().cloned());
        }
    }
    names
}
