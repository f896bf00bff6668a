//! Holding a Lease: renewing it, losing it, giving it back.

use std::cell::Cell;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{HOLDER, LeaseKey, Look, Queue};
use crate::cluster::clock::Moment;
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::perform::{json_patch, patching};

/// How long giving the Lease back may take. Everything is done by then, and it would expire by itself.
const COURTESY: Duration = Duration::from_secs(3);

/// How long after the last renewal writes are still sent; less than [`super::DURATION`], so that a successor
/// that has seen the Lease expire meets no late write. client-go's ratio.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How soon after a failed renewal the next is tried.
const RENEW_AGAIN: Duration = Duration::from_secs(1);

/// A Lease that is held, as long as it is renewed.
#[derive(Debug)]
pub struct Held {
    queue: Queue,
    valid_until: Cell<Moment>,
    renewed: Notify,
    doubted: Notify,
}

impl Held {
    /// The Lease, for which the server was asked at this moment.
    pub(super) fn taken(queue: Queue, asked: Moment) -> Self {
        Self {
            queue,
            valid_until: Cell::new(asked.plus(RENEW_DEADLINE)),
            renewed: Notify::new(),
            doubted: Notify::new(),
        }
    }

    /// Which Lease it is.
    #[must_use]
    pub fn key(&self) -> &LeaseKey {
        &self.queue.key
    }

    /// Whether writes may be sent: the Lease was renewed recently enough.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.queue.session.clock().moment() < self.valid_until.get()
    }

    /// Waits until the Lease is renewed the next time.
    pub async fn renewal(&self) {
        self.renewed.notified().await;
    }

    /// Renews the Lease now instead of when that is due: something suggests that it is lost.
    pub fn doubt(&self) {
        self.doubted.notify_one();
    }

    fn extend(&self, asked: Moment) {
        self.valid_until.set(asked.plus(RENEW_DEADLINE));
        self.renewed.notify_waiters();
    }

    /// Who holds the Lease by now, if it is another process.
    ///
    /// # Errors
    /// What the server answered; it is asked once.
    pub async fn lost_to(&self) -> Result<Option<String>, ClusterError> {
        let queue = &self.queue;
        let api = queue.session.api::<Lease>(&queue.namespace);
        let Some(lease) = queue.session.aside(api.get_opt(&queue.name())).await? else {
            return Ok(None);
        };
        if lease.annotations().get(HOLDER) == Some(&*queue.token.borrow()) {
            return Ok(None);
        }
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        Ok(Some(if holder.is_empty() { "another run".to_owned() } else { holder }))
    }

    /// Renews the Lease for as long as it is polled. Returns the other's identity when it is lost.
    pub async fn keep(&self) -> String {
        let clock = self.queue.session.clock();
        let mut delay = RENEW_EVERY;
        loop {
            tokio::select! {
                () = clock.pause(delay) => {}
                () = self.doubted.notified() => {}
            }
            let asked = clock.moment();
            delay = match self.renew().await {
                Ok(()) => {
                    self.extend(asked);
                    RENEW_EVERY
                }
                Err(ClusterError::Conflict(_) | ClusterError::NotFound(_)) => {
                    if let Ok(Some(holder)) = self.lost_to().await {
                        return holder;
                    }
                    // Deleted by hand: taken again.
                    if let Ok(Look::Taken) = self.queue.look(|holder, _| holder == self.queue.identity).await
                    {
                        self.extend(asked);
                    }
                    RENEW_AGAIN
                }
                Err(_) => RENEW_AGAIN,
            };
        }
    }

    async fn renew(&self) -> Result<(), ClusterError> {
        let now = MicroTime(self.queue.session.clock().now());
        self.write("/spec/renewTime", json!(now)).await
    }

    /// Gives the Lease back; whoever waits goes on at once. A failure is no matter: it expires.
    pub async fn release(&self) {
        let given_back = self.write("/spec/holderIdentity", json!(""));
        drop(self.queue.session.clock().within(COURTESY, given_back).await);
    }

    /// Writes a field, as long as the Lease is this process's.
    async fn write(&self, path: &str, value: Value) -> Result<(), ClusterError> {
        let queue = &self.queue;
        let api = queue.session.api::<Lease>(&queue.namespace);
        let patch = json_patch(json!([
            {"op": "test", "path": "/spec/holderIdentity", "value": queue.identity},
            {"op": "test", "path": format!("/metadata/annotations/{}", keys::pointer(HOLDER)), "value": *queue.token.borrow()},
            {"op": "replace", "path": path, "value": value},
        ]))?;
        queue.session.aside(api.patch(&queue.name(), &patching(), &patch)).await.map(|_| ())
    }
}
