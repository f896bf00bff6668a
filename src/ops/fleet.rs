//! Fleets: the same operation in several clusters, one wave after the other.
//!
//! A fleet stores no state: every cluster is driven as it would be alone, so rerunning the same fleet finds the first
//! waves done, and continues in the first cluster that is not.

mod rollback;
mod soak;

use std::time::Duration;

use futures::future::join_all;

use crate::driver::context::{Context, Limits, OnFailure};
use crate::driver::outcome::{ApplicationOutcome, ComponentOutcome, Failure, FailureKind};
use crate::driver::request::RolloutRequest;
use crate::ops::apply::{self, NextRun};
use crate::ops::fleet::soak::Unready;
use crate::report::event::EventKind;

/// The requests to one cluster.
#[derive(Clone)]
pub struct ClusterRequest {
    /// The context of operations in the cluster.
    pub context: Context,
    /// The requests; at least one.
    pub requests: Vec<RolloutRequest>,
}

/// Clusters that are driven concurrently.
#[derive(Clone)]
pub struct Wave {
    /// The clusters; at least one.
    pub clusters: Vec<ClusterRequest>,
    /// How long all of them must stay ready before the next wave.
    pub soak: Duration,
}

/// What to do with the clusters if a component's pods do not become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FleetFailure {
    /// Leave all of them as they are.
    #[default]
    Hold,
    /// Roll back the component in its cluster.
    UndoComponent,
    /// Roll back what was changed in the clusters of its wave.
    UndoWave,
    /// Roll back what was changed in any cluster.
    UndoAll,
}

impl FleetFailure {
    /// What to do with the component that failed.
    #[must_use]
    pub fn in_cluster(self) -> OnFailure {
        match self {
            Self::Hold => OnFailure::Hold,
            Self::UndoComponent | Self::UndoWave | Self::UndoAll => OnFailure::Undo,
        }
    }

    /// The flag on the command line.
    fn flag(self) -> &'static str {
        match self {
            Self::Hold => "--on-failure hold",
            Self::UndoComponent => "--on-failure undo",
            Self::UndoWave => "--on-failure undo-wave",
            Self::UndoAll => "--on-failure undo-all",
        }
    }

    /// Whether clusters other than that of the component are rolled back, too.
    #[must_use]
    pub fn is_of_a_fleet(self) -> bool {
        match self {
            Self::Hold | Self::UndoComponent => false,
            Self::UndoWave | Self::UndoAll => true,
        }
    }
}

/// The outcomes of a cluster's applications; empty if the cluster was not started.
pub type ClusterOutcomes = Vec<ApplicationOutcome>;

/// The failures of a cluster's components, in their order.
pub fn failures(outcomes: &ClusterOutcomes) -> impl Iterator<Item = &Failure> {
    let components = outcomes.iter().flat_map(|application| &application.components);
    components.filter_map(|(_, end)| match end {
        ComponentOutcome::Failed(failure) => Some(failure),
        ComponentOutcome::Succeeded { .. }
        | ComponentOutcome::Held { .. }
        | ComponentOutcome::Skipped { .. } => None,
    })
}

/// Why a fleet stops after a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopReason {
    /// A component failed.
    Failed,
    /// A cluster is held at a gate.
    Held,
    /// The user stopped it.
    Interrupted,
}

/// Drives a fleet. The outcomes are in the order of the waves and clusters.
///
/// All clusters of all waves are checked before the first write in any. A single cluster is driven as it would be
/// without a fleet: the checks are part of its runs.
pub async fn apply(waves: &[Wave], on_failure: FleetFailure) -> Vec<Vec<ClusterOutcomes>> {
    let next_runs = match waves {
        [Wave { clusters, .. }] if clusters.len() == 1 => Vec::new(),
        waves => match check_all(waves).await {
            Ok(next_runs) => next_runs,
            Err(refusals) => return refusals,
        },
    };
    let mut outcomes = not_begun(waves);
    for (place, wave) in waves.iter().enumerate() {
        let ended = join_all(wave.clusters.iter().map(|cluster| drive(waves, place, cluster, on_failure)));
        outcomes[place] = ended.await;
        let changed: Vec<Vec<Vec<String>>> = outcomes[..=place].iter().map(|wave| changes_of(wave)).collect();
        // A run that was started after a gate has passed it.
        let is_before_a_gate = next_runs.get(place + 1).is_some_and(|next| !next.contains(&NextRun::Resumed))
            && next_runs[place + 1..].iter().flatten().any(|next| *next != NextRun::None);
        let unready = if stop_of(&outcomes[place]).is_none() && is_before_a_gate && !wave.soak.is_zero() {
            soak::soak(waves, place).await.err()
        } else {
            None
        };
        let undone = rollback::undone(&waves[..=place], &changed, on_failure, unready.as_ref());
        if let Some(Unready { cluster, component, mut failure }) = unready {
            if failure.kind == FailureKind::NotReady {
                failure.hints = soak::next_steps(&component, on_failure, !undone.is_empty());
            }
            fail(&wave.clusters[cluster], &mut outcomes[place][cluster], &component, &failure);
        }
        let Some(stop) = stop_of(&outcomes[place]) else { continue };
        skip_rest(waves, place, stop);
        if stop == StopReason::Failed {
            rollback::roll_back(undone).await;
        }
        break;
    }
    outcomes
}

