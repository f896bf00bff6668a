//! Aborting a run: back to the revision and size from before it.

use crate::cluster::lease::Acquisition;
use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::component::ComponentSelector;

/// The request to abort the run in progress: to take over from the process that drives it, and to roll back in one
/// batch, or in those of the overrides.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. That the component has no run in progress is the failure of the run.
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
