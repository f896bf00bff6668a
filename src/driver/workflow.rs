//! The places of components in the workflow of their application: which gates are before each, and which gates are
//! passed.
//!
//! The workflow is not stored as a whole. The record of each component has its place, with a hash of the application's
//! content; a step that one component has passed under that hash is passed for all.

use std::collections::BTreeSet;

use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::prepare::PreparedComponent;
use crate::driver::request::{ComponentRequest, Intent, RolloutRequest};
use crate::driver::snapshot::Snapshot;
use crate::plan::run::{Outcome, Run, WorkflowPlace};
use crate::plan::step::Step;

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

impl PreparedComponent {
    /// Whether the component needs no write, and at most has to wait.
    pub(super) fn is_settled(&self, cache: &WorkloadCache) -> bool {
        if let Some(is_at_rest) = self.are_objects_at_rest() {
            return is_at_rest;
        }
        let step = self.next_step(&self.observed(cache));
        !self.has_prerequisites() && !matches!(step, Step::Claim { .. } | Step::Refuse(_))
    }

    /// Whether the run is already recorded as held at this place.
    pub(super) fn is_held_at(&self, place: &WorkflowPlace, recorded: Option<&Run>) -> bool {
        let is_same = |run: &Run| {
            run.outcome == Outcome::Held
                && run.workflow.as_ref() == Some(place)
                && run.spec.target == self.desired.target
                && (self.objects.is_some() || run.spec.target_size == self.desired.target_size)
        };
        self.new_revision.is_none() && recorded.is_some_and(is_same)
    }
}

/// The components that are already recorded as held at a gate of the workflow, or that wait for one that is.
pub(super) fn held_components<'a>(
    components: &'a [PreparedComponent],
    cache: &WorkloadCache,
) -> BTreeSet<&'a str> {
    let run = |one: &'a PreparedComponent| one.record.as_ref().map(|stored| &stored.record.run);
    let is_held = |one: &PreparedComponent, run: Option<&Run>, is_behind: bool| {
        let Some(place) = &one.workflow else { return false };
        match is_behind {
            true => one.is_settled(cache) || one.is_held_at(&behind(place), run),
            false => {
                place.held_at().is_some_and(|gate| gate.needs_promotion())
                    && !one.is_settled(cache)
                    && one.is_held_at(place, run)
            }
        }
    };
    let mut held: BTreeSet<&str> = BTreeSet::new();
    loop {
        let found = components.iter().filter(|one| !held.contains(one.component.as_str())).find(|one| {
            let is_behind = one.depends_on.iter().any(|name| held.contains(name.as_str()));
            is_held(one, run(one), is_behind)
        });
        match found {
            Some(one) => held.insert(one.component.as_str()),
            None => return held,
        };
    }
}

/// The place of a component that waits for components that are held.
pub(super) fn behind(place: &WorkflowPlace) -> WorkflowPlace {
    WorkflowPlace { reached: None, is_waiting: true, ..place.clone() }
}
