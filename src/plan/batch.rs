//! Batch arithmetic: resolves the sizes in a manifest to absolute ones, as `rolloutBatches` of KubeVela's rollout
//! trait.

use thiserror::Error;

use crate::oam::application::{Amount, Batch};
use crate::plan::run::FrozenBatch;

/// A list of batches that does not add up to the change of a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", self.message())]
pub struct BatchSumError {
    /// The absolute batch sizes, as far as they can be resolved.
    pub sizes: Vec<u32>,
    /// What they add up to.
    pub sum: u64,
    /// What they have to add up to.
    pub change: u32,
    /// Describes the change, such as `rollout of 5 replicas` or `scale from 5 to 7`.
    pub what: String,
    /// Whether the last batch takes the rest, and `sizes` are those before it.
    pub open: bool,
}

impl BatchSumError {
    fn message(&self) -> String {
        let mut sizes = self.sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" + ");
        if self.sizes.len() > 1 {
            sizes = format!("{sizes} = {}", self.sum);
        }
        if self.ends_empty() {
            format!(
                "`rolloutBatches` do not fit: {sizes} leaves nothing for the last batch, which has to move at least one pod"
            )
        } else if self.open {
            format!(
                "`rolloutBatches` do not fit: those before the last take {sizes}, but the {} moves {}",
                self.what, self.change
            )
        } else {
            format!(
                "`rolloutBatches` do not fit: {sizes}, but the {} needs a sum of {}",
                self.what, self.change
            )
        }
    }

    /// Whether the sum is right and the last batch moves nothing.
    fn ends_empty(&self) -> bool {
        !self.open && self.sum == u64::from(self.change)
    }

    /// How to correct it.
    #[must_use]
    pub fn hint(&self) -> String {
        if self.ends_empty() {
            return "remove the empty batch".to_owned();
        }
        format!(
            "make the batches add up to {} (first release, upgrade and rollback: the target size; scaling: the difference), \
             use percentages, or omit `rolloutBatches` for a single batch",
            self.change
        )
    }
}

/// Resolves an amount against its base; percentages round up.
#[must_use]
pub fn resolve_amount(amount: Amount, base: u32) -> u32 {
    match amount {
        Amount::Count(count) => count,
        Amount::Percent(percent) => {
            let exact = u64::from(percent) * u64::from(base);
            u32::try_from(exact.div_ceil(100)).unwrap_or(u32::MAX)
        }
    }
}

/// Computes the absolute batches of a run that moves `change` pods.
///
/// `change` is the target size of an upgrade or a first release, and the difference of a scale; it is also the base of
/// percentages. The last batch, if it is a percentage, takes the rest; otherwise the sum has to be exact. Without
/// `batches`, there is one batch.
///
/// With a percentage last, one manifest fits every size: earlier percentages take at most what is left, so the last
/// batches of a small change may be empty. Empty batches are kept: gates and `batchPartition` count batches. Examples
/// of 20 %, 50 % and 30 %:
///
/// | change | batches |
/// |---|---|
/// | 10 | 2, 5, 3 |
/// | 4 | 1, 2, 1 |
/// | 2 | 1, 1, 0 |
/// | 1 | 1, 0, 0 |
///
/// # Errors
/// [`BatchSumError`] if the earlier batches take more than the change, or the sum is wrong.
pub fn freeze_batches(
    batches: Option<&[Batch]>,
    change: u32,
    what: &str,
) -> Result<Vec<FrozenBatch>, BatchSumError> {
    let Some((last, earlier)) = batches.and_then(<[Batch]>::split_last) else {
        return Ok(vec![FrozenBatch { size: change, max_unavailable: 0 }]);
    };
    let mut frozen: Vec<FrozenBatch> = earlier.iter().map(|batch| absolute(*batch, change)).collect();
    let sum = |frozen: &[FrozenBatch]| frozen.iter().map(|batch| u64::from(batch.size)).sum::<u64>();
    let sum_error = |frozen: &[FrozenBatch], sum, open| BatchSumError {
        sizes: frozen.iter().map(|batch| batch.size).collect(),
        sum,
        change,
        what: what.to_owned(),
        open,
    };
    let mut closing = absolute(*last, change);
    match last.replicas {
        Amount::Percent(_) => {
            let mut left = change;
            for (batch, frozen) in earlier.iter().zip(&mut frozen) {
                if let Amount::Percent(_) = batch.replicas {
                    frozen.size = frozen.size.min(left);
                }
                left = left.saturating_sub(frozen.size);
            }
            let before = sum(&frozen);
            if before > u64::from(change) {
                return Err(sum_error(&frozen, before, true));
            }
            closing.size = left;
            frozen.push(closing);
            Ok(frozen)
        }
        Amount::Count(_) => {
            // The last batch moves at least one pod, unless there is nothing to move at all.
            let fits = sum(&frozen) < u64::from(change) || change == 0;
            frozen.push(closing);
            let sum = sum(&frozen);
            if fits && sum == u64::from(change) { Ok(frozen) } else { Err(sum_error(&frozen, sum, false)) }
        }
    }
}

/// Whether these batches are already absolute ones, in numbers of pods.
#[must_use]
pub fn is_frozen(batches: &[Batch], frozen: &[FrozenBatch]) -> bool {
    let amounts = |frozen: &FrozenBatch| Batch {
        replicas: Amount::Count(frozen.size),
        max_unavailable: Amount::Count(frozen.max_unavailable),
    };
    batches.iter().copied().eq(frozen.iter().map(amounts))
}

