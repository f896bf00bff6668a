//! The current state of a pod and when it changes next: a pure function of its rule and its age.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::sandbox::object::meta::{self, saturating_add};
use crate::sandbox::rules::Outcome;
use crate::sandbox::rules::pod_failure::PodFailure;
use crate::sandbox::store::queue::CONTROLLER_DELAY;

/// The state of a pod at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PodTimeline {
    pub(super) state: PodState,
    /// When the state changes next, if it does.
    pub(super) next: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PodState {
    /// The scheduler has not observed it yet.
    Created,
    Unschedulable,
    Starting,
    Running(Probe),
    /// Its volumes cannot be mounted.
    MountFailed,
    /// Its containers cannot be created.
    StartFailed(StartError),
    Crashing(Crash),
    /// One of its init containers crashes.
    InitCrashing(Crash),
    /// Its containers have ended, and are not restarted.
    Terminated(Termination),
}

/// How a pod ended whose containers are not restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Termination {
    Succeeded,
    Failed(CrashReason),
    /// An init container failed, so its containers never started.
    NeverStarted,
}

/// `spec.restartPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    pub(super) fn of(pod: &Value) -> Self {
        match meta::text(pod, "/spec/restartPolicy") {
            "Never" => Self::Never,
            "OnFailure" => Self::OnFailure,
            _ => Self::Always,
        }
    }
}

/// Why a container cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartError {
    /// Pulling its image failed.
    Pull,
    /// Pulling its image failed and is retried later.
    PullBackOff,
    ImageName,
    /// An object that its environment needs does not exist.
    Environment,
}

/// The readiness probe of a running pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// It has not passed yet.
    Pending,
    Passing,
    PodFailure,
}

/// Why a container crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CrashReason {
    Error,
    OutOfMemory,
}

/// The restarts of a container, when and why it last ended, and how long it waits for the next restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) reason: CrashReason,
    pub(super) restarts: i64,
    pub(super) ended: Timestamp,
    pub(super) wait: SignedDuration,
}

/// The kubelet's back-off: ten seconds, doubled with each crash up to five minutes. See
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>.
const INITIAL_BACK_OFF: SignedDuration = SignedDuration::from_secs(10);
const MAX_BACK_OFF: SignedDuration = SignedDuration::from_secs(300);

impl PodTimeline {
    /// Converts the state for a pod whose containers are not always restarted: they end when others would become ready.
    pub(super) fn terminating(self, policy: RestartPolicy) -> Self {
        let terminated = |termination| Self { state: PodState::Terminated(termination), next: None };
        match (policy, self.state) {
            (RestartPolicy::OnFailure | RestartPolicy::Never, PodState::Running(Probe::Passing)) => {
                terminated(Termination::Succeeded)
            }
            (RestartPolicy::Never, PodState::Crashing(crash)) => {
                terminated(Termination::Failed(crash.reason))
            }
            (RestartPolicy::Never, PodState::InitCrashing(_)) => terminated(Termination::NeverStarted),
            (RestartPolicy::Always | RestartPolicy::OnFailure | RestartPolicy::Never, _) => self,
        }
    }

    /// The state of a pod that started at `start`. Binding takes one controller delay, creating the containers
    /// another.
    pub(super) fn of(outcome: Outcome, start: Timestamp, now: Timestamp) -> Self {
        let (bound, started) = (start + CONTROLLER_DELAY, start + CONTROLLER_DELAY + CONTROLLER_DELAY);
        if now < bound {
            return Self { state: PodState::Created, next: Some(bound) };
        }
        let for_good = |state| Self { state, next: None };
        // Both failures happen before a container starts.
        if outcome == Outcome::Fail(PodFailure::Unschedulable) {
            return for_good(PodState::Unschedulable);
        }
        if outcome == Outcome::Fail(PodFailure::FailedMount) {
            return for_good(PodState::MountFailed);
        }
        if now < started {
            return Self { state: PodState::Starting, next: Some(started) };
        }
        match outcome {
            Outcome::Ready { after, lasting } => {
                let ready = saturating_add(start, after).max(started);
                if now < ready {
                    return Self { state: PodState::Running(Probe::Pending), next: Some(ready) };
                }
                match lasting.map(|lasting| saturating_add(ready, lasting)) {
                    Some(unready) if now >= unready => {
                        Self { state: PodState::Running(Probe::PodFailure), next: None }
                    }
                    unready => Self { state: PodState::Running(Probe::Passing), next: unready },
                }
            }
            Outcome::Fail(failure) => match failure {
                PodFailure::Unschedulable => for_good(PodState::Unschedulable),
                PodFailure::FailedMount => for_good(PodState::MountFailed),
                PodFailure::InvalidImageName => for_good(PodState::StartFailed(StartError::ImageName)),
                PodFailure::ErrImagePull => for_good(PodState::StartFailed(StartError::Pull)),
                PodFailure::ImagePullBackOff => for_good(PodState::StartFailed(StartError::PullBackOff)),
                PodFailure::CreateContainerConfigError => {
                    for_good(PodState::StartFailed(StartError::Environment))
                }
                PodFailure::InitCrashLoopBackOff => {
                    Self::crashing(PodState::InitCrashing, CrashReason::Error, started, now)
                }
                PodFailure::CrashLoopBackOff => {
                    Self::crashing(PodState::Crashing, CrashReason::Error, started, now)
                }
                PodFailure::OomKilled => {
                    Self::crashing(PodState::Crashing, CrashReason::OutOfMemory, started, now)
                }
                PodFailure::NeverReady => for_good(PodState::Running(Probe::PodFailure)),
            },
        }
    }

