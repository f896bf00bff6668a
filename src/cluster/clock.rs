//! The only place that reads time.
//!
//! Elapsed time comes from tokio's clock, so that tests can pause it. It stops while the machine is suspended, so the
//! time of day is read from the system each time.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that starts when it is created.
#[derive(Debug, Clone)]
pub struct Clock {
    day: TimeOfDay,
    start: Instant,
}

/// The source of the time of day.
#[derive(Debug, Clone, Copy)]
enum TimeOfDay {
    System,
    /// The time at which the clock was created; the elapsed time is added to it.
    From(Timestamp),
}

/// A point on a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn system() -> Self {
        Self { day: TimeOfDay::System, start: Instant::now() }
    }

    /// A clock whose time of day starts at `base`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn starting_at(base: Timestamp) -> Self {
        Self { day: TimeOfDay::From(base), start: Instant::now() }
    }

    /// The time of day.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match self.day {
            TimeOfDay::System => Timestamp::now(),
            TimeOfDay::From(base) => base.saturating_add(self.elapsed()).unwrap_or(Timestamp::MAX),
        }
    }

    /// The time since the clock was created.
    #[must_use]
    pub fn elapsed(&self) -> SignedDuration {
        SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::MAX)
    }

    /// The current moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn moment(&self) -> Moment {
        Moment(Instant::now())
    }

    /// Waits until a moment; forever if it is `None`.
    pub async fn until(&self, moment: Option<Moment>) {
        match moment {
            Some(moment) => tokio::time::sleep_until(moment.0).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for a duration.
    pub async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Awaits a future for at most `limit`; `None` on timeout. Zero means no limit.
    ///
    /// The future is boxed to keep the futures that await it small: each component has one.
    pub fn within<F: Future>(&self, limit: Duration, future: F) -> impl Future<Output = Option<F::Output>> {
        let future = Box::pin(future);
        async move {
            if limit.is_zero() { Some(future.await) } else { tokio::time::timeout(limit, future).await.ok() }
        }
    }
}

impl Moment {
    /// The moment at which a limit that starts now is reached; `None` (never) for zero, which means no limit.
    #[must_use]
    pub fn after(self, limit: Duration) -> Option<Self> {
        if limit.is_zero() { None } else { self.0.checked_add(limit).map(Self) }
    }

    /// How much later it is than another moment; zero if it is not later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The moment after a duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As after a laptop was suspended, when the elapsed time and the time of day differ.
    #[tokio::test(start_paused = true)]
    async fn the_time_of_day_is_the_systems() {
        let (system, other) = (Clock::system(), Clock::starting_at(Timestamp::UNIX_EPOCH));
        let before = system.now();
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert_eq!((system.elapsed().as_hours(), other.elapsed().as_hours()), (24, 24));
        assert!(system.now().duration_since(before).as_hours() < 24, "a day has not passed");
        assert_eq!(other.now().to_string(), "1970-01-02T00:00:00Z");
    }
}
