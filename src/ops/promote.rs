//! Promotes a run that is held at its gate, with the components that wait for it, or an application whose components
//! are held.

use std::collections::BTreeSet;

use crate::cluster::record_store::StoredRecord;
use crate::driver::context::Context;
use crate::driver::outcome::{ApplicationOutcome, Failure};
use crate::driver::request::{ComponentRequest, Gate, Intent, RolloutRequest};
use crate::ops::component::{
    ComponentSelector, list_records_of, open_place, passed_of_application, pick, recorded_request,
    stuck_predecessor, without_prefix,
};
use crate::ops::pause::{ComponentRef, amend_record};
use crate::ops::{apply, resume};
use crate::plan::record::Record;
use crate::plan::run::Outcome;

/// How far to promote a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// By one batch, to the next gate.
    NextBatch,
    /// To the end.
    Full,
}

/// Promotes a run, or the workflow of its application. Ends a pause.
///
/// # Errors
/// As [`promote_request`]. If it ends a pause or a step of the workflow: also the first rejection of the request, of
/// any kind, and the server's last error.
pub async fn promote(
    context: &Context,
    component: &ComponentSelector,
    promotion: Promotion,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let request = promote_request(context, component, promotion).await?;
    resume::end_pause(context, &request).await?;
    if !request.passed.is_empty() {
        apply::check_request(context, &request).await?;
        record_passed_gates(context, &request).await?;
    }
    Ok(apply::apply(context, &[request]).await)
}

/// The request that [`promote`] applies, for planning it.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. [`FailureKind::Refused`](crate::ops::FailureKind::Refused): a component waits
/// for another that is not done.
pub async fn promote_request(
    context: &Context,
    component: &ComponentSelector,
    promotion: Promotion,
) -> Result<RolloutRequest, Failure> {
    let namespace = &component.namespace;
    let listed = list_records_of(&context.session, namespace, component.name.as_deref()).await?;
    let records = &listed.records;
    if let Some(record) = find_in_workflow(records, component.name.as_deref()) {
        return workflow_request(records, record, namespace, promotion);
    }
    let record = pick(&listed, component.name.as_deref(), namespace)?;
    let gate = match promotion {
        Promotion::NextBatch => Gate::Next,
        Promotion::Full => Gate::Open,
    };
    let intent = Intent::Recorded { gate, kind: record.run.spec.kind };
    Ok(recorded_request(records, record, namespace, intent))
}

/// A component with a place in the order of its application: the named one if it waits or others wait for it, or one of
/// the named application. Without a name, there has to be a single application with a component that waits.
fn find_in_workflow<'a>(records: &'a [StoredRecord], name: Option<&str>) -> Option<&'a Record> {
    let name = name.map(without_prefix);
    let records = || records.iter().map(|stored| &stored.record);
    let is_waiting = |record: &&Record| open_place(record).is_some_and(|place| place.is_waiting);
    if let Some(named) = records().find(|record| Some(record.component.as_str()) == name) {
        let content = |record: &Record| open_place(record).map(|place| place.application.clone());
        let is_followed = content(named).is_some()
            && records().any(|other| is_waiting(&other) && content(other) == content(named));
        return Some(named).filter(|named| is_waiting(named) || is_followed);
    }
    let applications: BTreeSet<&str> = records().map(|record| record.application.as_str()).collect();
    let application = match name {
        Some(name) => name,
        None => applications.first().copied().filter(|_| applications.len() == 1)?,
    };
    let of_application = || records().filter(|record| record.application == application);
    let waiting = of_application().filter(is_waiting);
    let waiting = waiting.max_by_key(|record| open_place(record).and_then(|place| place.reached));
    let open = || of_application().find(|record| can_continue(record));
    let ordered = || of_application().filter(|record| record.run.workflow.is_some());
    let in_order = || open().or_else(|| ordered().max_by_key(|record| record.run.finished));
    // An application at rest has nothing to continue, whether or not its components have ever had an order.
    let at_rest = || {
        let is_at_rest = !of_application().any(|record| record.run.outcome.is_resumable());
        of_application().max_by_key(|record| record.run.finished).filter(|_| is_at_rest)
    };
    waiting.or_else(|| name.and_then(|_| in_order().or_else(at_rest)))
}

/// Whether a promotion of its application continues a component.
fn can_continue(record: &Record) -> bool {
    open_place(record).is_some() || record.run.outcome == Outcome::Held
}

/// The request to promote all components of an application that are held, or that were promoted before, past the gates
/// that hold them.
fn workflow_request(
    records: &[StoredRecord],
    of: &Record,
    namespace: &str,
    promotion: Promotion,
) -> Result<RolloutRequest, Failure> {
    let content = of.run.workflow.as_ref().map(|place| &place.application);
    let of_application =
        || records.iter().map(|stored| &stored.record).filter(|record| record.application == of.application);
    let is_member = |record: &&Record| {
        let is_open = can_continue(record);
        let same_content = record.run.workflow.as_ref().map(|place| &place.application) == content;
        (is_open && same_content) || record.component == of.component
    };
    let members: Vec<&Record> = of_application().filter(is_member).collect();
    let mut passed = passed_of_application(records, of);
    let places = || members.iter().filter_map(|record| open_place(record)).map(|place| place.past(&passed));
    let opened: BTreeSet<String> = match promotion {
        Promotion::NextBatch => {
            places().filter_map(|place| place.held_at().map(|gate| gate.step.clone())).collect()
        }
        Promotion::Full => places().flat_map(|place| place.gates).map(|gate| gate.step).collect(),
    };
    let gate = match promotion {
        Promotion::Full => Gate::Open,
        // Runs that are held after a batch continue only if no step of the workflow is promoted.
        Promotion::NextBatch if opened.is_empty() => Gate::Next,
        Promotion::NextBatch => Gate::Stay,
    };
    passed.extend(opened);
    let mut components = Vec::new();
    for record in &members {
        let place = open_place(record).cloned().unwrap_or_default();
        let is_member = |name: &String| members.iter().any(|record| record.component == *name);
        let within: Vec<String> = place.depends_on.into_iter().filter(is_member).collect();
        let find = |name: &str| of_application().find(|record| record.component == name);
        if let Some(name) = stuck_predecessor(record, find) {
            let reason =
                format!("component `{}` waits for component `{name}`, which is not done", record.component);
            return Err(Failure::refused(reason)
                .hint(format!("see `rollout status {name}`, and apply the manifest again")));
        }
        let intent = Intent::Recorded { gate, kind: record.run.spec.kind };
        components
            .push(ComponentRequest { depends_on: within, ..ComponentRequest::of_record(record, intent) });
    }
    let intent = Intent::Recorded { gate, kind: of.run.spec.kind };
    Ok(RolloutRequest { components, passed, ..recorded_request(records, of, namespace, intent) })
}

/// Records the promotion, so that a rerun after an interruption does not promote past the next gate, which needs its
/// own decision.
async fn record_passed_gates(context: &Context, request: &RolloutRequest) -> Result<(), Failure> {
    for component in &request.components {
        let at = ComponentRef { namespace: &request.namespace, component: &component.name };
        amend_record(&context.session, at, |record| {
            let place = record.run.workflow.as_ref().filter(|_| Some(record.epoch) == component.bound_to);
            let promoted =
                place.filter(|place| place.held_at().is_some()).map(|place| place.past(&request.passed));
            if let Some(place) = promoted.filter(|place| place.held_at().is_none()) {
                record.run.workflow = Some(place);
                record.run.outcome = Outcome::Running;
                record.run.finished = None;
            }
        })
        .await?;
    }
    Ok(())
}
