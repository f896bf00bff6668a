//! Exponential backoff with jitter: the delay grows after each failure up to a bound, and differs between processes.
//!
//! Without jitter, a hundred processes that lost the same API server would retry at the same moments. The randomness is
//! seeded, so that a test can reproduce a history.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;

/// The maximum number of doublings; by then, any delay has reached its bound.
const MAX_DOUBLINGS: u32 = 20;

/// The bounds of the delays.
#[derive(Debug, Clone, Copy)]
pub struct BackoffBounds {
    /// The bound of the first delay; it doubles with each failure.
    pub initial: Duration,
    /// The bound of every delay.
    pub max: Duration,
}

/// A seeded source of delays. Clones draw from the same source.
#[derive(Debug, Clone)]
pub struct Jitter(Rc<RefCell<Rng>>);

impl Jitter {
    /// A source that produces the same delays for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Rng::with_seed(seed))))
    }

    /// A random delay between half of a bound and the bound.
    #[must_use]
    pub fn spread(&self, bound: Duration) -> Duration {
        let half = bound / 2;
        bound - half.mul_f64(self.0.borrow_mut().f64())
    }
}

/// Counts consecutive failures, and computes the delay after each.
#[derive(Debug)]
pub struct Backoff {
    bounds: BackoffBounds,
    jitter: Jitter,
    failures: Cell<u32>,
}

impl Backoff {
    /// A backoff before the first failure.
    #[must_use]
    pub fn new(bounds: BackoffBounds, jitter: Jitter) -> Self {
        Self { bounds, jitter, failures: Cell::new(0) }
    }

    /// The number of failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.get()
    }

    /// Counts a failure, and returns the delay after it: between half of the doubling bound and the bound.
    pub fn next_delay(&self) -> Duration {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let factor = 1_u32 << failures.min(MAX_DOUBLINGS);
        self.jitter.spread(self.bounds.initial.saturating_mul(factor).min(self.bounds.max))
    }

    /// Counts a failure for which the server requested a delay, and returns that delay plus one of our own: an
    /// overloaded server requests the same delay of all clients.
    pub fn next_delay_after(&self, asked: Duration) -> Duration {
        asked.saturating_add(self.next_delay())
    }

    /// Resets the count after a success.
    pub fn reset(&self) {
        self.failures.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: BackoffBounds =
        BackoffBounds { initial: Duration::from_millis(200), max: Duration::from_secs(5) };

    fn delays(seed: u64, count: usize) -> Vec<Duration> {
        let backoff = Backoff::new(BOUNDS, Jitter::seeded(seed));
        (0..count).map(|_| backoff.next_delay()).collect()
    }

    #[test]
    fn delays_double_up_to_their_bound_and_vary_by_half() {
        for seed in 0..1000 {
            let bounds = [200, 400, 800, 1600, 3200, 5000, 5000].map(Duration::from_millis);
            for (delay, bound) in delays(seed, 50).into_iter().zip(bounds.into_iter().chain([BOUNDS.max; 43]))
            {
                assert!(bound / 2 <= delay && delay <= bound, "{seed}: {delay:?} of {bound:?}");
            }
        }
    }

    #[test]
    fn seeds_reproduce_their_delays_and_differ_from_each_other() {
        assert_eq!(delays(7, 20), delays(7, 20));
        assert_ne!(delays(7, 1), delays(8, 1));
    }

    #[test]
    fn a_success_resets_the_delays() {
        let backoff = Backoff::new(BOUNDS, Jitter::seeded(1));
        assert!((0..10).all(|_| !backoff.next_delay().is_zero()));
        backoff.reset();
        assert_eq!(backoff.failures(), 0);
        assert!(backoff.next_delay() <= BOUNDS.initial);
    }

    #[test]
    fn delays_exceed_the_one_requested_by_the_server() {
        let backoff = Backoff::new(BOUNDS, Jitter::seeded(1));
        let asked = Duration::from_secs(20);
        let delay = backoff.next_delay_after(asked);
        assert!(asked < delay && delay <= asked + BOUNDS.initial, "{delay:?}");
        let forever =
            Backoff::new(BackoffBounds { initial: BOUNDS.initial, max: Duration::MAX }, Jitter::seeded(1));
        assert!((0..100).all(|_| !forever.next_delay().is_zero()));
    }
}
