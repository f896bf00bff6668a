//! Decides whether components have reached an awaited state.

use crate::plan::states::{BatchState, RollingState};
use crate::report::status::ComponentStatus;

/// The awaited state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The pods of the current batch are ready.
    Ready,
    /// The run is held at its gate, or complete.
    Gate,
    /// The rollout is complete.
    Done,
}

/// Whether the awaited state was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitState {
    /// It was reached.
    Reached,
    /// It was not reached yet.
    Awaited,
    /// The run has failed.
    Failed,
}

/// Whether the component's run has failed.
#[must_use]
pub fn has_run_failed(item: &ComponentStatus) -> bool {
    item.rolling_state == RollingState::RolloutFailed
}

impl Until {
    /// Whether a component has reached the state.
    pub fn judge(self, item: &ComponentStatus) -> WaitState {
        if item.is_held_in_workflow {
            return if self == Self::Gate { WaitState::Reached } else { WaitState::Awaited };
        }
        let reached = match item.rolling_state {
            RollingState::RolloutFailed => return WaitState::Failed,
            RollingState::RolloutSucceed => item.is_whole,
            RollingState::RollingInBatches => match item.batch_rolling_state {
                // In this state, a ready batch means that its gate is closed: otherwise, the next batch would have
                // begun.
                BatchState::Ready => self != Self::Done,
                BatchState::Finalizing => self == Self::Ready,
                BatchState::Initializing
                | BatchState::InRolling
                | BatchState::Verifying
                | BatchState::VerifyFailed => false,
            },
            RollingState::Finalising => self == Self::Ready,
            RollingState::Initializing | RollingState::RolloutAbandoning => false,
        };
        if reached { WaitState::Reached } else { WaitState::Awaited }
    }

    /// Whether all components have reached the state; failed as soon as one of them has failed.
    pub fn judge_all(self, items: &[ComponentStatus]) -> WaitState {
        let states = || items.iter().map(|item| self.judge(item));
        if states().any(|state| state == WaitState::Failed) {
            WaitState::Failed
        } else if !items.is_empty() && states().all(|state| state == WaitState::Reached) {
            WaitState::Reached
        } else {
            WaitState::Awaited
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(rolling_state: RollingState, batch_rolling_state: BatchState) -> ComponentStatus {
        ComponentStatus { rolling_state, batch_rolling_state, is_whole: true, ..ComponentStatus::default() }
    }

    #[test]
    fn a_succeeded_component_that_is_no_longer_whole_is_awaited() {
        let gone =
            ComponentStatus { is_whole: false, ..item(RollingState::RolloutSucceed, BatchState::Ready) };
        for until in [Until::Ready, Until::Gate, Until::Done] {
            assert_eq!(until.judge(&gone), WaitState::Awaited);
        }
    }

    #[test]
    fn each_status_reaches_the_expected_states() {
        use WaitState::{Awaited, Failed, Reached};
        let cases = [
            (RollingState::Initializing, BatchState::Initializing, [Awaited, Awaited, Awaited]),
            (RollingState::RollingInBatches, BatchState::InRolling, [Awaited, Awaited, Awaited]),
            (RollingState::RollingInBatches, BatchState::Verifying, [Awaited, Awaited, Awaited]),
            (RollingState::RollingInBatches, BatchState::Finalizing, [Reached, Awaited, Awaited]),
            (RollingState::RollingInBatches, BatchState::Ready, [Reached, Reached, Awaited]),
            (RollingState::Finalising, BatchState::Ready, [Reached, Awaited, Awaited]),
            (RollingState::RolloutSucceed, BatchState::Ready, [Reached, Reached, Reached]),
            (RollingState::RolloutFailed, BatchState::VerifyFailed, [Failed, Failed, Failed]),
        ];
        for (rolling, batch, expected) in cases {
            let item = item(rolling, batch);
            let states = [Until::Ready, Until::Gate, Until::Done].map(|until| until.judge(&item));
            assert_eq!(states, expected, "{rolling} {batch}");
        }
    }

    #[test]
    fn all_components_have_to_reach_the_state_and_one_failure_suffices() {
        let (done, going) = (
            item(RollingState::RolloutSucceed, BatchState::Ready),
            item(RollingState::RollingInBatches, BatchState::Verifying),
        );
        let failed = item(RollingState::RolloutFailed, BatchState::VerifyFailed);
        assert_eq!(Until::Done.judge_all(&[done.clone(), going.clone()]), WaitState::Awaited);
        assert_eq!(Until::Done.judge_all(&[done.clone(), done]), WaitState::Reached);
        assert_eq!(Until::Done.judge_all(&[going, failed]), WaitState::Failed);
        assert_eq!(Until::Done.judge_all(&[]), WaitState::Awaited);
    }
}
