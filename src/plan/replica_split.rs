//! Splits a component's replicas into those of a target and those of its sources, for any kind of workload.

use crate::oam::kind::WorkloadKind;
use crate::plan::in_place;
use crate::plan::observed::{Observed, Workload};
use crate::plan::run::Run;

/// A component's desired replicas on both sides of a rollout to one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaSplit {
    /// Whether the workload that runs the target exists.
    pub exists: bool,
    /// Replicas of the target.
    pub target: u32,
    /// Replicas of all sources together.
    pub sources: u32,
    /// Whether there is any source, even one without replicas.
    pub has_sources: bool,
}

impl ReplicaSplit {
    /// Splits the observed replicas for a rollout to `target`.
    #[must_use]
    pub fn of(observed: &Observed, kind: WorkloadKind, target: &str) -> Self {
        if kind.is_in_place() {
            let Some(workload) = observed.workloads.iter().find(|workload| !workload.deleting) else {
                return Self { exists: false, target: 0, sources: 0, has_sources: false };
            };
            let updated = in_place::updated_replicas(workload, target);
            let sources = workload.replicas - updated;
            let has_sources = sources > 0 || workload.template() != Some(target);
            return Self { exists: true, target: updated, sources, has_sources };
        }
        let found = observed.workload(target);
        let sources = observed.sources(target);
        Self {
            exists: found.is_some(),
            target: found.map_or(0, |found| found.replicas),
            sources: sources.iter().fold(0, |sum, source| source.replicas.saturating_add(sum)),
            has_sources: !sources.is_empty(),
        }
    }
}

/// The revisions that a rollout to `target` replaces, sorted by name.
///
/// An in-place workload shows only its newest template. The others are known from the recorded run: its sources, as
/// long as its target has not replaced all of them, or its target if it is a different one.
#[must_use]
pub fn source_names(
    observed: &Observed,
    kind: WorkloadKind,
    target: &str,
    recorded: Option<&Run>,
) -> Vec<String> {
    let mut names: Vec<String> = if kind.is_in_place() {
        let newest = observed.workloads.iter().find_map(Workload::template);
        let recorded = recorded.map(|run| &run.spec);
        match (newest, recorded) {
            (Some(newest), Some(recorded)) if newest != target && newest == recorded.target => {
                let is_partial = ReplicaSplit::of(observed, kind, newest).sources > 0;
                let before = recorded.sources.iter().filter(|name| is_partial && *name != target);
                std::iter::once(&recorded.target).chain(before).cloned().collect()
            }
            (Some(newest), _) if newest != target => vec![newest.to_owned()],
            (_, Some(recorded)) if recorded.target != target => vec![recorded.target.clone()],
            (_, Some(recorded)) => recorded.sources.clone(),
            (_, None) => Vec::new(),
        }
    } else {
        observed.sources(target).iter().map(|source| source.name.clone()).collect()
    };
    names.sort();
    names
}
