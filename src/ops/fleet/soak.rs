//! The soak time: how long a wave must stay ready before the next one starts.
//!
//! It counts from the recorded end of the wave's last run, so a rerun does not wait for the same time again. If a
//! component becomes unready, the soak time restarts when the component is ready again.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join_all, select_all};
use jiff::Timestamp;

use crate::cluster::clock::Moment;
use crate::cluster::record_store;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::request::RolloutRequest;
use crate::ops::fleet::{ClusterRequest, FleetFailure, Wave, emit};
use crate::ops::status_watch::StatusWatch;
use crate::ops::wait_for::{Until, WaitState, has_run_failed};
use crate::plan::phrase::{format_duration, wave as wave_phrase};
use crate::report::event::{EventKind, Progress};
use crate::report::status::ComponentStatus;

/// The components of a cluster in one namespace, and the watch of their status.
struct Followed<'a> {
    cluster: usize,
    watch: StatusWatch<'a>,
    components: BTreeSet<String>,
}

/// A component that is not ready, or whose cluster cannot be read.
pub(super) struct Unready {
    /// The cluster's index in its wave.
    pub(super) cluster: usize,
    /// The component.
    pub(super) component: String,
    /// The failure, of kind [`FailureKind::NotReady`] if the component is not ready.
    pub(super) failure: Failure,
}

impl Unready {
    /// Whether it is this component of the cluster with this index, and the cluster could be read.
    pub(super) fn is_component(&self, cluster: usize, component: &str) -> bool {
        self.failure.kind == FailureKind::NotReady && self.cluster == cluster && self.component == component
    }
}

/// Waits until a wave has stayed ready for its soak time.
///
/// # Errors
/// The first component that does not stay ready.
pub(super) async fn soak(waves: &[Wave], place: usize) -> Result<(), Unready> {
    let wave = &waves[place];
    let point = format!("after {}", wave_phrase(place, waves.len()));
    report_soak(wave, &point);
    stay_ready(wave, &point).await?;
    report(wave, &EventKind::GatePassed { point });
    Ok(())
}

/// Hints for a component that did not stay ready.
pub(super) fn next_steps(component: &str, on_failure: FleetFailure, is_rolled_back: bool) -> Vec<String> {
    if is_rolled_back {
        return vec![format!("rolling back now (`{}`)", on_failure.flag())];
    }
    vec![format!("see `rollout status {component}`"), RERUN_HINT.to_owned()]
}

/// Reports that the soak time of a wave starts.
fn report_soak(wave: &Wave, point: &str) {
    let time = wave.soak.try_into().unwrap_or_default();
    let on = format!("the soak time of {} {point}", format_duration(time));
    report(wave, &EventKind::Waiting { progress: Progress::default(), on, at_gate: true });
}

/// Reports that a component is not ready, so that the soak time restarts when it is.
fn report_unready(wave: &Wave, Unready { cluster, component, failure }: &Unready) {
    let cluster = &wave.clusters[*cluster];
    let is_its = |request: &&RolloutRequest| request.component_names().contains(component);
    let Some(request) = cluster.requests.iter().find(is_its) else { return };
    let why = failure.evidence.first().map_or_else(String::new, |why| format!(": {why}"));
    let message = format!("not ready; the soak time begins again when it is{why}");
    let context = cluster.context.reporting_in(&request.namespace);
    context.emit(&request.application, Some(component), EventKind::Warned { message });
}

fn report(wave: &Wave, what: &EventKind) {
    for cluster in &wave.clusters {
        cluster.requests.iter().for_each(|request| emit(cluster, request, what.clone()));
    }
}

/// The first component of a cluster, for which a failure of the whole cluster is reported.
fn first_component(cluster: &ClusterRequest) -> String {
    let mut names = cluster.requests.iter().flat_map(|request| request.component_names());
    names.next().unwrap_or_default()
}

