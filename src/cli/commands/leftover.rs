//! Components that an application had and its manifest does not name any more.

use std::time::Duration;

use crate::cli::commands::delete;
use crate::cli::commands::gather;
use crate::cli::commands::until::{Until, Verdict};
use crate::cli::connect::setting::{Setting, unreachable};
use crate::cli::failure::Failure;
use crate::cli::terminal::ui::Ui;
use crate::cluster::owned_objects::OwnedObject;
use crate::cluster::record_store;
use crate::driver::delete::{self as driver, DeleteEvent, Extent, Removed, Remover};
use crate::driver::inventory::{self, Inventory, Scope};
use crate::driver::request::RolloutRequest;

/// The components that are left, of all applications that are requested.
///
/// # Errors
///
/// A cluster that cannot be read.
pub async fn find(setting: &Setting, requests: &[RolloutRequest]) -> Result<Vec<Scope>, Failure> {
    let mut left = Vec::new();
    for request in requests {
        let names = request.component_names();
        let known =
            record_store::load_records(&setting.session, &request.namespace).await.map_err(unreachable)?;
        let of_application = known
            .into_iter()
            .map(|stored| stored.record)
            .filter(|record| record.application == request.application);
        left.extend(of_application.filter(|record| !names.contains(&record.component)).map(|record| Scope {
            namespace: request.namespace.clone(),
            application: record.application,
            component: Some(record.component),
        }));
    }
    Ok(left)
}

/// Says that they stay.
pub fn tell(left: &[Scope], ui: &mut Ui) {
    for Scope { namespace, application, component } in left {
        let component = component.as_deref().unwrap_or_default();
        let ways = format!("delete it with `apply --prune` or `rollout delete {component}`");
        ui.warn(&format!(
            "component `{component}` of application `{application}` is no longer in the manifest and is kept; {}",
            ui.flags().in_namespace(namespace).repeated(&ways)
        ));
    }
}

/// The components that are left and may go, decided before anything is rolled out.
pub struct Pruning {
    inventories: Vec<Inventory>,
    extent: Extent,
}

/// What happens without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Somebody is asked, where somebody sits.
    Asked,
    /// `--yes`.
    Given,
}

/// Decides which components go, and asks for it.
///
/// # Errors
///
/// No for an answer, and a cluster that cannot be read.
pub async fn decide(
    setting: &Setting,
    requests: &[RolloutRequest],
    consent: Consent,
    ui: &mut Ui,
) -> Result<Pruning, Failure> {
    let mut inventories = Vec::new();
    for scope in &find(setting, requests).await? {
        inventories.push(inventory::take(&setting.session, scope).await?);
    }
    let found: Vec<&OwnedObject> = inventories.iter().flat_map(|inventory| &inventory.objects).collect();
    let extent = match consent {
        Consent::Asked if !found.is_empty() => delete::ask(&found, ui)?,
        Consent::Asked | Consent::Given => Extent::Scope,
    };
    Ok(Pruning { inventories, extent })
}

/// Removes them, where everything that is requested is rolled out to its end. A component that was claimed since it was
/// decided is reported and stays.
///
/// # Errors
///
/// Another run that does not end in time, and a cluster that refuses.
pub async fn prune(
    setting: &Setting,
    requests: &[RolloutRequest],
    pruning: &Pruning,
    patience: Duration,
    ui: &mut Ui,
) -> Result<(), Failure> {
    if pruning.inventories.is_empty() {
        return Ok(());
    }
    for request in requests {
        let names = request.component_names();
        let mut items = gather::statuses(&setting.session, &request.namespace).await.map_err(unreachable)?;
        items.retain(|item| names.contains(&item.component));
        if Until::Done.judge_all(&items) != Verdict::Reached {
            ui.status(&format!("{}: not complete yet, nothing is pruned", request.application));
            return Ok(());
        }
    }
    for inventory in &pruning.inventories {
        let application = &inventory.scope.application;
        let remover = Remover { identity: &setting.identity, patience };
        let removed =
            driver::delete(&setting.session, inventory, pruning.extent, remover, |said| match said {
                DeleteEvent::Waiting(holder) => ui.status(&delete::waiting(application, holder)),
                DeleteEvent::Removed(owned) => ui.status(&format!("{} deleted", delete::shown(owned))),
                DeleteEvent::Awaited(owned, finalizers) => ui.status(&delete::held(owned, finalizers)),
            });
        match removed.await? {
            Removed::Everything => {}
            Removed::Overtaken(failure) => ui.warn(&format!("{}; `--prune` skips it", failure.reason)),
        }
    }
    Ok(())
}
