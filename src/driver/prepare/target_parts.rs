//! Prepares the parts of a target besides its pods: the ownership of workloads, its objects, those of its traits, and
//! its Services. Every command uses it, and so does the rollback of a failed run.

use serde_json::Value;

use crate::cluster::ownership::ComponentOwner;
use crate::cluster::service::Change;
use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::component_services::{self, ComponentServices, ServiceInputs, Services};
use crate::driver::leftovers::objects_of_batches;
use crate::driver::live_objects::LiveObjects;
use crate::driver::object_owner::ObjectOwner;
use crate::driver::outcome::Failure;
use crate::driver::prepared_objects::{PreparedObject, PreparedObjects};
use crate::driver::request::Intent;
use crate::driver::resolve::ResolvedTarget;
use crate::oam::object::ObjectRef;
use crate::oam::policies::Policies;
use crate::oam::revision::{StoredRevision, concealed};
use crate::plan::action::Action;
use crate::plan::desired::Desired;
use crate::plan::observed::{Observed, Workload};
use crate::plan::preview::preview_steps;
use crate::plan::record::Record;
use crate::plan::step::Step;

/// The inputs that a target is prepared from.
#[derive(Clone, Copy)]
pub(in crate::driver) struct Basis<'a> {
    pub(in crate::driver) owner: ObjectOwner<'a>,
    pub(in crate::driver) record: Option<&'a Record>,
    pub(in crate::driver) stored: &'a [StoredRevision],
    pub(in crate::driver) cache: &'a WorkloadCache,
    pub(in crate::driver) objects: &'a LiveObjects,
    pub(in crate::driver) services: &'a Services,
}

/// See the fields of [`PreparedComponent`](super::PreparedComponent).
pub(in crate::driver) struct TargetParts {
    pub(in crate::driver) ownership: ComponentOwner,
    pub(in crate::driver) workloads: Vec<Workload>,
    pub(in crate::driver) objects: Option<PreparedObjects>,
    pub(in crate::driver) trait_objects: PreparedObjects,
    pub(in crate::driver) recorded_outputs: Option<Vec<Value>>,
    pub(in crate::driver) component_services: ComponentServices,
}

impl TargetParts {
    pub(in crate::driver) fn new(
        basis: Basis<'_>,
        ownership: ComponentOwner,
        resolved: &ResolvedTarget,
    ) -> Result<Self, Failure> {
        let Basis { owner, record, stored, cache, objects: live, services } = basis;
        let ResolvedTarget { desired, target, asked, .. } = resolved;
        let ownership = ownership.with_revision(&desired.target);
        let known = ServiceInputs {
            application: owner.application,
            component: owner.component,
            namespace: owner.namespace,
            kind: desired.kind,
            target,
            stored,
            record,
        };
        let earlier = earlier_objects(stored, record);
        let asked_outputs = asked.as_ref().and_then(|asked| asked.outputs.clone());
        let (outputs, recorded_outputs) = trait_outputs(asked_outputs, target, record);
        let Some(recorded) = target.objects() else {
            let trait_objects = PreparedObjects::new(owner, &outputs, &earlier, live)?;
            let component_services = ComponentServices::new(known, asked.as_ref(), services)?
                .without(|name| trait_objects.has("Service", name));
            let workloads = cache.workloads(&ownership);
            return Ok(Self {
                trait_objects: trait_objects.of_run_in_batches(desired.kind, &workloads, &component_services),
                workloads,
                ownership,
                objects: None,
                recorded_outputs,
                component_services,
            });
        };
        // A component that is applied as a whole names its workload after itself.
        let ownership = ownership.with_revision(owner.component);
        let workloads = cache.workloads(&ownership);
        let asked = asked.as_ref().and_then(|asked| asked.objects.as_deref());
        let left = objects_of_batches(owner.component, stored, desired.kind);
        let objects = PreparedObjects::new(owner, asked.unwrap_or(recorded), &earlier, live)?
            .replacing_batches(owner, left, live)
            .replacing(&workloads, record.map(|record| &record.run));
        Ok(Self {
            ownership,
            workloads,
            objects: Some(objects),
            trait_objects: PreparedObjects::default(),
            recorded_outputs,
            component_services: ComponentServices::none(known),
        })
    }

