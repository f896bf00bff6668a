//! The component's Services: during a run, they have the ports of all revisions that may have pods; at its end, only
//! those of the target.

use kube::api::DynamicObject;

use crate::cluster::service::{self, Change};
use crate::driver::component_run::ComponentRun;
use crate::driver::outcome::Failure;
use crate::plan::epoch::Epoch;
use crate::report::event::EventKind;
use crate::report::text::list_literals;

/// How often a Service is written that differs from what was written each time.
const MAX_WRITES: usize = 3;

/// Whether Services had to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteEffect {
    /// All were as desired.
    Unchanged,
    /// At least one was written.
    Changed,
}

impl ComponentRun<'_> {
    /// Applies the Services that the pods of the target and of `others` need, each stamped with the claim.
    pub(super) async fn apply_services(&mut self, epoch: Epoch, others: &[String]) -> Result<(), Failure> {
        let names: Vec<String> = self.prepared.component_services.names().map(str::to_owned).collect();
        for name in names {
            let session = self.context.session.clone();
            let seen = service::load_service(&session, &self.prepared.namespace, &name).await?;
            self.apply_service(&name, seen, epoch, others).await?;
        }
        Ok(())
    }

    /// Removes the ports that only sources exposed, once no source has pods.
    pub(super) async fn trim_services(&mut self) -> Result<WriteEffect, Failure> {
        let Some(epoch) = self.claim.epoch else { return Ok(WriteEffect::Unchanged) };
        let names: Vec<String> = self.prepared.component_services.names().map(str::to_owned).collect();
        let mut written = WriteEffect::Unchanged;
        for name in names {
            // Another client may have changed or deleted it since.
            let seen = service::load_service(&self.context.session, &self.prepared.namespace, &name).await?;
            let change = self.prepared.component_services.change(&name, &[], seen.as_ref());
            // A finalizer may hold a Service that was deleted.
            let is_held =
                matches!(&change, Change::Remove(found) if found.metadata.deletion_timestamp.is_some());
            if change.is_pending() && !is_held {
                self.ensure_leader().await?;
                self.apply_service(&name, seen, epoch, &[]).await?;
                // One that differs however often it is written does not keep the run from ending.
                if !self.prerequisites.altered_services.contains(&name) {
                    written = WriteEffect::Changed;
                }
            }
        }
        Ok(written)
    }

    async fn apply_service(
        &mut self,
        name: &str,
        mut seen: Option<DynamicObject>,
        epoch: Epoch,
        others: &[String],
    ) -> Result<(), Failure> {
        let session = self.context.session.clone();
        let namespace = self.prepared.namespace.clone();
        let (mut was_updated, mut writes) = (false, 0);
        loop {
            if let Some(seen) = &seen
                && service::service_epoch(seen).is_some_and(|stamp| stamp > epoch)
            {
                return Err(self.superseded().await);
            }
            let mut change = self.prepared.component_services.change(name, others, seen.as_ref());
            if matches!(change, Change::Update { .. }) && writes == MAX_WRITES {
                self.report_altered_service(name, &change);
                change = Change::None;
            }
            let attempt = match (&change, &seen) {
                (Change::Foreign(reason), _) => return Err(self.denied(reason.clone())),
                (Change::None, Some(found))
                    if self.prepared.component_services.owns(found)
                        && service::service_epoch(found) != Some(epoch) =>
                {
                    service::patch_service(&session, &namespace, found, &[], epoch).await.map(Some)
                }
                (Change::None, _) => {
                    if was_updated {
                        self.emit(EventKind::ServiceApplied { service: name.to_owned() });
                    }
                    return Ok(());
                }
                (Change::Create(wanted), _) => {
                    // The server cannot reject a late create, so the claim is confirmed first. The new Service selects
                    // no pods, so a later claim finds it before it has an effect.
                    self.confirm_epoch(epoch).await?;
                    service::create_service(&session, &namespace, wanted, epoch).await.map(Some)
                }
                (Change::Update { seen: found, operations }, _) => {
                    if service::is_inert(found) {
                        self.confirm_epoch(epoch).await?;
                    }
                    was_updated = true;
                    writes += 1;
                    service::patch_service(&session, &namespace, found, operations, epoch).await.map(Some)
                }
                (Change::Remove(found), _) => {
                    let removed = service::remove_service(&session, &namespace, found).await;
                    if let Ok(deletion) = &removed {
                        let removed = EventKind::ServiceRemoved { service: name.to_owned() };
                        self.report_deletion(deletion, &format!("service `{name}`"), removed);
                    }
                    removed.map(|_| None)
                }
            };
            seen = match attempt {
                Ok(after) => after,
                Err(error) => {
                    self.retry(error).await?;
                    self.ensure_leader().await?;
                    self.confirm_epoch(epoch).await?;
                    service::load_service(&session, &namespace, name).await?
                }
            };
        }
    }

    /// Warns, once, of a Service that differs from what was accepted: the server changes it on each write.
    fn report_altered_service(&mut self, name: &str, change: &Change) {
        if !self.prerequisites.altered_services.insert(name.to_owned()) {
            return;
        }
        let Change::Update { operations, .. } = change else { return };
        let fields: Vec<&str> =
            operations.iter().filter_map(|operation| operation["path"].as_str()).collect();
        let message = format!(
            "service `{name}` is changed whenever it is written, such as by an admission policy: {} {} not as desired",
            list_literals(&fields),
            if fields.len() == 1 { "is" } else { "are" }
        );
        self.emit(EventKind::Warned { message });
    }
}
