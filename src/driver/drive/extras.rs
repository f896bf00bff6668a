//! What a run writes besides workloads: a new revision, and the component's Services.
//!
//! It comes after the claim, so that the record is first, and before the first workload.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::{record, revisions, service};
use crate::driver::drive::Drive;
use crate::driver::drive::act::MOST_CONFLICTS;
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::revision::NewRevision;
use crate::report::event::What;

/// How long to stand back after a conflict.
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

impl Drive<'_> {
    /// Records the new revision and applies the Services, as far as there are any.
    pub(super) async fn put_extras(&mut self) -> Result<(), Failure> {
        self.may_write().await?;
        if let Some(new) = &self.job.new_revision {
            self.record_revision(new).await?;
            self.emit(What::RevisionCreated { revision: new.name.clone(), number: new.number });
        }
        for change in self.job.services.clone() {
            self.apply_service(change).await?;
        }
        self.has_extras = false;
        self.changed = true;
        Ok(())
    }

    async fn record_revision(&mut self, new: &NewRevision) -> Result<(), Failure> {
        let session = self.context.session.clone();
        let object = self.owned(new);
        while let Err(error) = revisions::create(&session, &self.job.namespace, &object).await {
            match revisions::find(&session, &self.job.namespace, &new.name).await? {
                // Ours, from a try that went unanswered or a run beside this one.
                Some(found) if found.data == object["data"] => return Ok(()),
                Some(_) => {
                    let reason = format!("revision `{}` was recorded with other content just now", new.name);
                    return Err(
                        Failure::new(FailureKind::Superseded, reason).hint("run the same command again")
                    );
                }
                None => self.retry(error).await?,
            }
        }
        Ok(())
    }

    /// The new revision with its owners, where a view controls it. The run record is a second one, so that
    /// the history survives when the views are removed.
    fn owned(&self, new: &NewRevision) -> Value {
        let mut object = new.object.clone();
        if let (Some(owner), Some(stored)) = (&self.job.owner, &self.record) {
            let keeper = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": record::name(&self.job.component),
                "uid": stored.uid(),
            });
            object["metadata"]["ownerReferences"] = json!([owner, keeper]);
        }
        object
    }

    async fn apply_service(&mut self, mut change: service::Change) -> Result<(), Failure> {
        let session = self.context.session.clone();
        loop {
            let (name, wanted) = match &change {
                service::Change::None => return Ok(()),
                service::Change::Foreign(reason) => {
                    return Err(Failure::refused(reason.clone()));
                }
                service::Change::Create(wanted) | service::Change::Update { wanted, .. } => {
                    (wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned(), wanted.clone())
                }
            };
            match service::apply(&session, &self.job.namespace, &change).await {
                Ok(()) => {
                    self.emit(What::ServiceApplied { service: name });
                    return Ok(());
                }
                Err(ClusterError::AlreadyExists(_) | ClusterError::NotFound(_)) => {}
                Err(error) => self.retry(error).await?,
            }
            change = service::compare(&session, &self.job.namespace, &self.job.application, &wanted).await?;
        }
    }

    /// Waits before another try, where one may help.
    async fn retry(&mut self, error: ClusterError) -> Result<(), Failure> {
        match error {
            // A create is in conflict, too, with whatever else counts against a quota at that moment.
            ClusterError::Conflict(_) if self.conflicts < MOST_CONFLICTS => {
                self.conflicts += 1;
                self.context.session.clock().pause(AFTER_CONFLICT).await;
                Ok(())
            }
            ClusterError::Forbidden(message)
            | ClusterError::Invalid(message)
            | ClusterError::Rejected(message) => Err(self.denied(message)),
            error => Ok(self.context.session.pause_after(&error).await?),
        }
    }
}
