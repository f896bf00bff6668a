//! One process's talk with the API server: deadlines for requests, and a budget for retries.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource};
use tokio::sync::watch;

use crate::cluster::answers::{self, Warnings};
use crate::cluster::clock::{Clock, Moment};
use crate::cluster::error::ClusterError;

/// The first delay between tries; it doubles up to [`MOST_DELAY`].
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// The longest delay of our own: an outage's end is noticed within it.
const MOST_DELAY: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is honoured; a busy API server asks for 32 s at most.
pub(in crate::cluster) const MOST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How patient a session is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The deadline of one request; zero is none.
    pub request: Duration,
    /// For how long every try may fail before the session gives up, once it has been connected.
    pub outage: Duration,
    /// The same where credentials that were accepted are no longer.
    pub credentials: Duration,
    /// The same for the very first request, when a wrong address is likelier than an outage.
    pub connect: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            outage: Duration::from_secs(300),
            credentials: Duration::from_secs(90),
            connect: Duration::from_secs(3),
        }
    }
}

/// Told of each failed try and the delay before the next.
pub type OnRetry = Rc<dyn Fn(&str, Duration)>;

/// A client with a clock, deadlines and a retry budget. One per process.
#[derive(Clone)]
pub struct Session {
    client: Client,
    clock: Clock,
    patience: Patience,
    warnings: Warnings,
    trouble: Rc<Trouble>,
}

#[derive(Default)]
struct Trouble {
    was_connected: Cell<bool>,
    /// How long the last failed request took.
    took: Cell<Duration>,
    /// Failed reads in a row.
    reads: Streak,
    /// Failed writes in a row: a server that still answers reads does not end them.
    writes: Streak,
    on_retry: RefCell<Option<OnRetry>>,
    /// What the listener was told last, and when the try that was announced is due.
    told: RefCell<Option<(String, Moment)>>,
    stop: RefCell<Option<watch::Receiver<bool>>>,
}

#[derive(Default)]
struct Streak {
    failing_for: Cell<Duration>,
    tries: Cell<u32>,
}

impl Streak {
    fn end(&self) {
        self.failing_for.set(Duration::ZERO);
        self.tries.set(0);
    }
}

impl Session {
    /// Starts a session over a client, which must not retry by itself.
    #[must_use]
    pub fn new(client: Client, clock: Clock, patience: Patience) -> Self {
        let warnings = Warnings::default();
        let client = answers::normalised(client, clock.clone(), patience.request, warnings.clone());
        Self { client, clock, patience, warnings, trouble: Rc::default() }
    }

    /// Names who is told of failed tries.
    pub fn on_retry(&self, listener: OnRetry) {
        *self.trouble.on_retry.borrow_mut() = Some(listener);
    }

    /// Ends waiting for another try once the value turns true.
    pub fn stop_when(&self, stop: watch::Receiver<bool>) {
        *self.trouble.stop.borrow_mut() = Some(stop);
    }

    /// What the server warned of.
    #[must_use]
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// For how long every try may fail before the session gives up.
    #[must_use]
    pub fn outage(&self) -> Duration {
        self.patience.outage
    }

    /// The session's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A typed view of a namespace's objects.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A typed view of objects that live in no namespace.
    pub fn cluster_wide<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>,
    {
        Api::all(self.client.clone())
    }

    /// Asks what a group version serves.
    pub async fn discover(&self, api_version: &str) -> Result<APIResourceList, kube::Error> {
        self.client.list_api_group_resources(api_version).await
    }

