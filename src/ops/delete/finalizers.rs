//! Waits for objects whose deletion is blocked by finalizers.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::clock::Moment;
use crate::cluster::owned_objects::OwnedObject;
use crate::cluster::session::Session;
use crate::driver::outcome::{Failure, FailureKind};
use crate::ops::delete::DeleteEvent;
use crate::report::text::list_literals;

/// How long the controllers that set the finalizers may take.
const FINALIZED_WITHIN: Duration = Duration::from_secs(60);
/// How often the objects are read until they are gone.
const LOOK: Duration = Duration::from_secs(1);

/// The wait of one deletion.
#[derive(Debug, Default)]
pub(super) struct Finalization {
    /// When the wait has taken too long.
    deadline: Option<Moment>,
    /// The objects that were reported.
    reported: BTreeSet<String>,
}

impl Finalization {
    /// Waits before the objects are read again.
    ///
    /// # Errors
    /// The objects that are still blocked at the deadline.
    pub(super) async fn wait(
        &mut self,
        session: &Session,
        held: &[&OwnedObject],
        say: &mut impl FnMut(DeleteEvent<'_>),
    ) -> Result<(), Failure> {
        for owned in held {
            if let Some(finalizers) = owned.awaits()
                && self.reported.insert(owned.to_string())
            {
                say(DeleteEvent::Awaited(owned, finalizers));
            }
        }
        let now = session.clock().moment();
        if now < *self.deadline.get_or_insert_with(|| now.plus(FINALIZED_WITHIN)) {
            session.clock().pause(LOOK).await;
            return Ok(());
        }
        let named = held.iter().map(|owned| match owned.awaits() {
            None | Some([]) => format!("`{owned}`"),
            Some(finalizers) => format!("`{owned}`, for {}", list_literals(finalizers)),
        });
        let named: Vec<String> = named.collect();
        let reason = format!("not deleted after {}s: {}", FINALIZED_WITHIN.as_secs(), named.join("; "));
        Err(Failure::new(FailureKind::NotReady, reason)
            .hint("the controller that set a finalizer has to remove it; then rerun the same command"))
    }
}
