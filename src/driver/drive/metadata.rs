//! Gives the target's workload the labels and annotations that its application has now.

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::cluster::error::ClusterError;
use crate::driver::drive::Drive;
use crate::driver::drive::services::Written;
use crate::driver::inheriting::{Metadata, operations};
use crate::driver::outcome::Failure;
use crate::plan::observed::Epoch;

impl Drive<'_> {
    /// Writes them under a claim, where they are others. The workload is read first: what is known of it may be older.
    pub(super) async fn hand_down(&mut self, epoch: Epoch) -> Result<Written, Failure> {
        let job = self.job;
        let Some(inheriting) = &job.inheriting else { return Ok(Written::Nothing) };
        let name = &job.desired.workload;
        let known = Metadata::known(&self.ground.view, &job.component, job.desired.kind, name);
        if known.is_none_or(|known| inheriting.applied(&known) == known) {
            return Ok(Written::Nothing);
        }
        self.may_write().await?;
        loop {
            let Some(object) = self.read_target().await? else { return Ok(Written::Nothing) };
            self.ground.view.absorb(job.desired.kind, &object);
            let seen = metadata(&object);
            let operations = operations(&seen, &inheriting.applied(&seen));
            if operations.is_empty() {
                return Ok(Written::Something);
            }
            let observed = crate::cluster::workload::observe(job.desired.kind, &object);
            if observed.epoch.is_some_and(|stamp| stamp > epoch) {
                return Err(self.superseded().await);
            }
            match self.workloads().relabel(&observed, operations, epoch).await {
                Ok(object) => {
                    self.ground.view.absorb(job.desired.kind, &object);
                    self.changed = true;
                    return Ok(Written::Something);
                }
                Err(error) => {
                    self.retry(error).await?;
                    self.may_write().await?;
                    self.confirm_epoch(epoch).await?;
                }
            }
        }
    }

    async fn read_target(&self) -> Result<Option<DynamicObject>, ClusterError> {
        let session = &self.context.session;
        let resource = crate::cluster::workload::resource(self.job.desired.kind);
        let api = session.dynamic(&self.job.namespace, &resource);
        session.read(|| api.get_opt(&self.job.desired.workload)).await
    }
}

fn metadata(object: &DynamicObject) -> Metadata {
    Metadata { labels: object.labels().clone(), annotations: object.annotations().clone() }
}
