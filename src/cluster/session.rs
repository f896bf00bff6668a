//! The client of one process: deadlines for requests, and a budget for retries.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource};
use tokio::sync::{Semaphore, watch};

use crate::cluster::backoff::{Backoff, BackoffBounds, Jitter};
use crate::cluster::classify::{self, ServerName};
use crate::cluster::clock::{Clock, Moment};
use crate::cluster::error::ClusterError;
use crate::cluster::response::{self, ServerWarnings};

/// The delays between attempts; the longest bounds how late the end of an outage is noticed.
const BOUNDS: BackoffBounds =
    BackoffBounds { initial: Duration::from_millis(300), max: Duration::from_secs(5) };
/// The delay before requests with expired credentials are retried, since renewing them takes a while.
const CREDENTIALS_AGAIN: Duration = Duration::from_secs(5);
/// How long dry runs wait for a webhook that cannot be called: as long as one that is restarted is away. Nothing has
/// been written yet, so the user can just as well rerun the command.
const DRY_RUN_WEBHOOK: Duration = Duration::from_secs(20);

/// The default maximum of concurrent requests of a process, apart from watches and the Lease: more would not be
/// answered sooner.
pub const MAX_REQUESTS: u16 = 16;

/// The time limits of a session.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// The deadline of one request; zero means none.
    pub request: Duration,
    /// How long every attempt may fail before the session gives up, once it has been connected.
    pub outage: Duration,
    /// The same if credentials that were accepted no longer are.
    pub credentials: Duration,
    /// The same if the API server cannot call a webhook.
    pub webhook: Duration,
    /// The same for the first request, when a wrong address is likelier than an outage.
    pub connect: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            outage: Duration::from_secs(300),
            credentials: Duration::from_secs(90),
            webhook: Duration::from_secs(300),
            connect: Duration::from_secs(3),
        }
    }
}

/// Receives each failed attempt: the error, and the delay before the next attempt.
pub type OnRetry = Rc<dyn Fn(&str, Duration)>;

/// A client with a clock, deadlines and a retry budget. One per process; each component has a part of it, see
/// [`Session::with_separate_budget`].
#[derive(Clone)]
pub struct Session {
    client: Client,
    clock: Clock,
    timeouts: Timeouts,
    server: ServerName,
    warnings: ServerWarnings,
    jitter: Jitter,
    was_connected: Rc<Cell<bool>>,
    observer: Option<Rc<RetryObserver>>,
    stop: Option<watch::Receiver<bool>>,
    /// The queue in which requests wait for others to end; `None` if they do not wait.
    queue: Option<Rc<Semaphore>>,
    /// Whether writes may be sent.
    may_write: Option<Rc<dyn Fn() -> bool>>,
    part: Rc<Part>,
}

/// Reports failed attempts without repetition: concurrent requests may fail for the same reason.
struct RetryObserver {
    on_retry: OnRetry,
    /// The last report, and when the attempt that it announced is due.
    announced: RefCell<Option<(String, Moment)>>,
}

/// The state of one part of a session.
struct Part {
    /// How long the last failed request took.
    took: Cell<Duration>,
    /// Failed reads in a row.
    reads: FailureStreak,
    /// Failed writes in a row, which successful reads do not end.
    writes: FailureStreak,
}

impl Part {
    fn new(jitter: &Jitter) -> Self {
        let (reads, writes) = (FailureStreak::new(jitter), FailureStreak::new(jitter));
        Self { took: Cell::default(), reads, writes }
    }
}

/// Consecutive failed attempts.
struct FailureStreak {
    failing_for: Cell<Duration>,
    backoff: Backoff,
}

impl FailureStreak {
    fn new(jitter: &Jitter) -> Self {
        Self { failing_for: Cell::default(), backoff: Backoff::new(BOUNDS, jitter.clone()) }
    }

    fn end(&self) {
        self.failing_for.set(Duration::ZERO);
        self.backoff.reset();
    }
}

impl Session {
    /// Starts a session over a client, which must not retry by itself. Its delays use seed zero.
    #[must_use]
    pub fn new(client: Client, clock: Clock, timeouts: Timeouts) -> Self {
        Self::seeded(0, client, clock, timeouts)
    }

    /// Starts a session whose delays depend on a seed, so that processes with different seeds do not retry in step.
    #[must_use]
    pub fn seeded(seed: u64, client: Client, clock: Clock, timeouts: Timeouts) -> Self {
        let warnings = ServerWarnings::default();
        let client = response::normalise_responses(client, clock.clone(), timeouts.request, warnings.clone());
        let jitter = Jitter::seeded(seed);
        let part = Rc::new(Part::new(&jitter));
        let (server, was_connected) = (ServerName::default(), Rc::default());
        let (observer, stop, may_write) = (None, None, None);
        let queue = Some(Rc::new(Semaphore::new(usize::from(MAX_REQUESTS))));
        Self {
            client,
            clock,
            timeouts,
            server,
            warnings,
            jitter,
            was_connected,
            observer,
            stop,
            queue,
            may_write,
            part,
        }
    }

