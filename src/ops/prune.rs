//! Prunes: deletes components that an application had but its manifest no longer has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::cluster::record_store::{self, RecordList, UnusableRecord};
use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::request::RolloutRequest;
use crate::ops::delete::{self, DeleteEvent, DeleteExtent, Inventory, Removed, Scope};
use crate::ops::status;
use crate::ops::wait_for::{Until, WaitState};
use crate::report::status::ComponentStatus;

/// The components of the requests' applications that the requests do not name.
#[derive(Debug, Default)]
pub struct LeftoverComponents {
    /// Those that can be pruned.
    pub scopes: Vec<Scope>,
    /// Those whose records cannot be read.
    pub unusable: Vec<UnusableRecord>,
}

/// Finds the recorded components of the requests' applications that the requests do not name.
///
/// # Errors
/// The server's last error.
pub async fn find_leftovers(
    context: &Context,
    requests: &[RolloutRequest],
) -> Result<LeftoverComponents, Failure> {
    let mut listed: BTreeMap<&str, RecordList> = BTreeMap::new();
    for request in requests {
        if let Entry::Vacant(entry) = listed.entry(&request.namespace) {
            entry.insert(record_store::list_records(&context.session, &request.namespace).await?);
        }
    }
    let mut leftovers = LeftoverComponents::default();
    for request in requests {
        let names = request.component_names();
        let is_leftover = |application: &String, component: &String| {
            *application == request.application && !names.contains(component)
        };
        let RecordList { records, unusable, .. } = &listed[request.namespace.as_str()];
        let records = records.iter().map(|stored| &stored.record);
        let scopes = records.filter(|record| is_leftover(&record.application, &record.component));
        leftovers.scopes.extend(scopes.map(|record| Scope {
            namespace: request.namespace.clone(),
            application: record.application.clone(),
            component: Some(record.component.clone()),
        }));
        let unusable = unusable.iter().filter(|broken| is_leftover(&broken.application, &broken.component));
        leftovers.unusable.extend(unusable.cloned());
    }
    Ok(leftovers)
}

/// What to prune, as decided before anything is rolled out.
#[derive(Debug)]
pub struct Pruning {
    /// The inventories of the leftovers.
    pub inventories: Vec<Inventory>,
    /// Which of their objects may be deleted.
    pub extent: DeleteExtent,
}

/// The events of pruning.
#[derive(Debug)]
pub enum PruneEvent<'a> {
    /// The application (its name) was not rolled out completely, so nothing is pruned.
    Incomplete(&'a str),
    /// A leftover of the application (its name) is being deleted.
    Deletion(&'a str, DeleteEvent<'a>),
    /// A leftover was claimed since the pruning was decided, and is kept.
    Skipped(Failure),
}

/// Prunes, once every request is rolled out completely.
///
/// # Errors
/// As [`delete::delete`].
pub async fn prune(
    context: &Context,
    requests: &[RolloutRequest],
    pruning: &Pruning,
    mut report: impl FnMut(PruneEvent<'_>),
) -> Result<(), Failure> {
    if pruning.inventories.is_empty() {
        return Ok(());
    }
    let mut statuses: BTreeMap<&str, Vec<ComponentStatus>> = BTreeMap::new();
    for request in requests {
        let names = request.component_names();
        let items = match statuses.entry(&request.namespace) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(status::statuses(context, &request.namespace).await?),
        };
        let items: Vec<ComponentStatus> =
            items.iter().filter(|item| names.contains(&item.component)).cloned().collect();
        if Until::Done.judge_all(&items) != WaitState::Reached {
            report(PruneEvent::Incomplete(&request.application));
            return Ok(());
        }
    }
    // The run that this one waits for may have the component in its manifest.
    let extent = match pruning.extent {
        DeleteExtent::Scope | DeleteExtent::Unclaimed => DeleteExtent::Unclaimed,
        DeleteExtent::Inventory => DeleteExtent::Inventory,
    };
    for inventory in &pruning.inventories {
        let application = &inventory.scope.application;
        let deletion = |event: DeleteEvent<'_>| report(PruneEvent::Deletion(application, event));
        match delete::delete(context, inventory, extent, deletion).await? {
            Removed::Everything => {}
            Removed::Overtaken(failure) => report(PruneEvent::Skipped(failure)),
        }
    }
    Ok(())
}
