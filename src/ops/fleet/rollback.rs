//! `--on-failure undo-wave` and `undo-all`: rolls back what this command has changed in other clusters. With `undo`,
//! rolls back a component that did not stay ready before the next wave.
//!
//! It rolls back only runs that the record attributes to this process: a component that another run has claimed since
//! is left to that run, and one that was already as desired is left as it is.

use futures::future::join_all;

use crate::cluster::record_store;
use crate::driver::context::{Context, FailFast, Limits, OnFailure};
use crate::driver::outcome::Failure;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::apply;
use crate::ops::fleet::soak::Unready;
use crate::ops::fleet::{ClusterRequest, FleetFailure, Wave};
use crate::plan::record::Record;
use crate::plan::run::{Mode, Purpose};
use crate::report::event::EventKind;

/// The names of the components to roll back in a cluster; at least one.
pub(super) type UndoneComponents<'a> = (&'a ClusterRequest, Vec<String>);

/// Selects what to roll back after a failure in the last of these waves. `changed` has the names of the changed
/// components, for each wave and cluster. A component whose run has failed was rolled back by its run; `unready` is a
/// component that did not stay ready after its run.
pub(super) fn undone<'a>(
    waves: &'a [Wave],
    changed: &[Vec<Vec<String>>],
    on_failure: FleetFailure,
    unready: Option<&Unready>,
) -> Vec<UndoneComponents<'a>> {
    let last = waves.len().saturating_sub(1);
    let clusters = waves.iter().zip(changed).enumerate().flat_map(|(place, (wave, changed))| {
        let clusters = wave.clusters.iter().zip(changed).enumerate();
        clusters.map(move |(index, (cluster, changed))| {
            let is_undone = |name: &&String| match on_failure {
                FleetFailure::Hold => false,
                FleetFailure::UndoComponent => {
                    place == last && unready.is_some_and(|unready| unready.is_component(index, name))
                }
                FleetFailure::UndoWave => place == last,
                FleetFailure::UndoAll => true,
            };
            (cluster, changed.iter().filter(is_undone).cloned().collect::<Vec<_>>())
        })
    });
    clusters.filter(|(_, components)| !components.is_empty()).collect()
}

/// Rolls back components. A rollback must not wait for that of another cluster, so it has no waves.
pub(super) async fn roll_back(undone: Vec<UndoneComponents<'_>>) {
    join_all(undone.iter().map(|(cluster, components)| roll_back_cluster(cluster, components))).await;
}

async fn roll_back_cluster(cluster: &ClusterRequest, changed: &[String]) {
    let limits = Limits { fail_fast: FailFast::Off, on_failure: OnFailure::Hold, ..cluster.context.limits };
    let context = Context { limits, ..cluster.context.clone() };
    for request in &cluster.requests {
        // Dependents are rolled back before their dependencies.
        for component in request.component_names().iter().rev().filter(|name| changed.contains(name)) {
            match rollback_request(&context, request, component).await {
                Ok(Some(rollback)) => drop(apply::apply(&context, &[rollback]).await),
                Ok(None) => {}
                Err(failure) => context.emit(&request.application, Some(component), failure.event(None)),
            }
        }
    }
}

/// The request to roll back a component; `None` if there is nothing to roll back to, which is reported.
async fn rollback_request(
    context: &Context,
    request: &RolloutRequest,
    component: &str,
) -> Result<Option<RolloutRequest>, Failure> {
    let kept = |why: String| {
        let message = format!("not rolled back: {why}");
        context.emit(&request.application, Some(component), EventKind::Warned { message });
        Ok(None)
    };
    let Some(stored) = record_store::load_record(&context.session, &request.namespace, component).await?
    else {
        return kept("its run record does not exist".to_owned());
    };
    let record = stored.record;
    if record.run.by != context.identity || record.run.purpose != Purpose::Forward {
        return kept(format!("a run of `{}` has followed", record.run.by));
    }
    let Some(intent) = rollback_intent(&record) else {
        return kept("it is the first release".to_owned());
    };
    let overrides = Overrides::default();
    let mut rollback = RolloutRequest::of_record(&record, request.namespace.clone(), intent, overrides);
    // Bind it to the run: otherwise, a scale would apply to any run.
    rollback.components.iter_mut().for_each(|component| component.bound_to = Some(record.epoch));
    Ok(Some(rollback))
}

/// The intent to return to the state before the run; `None` for a first release.
fn rollback_intent(record: &Record) -> Option<Intent> {
    let (spec, kind) = (&record.run.spec, record.run.spec.kind);
    match spec.mode {
        Mode::Release => None,
        Mode::Scale => Some(Intent::Scale { replicas: spec.size_before(), kind }),
        Mode::Upgrade | Mode::Apply => {
            let has_earlier = record.succeeded_revisions().iter().any(|name| *name != spec.target);
            has_earlier.then_some(Intent::Revision { reference: None, kind })
        }
    }
}