    /// The same session, with errors that name the server.
    #[must_use]
    pub fn with_server(self, server: ServerName) -> Self {
        Self { server, ..self }
    }

    /// The same session with a different maximum of concurrent requests.
    #[must_use]
    pub fn with_most_requests(self, most: u16) -> Self {
        Self { queue: Some(Rc::new(Semaphore::new(usize::from(most)))), ..self }
    }

    /// A part of this session with its own retry budget, such as for one component: successes of other parts do not
    /// renew it, and their failures do not use it up.
    #[must_use]
    pub fn with_separate_budget(&self) -> Self {
        Self { part: Rc::new(Part::new(&self.jitter)), ..self.clone() }
    }

    /// A part of this session for dry runs before the first write, which wait less for a webhook that cannot be called.
    #[must_use]
    pub fn for_dry_runs(&self) -> Self {
        let webhook = self.timeouts.webhook.min(DRY_RUN_WEBHOOK);
        Self { timeouts: Timeouts { webhook, ..self.timeouts }, ..self.with_separate_budget() }
    }

    /// The same session without queueing requests, for a Lease, which would expire in the meantime.
    #[must_use]
    pub fn without_queue(&self) -> Self {
        Self { queue: None, ..self.clone() }
    }

    /// The same session, which sends a write only if the condition holds when the write leaves the queue.
    #[must_use]
    pub fn with_condition_of_writes(&self, may_write: impl Fn() -> bool + 'static) -> Self {
        Self { may_write: Some(Rc::new(may_write)), ..self.clone() }
    }

    /// A backoff with the delays of this session's seed.
    #[must_use]
    pub fn backoff(&self, bounds: BackoffBounds) -> Backoff {
        Backoff::new(bounds, self.jitter.clone())
    }

    /// The same session, which reports failed attempts.
    #[must_use]
    pub fn with_retry_observer(&self, on_retry: OnRetry) -> Self {
        let observer = RetryObserver { on_retry, announced: RefCell::default() };
        Self { observer: Some(Rc::new(observer)), ..self.clone() }
    }

    /// The same session, which stops waiting for retries once the value becomes true.
    #[must_use]
    pub fn with_stop(&self, stop: watch::Receiver<bool>) -> Self {
        Self { stop: Some(stop), ..self.clone() }
    }

    /// The server's warnings.
    #[must_use]
    pub fn warnings(&self) -> &ServerWarnings {
        &self.warnings
    }

    /// How long every attempt may fail with such an error before the session gives up, once it has been connected.
    #[must_use]
    pub fn retry_budget(&self, error: &ClusterError) -> Duration {
        self.budget(error, Connected::Before)
    }

    fn budget(&self, error: &ClusterError, connected: Connected) -> Duration {
        match (error, connected) {
            (ClusterError::Unauthorized(_), _) => self.timeouts.credentials,
            (error, Connected::Before) if error.is_failed_webhook() => self.timeouts.webhook,
            (_, Connected::Before) => self.timeouts.outage,
            (_, Connected::Never) => self.timeouts.connect,
        }
    }

    /// How long every attempt may fail before the session gives up.
    #[must_use]
    pub fn outage(&self) -> Duration {
        self.timeouts.outage
    }

    /// The session's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A typed API for a namespace's objects.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A typed API for cluster-scoped objects.
    pub fn cluster_wide<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>,
    {
        Api::all(self.client.clone())
    }

    /// Discovers the resources of a group version.
    pub async fn discover(&self, api_version: &str) -> Result<APIResourceList, kube::Error> {
        self.client.list_api_group_resources(api_version).await
    }