    /// An untyped view of a namespace's objects.
    #[must_use]
    pub fn dynamic(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, resource)
    }

    /// Makes a write once, within the request's deadline.
    ///
    /// # Errors
    /// What the server answered; a deadline that ran out is transient. A transient error of a write
    /// leaves open whether it was applied.
    pub async fn once<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ClusterError> {
        let answer = self.aside(request).await;
        if !answer.as_ref().is_err_and(|error| self.may_pass(error)) {
            self.recovered();
        }
        answer
    }

    /// Makes a request once that says nothing about whether writes succeed: a look, or the Lease's renewal.
    ///
    /// # Errors
    /// Like [`Session::once`].
    pub async fn aside<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ClusterError> {
        let asked = self.clock.elapsed();
        let answer = self.clock.within(self.patience.request, request).await;
        self.trouble.took.set((self.clock.elapsed() - asked).unsigned_abs());
        let Some(answer) = answer else {
            let seconds = self.patience.request.as_secs();
            return Err(ClusterError::transient(format!("no answer from the API server within {seconds}s")));
        };
        let answer = answer.map_err(ClusterError::from);
        let says_nothing =
            |error: &ClusterError| error.is_transient() || matches!(error, ClusterError::Unauthorized(_));
        if !answer.as_ref().is_err_and(says_nothing) {
            self.trouble.was_connected.set(true);
        }
        answer
    }

    /// Whether another try may succeed: after trouble that passes, or when credentials that were good have
    /// expired, since the client reads them anew within a minute.
    #[must_use]
    pub fn may_pass(&self, error: &ClusterError) -> bool {
        let is_expired = matches!(error, ClusterError::Unauthorized(_)) && self.trouble.was_connected.get();
        error.is_transient() || is_expired
    }

    /// Makes a request that only reads, again and again until it is answered or the budget is spent.
    ///
    /// # Errors
    /// The server's final answer, or [`ClusterError::Exhausted`].
    pub async fn read<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        loop {
            match self.aside(request()).await {
                Err(error) if self.may_pass(&error) => self.pause(&error, &self.trouble.reads).await?,
                answer => {
                    self.trouble.reads.end();
                    return answer;
                }
            }
        }
    }

    /// Waits as long as a failed write asks for, before the next try.
    ///
    /// # Errors
    /// The error itself where no other try helps; [`ClusterError::Exhausted`] where every try has failed for too
    /// long; [`ClusterError::Stopped`] where the user has asked to stop.
    pub async fn pause_after(&self, error: &ClusterError) -> Result<(), ClusterError> {
        self.pause(error, &self.trouble.writes).await
    }

    async fn pause(&self, error: &ClusterError, streak: &Streak) -> Result<(), ClusterError> {
        let trouble = &self.trouble;
        let was_connected = trouble.was_connected.get();
        let (message, retry_after, budget) = match error {
            ClusterError::Transient { message, retry_after } => {
                let budget = if was_connected { self.patience.outage } else { self.patience.connect };
                (message, *retry_after, budget)
            }
            ClusterError::Unauthorized(message) if was_connected => {
                (message, Some(MOST_DELAY), self.patience.credentials)
            }
            error => return Err(error.clone()),
        };
        let (spent, took) = (streak.failing_for.get(), trouble.took.get());
        if spent >= budget {
            return Err(ClusterError::Exhausted { message: message.clone(), spent });
        }
        let own = FIRST_DELAY.saturating_mul(1 << streak.tries.get().min(10)).min(MOST_DELAY);
        let delay = own.max(retry_after.unwrap_or_default().min(MOST_RETRY_AFTER));
        self.tell_retry(message, delay);
        streak.tries.set(streak.tries.get() + 1);
        let before = self.clock.elapsed();
        tokio::select! {
            () = self.clock.pause(delay) => {}
            () = self.stopped() => return Err(ClusterError::Stopped),
        }
        let waited = (self.clock.elapsed() - before).unsigned_abs();
        streak.failing_for.set(spent + took + waited);
        Ok(())
    }

    /// Tells the listener of a failed try: once, where several requests fail side by side for one reason.
    pub fn tell_retry(&self, message: &str, delay: Duration) {
        let now = self.clock.moment();
        let mut told = self.trouble.told.borrow_mut();
        if told.as_ref().is_some_and(|(known, until)| known == message && now < *until) {
            return;
        }
        *told = Some((message.to_owned(), now.plus(delay)));
        drop(told);
        let listener = self.trouble.on_retry.borrow().clone();
        if let Some(listener) = listener {
            listener(message, delay);
        }
    }

    /// Waits until asked to stop; for ever where nobody can ask.
    async fn stopped(&self) {
        let stop = self.trouble.stop.borrow().clone();
        if let Some(mut stop) = stop
            && stop.wait_for(|is_stopped| *is_stopped).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Takes note that writes are answered.
    pub fn recovered(&self) {
        self.trouble.writes.end();
    }
}

impl Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("patience", &self.patience).finish_non_exhaustive()
    }
}
