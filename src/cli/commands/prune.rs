//! `apply --prune`: components that the manifest no longer has.

use crate::cli::clusters::Cluster;
use crate::cli::commands::delete;
use crate::cli::connect::env::Env;
use crate::cli::failure::CommandError;
use crate::cli::terminal::ui::Ui;
use crate::ops::delete::{DeleteEvent, DeleteExtent, take_inventories};
use crate::ops::prune::{self, PruneEvent, Pruning};
use crate::ops::{Context, Limits, RolloutRequest};

/// Whether the user is asked before anything is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// On a terminal.
    Asked,
    /// No: `--yes`.
    Given,
}

/// Warns of components that are kept though the manifest no longer has them.
///
/// # Errors
///
/// A cluster that cannot be read.
pub async fn report_leftovers(
    cluster: &Cluster,
    requests: &[RolloutRequest],
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let leftovers = prune::find_leftovers(&cluster.env.context, requests).await;
    for scope in leftovers.map_err(|failure| cluster.attributed(failure))? {
        let component = scope.component.as_deref().unwrap_or_default();
        let hint = format!("delete it with `apply --prune` or `rollout delete {component}`");
        ui.warn(&format!(
            "{}component `{component}` of application `{}` is no longer in the manifest and is kept; {}",
            cluster.prefix(),
            scope.application,
            cluster.flags.in_namespace(&scope.namespace).add_to(&hint)
        ));
    }
    Ok(())
}

/// Decides which components are pruned, and asks.
///
/// # Errors
///
/// The user declined, and a cluster that cannot be read.
pub async fn decide(
    env: &Env,
    requests: &[RolloutRequest],
    consent: Consent,
    ui: &mut Ui,
) -> Result<Pruning, CommandError> {
    let leftovers = prune::find_leftovers(&env.context, requests).await?;
    let inventories = take_inventories(&env.context, &leftovers).await?;
    let has_objects = inventories.iter().any(|inventory| !inventory.objects.is_empty());
    let extent = match consent {
        Consent::Asked if has_objects => delete::ask(&inventories, ui)?,
        Consent::Asked | Consent::Given => DeleteExtent::Scope,
    };
    Ok(Pruning { inventories, extent })
}

/// Prunes, and prints what is deleted.
///
/// # Errors
///
/// Another run that does not end in time, and a cluster that refuses.
pub async fn prune(
    env: &Env,
    requests: &[RolloutRequest],
    pruning: &Pruning,
    limits: Limits,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let context = Context { limits, ..env.context.clone() };
    let kept = pruning.inventories.iter().flat_map(|inventory| &inventory.kept);
    kept.for_each(|owned| ui.status(&delete::kept(owned)));
    let report = |event: PruneEvent<'_>| match event {
        PruneEvent::Incomplete(application) => {
            ui.status(&format!("{application}: not complete yet, nothing is pruned"));
        }
        PruneEvent::Deletion(application, event) => match event {
            DeleteEvent::Waiting(holder) => ui.status(&delete::waiting(application, holder)),
            DeleteEvent::Removed(owned) => ui.status(&format!("{} deleted", delete::shown(owned))),
            DeleteEvent::Superseding(time) => ui.status(&delete::superseding(application, time)),
            DeleteEvent::Warned(component, message) => ui.warn(&format!("{component}: {message}")),
            DeleteEvent::Awaited(owned, finalizers) => ui.status(&delete::held(owned, finalizers)),
        },
        PruneEvent::Skipped(failure) => ui.warn(&format!("{}; `--prune` skips it", failure.reason)),
    };
    Ok(prune::prune(&context, requests, pruning, report).await?)
}