/// The names of the components that the run of each cluster has changed.
fn changes_of(wave: &[ClusterOutcomes]) -> Vec<Vec<String>> {
    let of_cluster = |applications: &ClusterOutcomes| {
        let components = applications.iter().flat_map(|application| &application.components);
        let is_changed = |end: &ComponentOutcome| match end {
            ComponentOutcome::Succeeded { changed } => *changed,
            ComponentOutcome::Held { .. } => true,
            // It is rolled back in its own cluster.
            ComponentOutcome::Failed(_) | ComponentOutcome::Skipped { .. } => false,
        };
        components.filter(|(_, end)| is_changed(end)).map(|(name, _)| name.clone()).collect()
    };
    wave.iter().map(of_cluster).collect()
}

/// Checks that all clusters would accept all requests. Returns the next run of each wave's requests or, if a cluster
/// would not accept them, the outcomes.
async fn check_all(waves: &[Wave]) -> Result<Vec<Vec<NextRun>>, Vec<Vec<ClusterOutcomes>>> {
    let checks = waves.iter().map(|wave| {
        join_all(wave.clusters.iter().map(|cluster| apply::check(&cluster.context, &cluster.requests)))
    });
    let checked = join_all(checks).await;
    if checked.iter().flatten().all(Result::is_ok) {
        return Ok(checked.into_iter().map(|wave| wave.into_iter().flatten().flatten().collect()).collect());
    }
    let mut outcomes = not_begun(waves);
    for (place, wave) in checked.into_iter().enumerate() {
        for (index, checked) in wave.into_iter().enumerate() {
            match checked {
                Err(refused) => outcomes[place][index] = refused,
                Ok(_) => {
                    let cluster = &waves[place].clusters[index];
                    skip(waves, place, cluster, "another cluster did not pass its checks");
                }
            }
        }
    }
    Err(outcomes)
}

fn not_begun(waves: &[Wave]) -> Vec<Vec<ClusterOutcomes>> {
    waves.iter().map(|wave| vec![Vec::new(); wave.clusters.len()]).collect()
}

async fn drive(
    waves: &[Wave],
    place: usize,
    cluster: &ClusterRequest,
    on_failure: FleetFailure,
) -> ClusterOutcomes {
    if waves.len() > 1 {
        let started = EventKind::WaveStarted { wave: place, waves: waves.len() };
        cluster.requests.iter().for_each(|request| emit(cluster, request, started.clone()));
    }
    let limits = Limits { on_failure: on_failure.in_cluster(), ..cluster.context.limits };
    let context = Context { limits, ..cluster.context.clone() };
    apply::apply(&context, &cluster.requests).await
}

/// Why the next wave does not start after a wave, if it does not.
fn stop_of(wave: &[ClusterOutcomes]) -> Option<StopReason> {
    let mut ends = wave.iter().flatten().flat_map(|application| &application.components);
    let failures = || wave.iter().flat_map(failures);
    if failures().any(|failure| failure.kind == FailureKind::Interrupted) {
        Some(StopReason::Interrupted)
    } else if failures().next().is_some() {
        Some(StopReason::Failed)
    } else {
        let is_held = ends.any(|(_, end)| !matches!(end, ComponentOutcome::Succeeded { .. }));
        is_held.then_some(StopReason::Held)
    }
}

/// Reports that the waves after this one are skipped.
fn skip_rest(waves: &[Wave], place: usize, stop: StopReason) {
    let wave = crate::plan::phrase::wave(place, waves.len());
    let reason = match stop {
        StopReason::Failed => format!("{wave} failed"),
        StopReason::Held => format!("{wave} is held"),
        StopReason::Interrupted => "interrupted".to_owned(),
    };
    for (place, wave) in waves.iter().enumerate().skip(place + 1) {
        wave.clusters.iter().for_each(|cluster| skip(waves, place, cluster, &reason));
    }
}

fn skip(waves: &[Wave], place: usize, cluster: &ClusterRequest, reason: &str) {
    let skipped = EventKind::WaveSkipped { wave: place, waves: waves.len(), reason: reason.to_owned() };
    cluster.requests.iter().for_each(|request| emit(cluster, request, skipped.clone()));
}

fn emit(cluster: &ClusterRequest, request: &RolloutRequest, what: EventKind) {
    cluster.context.reporting_in(&request.namespace).emit(&request.application, None, what);
}

/// Reports the failure of a component, and sets it as the component's outcome.
fn fail(cluster: &ClusterRequest, outcomes: &mut ClusterOutcomes, component: &str, failure: &Failure) {
    for ApplicationOutcome { namespace, application, components } in outcomes {
        let context = cluster.context.reporting_in(namespace);
        for (name, end) in components.iter_mut().filter(|(name, _)| name == component) {
            context.emit(application, Some(name), failure.event(None));
            *end = ComponentOutcome::Failed(failure.clone());
        }
    }
}
