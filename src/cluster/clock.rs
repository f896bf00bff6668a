//! The only place that reads time.
//!
//! Elapsed time comes from tokio's clock, so that tests can pause it; the time of day is read once and
//! then moves with it.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that starts when it is made.
#[derive(Debug, Clone)]
pub struct Clock {
    base: Timestamp,
    start: Instant,
}

/// A point on a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock whose time of day starts at `base`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn starting_at(base: Timestamp) -> Self {
        Self { base, start: Instant::now() }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base.saturating_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// Time since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> SignedDuration {
        SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::MAX)
    }

    /// This moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn moment(&self) -> Moment {
        Moment(Instant::now())
    }

    /// Waits until a moment; for ever where there is none.
    pub async fn until(&self, moment: Option<Moment>) {
        match moment {
            Some(moment) => tokio::time::sleep_until(moment.0).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for a while.
    pub async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Awaits a future for at most `limit`; `None` on timeout. Zero is no limit.
    ///
    /// The future is boxed, so that what waits for it has no room for it: there is one such wait for each component.
    pub fn within<F: Future>(&self, limit: Duration, future: F) -> impl Future<Output = Option<F::Output>> {
        let future = Box::pin(future);
        async move {
            if limit.is_zero() { Some(future.await) } else { tokio::time::timeout(limit, future).await.ok() }
        }
    }
}

impl Moment {
    /// The moment so much later; `None` (never) for zero, which stands for no limit.
    #[must_use]
    pub fn after(self, limit: Duration) -> Option<Self> {
        if limit.is_zero() { None } else { self.0.checked_add(limit).map(Self) }
    }

    /// How much later it is than another; zero where it is not.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The moment exactly so much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(self.0))
    }
}
