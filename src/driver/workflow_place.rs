//! The places of components in the workflow of their application: which gates are before each, and which gates are
//! passed.
//!
//! The workflow is not stored as a whole. The record of each component has its place, with a hash of the application's
//! content; a step that one component has passed under that hash is passed for all.

use std::collections::BTreeSet;

use crate::driver::request::{ComponentRequest, Intent, RolloutRequest};
use crate::driver::snapshot::Snapshot;
use crate::plan::run::{Run, WorkflowPlace};

/// The place of a component in a request; `None` if no step is a gate before it.
pub(super) fn place_in_workflow(
    snapshot: &Snapshot<'_>,
    request: &RolloutRequest,
    component: &ComponentRequest,
    recorded: Option<&Run>,
) -> Option<WorkflowPlace> {
    let known = recorded.and_then(|run| run.workflow.as_ref());
    let place = match &component.intent {
        Intent::Manifest { .. } => component.workflow.as_ref(),
        Intent::Recorded { .. } => known,
        // These roll back, or only change a size.
        Intent::Revision { .. } | Intent::Abort { .. } | Intent::Scale { .. } => None,
    }?;
    let records = request.components.iter().filter_map(|one| snapshot.record(&one.name).ok().flatten());
    let mut passed = passed_steps(records.map(|stored| &stored.record.run), &place.application);
    passed.extend(request.passed.iter().cloned());
    let mut place = place.past(&passed);
    let known = known.filter(|known| {
        known.application == place.application
            && known.gates.first() == place.gates.first()
            && known.is_waiting
    });
    place.reached = known.and_then(|known| known.reached);
    Some(place)
}

/// The steps passed by any run of an application with the same content.
pub fn passed_steps<'a>(runs: impl Iterator<Item = &'a Run>, application: &str) -> BTreeSet<String> {
    let places = runs.filter_map(|run| run.workflow.as_ref());
    places.filter(|place| place.application == application).flat_map(|place| &place.passed).cloned().collect()
}
