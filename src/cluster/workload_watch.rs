//! One watch per kind and namespace, however many components; it feeds a [`WorkloadCache`].
//!
//! A watch is a hint to look. Losing it is never a verdict: it is opened again, from a fresh list after
//! a few failures in a row.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{DynamicObject, ListParams};
use kube::core::Selector;
use kube::runtime::watcher::{self, Event};

use crate::cluster::backoff::Pace;
use crate::cluster::clock::Moment;
use crate::cluster::error::ClusterError;
use crate::cluster::session::{MOST_RETRY_AFTER, Session};
use crate::cluster::workload;
use crate::cluster::workload_cache::{ListMark, WorkloadCache};
use crate::oam::kind::WorkloadKind;
use crate::plan::observed::Uid;

/// How long the server keeps a watch open, in seconds. A dead connection is noticed five seconds later.
const WATCH_SECONDS: u32 = 25;
/// After so many failures in a row the watch starts over with a list. A `410 Gone` that comes as the
/// HTTP status of a watch would otherwise be asked for again for ever.
const FAILURES_BEFORE_RELIST: u32 = 3;
/// So many failures before the first list has come: about half a minute. Nothing has begun by then.
const FAILURES_BEFORE_FIRST_LIST: u32 = 12;
/// The delays after failures; an outage's end is noticed within the longest.
const PACE: Pace = Pace { first: Duration::from_millis(150), most: Duration::from_secs(5) };
/// A failure so long after the one before begins another outage: longer than a failing watch is asked for
/// again, a server's request to be left alone and the deadline of a request included.
const QUIET: Duration = Duration::from_secs(120);

/// Which objects to watch.
#[derive(Debug, Clone)]
pub struct WatchScope {
    /// Their namespace.
    pub namespace: String,
    /// Their kind.
    pub kind: WorkloadKind,
    /// The label selector.
    pub selector: Selector,
}

/// Feeds the cache for as long as it is polled.
pub async fn watch_workloads(session: &Session, scope: &WatchScope, cache: &WorkloadCache) {
    let api = session.dynamic(&scope.namespace, &workload::workload_resource(scope.kind));
    let config = watcher::Config::default().labels_from(&scope.selector).timeout(WATCH_SECONDS);
    let backoff = session.backoff(PACE);
    let mut outage: Option<Outage> = None;
    loop {
        let mut events = pin!(watcher::watcher(api.clone(), config.clone()));
        let mut listing = Listing { mark: cache.mark(), objects: Vec::new() };
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    // A list that only begins is no success.
                    if !matches!(event, Event::Init) {
                        backoff.reset();
                        outage = None;
                    }
                    apply_event(cache, scope.kind, event, &mut listing);
                }
                Err(error) => {
                    let error = classify(session, error);
                    let is_hopeless = !cache.has_synced() && backoff.failures() >= FAILURES_BEFORE_FIRST_LIST;
                    if !session.is_retryable(&error) || is_hopeless {
                        cache.fail(error);
                        return;
                    }
                    let clock = session.clock();
                    if let Some(error) =
                        Outage::note(&mut outage, clock.moment(), session.retry_budget(&error), &error)
                    {
                        cache.fail(error);
                        return;
                    }
                    let delay = backoff.next_delay_after(error.retry_after().min(MOST_RETRY_AFTER));
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

/// Reads a component's workloads again, by a quorum read.
///
/// # Errors
/// See [`Session::read`].
pub async fn refresh_workloads(
    session: &Session,
    scope: &WatchScope,
    cache: &WorkloadCache,
    component: &str,
) -> Result<(), ClusterError> {
    let api = session.dynamic(&scope.namespace, &workload::workload_resource(scope.kind));
    let selector = workload::component_selector(&[component.to_owned()]);
    let mark = cache.mark();
    let params = ListParams::default().labels_from(&selector);
    let list = session.read(|| api.list(&params)).await?;
    cache.replace(scope.kind, &list.items, mark, Some(component));
    Ok(())
}

/// Failures in a row, with nothing in between that could have been a watch that works and has no news.
struct Outage {
    over: Option<Moment>,
    last: Moment,
}

impl Outage {
    /// Takes note of a failure. An error where there has been nothing else for too long: a watch that fails
    /// for ever is one request in five seconds that nobody hears of.
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

struct Listing {
    mark: ListMark,
    objects: Vec<DynamicObject>,
}

fn apply_event(
    cache: &WorkloadCache,
    kind: WorkloadKind,
    event: Event<DynamicObject>,
    listing: &mut Listing,
) {
    match event {
        Event::Init => *listing = Listing { mark: cache.mark(), objects: Vec::new() },
        Event::InitApply(object) => listing.objects.push(object),
        Event::InitDone => cache.replace(kind, &std::mem::take(&mut listing.objects), listing.mark, None),
        Event::Apply(object) => cache.apply(kind, &object),
        Event::Delete(object) => {
            if let Some(uid) = object.metadata.uid {
                cache.remove(&Uid(uid));
            }
        }
    }
}

fn classify(session: &Session, error: watcher::Error) -> ClusterError {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => session.classify(&error),
        watcher::Error::WatchError(status) => session.classify(&kube::Error::Api(status)),
        watcher::Error::NoResourceVersion => ClusterError::transient("the watch lost its place"),
    }
}
