//! How long to wait before another try: longer after each failure, up to a bound, and never in step with others.
//!
//! Without jitter a hundred processes that lost the same API server come back to it at the same moments. The
//! randomness has a seed, so that a test can repeat a history.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;

/// The most doublings that are counted; any delay has reached its bound by then.
const MAX_DOUBLINGS: u32 = 20;

/// How delays grow.
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
    /// A source that repeats itself for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Rng::with_seed(seed))))
    }

    /// A delay in the later half of a bound.
    #[must_use]
    pub fn spread(&self, bound: Duration) -> Duration {
        let half = bound / 2;
        bound - half.mul_f64(self.0.borrow_mut().f64())
    }
}

/// Counts failures in a row, and says how long to wait after each.
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

    /// The failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.get()
    }

    /// Takes note of a failure. How long to wait after it: between a half and the whole of the bound that doubles.
    pub fn next_delay(&self) -> Duration {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let factor = 1_u32 << failures.min(MAX_DOUBLINGS);
        self.jitter.spread(self.bounds.initial.saturating_mul(factor).min(self.bounds.max))
    }

    /// Takes note of a failure after which the server asks for a delay. It is at least that long, and longer by a
    /// delay of our own: all clients of a server that is overloaded are asked for the same.
    pub fn next_delay_after(&self, asked: Duration) -> Duration {
        asked.saturating_add(self.next_delay())
    }

    /// Takes note of a success.
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
    fn a_seed_repeats_itself_and_no_other() {
        assert_eq!(delays(7, 20), delays(7, 20));
        assert_ne!(delays(7, 1), delays(8, 1));
    }

    #[test]
    fn a_success_begins_anew() {
        let backoff = Backoff::new(BOUNDS, Jitter::seeded(1));
        assert!((0..10).all(|_| !backoff.next_delay().is_zero()));
        backoff.reset();
        assert_eq!(backoff.failures(), 0);
        assert!(backoff.next_delay() <= BOUNDS.initial);
    }

    #[test]
    fn what_the_server_asks_for_is_the_least() {
        let backoff = Backoff::new(BOUNDS, Jitter::seeded(1));
        let asked = Duration::from_secs(20);
        let delay = backoff.next_delay_after(asked);
        assert!(asked < delay && delay <= asked + BOUNDS.initial, "{delay:?}");
        let forever =
            Backoff::new(BackoffBounds { initial: BOUNDS.initial, max: Duration::MAX }, Jitter::seeded(1));
        assert!((0..100).all(|_| !forever.next_delay().is_zero()));
    }
}