async fn stay_ready(wave: &Wave, point: &str) -> Result<(), Unready> {
    let of_cluster = |index: usize, failure: Failure| Unready {
        cluster: index,
        component: first_component(&wave.clusters[index]),
        failure,
    };
    let mut ended: Option<Timestamp> = None;
    let mut followed = Vec::new();
    for (index, cluster) in wave.clusters.iter().enumerate() {
        let at = last_end(cluster).await.map_err(|failure| of_cluster(index, failure))?;
        ended = ended.max(at);
        followed.extend(follow(index, cluster).await.map_err(|failure| of_cluster(index, failure))?);
    }
    let context = &wave.clusters[0].context;
    let clock = context.session.clock();
    let passed = ended.map_or(Duration::ZERO, |ended| {
        Duration::try_from(clock.now().duration_since(ended)).unwrap_or_default()
    });
    let mut end = clock.moment().plus(wave.soak.saturating_sub(passed));
    let feed = join_all(followed.iter().map(|one| one.watch.feed()));
    let wait = async {
        for one in &followed {
            one.watch.first().await.map_err(|failure| of_cluster(one.cluster, failure))?;
        }
        let mut unready_since: Option<Moment> = None;
        loop {
            let mut changes: Vec<_> = followed.iter().map(|one| one.watch.changes()).collect();
            let now = clock.moment();
            let late = find_unready(&followed, point)?;
            match (&late, unready_since) {
                (None, None) if now >= end => return Ok(()),
                (None, None) => {}
                (None, Some(_)) => {
                    (end, unready_since) = (now.plus(wave.soak), None);
                    report_soak(wave, point);
                }
                (Some(late), None) => {
                    unready_since = Some(now);
                    report_unready(wave, late);
                }
                (Some(_), Some(_)) => {}
            }
            let until = unready_since.map_or(Some(end), |since| since.after(context.limits.batch));
            if let Some(late) = late.filter(|_| until.is_some_and(|until| now >= until)) {
                return Err(late);
            }
            let changed = select_all(changes.iter_mut().map(|changes| Box::pin(changes.next())));
            tokio::select! {
                biased;
                _ = changed => {}
                () = context.control.stopped() => {
                    let failure = Failure::new(FailureKind::Interrupted, "interrupted");
                    return Err(of_cluster(0, failure.hint(RERUN_HINT)));
                }
                () = clock.until(until) => {}
            }
        }
    };
    tokio::select! {
        biased;
        ended = wait => ended,
        _ = feed => Ok(()),
    }
}

const RERUN_HINT: &str = "rerun the same command to continue with the next wave";

/// When the last run of a cluster ended; `None` if this is not recorded.
async fn last_end(cluster: &ClusterRequest) -> Result<Option<Timestamp>, Failure> {
    let mut last = None;
    for request in &cluster.requests {
        let names = request.component_names();
        for stored in record_store::load_records(&cluster.context.session, &request.namespace).await? {
            if names.contains(&stored.record.component) {
                last = last.max(stored.record.run.finished);
            }
        }
    }
    Ok(last)
}

async fn follow(index: usize, cluster: &ClusterRequest) -> Result<Vec<Followed<'_>>, Failure> {
    let namespaces: BTreeSet<&str> =
        cluster.requests.iter().map(|request| request.namespace.as_str()).collect();
    let mut followed = Vec::new();
    for namespace in namespaces {
        let of_namespace = cluster.requests.iter().filter(|request| request.namespace == namespace);
        let components = of_namespace.flat_map(|request| request.component_names()).collect();
        let watch = StatusWatch::open(&cluster.context, namespace).await?;
        followed.push(Followed { cluster: index, watch, components });
    }
    Ok(followed)
}

/// The first component that is not ready.
fn find_unready(followed: &[Followed<'_>], point: &str) -> Result<Option<Unready>, Unready> {
    for Followed { cluster, watch, components } in followed {
        let items = watch.items().map_err(|failure| Unready {
            cluster: *cluster,
            component: components.first().cloned().unwrap_or_default(),
            failure,
        })?;
        let of_wave = items.iter().filter(|item| components.contains(&item.component));
        for item in of_wave {
            let unready = Unready {
                cluster: *cluster,
                component: item.component.clone(),
                failure: unready_failure(item, point),
            };
            if has_run_failed(item) {
                return Err(unready);
            }
            if Until::Done.judge(item) != WaitState::Reached {
                return Ok(Some(unready));
            }
        }
    }
    Ok(None)
}

fn unready_failure(item: &ComponentStatus, point: &str) -> Failure {
    let reason = format!("`{}` did not stay ready {point}", item.component);
    let mut failure = Failure::new(FailureKind::NotReady, reason);
    failure.evidence.extend(item.message.clone());
    failure
}
