//! Acquires the Lease that a command runs under, and waits for the processes that it must not run beside.
//!
//! Runs of an application wait in line for its Lease. If another process drives the application, a command about one
//! component that does not wait takes over that component alone; the other components reach their own targets. Claims
//! fence both runs; the component's Lease only shows that a process drives it.

use std::time::Duration;

use crate::cluster::lease::{self, Acquisition, Attempt, LeaseError, LeaseGuard, LeaseKey, LeaseLock};
use crate::cluster::session::Session;
use crate::plan::record::Record;
use crate::plan::run::{LeaseScope, Outcome};

/// The process that acquires a Lease, what it acts on, and how long it waits for others.
#[derive(Clone, Copy)]
pub struct Claimant<'a> {
    /// The session.
    pub session: &'a Session,
    /// The namespace.
    pub namespace: &'a str,
    /// The application.
    pub application: &'a str,
    /// The component that the command is about; `None` for a whole application.
    pub component: Option<&'a str>,
    /// The identity of the process.
    pub identity: &'a str,
    /// How long to wait for other runs; zero means no limit.
    pub lock_timeout: Duration,
}

/// Whether the process had to wait for runs that had taken over components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeovers {
    /// There was no such run.
    None,
    /// There was at least one, and all have ended.
    Ended,
}

impl Claimant<'_> {
    /// Acquires the Lease to run under; calls `announce` with each holder that it waits for.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn acquire(
        &self,
        turn: Acquisition,
        announce: impl FnMut(&str),
    ) -> Result<(LeaseGuard, LeaseScope), LeaseError> {
        let of_application = || self.lock(LeaseKey::of_application(self.application));
        if let Some(component) = self.component {
            let holder = match of_application().try_acquire().await? {
                Attempt::Acquired(lease) => return Ok((*lease, LeaseScope::Application)),
                Attempt::Busy { holder } => holder,
            };
            if turn == Acquisition::TakeOver || holder == self.identity {
                let lock = self.lock(LeaseKey::of_component(self.application, component));
                let lease = lock.acquire(Acquisition::TakeOver, self.lock_timeout, announce).await?;
                return Ok((lease, LeaseScope::Component));
            }
        }
        Ok((of_application().acquire(turn, self.lock_timeout, announce).await?, LeaseScope::Application))
    }

    /// Whether a process drives the application, or has taken over the component.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn is_driven(&self) -> Result<bool, LeaseError> {
        let of_component = self.component.map(|name| LeaseKey::of_component(self.application, name));
        for key in [LeaseKey::of_application(self.application)].into_iter().chain(of_component) {
            if lease::lease_holder(self.session, self.namespace, &key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for the runs that have taken over recorded components and still drive them; calls `announce` with the
    /// component and the holder.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn await_takeovers<'a>(
        &self,
        records: impl IntoIterator<Item = &'a Record>,
        mut announce: impl FnMut(&str, &str),
    ) -> Result<Takeovers, LeaseError> {
        let mut takeovers = Takeovers::None;
        for record in records {
            let is_open = matches!(record.run.outcome, Outcome::Running | Outcome::Paused);
            let key = LeaseKey::of_run(record);
            if !is_open
                || record.run.lease != LeaseScope::Component
                || lease::lease_holder(self.session, self.namespace, &key).await?.is_none()
            {
                continue;
            }
            let announce = |holder: &str| announce(&record.component, holder);
            self.lock(key).acquire(Acquisition::Wait, self.lock_timeout, announce).await?.release().await;
            takeovers = Takeovers::Ended;
        }
        Ok(takeovers)
    }

    fn lock(&self, key: LeaseKey) -> LeaseLock {
        LeaseLock::new(self.session.without_queue(), self.namespace, key, self.identity)
    }
}
