//! The component's Services: during a run, they have the ports of all revisions that may have pods; at its end, only
//! those of the target.

use kube::api::DynamicObject;

use crate::cluster::service::{self, Change};
use crate::driver::component_run::ComponentRun;
use crate::driver::outcome::Failure;
use crate::plan::epoch::Epoch;
use crate::report::event::EventKind;

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
            let seen = self.prerequisites.services.get(&name).cloned();
            if self.prepared.component_services.change(&name, &[], seen.as_ref()).is_pending() {
                self.ensure_leader().await?;
                self.apply_service(&name, seen, epoch, &[]).await?;
                written = WriteEffect::Changed;
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
        let mut was_updated = false;
        loop {
            if let Some(seen) = &seen
                && service::service_epoch(seen).is_some_and(|stamp| stamp > epoch)
            {
                return Err(self.superseded().await);
            }
            let change = self.prepared.component_services.change(name, others, seen.as_ref());
            let attempt = match (&change, &seen) {
                (Change::Foreign(reason), _) => return Err(self.denied(reason.clone())),
                (Change::None, Some(found))
                    if self.prepared.component_services.owns(found)
                        && service::service_epoch(found) != Some(epoch) =>
                {
                    service::patch_service(&session, &namespace, found, &[], epoch).await.map(Some)
                }
                (Change::None, _) => {
                    match seen {
                        Some(found) => drop(self.prerequisites.services.insert(name.to_owned(), found)),
                        None => drop(self.prerequisites.services.remove(name)),
                    }
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
}
