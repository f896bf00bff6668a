//! The queue: one Lease per application, held by the run that drives it, and one for a component that was taken over
//! from such a run.
//!
//! Leases are advisory. Two runs are kept apart by the epoch that each write is conditional on; the Lease lets the
//! second run queue and report what it waits for. A Lease counts as expired after it was watched for its whole duration
//! without a change; clocks are never compared.

mod guard;

use std::cell::RefCell;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::runtime::watcher;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::backoff::BackoffBounds;
use crate::cluster::clock::{Clock, Moment};
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::process::Process;
use crate::cluster::session::Session;
use crate::cluster::watch_loop::classify_watch_error;
use crate::cluster::workload_writer::{create_params, json_patch, patch_params};
use crate::oam::labels;
use crate::plan::record::Record;
use crate::plan::run::LeaseScope;

pub use guard::LeaseGuard;

/// How long a Lease lasts without being renewed, as in client-go.
pub const DURATION: Duration = Duration::from_secs(15);
/// The delays before a failed watch of the Lease is restarted.
const WATCH_AGAIN: BackoffBounds =
    BackoffBounds { initial: Duration::from_secs(1), max: Duration::from_secs(5) };
/// On a Lease, an annotation: which process holds it, and since when.
const HOLDER: &str = "batch-rollout.dev/holder";

/// Identifies a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseKey {
    application: String,
    /// The component that is taken over; `None` for the application's own Lease.
    component: Option<String>,
}

impl LeaseKey {
    /// The Lease of an application, for which its runs queue.
    #[must_use]
    pub fn of_application(application: &str) -> Self {
        Self { application: application.to_owned(), component: None }
    }

    /// The Lease of one component of an application, for a run that takes it over.
    #[must_use]
    pub fn of_component(application: &str, component: &str) -> Self {
        Self { application: application.to_owned(), component: Some(component.to_owned()) }
    }

    /// The Lease that the process of a recorded run holds.
    #[must_use]
    pub fn of_run(record: &Record) -> Self {
        let Record { application, component, run, .. } = record;
        match run.lease {
            LeaseScope::Application => Self::of_application(application),
            LeaseScope::Component => Self::of_component(application, component),
        }
    }

    /// The object's name. The Lease of an application never has the name of a component's.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.component {
            None => format!("rollout-{}", self.application),
            Some(component) => format!("rollout.{component}"),
        }
    }
}

/// Displays what the Lease is for.
impl fmt::Display for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.component {
            None => write!(f, "application `{}`", self.application),
            Some(component) => write!(f, "component `{component}`"),
        }
    }
}

/// A place in the queue for a Lease.
#[derive(Debug)]
pub struct LeaseLock {
    session: Session,
    namespace: String,
    key: LeaseKey,
    identity: String,
    /// Written on the Lease at each acquisition and different each time, to distinguish two processes of one identity.
    /// The last is the newest; if a later attempt failed, the Lease still has an earlier one.
    tokens: RefCell<Vec<String>>,
}

/// The content of a token.
#[derive(Serialize, Deserialize)]
struct LeaseToken {
    process: Option<Process>,
    since: i64,
}

/// Whether a run waits for the current holder of the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acquisition {
    /// It queues.
    #[default]
    Wait,
    /// It takes over, and the other run ends as superseded.
    TakeOver,
}

/// Tracks how long a Lease has been unchanged, which is the only proof that it is abandoned: clocks differ.
#[derive(Debug, Default)]
pub struct Expiry(Option<(String, Moment)>);

impl Expiry {
    /// Records the current version, and returns when it expires unless it changes.
    pub fn seen(&mut self, version: String, clock: &Clock) -> Moment {
        let until = match &self.0 {
            Some((known, until)) if *known == version => *until,
            Some(_) | None => clock.moment().plus(DURATION),
        };
        self.0 = Some((version, until));
        until
    }

    /// Whether this version has been unchanged for as long as a Lease lasts.
    fn has_expired(&self, version: &str, clock: &Clock) -> bool {
        self.0.as_ref().is_some_and(|(known, until)| known == version && clock.moment() >= *until)
    }
}

