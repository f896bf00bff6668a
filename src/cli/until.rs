//! What `rollout status --until` waits for.

use clap::ValueEnum;

use crate::report::status::ComponentStatus;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// The batch under way has its pods ready
    Ready,
    /// The run is held at its gate, or done
    Gate,
    /// The rollout is done
    Done,
}

/// Whether it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has.
    Reached,
    /// Not yet.
    Awaited,
    /// The run has failed.
    Failed,
}

impl Until {
    /// Whether a component is so far.
    pub fn judge(self, item: &ComponentStatus) -> Verdict {
        match (item.rolling_state.as_str(), item.batch_rolling_state.as_str()) {
            ("rolloutFailed", _) => Verdict::Failed,
            ("rolloutSucceed", _) if item.is_whole => Verdict::Reached,
            // The batch is ready while the run goes on only where its gate is closed.
            ("rollingInBatches", "batchReady") if self != Self::Done => Verdict::Reached,
            ("rollingInBatches", "batchFinalizing") | ("finalising", _) if self == Self::Ready => {
                Verdict::Reached
            }
            _ => Verdict::Awaited,
        }
    }

    /// Whether all are so far; one that has failed decides.
    pub fn judge_all(self, items: &[ComponentStatus]) -> Verdict {
        let verdicts = || items.iter().map(|item| self.judge(item));
        if verdicts().any(|verdict| verdict == Verdict::Failed) {
            Verdict::Failed
        } else if !items.is_empty() && verdicts().all(|verdict| verdict == Verdict::Reached) {
            Verdict::Reached
        } else {
            Verdict::Awaited
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(rolling_state: &str, batch_rolling_state: &str) -> ComponentStatus {
        let (rolling_state, batch_rolling_state) = (rolling_state.to_owned(), batch_rolling_state.to_owned());
        ComponentStatus { rolling_state, batch_rolling_state, is_whole: true, ..ComponentStatus::default() }
    }

    #[test]
    fn what_was_done_once_need_not_be_there_now() {
        let gone = ComponentStatus { is_whole: false, ..item("rolloutSucceed", "batchReady") };
        for until in [Until::Ready, Until::Gate, Until::Done] {
            assert_eq!(until.judge(&gone), Verdict::Awaited);
        }
    }

    #[test]
    fn each_state_is_so_far_for_some() {
        use Verdict::{Awaited, Failed, Reached};
        let cases = [
            ("initializing", "batchInitializing", [Awaited, Awaited, Awaited]),
            ("rollingInBatches", "batchInRolling", [Awaited, Awaited, Awaited]),
            ("rollingInBatches", "batchVerifying", [Awaited, Awaited, Awaited]),
            ("rollingInBatches", "batchFinalizing", [Reached, Awaited, Awaited]),
            ("rollingInBatches", "batchReady", [Reached, Reached, Awaited]),
            ("finalising", "batchReady", [Reached, Awaited, Awaited]),
            ("rolloutSucceed", "batchReady", [Reached, Reached, Reached]),
            ("rolloutFailed", "batchVerifyFailed", [Failed, Failed, Failed]),
        ];
        for (rolling, batch, expected) in cases {
            let item = item(rolling, batch);
            let verdicts = [Until::Ready, Until::Gate, Until::Done].map(|until| until.judge(&item));
            assert_eq!(verdicts, expected, "{rolling} {batch}");
        }
    }

    #[test]
    fn all_have_to_be_so_far_and_one_can_fail() {
        let (done, going) =
            (item("rolloutSucceed", "batchReady"), item("rollingInBatches", "batchVerifying"));
        let failed = item("rolloutFailed", "batchVerifyFailed");
        assert_eq!(Until::Done.judge_all(&[done.clone(), going.clone()]), Verdict::Awaited);
        assert_eq!(Until::Done.judge_all(&[done.clone(), done]), Verdict::Reached);
        assert_eq!(Until::Done.judge_all(&[going, failed]), Verdict::Failed);
        assert_eq!(Until::Done.judge_all(&[]), Verdict::Awaited);
    }
}
