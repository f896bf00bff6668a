//! Resuming a run that was paused or interrupted, or whose process died.

use crate::cluster::record_store;
use crate::driver::context::Context;
use crate::driver::outcome::{ApplicationOutcome, Failure};
use crate::driver::request::{Gate, Intent, Overrides, RolloutRequest};
use crate::ops::apply;
use crate::ops::component::ComponentSelector;
use crate::ops::pause::{ComponentRef, amend_record};

/// Ends a pause and drives the run, after the process that drives it if there is one. A gate stays closed.
///
/// # Errors
/// No such component, and a run record that cannot be written.
pub async fn resume(
    context: &Context,
    component: &ComponentSelector,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let intent = |kind| Intent::Recorded { gate: Gate::Stay, kind };
    let overrides = Overrides::default();
    let request = component.request(context, |record| intent(record.run.spec.kind), overrides).await?;
    end_pause(context, &request).await?;
    Ok(apply::apply(context, &[request]).await)
}

/// Ends the pauses of a request's components, if the request can be carried out: a run that is no longer paused and
/// that nobody may drive would be worse.
pub(super) async fn end_pause(context: &Context, request: &RolloutRequest) -> Result<(), Failure> {
    let session = &context.session;
    let records = record_store::find_records(session, &request.namespace, &request.component_names()).await?;
    let mut paused = records.iter().filter_map(|(_, record)| record.as_ref().ok());
    if paused.all(|stored| stored.record.run.paused.is_none()) {
        return Ok(());
    }
    apply::check_request(context, request).await?;
    for component in &request.components {
        let at = ComponentRef { namespace: &request.namespace, component: &component.name };
        amend_record(&context.session, at, |record| record.run.paused = None).await?;
    }
    Ok(())
}
