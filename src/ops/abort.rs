//! Aborts a run: returns to the revision and size from before it.

use crate::cluster::lease::Acquisition;
use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::component::ComponentSelector;

/// The request to abort the run in progress: takes over from the process that drives it, and rolls back in one batch,
/// or in those of the overrides.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. If the component has no run in progress, applying the request fails.
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
