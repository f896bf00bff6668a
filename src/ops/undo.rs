//! Rolls a component back to an earlier revision, in batches.

use crate::cluster::lease::Acquisition;
use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::oam::application::{Amount, Batch};
use crate::ops::component::ComponentSelector;

/// A rollback.
#[derive(Debug, Clone)]
pub struct UndoRequest {
    /// The revision: its full name, the part after the component's name, or its number. `None` means the last one that
    /// succeeded before the current one.
    pub to_revision: Option<String>,
    /// How fast to roll back.
    pub pace: UndoPace,
}

/// How fast to roll back a component.
#[derive(Debug, Clone)]
pub enum UndoPace {
    /// In these batches, or in those of the last run if they fit; waits for a run in progress.
    InBatches(Overrides),
    /// In one batch, taking over from a run in progress.
    Now,
}

/// The request to roll a component back.
///
/// # Errors
/// As [`ComponentSelector::load_record`]. If the revision is unknown, applying the request fails.
pub async fn undo_request(
    context: &Context,
    component: &ComponentSelector,
    undo: &UndoRequest,
) -> Result<RolloutRequest, Failure> {
    let (turn, overrides) = match &undo.pace {
        UndoPace::InBatches(overrides) => (Acquisition::Wait, overrides.clone()),
        UndoPace::Now => {
            let all = Batch { replicas: Amount::Percent(100), max_unavailable: Amount::Count(0) };
            (Acquisition::TakeOver, Overrides { batches: Some(vec![all]), ..Overrides::default() })
        }
    };
    let reference = undo.to_revision.clone();
    let intent = |kind| Intent::Revision { reference, kind };
    let request = component.request(context, |record| intent(record.run.spec.kind), overrides).await?;
    Ok(RolloutRequest { turn, ..request })
}