    /// The first restart is immediate; each further one waits for its back-off.
    fn crashing(
        state: fn(Crash) -> PodState,
        reason: CrashReason,
        started: Timestamp,
        now: Timestamp,
    ) -> Self {
        let (mut restarts, mut ended, mut wait) = (1, started, INITIAL_BACK_OFF);
        while ended + wait <= now && wait < MAX_BACK_OFF {
            restarts += 1;
            ended += wait;
            wait = (wait + wait).min(MAX_BACK_OFF);
        }
        // From here on all waits are equal, so division yields their number, even if a pod crashes for days.
        let missed = (now.duration_since(ended).as_secs() / wait.as_secs()).max(0);
        restarts += missed;
        ended += SignedDuration::from_secs(missed * wait.as_secs());
        Self { state: state(Crash { reason, restarts, ended, wait }), next: Some(ended + wait) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(outcome: Outcome, milliseconds: i64) -> PodTimeline {
        let start = Timestamp::UNIX_EPOCH;
        PodTimeline::of(outcome, start, start + SignedDuration::from_millis(milliseconds))
    }

    fn ready(after: i64, lasting: Option<i64>) -> Outcome {
        let lasting = lasting.map(SignedDuration::from_millis);
        Outcome::Ready { after: SignedDuration::from_millis(after), lasting }
    }

    #[test]
    fn a_pod_goes_through_every_state() {
        let outcome = ready(100, Some(50));
        let states = [0, 5, 10, 99, 100, 149, 150].map(|ms| at(outcome, ms).state);
        let probes = [Probe::Pending, Probe::Pending, Probe::Passing, Probe::Passing, Probe::PodFailure];
        assert_eq!(states[..2], [PodState::Created, PodState::Starting]);
        assert_eq!(states[2..], probes.map(PodState::Running));
    }

    #[test]
    fn a_pod_is_never_ready_before_it_runs() {
        assert_eq!(at(ready(0, None), 9).state, PodState::Starting);
        assert_eq!(at(ready(0, None), 10).state, PodState::Running(Probe::Passing));
    }

    #[test]
    fn restarts_slow_down_and_never_stop() {
        let restarts =
            |seconds: i64| match at(Outcome::Fail(PodFailure::CrashLoopBackOff), 10 + seconds * 1000).state {
                PodState::Crashing(crash) => crash.restarts,
                other => panic!("{other:?}"),
            };
        assert_eq!([0, 9, 10, 29, 30, 70].map(restarts), [1, 1, 2, 2, 3, 4]);
        assert_eq!(restarts(86_400 + 300) - restarts(86_400), 1);
    }

    #[test]
    fn the_state_changes_exactly_when_predicted() {
        let failures = PodFailure::ALL.map(Outcome::Fail);
        for outcome in failures.into_iter().chain([ready(100, Some(50))]) {
            let start = Timestamp::UNIX_EPOCH;
            let mut now = start;
            for _ in 0..20 {
                let before = PodTimeline::of(outcome, start, now);
                let Some(next) = before.next else { break };
                assert!(next > now);
                let just_before = PodTimeline::of(outcome, start, next - SignedDuration::from_nanos(1));
                assert_eq!(just_before.state, before.state);
                assert_ne!(PodTimeline::of(outcome, start, next).state, before.state);
                now = next;
            }
        }
    }
}
