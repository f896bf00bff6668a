//! Scaling a component, in batches.

use crate::driver::context::Context;
use crate::driver::outcome::{ApplicationOutcome, Failure};
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::apply;
use crate::ops::component::ComponentSelector;

/// Scales a component to a number of replicas, in one batch or in those of the overrides. Its revision stays.
///
/// # Errors
/// No such component; that it is in the middle of an upgrade is the component's own failure.
pub async fn scale(
    context: &Context,
    component: &ComponentSelector,
    replicas: u32,
    overrides: &Overrides,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    Ok(apply::apply(context, &[scale_request(context, component, replicas, overrides).await?]).await)
}

/// What [`scale`] asks of the driver, for a plan of it.
///
/// # Errors
/// No such component.
pub async fn scale_request(
    context: &Context,
    component: &ComponentSelector,
    replicas: u32,
    overrides: &Overrides,
) -> Result<RolloutRequest, Failure> {
    let intent = |kind| Intent::Scale { replicas, kind };
    component.request(context, |record| intent(record.run.spec.kind), overrides.clone()).await
}