    /// An untyped API for a namespace's objects.
    #[must_use]
    pub fn dynamic(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, resource)
    }

    /// An untyped API for the objects of a kind, in a namespace or in all.
    #[must_use]
    pub fn objects(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => self.dynamic(namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    /// Sends a write once, with the deadline of a request.
    ///
    /// # Errors
    /// The classified error; a timeout is `Transient`. After a `Transient` error, the write may have been applied.
    pub fn request_once<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> impl Future<Output = Result<T, ClusterError>> {
        // Box the request, which takes some kilobytes: there may be a thousand components without one in flight.
        let request = Box::pin(request);
        async move {
            let may_write = || self.may_write.as_ref().is_none_or(|may_write| may_write());
            let answer = self.send(request, may_write).await;
            if !answer.as_ref().is_err_and(|error| self.is_retryable(error)) {
                self.recovered();
            }
            answer
        }
    }

    /// Sends a request once that does not affect the retry budget of writes, such as a read or the Lease's renewal.
    ///
    /// # Errors
    /// Like [`Session::request_once`].
    pub fn request_untracked<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> impl Future<Output = Result<T, ClusterError>> {
        let request = Box::pin(request);
        async move { self.send(request, || true).await }
    }

    async fn send<T, F: Future<Output = Result<T, kube::Error>>>(
        &self,
        request: Pin<Box<F>>,
        may_send: impl FnOnce() -> bool,
    ) -> Result<T, ClusterError> {
        // The deadline is for the server's answer, so it does not run while a request is queued.
        let turn = match &self.queue {
            Some(queue) => queue.acquire().await.ok(),
            None => None,
        };
        if !may_send() {
            return Err(ClusterError::transient("the lease was not renewed while the request was queued"));
        }
        let asked = self.clock.elapsed();
        let answer = self.clock.within(self.timeouts.request, request).await;
        drop(turn);
        self.part.took.set((self.clock.elapsed() - asked).unsigned_abs());
        let Some(answer) = answer else {
            return Err(classify::timed_out(self.timeouts.request, &self.server));
        };
        let answer = answer.map_err(|error| self.classify(&error));
        if !answer.as_ref().is_err_and(|error| is_retryable(error, Connected::Before)) {
            self.was_connected.set(true);
        }
        answer
    }

    /// Classifies a failed request of this session.
    #[must_use]
    pub fn classify(&self, error: &kube::Error) -> ClusterError {
        classify::classify_error(error, &self.server)
    }

    /// Whether a retry may succeed: after a transient error and, once there has been a connection, also if credentials
    /// have expired, since they may be renewed within a minute, or if the server is no longer found.
    #[must_use]
    pub fn is_retryable(&self, error: &ClusterError) -> bool {
        is_retryable(error, self.connected())
    }

    fn connected(&self) -> Connected {
        if self.was_connected.get() { Connected::Before } else { Connected::Never }
    }

    /// Sends a read, and retries it until it is answered or the budget is spent.
    ///
    /// # Errors
    /// The server's final answer, or [`ClusterError::Exhausted`].
    pub async fn read<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        loop {
            match self.request_untracked(request()).await {
                Err(error) if self.is_retryable(&error) => self.pause(&error, &self.part.reads).await?,
                answer => {
                    self.part.reads.end();
                    return answer;
                }
            }
        }
    }

    /// Waits after a failed write until it may be retried.
    ///
    /// # Errors
    /// The error itself if a retry cannot help; [`ClusterError::Exhausted`] if every attempt has failed for too long;
    /// [`ClusterError::Stopped`] if the user has interrupted the process.
    pub async fn wait_before_retry(&self, error: &ClusterError) -> Result<(), ClusterError> {
        self.pause(error, &self.part.writes).await
    }

    async fn pause(&self, error: &ClusterError, streak: &FailureStreak) -> Result<(), ClusterError> {
        let connected = self.connected();
        if !is_retryable(error, connected) {
            return Err(error.clone());
        }
        let budget = self.budget(error, connected);
        let has_expired = matches!(error, ClusterError::Unauthorized(_));
        let asked = if has_expired { CREDENTIALS_AGAIN } else { error.retry_after() };
        let (spent, took) = (streak.failing_for.get(), self.part.took.get());
        if spent >= budget {
            return Err(error.exhausted(spent));
        }
        let before = self.clock.elapsed();
        let delay = streak.backoff.next_delay_after(asked);
        self.notify_retry(&error.to_string(), delay);
        tokio::select! {
            biased;
            () = self.clock.pause(delay) => {}
            () = self.stopped() => return Err(ClusterError::Stopped(error.to_string())),
        }
        let waited = (self.clock.elapsed() - before).unsigned_abs();
        streak.failing_for.set(spent + took + waited);
        Ok(())
    }

    /// Reports a failed attempt, unless the same failure of another request was reported whose retry is still to come.
    pub fn notify_retry(&self, message: &str, delay: Duration) {
        let Some(observer) = &self.observer else { return };
        let now = self.clock.moment();
        let is_known = |(known, until): &(String, Moment)| known == message && now < *until;
        if observer.announced.borrow().as_ref().is_some_and(is_known) {
            return;
        }
        *observer.announced.borrow_mut() = Some((message.to_owned(), now.plus(delay)));
        (observer.on_retry)(message, delay);
    }

    /// Waits until a stop is requested; forever without a stop signal.
    async fn stopped(&self) {
        if let Some(mut stop) = self.stop.clone()
            && stop.wait_for(|is_stopped| *is_stopped).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Records that writes are answered again.
    pub fn recovered(&self) {
        self.part.writes.end();
    }
}

/// Whether the API server has ever answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connected {
    Never,
    Before,
}

fn is_retryable(error: &ClusterError, connected: Connected) -> bool {
    match error {
        ClusterError::Transient { .. } => true,
        ClusterError::Unauthorized(_) | ClusterError::Misdirected { .. } => connected == Connected::Before,
        ClusterError::NotFound(_)
        | ClusterError::AlreadyExists(_)
        | ClusterError::Conflict(_)
        | ClusterError::Forbidden(_)
        | ClusterError::Invalid(_)
        | ClusterError::Rejected(_)
        | ClusterError::Exhausted { .. }
        | ClusterError::Stopped(_)
        | ClusterError::Other(_) => false,
    }
}

impl Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("patience", &self.timeouts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
