//! Continuing a run that is held at its gate.

use crate::driver::context::Context;
use crate::driver::outcome::{ApplicationOutcome, Failure};
use crate::driver::request::{Gate, Intent, Overrides, RolloutRequest};
use crate::ops::component::ComponentSelector;
use crate::ops::{apply, resume};

/// How far a run is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// By one batch, to the next gate.
    NextBatch,
    /// To the end.
    Full,
}

/// Promotes a run. Ends a pause.
///
/// # Errors
/// No such component, and a run record that cannot be written.
pub async fn promote(
    context: &Context,
    component: &ComponentSelector,
    promotion: Promotion,
) -> Result<Vec<ApplicationOutcome>, Failure> {
    let request = promote_request(context, component, promotion).await?;
    resume::end_pause(context, &request).await?;
    Ok(apply::apply(context, &[request]).await)
}

/// What [`promote`] asks of the driver, for a plan of it.
///
/// # Errors
/// No such component.
pub async fn promote_request(
    context: &Context,
    component: &ComponentSelector,
    promotion: Promotion,
) -> Result<RolloutRequest, Failure> {
    let gate = match promotion {
        Promotion::NextBatch => Gate::Next,
        Promotion::Full => Gate::Open,
    };
    let intent = |kind| Intent::Recorded { gate, kind };
    component.request(context, |record| intent(record.run.spec.kind), Overrides::default()).await
}