/// Why the Lease could not be acquired.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// A request failed permanently.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The namespace does not exist.
    #[error("{message}")]
    NoNamespace {
        /// Its name.
        namespace: String,
        /// The server's message.
        message: String,
    },
    /// The other run still held the Lease at the timeout.
    #[error("`{holder}` is still driving {key}")]
    TimedOut {
        /// The other run's identity.
        holder: String,
        /// What it drives.
        key: LeaseKey,
    },
}

/// The result of trying to acquire a Lease without waiting.
#[derive(Debug)]
pub enum Attempt {
    /// The Lease was acquired.
    Acquired(Box<LeaseGuard>),
    /// A process that may be alive holds it, possibly under the same identity.
    Busy {
        /// That process's identity.
        holder: String,
    },
}

/// What is known about the process that held a Lease before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    /// It sends no more writes: it has released the Lease, is dead, or has not renewed it in time.
    Gone,
    /// It may be alive, and notices only at its next request that it has lost the Lease.
    MayLive,
}

enum AcquireAttempt {
    Acquired(Predecessor),
    HeldByOther { holder: String, version: String },
    Retry,
}

impl LeaseLock {
    /// A place in the queue for a Lease, under an identity. It takes over at once from the same identity.
    #[must_use]
    pub fn new(session: Session, namespace: &str, key: LeaseKey, identity: &str) -> Self {
        Self {
            session,
            namespace: namespace.to_owned(),
            key,
            identity: identity.to_owned(),
            tokens: RefCell::default(),
        }
    }