    /// The objects of the component that is applied as a whole, and those of traits.
    pub(super) fn prepared_objects(&self) -> impl Iterator<Item = &PreparedObjects> {
        self.objects.iter().chain([&self.trait_objects])
    }

    /// Each of [`prepared_objects`](Self::prepared_objects).
    pub(super) fn single_objects(&self) -> impl Iterator<Item = &PreparedObject> {
        self.prepared_objects().flat_map(|objects| &objects.objects)
    }

    /// Whether two sets of policies treat any of the objects differently.
    pub(super) fn differ_about(&self, asked: &Policies, recorded: &Policies) -> bool {
        self.single_objects().any(|object| asked.differ_about(&object.body, recorded))
    }

    /// The objects, present and past, of the component, apart from workloads that are rolled out in batches.
    pub(in crate::driver) fn known_objects(
        &self,
        stored: &[StoredRevision],
        record: Option<&Record>,
    ) -> Vec<ObjectRef> {
        let present = self.single_objects();
        let earlier = earlier_objects(stored, record).into_iter().filter_map(ObjectRef::of);
        present.map(|object| object.reference.clone()).chain(earlier).collect()
    }

    /// The changes of the Services until the run ends or is held. Refuses impossible changes, except in a rollback.
    pub(in crate::driver) fn service_changes(
        &self,
        record: Option<&Record>,
        desired: &Desired,
        intent: &Intent,
    ) -> Result<Vec<Change>, Failure> {
        if self.objects.is_some() {
            return Ok(Vec::new());
        }
        let observed =
            Observed { workloads: self.workloads.clone(), record: record.cloned(), claimed_epoch: None };
        let others = component_services::other_revisions(&observed, desired.kind, &desired.target);
        let steps = preview_steps(&observed, desired);
        let is_run = steps.iter().any(|step| matches!(step.step, Step::Claim { .. }));
        if let (true, Intent::Manifest { .. }, Some((reason, hint))) =
            (is_run, intent, self.component_services.conflict(&others))
        {
            return Err(Failure::refused(reason).hint(hint));
        }
        let is_held = matches!(steps.last().map(|step| &step.step), Some(Step::Act(Action::Hold { .. })));
        let changes = self.component_services.changes(if is_held { &others } else { &[] });
        match component_services::foreign_service(&changes) {
            Some(reason) => {
                Err(Failure::refused(reason).hint("give the component another name, or delete that service"))
            }
            None => Ok(changes),
        }
    }
}

/// The objects of the traits of a target that is rolled out in batches: those of the manifest or, without a manifest,
/// those that were last applied for the target. The second value is what to record if they differ from those in the
/// revision.
fn trait_outputs(
    asked: Option<Vec<Value>>,
    target: &StoredRevision,
    record: Option<&Record>,
) -> (Vec<Value>, Option<Vec<Value>>) {
    let recorded = || record.and_then(|record| record.outputs.get(&target.name)).cloned();
    let outputs = asked.or_else(recorded).unwrap_or_else(|| target.outputs().to_vec());
    let recorded: Vec<Value> = outputs.iter().map(concealed).collect();
    let recorded = (recorded != target.outputs()).then_some(recorded);
    (outputs, recorded)
}

/// All objects in the revisions of a component that is applied as a whole.
pub(in crate::driver) fn earlier_objects<'a>(
    stored: &'a [StoredRevision],
    record: Option<&'a Record>,
) -> Vec<&'a Value> {
    let recorded = record.into_iter().flat_map(|record| record.outputs.values().flatten());
    stored.iter().flat_map(StoredRevision::whole_objects).chain(recorded).collect()
}
