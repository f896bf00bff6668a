//! Deletes what other revisions of a component left behind, at the end of a run.

use kube::ResourceExt;

use crate::cluster::deletion::Deletion;
use crate::cluster::error::ClusterError;
use crate::cluster::object_writer::delete_object;
use crate::driver::component_run::ComponentRun;
use crate::driver::leftovers::Leftover;
use crate::driver::outcome::Failure;
use crate::driver::prepared_objects::{PreparedObjects, stamp};
use crate::plan::epoch::Epoch;
use crate::plan::observed::Workload;
use crate::report::event::EventKind;

/// Whether leftovers are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cleanup {
    /// All leftovers are gone.
    Done,
    /// At least one could not be deleted yet.
    Unfinished,
}

impl ComponentRun<'_> {
    /// Workloads of the component that the target does not have: those of revisions that were rolled out in batches.
    pub(super) fn left_workloads(&self, objects: &PreparedObjects) -> Vec<Workload> {
        let kind = self.prepared.desired.kind;
        let is_kept = |workload: &Workload| {
            objects.objects.iter().any(|object| {
                object.reference.kind == kind.as_str() && object.reference.name == workload.name
            })
        };
        self.workloads_seen().into_iter().filter(|workload| !is_kept(workload)).collect()
    }

    /// Reports the deletion of an object, or warns about the finalizers that hold it.
    pub(super) fn report_deletion(&self, deletion: &Deletion, object: &str, deleted: EventKind) {
        self.emit(match deletion.warning(object) {
            Some(message) => EventKind::Warned { message },
            None => deleted,
        });
    }

    /// Like [`report_deletion`](Self::report_deletion), for a workload.
    pub(super) fn report_workload_deletion(&self, deletion: &Deletion, workload: String) {
        let object = format!("{} `{workload}`", self.prepared.desired.kind.noun());
        self.report_deletion(deletion, &object, EventKind::WorkloadDeleted { workload });
    }

    /// Deletes the workloads and objects that other revisions left behind, now that nothing needs them.
    pub(super) async fn delete_leftovers(
        &mut self,
        objects: &PreparedObjects,
        epoch: Epoch,
    ) -> Result<(), Failure> {
        self.ensure_leader().await?;
        for workload in self.left_workloads(objects) {
            match self.workloads().delete(&workload).await {
                Ok(deletion) => {
                    self.watch.cache.remove(&workload.uid);
                    self.writes.changed = true;
                    self.report_workload_deletion(&deletion, workload.name);
                }
                Err(error) => return self.recover(error).await,
            }
        }
        self.delete_left_objects(objects, epoch).await.map(drop)
    }

    /// Deletes, once, the objects that other revisions left behind.
    pub(super) async fn delete_left_objects(
        &mut self,
        objects: &PreparedObjects,
        epoch: Epoch,
    ) -> Result<Cleanup, Failure> {
        if self.prerequisites.are_leftovers_gone {
            return Ok(Cleanup::Done);
        }
        for leftover in &objects.leftovers {
            if let Err(error) = self.delete_leftover(leftover, epoch).await? {
                self.recover(error).await?;
                return Ok(Cleanup::Unfinished);
            }
        }
        self.prerequisites.are_leftovers_gone = true;
        Ok(Cleanup::Done)
    }

    /// Deletes an object in its current version: its status may have changed since the run began.
    async fn delete_leftover(
        &mut self,
        leftover: &Leftover,
        epoch: Epoch,
    ) -> Result<Result<(), ClusterError>, Failure> {
        let Leftover { reference, kind, before } = leftover;
        if leftover.holds_data() {
            let message = format!("{reference} is no longer used and is kept: it may hold data");
            self.emit(EventKind::Warned { message });
            return Ok(Ok(()));
        }
        let session = &self.context.session;
        let api = session.objects(&kind.resource, reference.namespace.as_deref());
        let live = match session.request_once(api.get_opt(&reference.name)).await {
            Ok(Some(live)) if live.metadata.deletion_timestamp.is_none() => live,
            Ok(_) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        if stamp(&live) > Some(epoch) {
            return Err(self.superseded().await);
        }
        if live.uid() != before.uid() || live.labels() != before.labels() {
            let message = format!("{reference} is no longer rendered and was changed meanwhile; it is kept");
            self.emit(EventKind::Warned { message });
            return Ok(Ok(()));
        }
        let deletion = match delete_object(session, kind, &live).await {
            Ok(deletion) => deletion,
            Err(error) => return Ok(Err(error)),
        };
        self.writes.changed = true;
        let object = reference.to_string();
        self.report_deletion(&deletion, &object.clone(), EventKind::ObjectDeleted { object });
        Ok(Ok(()))
    }
}