    /// Acquires the Lease, by queueing or taking over. Waits at most `patience` (zero means no limit); calls `on_wait`
    /// with each new holder.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn acquire(
        self,
        turn: Acquisition,
        patience: Duration,
        mut on_wait: impl FnMut(&str),
    ) -> Result<LeaseGuard, LeaseError> {
        let clock = self.session.clock().clone();
        let deadline = clock.moment().after(patience);
        let mut expiry = Expiry::default();
        let mut announced: Option<String> = None;
        loop {
            let displaced = |holder: &str, version: &str| {
                if expiry.has_expired(version, &clock) {
                    return Some(Predecessor::Gone);
                }
                let takes_over = turn == Acquisition::TakeOver || holder == self.identity;
                takes_over.then_some(Predecessor::MayLive)
            };
            let asked = clock.moment();
            match self.look(displaced).await {
                Ok(AcquireAttempt::Acquired(predecessor)) => {
                    self.session.recovered();
                    return Ok(LeaseGuard::taken(self, asked, predecessor));
                }
                Ok(AcquireAttempt::Retry) => {}
                Ok(AcquireAttempt::HeldByOther { holder, version }) => {
                    if announced.as_ref() != Some(&holder) {
                        on_wait(&holder);
                        announced = Some(holder.clone());
                    }
                    let until = expiry.seen(version.clone(), &clock);
                    if deadline.is_some_and(|deadline| clock.moment() >= deadline) {
                        return Err(LeaseError::TimedOut { holder, key: self.key });
                    }
                    let wake = deadline.map_or(until, |deadline| deadline.min(until));
                    tokio::select! {
                        biased;
                        () = clock.until(Some(wake)) => {}
                        () = self.changed(&version) => {}
                    }
                }
                // A deleted Lease is recreated, so it is the namespace that was not found.
                Err(ClusterError::NotFound(message)) => {
                    return Err(LeaseError::NoNamespace { namespace: self.namespace, message });
                }
                Err(error) => self.session.wait_before_retry(&error).await?,
            }
        }
    }

    /// Acquires the Lease if it has no holder, or one that is certainly dead.
    ///
    /// # Errors
    /// [`LeaseError`], except [`LeaseError::TimedOut`].
    pub async fn try_acquire(self) -> Result<Attempt, LeaseError> {
        loop {
            let asked = self.session.clock().moment();
            match self.look(|_, _| None).await {
                Ok(AcquireAttempt::Acquired(predecessor)) => {
                    self.session.recovered();
                    return Ok(Attempt::Acquired(Box::new(LeaseGuard::taken(self, asked, predecessor))));
                }
                Ok(AcquireAttempt::HeldByOther { holder, .. }) => return Ok(Attempt::Busy { holder }),
                Ok(AcquireAttempt::Retry) => {}
                Err(ClusterError::NotFound(message)) => {
                    return Err(LeaseError::NoNamespace { namespace: self.namespace, message });
                }
                Err(error) => self.session.wait_before_retry(&error).await?,
            }
        }
    }

    /// Reads the Lease once and takes it if it is free. For a Lease that is held, `displaced` decides from its holder
    /// and version what is known about the process that loses it; `None` if that process keeps it.
    async fn look(
        &self,
        displaced: impl Fn(&str, &str) -> Option<Predecessor>,
    ) -> Result<AcquireAttempt, ClusterError> {
        let api = self.session.api::<Lease>(&self.namespace);
        let name = self.name();
        let Some(lease) = self.session.request_untracked(api.get_opt(&name)).await? else {
            let object: Lease = serde_json::from_value(json!({
                "metadata": {
                    "name": name,
                    "labels": {keys::RECORD_APPLICATION: self.key.application, labels::NAME: self.key.application},
                    "annotations": {HOLDER: self.new_token()},
                },
                "spec": self.spec(0),
            }))
            .map_err(|error| ClusterError::Other(error.to_string()))?;
            let params = create_params();
            return match self.session.request_untracked(api.create(&params, &object)).await {
                Ok(_) => Ok(AcquireAttempt::Acquired(Predecessor::Gone)),
                Err(ClusterError::AlreadyExists(_)) => Ok(AcquireAttempt::Retry),
                // A create conflicts with concurrent requests that count against the same quota.
                Err(ClusterError::Conflict(message)) => Err(ClusterError::transient(message)),
                Err(error) => Err(error),
            };
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
        let version = lease.resource_version().unwrap_or_default();
        let predecessor = match holder {
            None => Predecessor::Gone,
            Some(_) if is_abandoned(&lease) => Predecessor::Gone,
            Some(holder) => match displaced(&holder, &version) {
                Some(predecessor) => predecessor,
                None => return Ok(AcquireAttempt::HeldByOther { holder, version }),
            },
        };
        let patch = json_patch(json!([
            {"op": "test", "path": "/metadata/uid", "value": lease.uid()},
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/annotations", "value": {HOLDER: self.new_token()}},
            {"op": "add", "path": "/spec", "value": self.spec(spec.lease_transitions.unwrap_or(0) + 1)},
        ]))?;
        match self.session.request_untracked(api.patch(&name, &patch_params(), &patch)).await {
            Ok(_) => Ok(AcquireAttempt::Acquired(predecessor)),
            Err(ClusterError::Conflict(_) | ClusterError::NotFound(_)) => Ok(AcquireAttempt::Retry),
            Err(error) => Err(error),
        }
    }

    /// Waits until the Lease no longer has this version.
    async fn changed(&self, version: &str) {
        let api = self.session.api::<Lease>(&self.namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name())).timeout(25);
        let mut events = pin!(watcher::watcher(api, config));
        let mut is_listed = false;
        let backoff = self.session.backoff(WATCH_AGAIN);
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
                Err(error) => {
                    let error = classify_watch_error(&self.session, error);
                    self.session.clock().pause(backoff.next_delay_after(error.retry_after())).await;
                }
            }
        }
    }

    fn name(&self) -> String {
        self.key.name()
    }

    fn new_token(&self) -> String {
        let since = self.session.clock().now().as_nanosecond();
        let token = LeaseToken { process: Process::this(), since: i64::try_from(since).unwrap_or(i64::MAX) };
        let text = serde_json::to_string(&token).unwrap_or_default();
        self.tokens.borrow_mut().push(text.clone());
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

/// The holder of a Lease and the version that was read, without waiting to see whether it expires.
///
/// # Errors
/// See [`Session::read`].
pub async fn lease_holder(
    session: &Session,
    namespace: &str,
    key: &LeaseKey,
) -> Result<Option<(String, String)>, ClusterError> {
    let api = session.api::<Lease>(namespace);
    let name = key.name();
    let Some(lease) = session.read(|| api.get_opt(&name)).await? else { return Ok(None) };
    if is_abandoned(&lease) {
        return Ok(None);
    }
    let version = lease.resource_version().unwrap_or_default();
    let holder = lease.spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty());
    Ok(holder.map(|holder| (holder, version)))
}

/// Whether the holder was a process on this machine that is dead.
fn is_abandoned(lease: &Lease) -> bool {
    let token =
        lease.annotations().get(HOLDER).and_then(|text| serde_json::from_str::<LeaseToken>(text).ok());
    token.and_then(|token| token.process).is_some_and(|process| process.is_gone())
}
