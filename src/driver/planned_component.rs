//! What a component's run would do, from its known state.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::workload_cache::WorkloadCache;
use crate::driver::prepare::PreparedComponent;
use crate::oam::revision::{self, StoredRevision};
use crate::plan::action::{Action, Side};
use crate::plan::observed::{Observed, Workload};
use crate::plan::preview::{PreviewStep, preview_steps};
use crate::plan::run::Run;
use crate::plan::step::Step;

/// The preview of a component's run.
#[derive(Debug, Clone)]
pub struct PlannedComponent {
    /// The component that would be driven.
    pub prepared: PreparedComponent,
    /// The observed state.
    pub observed: Observed,
    /// All steps.
    pub steps: Vec<PreviewStep>,
    /// Warnings from checks against the cluster.
    pub warnings: Vec<String>,
    /// Whether it is already held at a gate of the workflow, or waits for a component that is.
    pub is_held: bool,
}

impl PlannedComponent {
    /// Previews the run of a component from the known state.
    #[must_use]
    pub fn of(prepared: PreparedComponent, cache: &WorkloadCache) -> Self {
        let observed = prepared.observed(cache);
        let mut steps = match prepared.objects {
            None => preview_steps(&observed, &prepared.desired),
            Some(_) => Vec::new(),
        };
        if prepared.is_at_end
            && let Some(first) = steps.first_mut()
        {
            first.step = prepared.next_step(&observed);
            if first.step.is_rest() {
                steps.truncate(1);
            }
        }
        Self { prepared, observed, steps, warnings: Vec::new(), is_held: false }
    }

    /// Whether anything would be written. Every write to a workload is preceded by a claim.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        if self.is_held {
            return false;
        }
        if let Some(is_at_rest) = self.prepared.are_objects_at_rest() {
            return !is_at_rest;
        }
        let is_claim = |step: &PreviewStep| matches!(step.step, Step::Claim { .. });
        self.prepared.has_prerequisites() || self.steps.iter().any(is_claim)
    }

    /// Whether the run creates pods of the target.
    #[must_use]
    pub fn makes_pods(&self) -> bool {
        self.steps.iter().any(|step| match &step.step {
            Step::Act(Action::Scale { scaling, .. }) => {
                scaling.side == Side::Target && scaling.to > scaling.from
            }
            Step::Act(Action::Roll { .. }) => true,
            Step::Nothing
            | Step::Claim { .. }
            | Step::Stamp { .. }
            | Step::Act(
                Action::Create
                | Action::Wait { .. }
                | Action::Hold { .. }
                | Action::Delete { .. }
                | Action::Finish,
            )
            | Step::Superseded { .. }
            | Step::ExternalChange { .. }
            | Step::Refuse(_) => false,
        })
    }

    /// The largest sum of replicas that the component has at any time.
    #[must_use]
    pub fn peak(&self) -> u32 {
        let now: u32 = self.observed.workloads.iter().map(|workload| workload.replicas).sum();
        self.steps.iter().map(|step| step.target.saturating_add(step.sources)).fold(now, u32::max)
    }

    /// The component's present size, without the surplus pods of an unfinished run.
    fn size(&self) -> u32 {
        let present = self.observed.workloads.iter().map(|workload| workload.replicas).sum();
        let run = self.observed.record.as_ref().map(|record| &record.run);
        match run.filter(|run| run.outcome.is_resumable()) {
            Some(Run { spec, .. }) => spec.size_before().max(spec.target_size).min(present),
            None => present,
        }
    }

    /// The rendered workloads before and after the run: that of the newest source (or the live target), and that of the
    /// target, each with the component's size at that time.
    #[must_use]
    pub fn workloads(&self) -> (Option<Value>, Option<Value>) {
        let live = self.observed.workloads.iter();
        let names: BTreeSet<&str> = live.filter_map(Workload::revision).collect();
        let size = self.size();
        let render = |stored: &StoredRevision, size: u32| revision::render_revision(stored, size, 0);
        let target = &self.prepared.target;
        let newest_source = self
            .prepared
            .stored
            .iter()
            .filter(|one| one.name != target.name && names.contains(one.name.as_str()))
            .max_by_key(|one| one.revision);
        let before = match newest_source {
            Some(source) => render(source, size),
            None => names.get(target.name.as_str()).and_then(|_| render(target, size)),
        };
        (before, render(target, self.prepared.desired.target_size))
    }
}
