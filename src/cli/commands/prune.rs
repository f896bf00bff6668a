//! `apply --prune`: deletes components that are no longer in the manifest.

use crate::cli::clusters::Cluster;
use crate::cli::commands::delete;
use crate::cli::failure::CommandError;
use crate::cli::terminal::ui::Ui;
use crate::ops::delete::{Inventory, Scope, take_inventories};
use crate::ops::prune::{self, PruneEvent, Pruning};
use crate::ops::{Context, RolloutRequest};
use crate::report::plan::PrunedComponent;

/// What to do with components that are no longer in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Report and keep them.
    Keep,
    /// Delete them.
    Prune,
}

/// Finds the components that are no longer in the manifest. Those whose records cannot be read are kept, with a
/// warning.
///
/// # Errors
///
/// If the cluster cannot be read.
pub async fn find(
    cluster: &Cluster,
    requests: &[RolloutRequest],
    ui: &mut Ui,
) -> Result<Vec<Scope>, CommandError> {
    let found = prune::find_leftovers(&cluster.env.context, requests).await;
    let found = found.map_err(|failure| cluster.attributed(failure))?;
    for broken in found.unusable {
        ui.warn(&cluster.sentence(&format!(
            "component `{}` of application `{}` is no longer in the manifest and is kept: {}",
            broken.component, broken.application, broken.error
        )));
    }
    Ok(found.scopes)
}

/// Returns what pruning deletes, and prints what it keeps.
///
/// # Errors
///
/// If the cluster cannot be read.
pub async fn preview(
    cluster: &Cluster,
    requests: &[RolloutRequest],
    ui: &mut Ui,
) -> Result<Vec<PrunedComponent>, CommandError> {
    let scopes = find(cluster, requests, ui).await?;
    let inventories = take_inventories(&cluster.env.context, &scopes).await;
    let inventories = inventories.map_err(|failure| cluster.attributed(failure))?;
    let kept = inventories.iter().flat_map(|inventory| &inventory.kept);
    kept.for_each(|owned| ui.status(&cluster.sentence(&delete::kept(owned))));
    let pruned = inventories.into_iter().map(|Inventory { scope, objects, .. }| PrunedComponent {
        cluster: cluster.name.clone(),
        component: scope.component.unwrap_or_default(),
        application: scope.application,
        namespace: scope.namespace,
        objects: objects.iter().map(ToString::to_string).collect(),
    });
    Ok(pruned.collect())
}

/// Warns about components that are kept although they are no longer in the manifest.
///
/// # Errors
///
/// If the cluster cannot be read.
pub async fn report_leftovers(
    cluster: &Cluster,
    requests: &[RolloutRequest],
    ui: &mut Ui,
) -> Result<(), CommandError> {
    for scope in find(cluster, requests, ui).await? {
        let component = scope.component.as_deref().unwrap_or_default();
        let hint = format!("delete it with `apply --prune` or `rollout delete {component}`");
        ui.warn(&cluster.sentence(&format!(
            "component `{component}` of application `{}` is no longer in the manifest and is kept; {}",
            scope.application,
            cluster.flags.in_namespace(&scope.namespace).add_to(&hint)
        )));
    }
    Ok(())
}

/// Prunes, and prints what is deleted.
///
/// # Errors
///
/// If another run does not end in time, or the cluster refuses.
pub async fn prune(
    context: &Context,
    requests: &[RolloutRequest],
    pruning: &Pruning,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let kept = pruning.inventories.iter().flat_map(|inventory| &inventory.kept);
    kept.for_each(|owned| ui.status(&delete::kept(owned)));
    let report = |event: PruneEvent<'_>| match event {
        PruneEvent::Incomplete(application) => {
            ui.status(&format!("{application}: not complete yet, nothing is pruned"));
        }
        PruneEvent::Deletion(application, event) => delete::print_event(application, &event, ui),
        PruneEvent::Skipped(failure) => {
            ui.warn(&format!("{}: rerun the command to delete it", failure.reason));
        }
    };
    Ok(prune::prune(context, requests, pruning, report).await?)
}
