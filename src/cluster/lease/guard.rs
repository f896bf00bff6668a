//! Holds a Lease: renews it, notices its loss, and releases it.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{AcquireAttempt, DURATION, HOLDER, LeaseKey, LeaseLock, Predecessor};
use crate::cluster::backoff::BackoffBounds;
use crate::cluster::clock::Moment;
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::workload_writer::{json_patch, patch_params};

/// How long releasing the Lease may take. The work is done by then, and the Lease would expire anyway.
const COURTESY: Duration = Duration::from_secs(3);

/// How long after the last renewal writes are still sent: less than [`super::DURATION`], so that no late write meets a
/// successor that has seen the Lease expire. The ratio is that of client-go.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the Lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// The delay before a failed renewal is retried.
const RENEW_AGAIN: BackoffBounds =
    BackoffBounds { initial: Duration::from_secs(1), max: Duration::from_secs(1) };

/// A Lease that is held for as long as it is renewed.
#[derive(Debug)]
pub struct LeaseGuard {
    queue: LeaseLock,
    predecessor: Predecessor,
    /// When the last successful renewal was requested.
    granted: Rc<Cell<Moment>>,
    renewed: Notify,
    doubted: Notify,
    /// The error of the last renewal, if the server rejected it permanently.
    refusal: RefCell<Option<ClusterError>>,
    refused: Notify,
}

/// The result of one attempt to renew the Lease.
enum Renewal {
    Done,
    /// A retry may succeed, after the delay that the server requests.
    Failed(Duration),
    /// The server rejects renewals permanently.
    Refused(ClusterError),
    LostTo(String),
}

impl LeaseGuard {
    /// A guard for a Lease that was requested at this moment.
    pub(super) fn taken(queue: LeaseLock, asked: Moment, predecessor: Predecessor) -> Self {
        Self {
            queue,
            predecessor,
            granted: Rc::new(Cell::new(asked)),
            renewed: Notify::new(),
            doubted: Notify::new(),
            refusal: RefCell::default(),
            refused: Notify::new(),
        }
    }

    /// Which Lease it is.
    #[must_use]
    pub fn key(&self) -> &LeaseKey {
        &self.queue.key
    }

    /// What is known about the process that held the Lease before.
    #[must_use]
    pub fn predecessor(&self) -> Predecessor {
        self.predecessor
    }

