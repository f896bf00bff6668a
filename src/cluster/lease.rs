//! The queue: one Lease per application, held by the run that drives it.
//!
//! It is advisory. What keeps two runs apart is the epoch that each write is conditional on; the Lease
//! lets the second wait in line and say for whom. Expiry is judged by watching the Lease for its whole
//! duration, never by comparing clocks.

mod held;

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::runtime::watcher;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::clock::{Clock, Moment};
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::perform::{creating, json_patch, patching};
use crate::cluster::process::Process;
use crate::cluster::session::Session;
use crate::oam::labels;

pub use held::Held;

/// How long a Lease lasts without being renewed: as long as client-go's.
const DURATION: Duration = Duration::from_secs(15);
/// How soon after a watch of it failed the next begins.
const WATCH_AGAIN: Duration = Duration::from_secs(1);
/// On a Lease, an annotation: which process holds it, since when.
const HOLDER: &str = "batch-rollout.dev/holder";

/// A place in an application's queue.
#[derive(Debug)]
pub struct Queue {
    session: Session,
    namespace: String,
    application: String,
    identity: String,
    /// Written on the Lease at each acquisition and different each time, so that two processes of one
    /// identity can tell whose it is.
    token: RefCell<String>,
}

/// What the token says.
#[derive(Serialize, Deserialize)]
struct Token {
    process: Option<Process>,
    since: i64,
}

/// Whether a run waits for the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// It waits in line.
    #[default]
    InLine,
    /// It takes over, and the run before it ends as superseded.
    AtOnce,
}

/// Since when a Lease has stayed as it is. Only that tells an abandoned one: clocks differ.
#[derive(Debug, Default)]
pub struct Expiry(Option<(String, Moment)>);

impl Expiry {
    /// When the version that is there now will have expired, unless another takes its place.
    pub fn seen(&mut self, version: String, clock: &Clock) -> Moment {
        let until = match &self.0 {
            Some((known, until)) if *known == version => *until,
            Some(_) | None => clock.moment().plus(DURATION),
        };
        self.0 = Some((version, until));
        until
    }

    /// Whether this version has been there for all the time that a Lease lasts.
    fn has_expired(&self, version: &str, clock: &Clock) -> bool {
        self.0.as_ref().is_some_and(|(known, until)| known == version && clock.moment() >= *until)
    }
}

/// Why the Lease was not got.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// A request failed for good.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// There is no such namespace.
    #[error("{message}")]
    NoNamespace {
        /// Its name.
        namespace: String,
        /// What the server says.
        message: String,
    },
    /// The other run was still at it when patience ran out.
    #[error("`{holder}` is still driving application `{application}`")]
    TimedOut {
        /// The other run's identity.
        holder: String,
        /// The application.
        application: String,
    },
}

enum Look {
    Taken,
    Busy { holder: String, version: String },
    Again,
}

impl Queue {
    /// A place in the queue of an application, under an identity. The same identity takes over at once.
    #[must_use]
    pub fn new(session: Session, namespace: &str, application: &str, identity: &str) -> Self {
        Self {
            session,
            namespace: namespace.to_owned(),
            application: application.to_owned(),
            identity: identity.to_owned(),
            token: RefCell::default(),
        }
    }

    /// Takes the Lease, in line or at once. It waits at most `patience` (zero is no limit); `on_wait` hears each
    /// new holder.
    ///
    /// # Errors
    /// [`QueueError`]
    pub async fn acquire(
        self,
        turn: Turn,
        patience: Duration,
        mut on_wait: impl FnMut(&str),
    ) -> Result<Held, QueueError> {
        let clock = self.session.clock().clone();
        let deadline = clock.moment().after(patience);
        let mut expiry = Expiry::default();
        let mut announced: Option<String> = None;
        loop {
            let expired = |version: &str| turn == Turn::AtOnce || expiry.has_expired(version, &clock);
            let asked = clock.moment();
            match self.look(expired).await {
                Ok(Look::Taken) => {
                    self.session.recovered();
                    return Ok(Held::taken(self, asked));
                }
                Ok(Look::Again) => {}
                Ok(Look::Busy { holder, version }) => {
                    if announced.as_ref() != Some(&holder) {
                        on_wait(&holder);
                        announced = Some(holder.clone());
                    }
                    let until = expiry.seen(version.clone(), &clock);
                    if deadline.is_some_and(|deadline| clock.moment() >= deadline) {
                        return Err(QueueError::TimedOut { holder, application: self.application });
                    }
                    let wake = deadline.map_or(until, |deadline| deadline.min(until));
                    tokio::select! {
                        () = clock.until(Some(wake)) => {}
                        () = self.changed(&version) => {}
                    }
                }
                // A Lease that is gone is made anew; what it would be made in is not there.
                Err(ClusterError::NotFound(message)) => {
                    return Err(QueueError::NoNamespace { namespace: self.namespace, message });
                }
                Err(error) => self.session.pause_after(&error).await?,
            }
        }
    }

