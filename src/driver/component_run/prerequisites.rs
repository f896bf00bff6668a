//! What a run writes besides workloads: a new revision, the component's Services, and the objects of its traits.
//!
//! They are written after the claim and the stamps, when earlier runs can no longer write, and before the first
//! workload changes. If nothing else is to be done, a claim of their own fences them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::record_store;
use crate::cluster::revision_store;
use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::leftovers::Cleanup;
use crate::driver::component_run::services::WriteEffect;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::prepare::PreparedComponent;
use crate::driver::prepared_objects::PreparedObject;
use crate::oam::revision::NewRevision;
use crate::plan::action::Action;
use crate::plan::observed::Observed;
use crate::plan::step::Step;
use crate::report::event::EventKind;

/// The state of what a run writes besides workloads.
pub(super) struct Prerequisites {
    /// Whether something is still to be written.
    pub(super) are_pending: bool,
    pub(super) is_target_recorded: bool,
    /// The Services that the server changes on each write, by name.
    pub(super) altered_services: BTreeSet<String>,
    /// Whether the objects that other revisions left behind are gone.
    pub(super) are_leftovers_gone: bool,
}

impl Prerequisites {
    pub(super) fn new(prepared: &PreparedComponent) -> Self {
        Self {
            are_pending: prepared.has_prerequisites(),
            is_target_recorded: prepared.new_revision.is_none(),
            altered_services: BTreeSet::new(),
            are_leftovers_gone: false,
        }
    }
}

impl ComponentRun<'_> {
    /// Whether to write the prerequisites at this step.
    pub(super) fn is_time_for_prerequisites(&self, step: &Step) -> bool {
        let is_driving = self.has_claimed();
        self.prerequisites.are_pending
            && match step {
                Step::Act(Action::Hold { .. } | Action::Wait { .. }) => true,
                Step::Nothing => !is_driving,
                Step::Act(
                    Action::Create
                    | Action::Scale { .. }
                    | Action::Roll { .. }
                    | Action::Delete { .. }
                    | Action::Finish,
                ) => is_driving,
                Step::Claim { .. }
                | Step::Stamp { .. }
                | Step::Superseded { .. }
                | Step::ExternalChange { .. }
                | Step::Refuse(_) => false,
            }
    }

    /// Records the new revision, and applies the Services and the objects of traits, if there are any.
    pub(super) async fn put_prerequisites(
        &mut self,
        observed: &Observed,
        step: &Step,
    ) -> Result<(), Failure> {
        self.ensure_leader().await?;
        let others = match step {
            // All pods are the target's.
            Step::Nothing | Step::Act(Action::Finish) => Vec::new(),
            Step::Act(Action::Wait { .. }) if !self.has_claimed() => Vec::new(),
            Step::Act(Action::Wait { .. } | Action::Hold { .. })
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Act(
                Action::Create | Action::Scale { .. } | Action::Roll { .. } | Action::Delete { .. },
            )
            | Step::Superseded { .. }
            | Step::ExternalChange { .. }
            | Step::Refuse(_) => self.other_revisions(observed),
        };
        self.record_target().await?;
        // A target that does not exist yet is given its metadata when the run ends.
        let metadata_change = !self.has_claimed() && self.prepared.metadata_change.is_some();
        let trait_objects = &self.prepared.trait_objects;
        let touches_objects = !trait_objects.objects.is_empty() || !trait_objects.leftovers.is_empty();
        if metadata_change || touches_objects || self.prepared.component_services.names().next().is_some() {
            let epoch = match self.claim.epoch {
                Some(held) => held,
                None => match self.fence(&others).await? {
                    Some(epoch) => epoch,
                    None => return Ok(()),
                },
            };
            // Apply what pods need first. What routes traffic to pods, or scales them, follows once they are ready, and
            // what pods of other revisions may need goes then.
            let is_at_end = !self.has_claimed() && !matches!(step, Step::Act(Action::Hold { .. }));
            let is_due = |object: &PreparedObject| is_at_end || object.is_needed_by_pods();
            while self.apply_trait_objects(trait_objects, is_due, epoch).await? == WriteEffect::Changed {
                self.ensure_claimed(epoch).await?;
            }
            while is_at_end && self.delete_left_objects(trait_objects, epoch).await? == Cleanup::Unfinished {
                self.ensure_claimed(epoch).await?;
            }
            self.apply_services(epoch, &others).await?;
            if metadata_change {
                self.apply_inherited_metadata(epoch).await?;
            }
        }
        self.prerequisites.are_pending = false;
        self.writes.changed = true;
        Ok(())
    }

    /// Records, once, the target's revision, and before it the revision of the objects that it takes over.
    pub(super) async fn record_target(&mut self) -> Result<(), Failure> {
        let Some(new) =
            self.prepared.new_revision.as_ref().filter(|_| !self.prerequisites.is_target_recorded)
        else {
            return Ok(());
        };
        self.ensure_leader().await?;
        if let Some(adopted) = &self.prepared.adopted_revision {
            self.record_revision(adopted).await?;
        }
        self.record_revision(new).await?;
        self.emit(EventKind::RevisionCreated { revision: new.name.clone(), number: new.number });
        self.prerequisites.is_target_recorded = true;
        Ok(())
    }

    async fn record_revision(&mut self, new: &NewRevision) -> Result<(), Failure> {
        let session = self.context.session.clone();
        let object = self.owned(new);
        while let Err(error) =
            revision_store::create_revision(&session, &self.prepared.namespace, &object).await
        {
            match revision_store::get_revision(&session, &self.prepared.namespace, &new.name).await? {
                // The revision is ours, from a request that was never answered or from a concurrent run.
                Some(found) if *found.data == *new.data() => return Ok(()),
                Some(_) => {
                    let reason =
                        format!("revision `{}` was concurrently recorded with different content", new.name);
                    return Err(Failure::new(FailureKind::Superseded, reason).hint("rerun the same command"));
                }
                None => {
                    self.retry(error).await?;
                    self.ensure_leader().await?;
                    if let Some(held) = self.claim.epoch {
                        self.confirm_epoch(held).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The new revision with its owners, if a view controls it. The run record is a second owner, so that the history
    /// survives the removal of the views.
    fn owned(&self, new: &NewRevision) -> Value {
        let mut object = new.object();
        if let (Some(owner), Some(stored)) = (&self.prepared.owner, &self.record) {
            let keeper = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": record_store::record_name(&self.prepared.component),
                "uid": stored.uid(),
            });
            object["metadata"]["ownerReferences"] = json!([owner, keeper]);
        }
        object
    }
}