    /// Whether writes may be sent: the Lease was renewed recently enough.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.queue.session.clock().moment() < self.valid_until()
    }

    /// [`LeaseGuard::is_valid`] as a function, for a caller without the guard.
    pub fn validity(&self) -> impl Fn() -> bool + 'static {
        let (granted, clock) = (Rc::clone(&self.granted), self.queue.session.clock().clone());
        move || clock.moment() < granted.get().plus(RENEW_DEADLINE)
    }

    /// Waits until writes may be sent, after the Lease was not renewed in time.
    ///
    /// # Errors
    /// The server's error, if it rejected the renewal permanently.
    pub async fn await_validity(&self) -> Result<(), ClusterError> {
        while !self.is_valid() {
            tokio::select! {
                biased;
                () = self.renewed.notified() => {}
                () = self.refused() => {
                    if let Some(error) = self.refusal() {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Renews the Lease now instead of when it is due, because it may be lost.
    pub fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// The server's error, if it rejected the last renewal permanently: no later one can succeed.
    #[must_use]
    pub fn refusal(&self) -> Option<ClusterError> {
        self.refusal.borrow().clone()
    }

    /// Waits until there is a [`LeaseGuard::refusal`].
    pub async fn refused(&self) {
        let mut refused = pin!(self.refused.notified());
        refused.as_mut().enable();
        if self.refusal.borrow().is_none() {
            refused.await;
        }
    }

    fn valid_until(&self) -> Moment {
        self.granted.get().plus(RENEW_DEADLINE)
    }

    fn extend(&self, asked: Moment) {
        self.granted.set(asked);
        self.refusal.replace(None);
        self.renewed.notify_waiters();
    }

    /// When to give up an attempt that begins now: at the end of the time in which writes are sent, then at the end of
    /// the Lease, since a later answer grants nothing.
    fn give_up_at(&self, now: Moment) -> Moment {
        let ends = [self.valid_until(), self.granted.get().plus(DURATION)];
        ends.into_iter().find(|end| now < *end).unwrap_or_else(|| now.plus(RENEW_DEADLINE))
    }

    /// The present holder of the Lease, if it is another process.
    ///
    /// # Errors
    /// See [`Session::request_untracked`].
    pub async fn current_holder_if_lost(&self) -> Result<Option<String>, ClusterError> {
        let queue = &self.queue;
        let api = queue.session.api::<Lease>(&queue.namespace);
        let Some(lease) = queue.session.request_untracked(api.get_opt(&queue.name())).await? else {
            return Ok(None);
        };
        let token = lease.annotations().get(HOLDER);
        if token.is_some_and(|token| queue.tokens.borrow().contains(token)) {
            return Ok(None);
        }
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        Ok(Some(if holder.is_empty() { "another run".to_owned() } else { holder }))
    }

    /// Renews the Lease for as long as it is polled. Returns the identity of the other process when the Lease is lost.
    pub async fn keep(&self) -> String {
        let session = &self.queue.session;
        let clock = session.clock();
        let backoff = session.backoff(RENEW_AGAIN);
        let mut next = self.granted.get().plus(RENEW_EVERY);
        let mut asked_to_wait = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                () = clock.until(Some(next)) => {}
                () = self.doubted.notified(), if asked_to_wait.is_zero() => {}
            }
            let asked = clock.moment();
            let renewal = tokio::select! {
                biased;
                renewal = self.try_to_renew() => renewal,
                () = clock.until(Some(self.give_up_at(asked))) => Renewal::Failed(Duration::ZERO),
            };
            asked_to_wait = Duration::ZERO;
            next = match renewal {
                Renewal::Done => {
                    self.extend(asked);
                    asked.plus(RENEW_EVERY)
                }
                Renewal::Refused(error) => {
                    self.refusal.replace(Some(error));
                    self.refused.notify_waiters();
                    clock.moment().plus(backoff.next_delay())
                }
                // Respect the delay of an overloaded server, even if the Lease expires in the meantime.
                Renewal::Failed(delay) => {
                    asked_to_wait = delay;
                    clock.moment().plus(backoff.next_delay_after(delay))
                }
                Renewal::LostTo(holder) => return holder,
            };
        }
    }

    async fn try_to_renew(&self) -> Renewal {
        match self.renew().await {
            Ok(()) => Renewal::Done,
            Err(ClusterError::Conflict(_) | ClusterError::NotFound(_)) => {
                match self.current_holder_if_lost().await {
                    Ok(Some(holder)) => return Renewal::LostTo(holder),
                    Ok(None) => {}
                    Err(error) => return Renewal::Failed(error.retry_after()),
                }
                // The Lease was deleted by hand: acquire it again.
                let is_own =
                    |holder: &str, _: &str| (holder == self.queue.identity).then_some(Predecessor::MayLive);
                match self.queue.look(is_own).await {
                    Ok(AcquireAttempt::Acquired(_)) => Renewal::Done,
                    Ok(AcquireAttempt::HeldByOther { .. } | AcquireAttempt::Retry) => {
                        Renewal::Failed(Duration::ZERO)
                    }
                    Err(error) if error.is_lost_namespace() => Renewal::Refused(error),
                    Err(error) => Renewal::Failed(error.retry_after()),
                }
            }
            Err(error @ ClusterError::Rejected(_)) => Renewal::Refused(error),
            Err(error) => Renewal::Failed(error.retry_after()),
        }
    }

    async fn renew(&self) -> Result<(), ClusterError> {
        let now = MicroTime(self.queue.session.clock().now());
        self.write("/spec/renewTime", json!(now)).await
    }

    /// Releases the Lease, so that a queued run continues at once. A failure does not matter: the Lease expires.
    pub async fn release(&self) {
        let given_back = self.write("/spec/holderIdentity", json!(""));
        drop(self.queue.session.clock().within(COURTESY, given_back).await);
    }

    /// Writes a field, provided that this process holds the Lease.
    async fn write(&self, path: &str, value: Value) -> Result<(), ClusterError> {
        let queue = &self.queue;
        let api = queue.session.api::<Lease>(&queue.namespace);
        let patch = json_patch(json!([
            {"op": "test", "path": "/spec/holderIdentity", "value": queue.identity},
            {"op": "test", "path": format!("/metadata/annotations/{}", keys::escape_pointer(HOLDER)), "value": queue.tokens.borrow().last()},
            {"op": "replace", "path": path, "value": value},
        ]))?;
        queue.session.request_untracked(api.patch(&queue.name(), &patch_params(), &patch)).await.map(|_| ())
    }
}
