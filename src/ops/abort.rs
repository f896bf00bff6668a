//! Aborting a run: back to the revision and size from before it.

use crate::cluster::lease::Acquisition;
use crate::driver::context::Context;
use crate::driver::outcome::{ApplicationOutcome, Failure};
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::apply;
use crate::ops::component::ComponentSelector;

/// Aborts the run in progress, taking over from the process that drives it, and rolls it back: in one batch, or in
/// those of the overrides.
///
/// # Errors
/// No such component; that it has no run in progress is the component's own failure.
pub async fn abort(
    context: &Context,
    component: &ComponentSelector,
    overrides: &Overrides,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    Ok(apply::apply(context, &[abort_request(context, component, overrides).await?]).await)
}

/// What [`abort`] asks of the driver, for a plan of it.
///
/// # Errors
/// No such component.
pub async fn abort_request(
    context: &Context,
    component: &ComponentSelector,
    overrides: &Overrides,
) -> Result<RolloutRequest, Failure> {
    let intent = |kind| Intent::Abort { kind };
    let overrides = overrides.clone();
    let request = component.request(context, |record| intent(record.run.spec.kind), overrides).await?;
    Ok(RolloutRequest { turn: Acquisition::TakeOver, ..request })
}
