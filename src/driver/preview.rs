//! Previews what a run would do, without writing anything.

use std::collections::BTreeSet;

use kube::api::ListParams;

use crate::cluster::session::Session;
use crate::cluster::workload;
use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::checks::{Warning, check_cluster, objects};
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::driver::prepare::{Rejection, prepare};
use crate::driver::request::RolloutRequest;
use crate::driver::snapshot::Snapshot;
use crate::driver::workflow::held_components;

/// Previews a request.
///
/// # Errors
/// All rejections of its components at once.
pub async fn preview_request(
    session: &Session,
    request: &RolloutRequest,
) -> Result<Vec<PlannedComponent>, Vec<Rejection>> {
    let all = |failure| vec![Rejection { component: request.components[0].name.clone(), failure }];
    let cache = look(session, request).await.map_err(all)?;
    let components = {
        // Drop the snapshot early: it is as large as what is prepared from it.
        let snapshot = Snapshot::read(session, &cache, request).await.map_err(all)?;
        prepare(&snapshot, request)?
    };
    let held: BTreeSet<String> =
        held_components(&components, &cache).into_iter().map(str::to_owned).collect();
    let planned = components.into_iter().map(|prepared| {
        let is_held = held.contains(&prepared.component);
        PlannedComponent { is_held, ..PlannedComponent::of(prepared, &cache) }
    });
    let mut planned: Vec<PlannedComponent> = planned.collect();
    let warnings = check_cluster(session, &request.namespace, &planned).await.map_err(all)?;
    for Warning { component, message } in warnings {
        // A warning about all components is reported once, with the first.
        let is_about = |one: &&mut PlannedComponent| {
            component.as_ref().is_none_or(|name| *name == one.prepared.component)
        };
        if let Some(planned) = planned.iter_mut().find(is_about)
            && session.warnings().is_first(&message)
        {
            planned.warnings.push(message);
        }
    }
    Ok(planned)
}

async fn look(session: &Session, request: &RolloutRequest) -> Result<WorkloadCache, Failure> {
    let kinds = request.kinds();
    let cache = WorkloadCache::of(kinds.iter().copied()).of_components(request.component_names());
    for kind in kinds {
        let names = request.components.iter().filter(|component| component.kind() == kind);
        let names: Vec<String> = names.map(|component| component.name.clone()).collect();
        let params = ListParams::default().labels_from(&workload::component_selector(&names));
        objects::check_served(session, &request.namespace, kind).await?;
        let api = session.dynamic(&request.namespace, &workload::workload_resource(kind));
        let mark = cache.mark();
        let list = session.read(|| api.list(&params)).await?;
        cache.replace(kind, &list.items, mark, None);
    }
    Ok(cache)
}
