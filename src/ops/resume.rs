//! Resumes a run that was paused or interrupted, or whose process died.

use std::collections::BTreeSet;

use crate::cluster::record_store::{self, StoredRecord};
use crate::cluster::revision_store;
use crate::driver::checks::run_state::check_bound;
use crate::driver::context::Context;
use crate::driver::outcome::{ApplicationOutcome, ComponentOutcome, Failure, Hold};
use crate::driver::request::{Gate, Intent, RolloutRequest};
use crate::ops::apply;
use crate::ops::component::{ComponentSelector, is_done, list_records_of, pick, recorded_request};
use crate::ops::pause::{ComponentRef, amend_record};
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;
use crate::report::text::list_literals;

/// Ends a pause and drives the run, after the process that drives it, if there is one. A gate remains closed.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. [`FailureKind::Refused`](crate::ops::FailureKind::Refused): the component
/// waits for another in the workflow. If it ends a pause: also the first rejection of the request, of any kind.
pub async fn resume(
    context: &Context,
    component: &ComponentSelector,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let listed = list_records_of(&context.session, &component.namespace, component.name.as_deref()).await?;
    let records = &listed.records;
    let record = pick(&listed, component.name.as_deref(), &component.namespace)?;
    let place = record.run.workflow.as_ref().filter(|_| record.run.outcome.is_resumable());
    let before = place.filter(|place| place.is_waiting).map(|place| place.depends_on.clone());
    let find = |name: &String| {
        let mut records = records.iter().map(|stored| &stored.record);
        records.find(|other| other.application == record.application && other.component == *name)
    };
    let is_open = |name: &String| !find(name).is_some_and(|before| is_done(before, record));
    let before: Vec<String> = before.unwrap_or_default().into_iter().filter(is_open).collect();
    if let Some(first) = before.first() {
        if record.run.paused.is_some() {
            return resume_before_its_turn(context, component, record, records, first).await;
        }
        let (name, before) = (&record.component, list_literals(&before));
        let reason = format!("component `{name}` waits for {before}");
        let hint = format!("continue with `rollout promote {}`", record.application);
        return Err(Failure::refused(reason).hint(hint));
    }
    let intent = Intent::Recorded { gate: Gate::Stay, kind: record.run.spec.kind };
    let request = recorded_request(records, record, &component.namespace, intent);
    end_pause(context, &request).await?;
    Ok(apply::apply(context, &[request]).await)
}

/// Ends the pause of a component that waits for another. Nothing drives it before its turn, and while
/// it is paused, no manifest could be applied.
async fn resume_before_its_turn(
    context: &Context,
    component: &ComponentSelector,
    record: &Record,
    records: &[StoredRecord],
    waiting_for: &str,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let (name, application) = (record.component.clone(), record.application.clone());
    let at = ComponentRef { namespace: &component.namespace, component: &name };
    let seen = end_pause_of(context, at, Some(record.epoch)).await?;
    check_bound(Some(record.epoch), Some(&seen.record), &name)?;
    let is_it = |stored: &&StoredRecord| {
        stored.record.application == application && stored.record.component == waiting_for
    };
    let place = records.iter().find(is_it).and_then(|stored| stored.record.run.workflow.as_ref());
    let hold = place.and_then(|place| place.held_at()).map(|gate| Hold::Step(gate.step.clone()));
    let skipped = ComponentOutcome::Skipped { waiting_for: waiting_for.to_owned(), hold };
    let namespace = component.namespace.clone();
    Ok(vec![ApplicationOutcome { namespace, application, components: vec![(name, skipped)] }])
}

/// Ends the pause of a claim, but not the pause of a later claim.
async fn end_pause_of(
    context: &Context,
    at: ComponentRef<'_>,
    claim: Option<Epoch>,
) -> Result<StoredRecord, Failure> {
    let end = |record: &mut Record| {
        if claim.is_none_or(|epoch| record.epoch == epoch) {
            record.run.paused = None;
        }
    };
    amend_record(&context.session, at, end).await
}

/// Ends the pauses of a request's components, provided that the request can be carried out: it would be worse if a run
/// were no longer paused and could not be driven. The pause of a run that died before it recorded its revision ends in
/// any case, since only another manifest can replace the run.
pub(super) async fn end_pause(context: &Context, request: &RolloutRequest) -> Result<(), Failure> {
    let session = &context.session;
    let records = record_store::find_records(session, &request.namespace, &request.component_names()).await?;
    let mut paused = records.iter().filter_map(|(_, record)| record.as_ref().ok());
    if paused.all(|stored| stored.record.run.paused.is_none()) {
        return Ok(());
    }
    if let Err(failure) = apply::check_request(context, request).await {
        let targets: BTreeSet<String> = records
            .iter()
            .filter_map(|(_, record)| Some(record.as_ref().ok()?.record.run.spec.target.clone()))
            .collect();
        let found = revision_store::find_revisions(session, &request.namespace, &targets).await?;
        if found.len() == targets.len() {
            return Err(failure);
        }
    }
    for component in &request.components {
        let at = ComponentRef { namespace: &request.namespace, component: &component.name };
        end_pause_of(context, at, component.bound_to).await?;
    }
    Ok(())
}
