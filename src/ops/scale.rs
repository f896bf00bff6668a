//! Scaling a component, in batches.

use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::component::ComponentSelector;

/// The request to scale a component to a number of replicas, in one batch or in those of the overrides. Its revision
/// stays.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. That the component is in the middle of an upgrade is the failure of the run.
pub async fn scale_request(
    context: &Context,
    component: &ComponentSelector,
    replicas: u32,
    overrides: &Overrides,
) -> Result<RolloutRequest, Failure> {
    let intent = |kind| Intent::Scale { replicas, kind };
    component.request(context, |record| intent(record.run.spec.kind), overrides.clone()).await
}