    /// Looks at the Lease once and takes it if it is free.
    async fn look(&self, expired: impl Fn(&str) -> bool) -> Result<Look, ClusterError> {
        let api = self.session.api::<Lease>(&self.namespace);
        let name = self.name();
        let Some(lease) = self.session.aside(api.get_opt(&name)).await? else {
            let object: Lease = serde_json::from_value(json!({
                "metadata": {
                    "name": name,
                    "labels": {keys::RECORD_APPLICATION: self.application, labels::NAME: self.application},
                    "annotations": {HOLDER: self.new_token()},
                },
                "spec": self.spec(0),
            }))
            .map_err(|error| ClusterError::Other(error.to_string()))?;
            let params = creating();
            return match self.session.aside(api.create(&params, &object)).await {
                Ok(_) => Ok(Look::Taken),
                Err(ClusterError::AlreadyExists(_)) => Ok(Look::Again),
                // A create is in conflict with whatever else counts against a quota at that moment.
                Err(ClusterError::Conflict(message)) => Err(ClusterError::transient(message)),
                Err(error) => Err(error),
            };
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
        let version = lease.resource_version().unwrap_or_default();
        let is_free = match &holder {
            None => true,
            Some(holder) => *holder == self.identity || is_abandoned(&lease) || expired(&version),
        };
        if let (Some(holder), false) = (holder, is_free) {
            return Ok(Look::Busy { holder, version });
        }
        let patch = json_patch(json!([
            {"op": "test", "path": "/metadata/uid", "value": lease.uid()},
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/annotations", "value": {HOLDER: self.new_token()}},
            {"op": "add", "path": "/spec", "value": self.spec(spec.lease_transitions.unwrap_or(0) + 1)},
        ]))?;
        match self.session.aside(api.patch(&name, &patching(), &patch)).await {
            Ok(_) => Ok(Look::Taken),
            Err(ClusterError::Conflict(_) | ClusterError::NotFound(_)) => Ok(Look::Again),
            Err(error) => Err(error),
        }
    }

    /// Waits until the Lease is another than the one seen.
    async fn changed(&self, version: &str) {
        let api = self.session.api::<Lease>(&self.namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name())).timeout(25);
        let mut events = pin!(watcher::watcher(api, config));
        let mut is_listed = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease)) => {
                    is_listed = true;
                    if lease.resource_version().as_deref() != Some(version) {
                        return;
                    }
                }
                Ok(watcher::Event::Delete(_)) => return,
                Ok(watcher::Event::InitDone) if !is_listed => return,
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(_) => self.session.clock().pause(WATCH_AGAIN).await,
            }
        }
    }

    fn name(&self) -> String {
        name(&self.application)
    }

    fn new_token(&self) -> String {
        let since = self.session.clock().now().as_nanosecond();
        let token = Token { process: Process::this(), since: i64::try_from(since).unwrap_or(i64::MAX) };
        let text = serde_json::to_string(&token).unwrap_or_default();
        self.token.replace(text.clone());
        text
    }

    fn spec(&self, transitions: i32) -> Value {
        let now = MicroTime(self.session.clock().now());
        json!({
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        })
    }
}

/// Who holds an application's Lease, as far as it can be told without watching it expire; with the version seen.
///
/// # Errors
/// What the server answered at last.
pub async fn holder(
    session: &Session,
    namespace: &str,
    application: &str,
) -> Result<Option<(String, String)>, ClusterError> {
    let api = session.api::<Lease>(namespace);
    let name = name(application);
    let Some(lease) = session.read(|| api.get_opt(&name)).await? else { return Ok(None) };
    if is_abandoned(&lease) {
        return Ok(None);
    }
    let version = lease.resource_version().unwrap_or_default();
    let holder = lease.spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty());
    Ok(holder.map(|holder| (holder, version)))
}

/// The name of an application's Lease.
#[must_use]
pub fn name(application: &str) -> String {
    format!("rollout-{application}")
}

/// Whether the holder was a process of this machine that lives no more.
fn is_abandoned(lease: &Lease) -> bool {
    let token = lease.annotations().get(HOLDER).and_then(|text| serde_json::from_str::<Token>(text).ok());
    token.and_then(|token| token.process).is_some_and(|process| process.is_gone())
}
