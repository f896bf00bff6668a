//! Where a pod should be by now, and when that changes next: a pure function of its rule and its age.

use jiff::{SignedDuration, Timestamp};

use crate::sandbox::object::meta::later;
use crate::sandbox::rules::Outcome;
use crate::sandbox::rules::failing::Failing;
use crate::sandbox::store::queue::CONTROLLER_DELAY;

/// Where a pod should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    pub(super) state: State,
    /// When this changes, if it does.
    pub(super) next: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has looked at it yet.
    Waiting,
    Unschedulable,
    Starting,
    Running(Probe),
    /// Its volumes cannot be mounted.
    Mounting,
    /// Its containers cannot be made.
    Blocked(Block),
    Crashing(Crash),
    /// One of its init containers is.
    InitCrashing(Crash),
}

/// Why a container cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Its image could just now not be pulled.
    Pull,
    /// Its image will be pulled again later.
    PullBackOff,
    ImageName,
    /// What its environment needs is not there.
    Environment,
}

/// How the readiness probe of a running pod goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// It will pass.
    Awaited,
    Passing,
    Failing,
}

/// How a container ends that crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Error,
    OutOfMemory,
}

/// How often a container was restarted, when and how it last ended, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) ending: Ending,
    pub(super) restarts: i64,
    pub(super) ended: Timestamp,
    pub(super) wait: SignedDuration,
}

/// The first wait after a crash; it doubles up to the longest.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(300);

impl Outlook {
    /// Binding takes one hop after the pod was made, starting the container another.
    pub(super) fn of(outcome: Outcome, born: Timestamp, now: Timestamp) -> Self {
        let (bound, started) = (born + CONTROLLER_DELAY, born + CONTROLLER_DELAY + CONTROLLER_DELAY);
        if now < bound {
            return Self { state: State::Waiting, next: Some(bound) };
        }
        let for_good = |state| Self { state, next: None };
        // Both come before anything starts.
        if outcome == Outcome::Fail(Failing::Unschedulable) {
            return for_good(State::Unschedulable);
        }
        if outcome == Outcome::Fail(Failing::FailedMount) {
            return for_good(State::Mounting);
        }
        if now < started {
            return Self { state: State::Starting, next: Some(started) };
        }
        match outcome {
            Outcome::Ready { after, lasting } => {
                let ready = later(born, after).max(started);
                if now < ready {
                    return Self { state: State::Running(Probe::Awaited), next: Some(ready) };
                }
                match lasting.map(|lasting| later(ready, lasting)) {
                    Some(unready) if now >= unready => {
                        Self { state: State::Running(Probe::Failing), next: None }
                    }
                    unready => Self { state: State::Running(Probe::Passing), next: unready },
                }
            }
            Outcome::Fail(failing) => match failing {
                Failing::Unschedulable => for_good(State::Unschedulable),
                Failing::FailedMount => for_good(State::Mounting),
                Failing::InvalidImageName => for_good(State::Blocked(Block::ImageName)),
                Failing::ErrImagePull => for_good(State::Blocked(Block::Pull)),
                Failing::ImagePullBackOff => for_good(State::Blocked(Block::PullBackOff)),
                Failing::CreateContainerConfigError => for_good(State::Blocked(Block::Environment)),
                Failing::InitCrashLoopBackOff => {
                    Self::crashing(State::InitCrashing, Ending::Error, started, now)
                }
                Failing::CrashLoopBackOff => Self::crashing(State::Crashing, Ending::Error, started, now),
                Failing::OomKilled => Self::crashing(State::Crashing, Ending::OutOfMemory, started, now),
                Failing::NeverReady => for_good(State::Running(Probe::Failing)),
            },
        }
    }

    /// The container is restarted once at once, and then after ever longer waits.
    fn crashing(state: fn(Crash) -> State, ending: Ending, started: Timestamp, now: Timestamp) -> Self {
        let (mut restarts, mut ended, mut wait) = (1, started, FIRST_WAIT);
        while ended + wait <= now && wait < LONGEST_WAIT {
            restarts += 1;
            ended += wait;
            wait = (wait + wait).min(LONGEST_WAIT);
        }
        // From here on the waits are alike, so days need not be counted one by one.
        let missed = (now.duration_since(ended).as_secs() / wait.as_secs()).max(0);
        restarts += missed;
        ended += SignedDuration::from_secs(missed * wait.as_secs());
        Self { state: state(Crash { ending, restarts, ended, wait }), next: Some(ended + wait) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(outcome: Outcome, milliseconds: i64) -> Outlook {
        let born = Timestamp::UNIX_EPOCH;
        Outlook::of(outcome, born, born + SignedDuration::from_millis(milliseconds))
    }

    fn ready(after: i64, lasting: Option<i64>) -> Outcome {
        let lasting = lasting.map(SignedDuration::from_millis);
        Outcome::Ready { after: SignedDuration::from_millis(after), lasting }
    }

    #[test]
    fn a_pod_goes_through_every_state() {
        let outcome = ready(100, Some(50));
        let states = [0, 5, 10, 99, 100, 149, 150].map(|ms| at(outcome, ms).state);
        let probes = [Probe::Awaited, Probe::Awaited, Probe::Passing, Probe::Passing, Probe::Failing];
        assert_eq!(states[..2], [State::Waiting, State::Starting]);
        assert_eq!(states[2..], probes.map(State::Running));
    }

    #[test]
    fn it_is_never_ready_before_it_runs() {
        assert_eq!(at(ready(0, None), 9).state, State::Starting);
        assert_eq!(at(ready(0, None), 10).state, State::Running(Probe::Passing));
    }

    #[test]
    fn restarts_grow_ever_slower_and_never_stop() {
        let restarts =
            |seconds: i64| match at(Outcome::Fail(Failing::CrashLoopBackOff), 10 + seconds * 1000).state {
                State::Crashing(crash) => crash.restarts,
                other => panic!("{other:?}"),
            };
        assert_eq!([0, 9, 10, 29, 30, 70].map(restarts), [1, 1, 2, 2, 3, 4]);
        assert_eq!(restarts(86_400 + 300) - restarts(86_400), 1);
    }

    #[test]
    fn what_changes_next_changes_then() {
        let failures = Failing::ALL.map(Outcome::Fail);
        for outcome in failures.into_iter().chain([ready(100, Some(50))]) {
            let born = Timestamp::UNIX_EPOCH;
            let mut now = born;
            for _ in 0..20 {
                let before = Outlook::of(outcome, born, now);
                let Some(next) = before.next else { break };
                assert!(next > now);
                let just_before = Outlook::of(outcome, born, next - SignedDuration::from_nanos(1));
                assert_eq!(just_before.state, before.state);
                assert_ne!(Outlook::of(outcome, born, next).state, before.state);
                now = next;
            }
        }
    }
}
