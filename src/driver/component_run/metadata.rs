//! Updates the labels and annotations of the target's workload to those that its application has now.

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::error::ClusterError;
use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::services::WriteEffect;
use crate::driver::inherited_metadata::{Metadata, operations};
use crate::driver::outcome::Failure;
use crate::plan::epoch::Epoch;

impl ComponentRun<'_> {
    /// Writes the labels and annotations under a claim, if they differ. Reads the workload first: the cache may be
    /// stale.
    pub(super) async fn apply_inherited_metadata(&mut self, epoch: Epoch) -> Result<WriteEffect, Failure> {
        let prepared = self.prepared;
        let Some(inherited_metadata) = &prepared.inherited_metadata else {
            return Ok(WriteEffect::Unchanged);
        };
        let name = &prepared.desired.workload;
        let known = Metadata::known(&self.watch.cache, &prepared.component, prepared.desired.kind, name);
        if known.is_none_or(|known| inherited_metadata.applied(&known) == known) {
            return Ok(WriteEffect::Unchanged);
        }
        self.ensure_leader().await?;
        loop {
            let Some(object) = self.read_target().await? else { return Ok(WriteEffect::Unchanged) };
            self.watch.cache.apply(prepared.desired.kind, &object);
            let seen = metadata(&object);
            let operations = operations(&seen, &inherited_metadata.applied(&seen));
            if operations.is_empty() {
                return Ok(WriteEffect::Changed);
            }
            let observed = crate::cluster::workload::observe_workload(prepared.desired.kind, &object);
            if observed.epoch.is_some_and(|stamp| stamp > epoch) {
                return Err(self.superseded().await);
            }
            match self.workloads().relabel(&observed, operations, epoch).await {
                Ok(object) => {
                    self.watch.cache.apply(prepared.desired.kind, &object);
                    self.writes.changed = true;
                    return Ok(WriteEffect::Changed);
                }
                Err(error) => {
                    self.retry(error).await?;
                    self.ensure_leader().await?;
                    self.confirm_epoch(epoch).await?;
                }
            }
        }
    }

    pub(super) async fn read_target(&self) -> Result<Option<DynamicObject>, ClusterError> {
        let session = &self.context.session;
        let resource = crate::cluster::workload::workload_resource(self.prepared.desired.kind);
        let api = session.dynamic(&self.prepared.namespace, &resource);
        session.read(|| api.get_opt(&self.prepared.desired.workload)).await
    }
}

fn metadata(object: &DynamicObject) -> Metadata {
    Metadata { labels: object.labels().clone(), annotations: object.annotations().clone() }
}
