//! What of a component is on the target, and what is not yet, whatever kind of workload runs it.

use crate::oam::kind::WorkloadKind;
use crate::plan::in_place::Shape;
use crate::plan::observed::{Observed, Workload};
use crate::plan::record::Run;

/// A component's replicas on both sides of a rollout to one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// Whether the workload that the target runs as exists.
    pub exists: bool,
    /// Replicas of the target, wanted.
    pub target: u32,
    /// Replicas of everything else, wanted.
    pub sources: u32,
    /// Whether there is anything else, be it without replicas.
    pub has_sources: bool,
}

impl Sides {
    /// Tells the sides of a rollout to `target` apart.
    #[must_use]
    pub fn of(observed: &Observed, kind: WorkloadKind, target: &str) -> Self {
        if kind.is_in_place() {
            let Some(workload) = observed.workloads.iter().find(|workload| !workload.deleting) else {
                return Self { exists: false, target: 0, sources: 0, has_sources: false };
            };
            let moved = moved(workload, target);
            let sources = workload.replicas - moved;
            let has_sources = sources > 0 || workload.template() != Some(target);
            return Self { exists: true, target: moved, sources, has_sources };
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

/// Replicas of an in-place workload that the target may have: those that its partition does not hold back.
#[must_use]
pub fn moved(workload: &Workload, target: &str) -> u32 {
    if workload.template() == Some(target) { Shape::of(workload).moved() } else { 0 }
}

/// The revisions that a rollout to `target` replaces, by name; for an in-place workload as far as they are
/// known: its object shows only the newest template.
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
