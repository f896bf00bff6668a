//! The list-and-watch loop, which feeds a sink.
//!
//! Losing a watch is not an error: it is restarted, from a fresh list after a few failures in a row.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Config, Event};

use crate::cluster::backoff::BackoffBounds;
use crate::cluster::clock::Moment;
use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::plan::observed::Uid;

/// How long the server keeps a watch open, in seconds. A dead connection is detected five seconds later.
const WATCH_SECONDS: u32 = 25;
/// After this many failures in a row, the watch starts over with a list. Otherwise, a watch that is answered with HTTP
/// status `410 Gone` would be retried forever.
const FAILURES_BEFORE_RELIST: u32 = 3;
/// The maximum number of failures before the first list, which take about half a minute. Nothing has been written by
/// then.
const FAILURES_BEFORE_FIRST_LIST: u32 = 12;
/// The delays after failures; the longest bounds how late the end of an outage is noticed.
const BOUNDS: BackoffBounds =
    BackoffBounds { initial: Duration::from_millis(150), max: Duration::from_secs(5) };
/// A failure this long after the previous one begins a new outage: longer than a failing watch takes to be retried,
/// including a delay requested by the server and the deadline of a request.
const QUIET: Duration = Duration::from_secs(120);

/// Receives what a watch reports.
pub(in crate::cluster) trait WatchSink {
    /// Identifies the moment before a list is requested.
    type Mark: Copy;

    /// Marks the moment before a list is requested.
    fn mark(&self) -> Self::Mark;
    /// Applies a complete list that was requested after `mark`.
    fn replace(&self, objects: &[DynamicObject], mark: Self::Mark);
    /// Applies the state of one object.
    fn apply(&self, object: &DynamicObject);
    /// Records a deletion.
    fn remove(&self, uid: &Uid);
    /// Whether a complete list has been applied.
    fn has_synced(&self) -> bool;
    /// Records that the watch has ended permanently.
    fn fail(&self, error: ClusterError);
}

/// Feeds the sink with the objects that the configuration selects, for as long as it is polled.
pub(in crate::cluster) async fn run_watch(
    session: &Session,
    api: &Api<DynamicObject>,
    config: Config,
    sink: &impl WatchSink,
) {
    let config = config.timeout(WATCH_SECONDS);
    let backoff = session.backoff(BOUNDS);
    let mut outage: Option<Outage> = None;
    loop {
        let mut events = pin!(watcher::watcher(api.clone(), config.clone()));
        let mut listing = Listing { mark: sink.mark(), objects: Vec::new() };
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    // The start of a list is not a success yet.
                    if !matches!(event, Event::Init) {
                        backoff.reset();
                        outage = None;
                    }
                    apply_event(sink, event, &mut listing);
                }
                Err(error) => {
                    let error = classify_watch_error(session, error);
                    let is_hopeless = !sink.has_synced() && backoff.failures() >= FAILURES_BEFORE_FIRST_LIST;
                    if !session.is_retryable(&error) || is_hopeless {
                        sink.fail(error);
                        return;
                    }
                    let clock = session.clock();
                    if let Some(error) =
                        Outage::note(&mut outage, clock.moment(), session.retry_budget(&error), &error)
                    {
                        sink.fail(error);
                        return;
                    }
                    let delay = backoff.next_delay_after(error.retry_after());
                    // One failure is the ordinary end of a connection.
                    if backoff.failures() > 1 {
                        session.notify_retry(&error.to_string(), delay);
                    }
                    clock.pause(delay).await;
                    if backoff.failures().is_multiple_of(FAILURES_BEFORE_RELIST) {
                        break;
                    }
                }
            }
        }
    }
}

/// Failures in a row, too close together for a working watch without events in between.
struct Outage {
    over: Option<Moment>,
    last: Moment,
}

impl Outage {
    /// Records a failure. Returns an error if there have been only failures for too long: otherwise, a watch could fail
    /// silently forever.
    fn note(
        outage: &mut Option<Self>,
        now: Moment,
        patience: Duration,
        error: &ClusterError,
    ) -> Option<ClusterError> {
        let begun = outage.take().filter(|known| now < known.last.plus(QUIET));
        let over = begun.map_or_else(|| now.after(patience), |known| known.over);
        *outage = Some(Self { over, last: now });
        let is_over = over.is_some_and(|over| now >= over);
        is_over.then(|| error.exhausted(patience))
    }
}

struct Listing<M> {
    mark: M,
    objects: Vec<DynamicObject>,
}

fn apply_event<S: WatchSink>(sink: &S, event: Event<DynamicObject>, listing: &mut Listing<S::Mark>) {
    match event {
        Event::Init => *listing = Listing { mark: sink.mark(), objects: Vec::new() },
        Event::InitApply(object) => listing.objects.push(object),
        Event::InitDone => sink.replace(&std::mem::take(&mut listing.objects), listing.mark),
        Event::Apply(object) => sink.apply(&object),
        Event::Delete(object) => {
            if let Some(uid) = object.metadata.uid {
                sink.remove(&Uid(uid));
            }
        }
    }
}

/// Classifies the failure of a watcher.
pub(in crate::cluster) fn classify_watch_error(session: &Session, error: watcher::Error) -> ClusterError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => session.classify(&error),
        watcher::Error::WatchError(status) => session.classify(&kube::Error::Api(status)),
        watcher::Error::NoResourceVersion => ClusterError::transient("the watch lost its place"),
    }
}
