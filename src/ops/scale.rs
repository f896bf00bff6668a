//! Scales a component, in batches.

use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::ops::component::ComponentSelector;

/// The request to scale a component to a number of replicas, in one batch or in those of the overrides. Its revision is
/// kept.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. If the component is in the middle of an upgrade, applying the request fails.
pub async fn scale_request(
    context: &Context,
    component: &ComponentSelector,
    replicas: u32,
    overrides: &Overrides,
) -> Result<RolloutRequest, Failure> {
    let intent = |kind| Intent::Scale { replicas, kind };
    component.request(context, |record| intent(record.run.spec.kind), overrides.clone()).await
}