/// A single batch of `change` pods, for a component of `size` pods whose batches are for a different change: it
/// tolerates as many unready pods as the last of them.
#[must_use]
pub fn single_batch(batches: Option<&[Batch]>, change: u32, size: u32) -> FrozenBatch {
    let tolerated = batches.and_then(<[Batch]>::last).map(|last| resolve_amount(last.max_unavailable, size));
    FrozenBatch { size: change, max_unavailable: tolerated.unwrap_or(0) }
}

fn absolute(batch: Batch, base: u32) -> FrozenBatch {
    FrozenBatch {
        size: resolve_amount(batch.replicas, base),
        max_unavailable: resolve_amount(batch.max_unavailable, base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sizes: &[u32]) -> Vec<Batch> {
        sizes.iter().map(|size| batch(Amount::Count(*size))).collect()
    }

    fn percents(sizes: &[u32]) -> Vec<Batch> {
        sizes.iter().map(|size| batch(Amount::Percent(*size))).collect()
    }

    fn batch(replicas: Amount) -> Batch {
        Batch { replicas, max_unavailable: Amount::Count(0) }
    }

    fn sizes(batches: &[Batch], change: u32) -> Option<Vec<u32>> {
        freeze_batches(Some(batches), change, "upgrade")
            .ok()
            .map(|frozen| frozen.iter().map(|batch| batch.size).collect())
    }

    #[test]
    fn absolute_batches_have_to_add_up() {
        assert_eq!(sizes(&counts(&[2, 3]), 5), Some(vec![2, 3]));
        assert_eq!(sizes(&counts(&[2, 2]), 5), None);
        assert_eq!(sizes(&counts(&[2, 4]), 5), None);
        assert_eq!(sizes(&counts(&[5]), 5), Some(vec![5]));
    }

    #[test]
    fn the_last_batch_moves_at_least_one_pod() {
        assert_eq!(sizes(&counts(&[5, 0]), 5), None);
        assert_eq!(sizes(&counts(&[0, 5]), 5), Some(vec![0, 5]));
    }

    #[test]
    fn percentages_round_up_and_the_last_batch_takes_the_rest() {
        assert_eq!(sizes(&percents(&[20, 50, 30]), 5), Some(vec![1, 3, 1]));
        assert_eq!(sizes(&percents(&[20, 50, 99]), 5), Some(vec![1, 3, 1]));
        assert_eq!(sizes(&percents(&[0, 100]), 5), Some(vec![0, 5]));
    }

    #[test]
    fn percentages_fit_every_size() {
        for (change, expected) in [
            (10, [2, 3, 5]),
            (5, [1, 2, 2]),
            (4, [1, 2, 1]),
            (3, [1, 1, 1]),
            (2, [1, 1, 0]),
            (1, [1, 0, 0]),
            (0, [0, 0, 0]),
        ] {
            assert_eq!(sizes(&percents(&[20, 30, 50]), change), Some(expected.to_vec()), "{change}");
        }
        assert_eq!(sizes(&percents(&[50, 50, 1]), 5), Some(vec![3, 2, 0]));
        let mut canary = counts(&[1]);
        canary.extend(percents(&[50, 50]));
        assert_eq!(sizes(&canary, 1), Some(vec![1, 0, 0]));
        assert_eq!(sizes(&canary, 4), Some(vec![1, 2, 1]));
    }

    #[test]
    fn counts_before_a_percentage_take_no_more_than_the_change() {
        let mut canary = counts(&[3]);
        canary.extend(percents(&[50]));
        let sum_error = freeze_batches(Some(&canary), 2, "rollout of 2 replicas").unwrap_err();
        assert_eq!(
            sum_error.to_string(),
            "`rolloutBatches` do not fit: those before the last take 3, but the rollout of 2 replicas moves 2"
        );
    }

    #[test]
    fn percentages_and_integers_mix() {
        let mut mixed = percents(&[20]);
        mixed.extend(counts(&[4]));
        assert_eq!(sizes(&mixed, 5), Some(vec![1, 4]));
        assert_eq!(sizes(&mixed, 6), Some(vec![2, 4]));
        assert_eq!(sizes(&mixed, 7), None);
    }

    #[test]
    fn a_change_of_zero_allows_only_empty_batches() {
        assert_eq!(sizes(&counts(&[0]), 0), Some(vec![0]));
        assert_eq!(sizes(&counts(&[1]), 0), None);
        assert_eq!(freeze_batches(None, 0, "upgrade").unwrap().len(), 1);
    }

    #[test]
    fn without_batches_there_is_one_batch() {
        assert_eq!(
            freeze_batches(None, 7, "scale").unwrap(),
            vec![FrozenBatch { size: 7, max_unavailable: 0 }]
        );
    }

    #[test]
    fn the_error_contains_both_sums() {
        let sum_error = freeze_batches(Some(&counts(&[2, 2])), 5, "rollout of 5 replicas").unwrap_err();
        assert_eq!(
            sum_error.to_string(),
            "`rolloutBatches` do not fit: 2 + 2 = 4, but the rollout of 5 replicas needs a sum of 5"
        );
    }

    #[test]
    fn the_error_names_an_empty_last_batch() {
        let sum_error = freeze_batches(Some(&counts(&[1, 1, 1, 0])), 3, "rollout of 3 replicas").unwrap_err();
        assert_eq!(
            sum_error.to_string(),
            "`rolloutBatches` do not fit: 1 + 1 + 1 + 0 = 3 leaves nothing for the last batch, which has to move at least one \
             pod"
        );
        assert_eq!(sum_error.hint(), "remove the empty batch");
    }

    #[test]
    fn huge_sizes_do_not_overflow() {
        assert_eq!(sizes(&counts(&[u32::MAX, u32::MAX]), 5), None);
        assert_eq!(resolve_amount(Amount::Percent(100), u32::MAX), u32::MAX);
    }
}
