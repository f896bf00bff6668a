//! Which components are held before anything of them is applied: at a gate of the workflow, or behind a component that
//! is held.

use std::collections::BTreeSet;

use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::prepare::PreparedComponent;
use crate::plan::action::Action;
use crate::plan::run::{Outcome, Run, WorkflowPlace};
use crate::plan::step::Step;

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

/// The components that are already recorded as held at a gate of the workflow, or that wait for one that is held, there
/// or between its batches.
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
    let rests_at_batch = |one: &&PreparedComponent| {
        let step = one.objects.is_none().then(|| one.next_step(&one.observed(cache)));
        !one.has_prerequisites() && matches!(step, Some(Step::Act(Action::Hold { .. })))
    };
    let depended_on: BTreeSet<&String> = components.iter().flat_map(|one| &one.depends_on).collect();
    let at_batches: BTreeSet<&str> = components
        .iter()
        .filter(|one| depended_on.contains(&one.component))
        .filter(rests_at_batch)
        .map(|one| one.component.as_str())
        .collect();
    let mut held: BTreeSet<&str> = BTreeSet::new();
    loop {
        let found = components.iter().filter(|one| !held.contains(one.component.as_str())).find(|one| {
            let is_behind = one
                .depends_on
                .iter()
                .any(|name| held.contains(name.as_str()) || at_batches.contains(name.as_str()));
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
