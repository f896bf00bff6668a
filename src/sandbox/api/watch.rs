//! Watches: streams of changes, from a resource version or from the present.
//!
//! A stream has no state beyond the watch cache and the store, so it can end and be reopened at any time. See
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>.

use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Sleep, sleep};

use crate::sandbox::api::filter::Filter;
use crate::sandbox::api::list;
use crate::sandbox::api::route::{Query, ResourcePath};
use crate::sandbox::fault::WatchFault;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::simulation::Simulation;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::watch_cache::{TooOld, WatchCache};

/// The interval between bookmarks of an idle watch; about that of the API server.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// How long a watch without `timeoutSeconds` lasts: the minimum of the API server (`--min-request-timeout`).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// An open watch.
pub(crate) struct Watch {
    simulation: Arc<Simulation>,
    filter: Filter,
    ready: VecDeque<Value>,
    receiver: UnboundedReceiver<ChangeRecord>,
    bookmarks: Option<Pin<Box<Sleep>>>,
    end: Pin<Box<Sleep>>,
    fault: Option<WatchFault>,
    sent: usize,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// It closes once all available events have been sent.
    Ending,
    Closed,
}

/// Rejects mutually exclusive options.
fn check(query: &Query) -> Result<(), StatusError> {
    const FIELD: &str = "resourceVersionMatch";
    list::number(query, "timeoutSeconds")?;
    let wanted = query.value(FIELD);
    let mut errors = Vec::new();
    if query.value("sendInitialEvents").is_none() {
        if wanted.is_some() {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(FieldError::forbidden(FIELD, detail));
        }
    } else if wanted != Some("NotOlderThan") {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        errors.push(FieldError::forbidden(FIELD, detail));
        let unknown = wanted.map(|wanted| FieldError::unsupported(FIELD, &json!(wanted), &["NotOlderThan"]));
        errors.extend(unknown);
    }
    StatusError::check_options("ListOptions", &errors)
}

/// Opens the watch that a query requests.
pub(crate) fn open(
    simulation: &Arc<Simulation>,
    store: &Store,
    cache: &mut WatchCache,
    resource: &ResourcePath,
    query: &Query,
    fault: Option<WatchFault>,
) -> Result<Watch, StatusError> {
    let filter = Filter::of(resource, query)?;
    check(query)?;
    let asked = list::requested_version(query)?.unwrap_or_default();
    let mut ready = VecDeque::new();
    let mut stage = Stage::Open;
    let initial = query.is_on("sendInitialEvents");
    if asked == 0 || initial {
        ready.extend(filter.select(store).map(|(_, object)| filter.event("ADDED", object)));
        if initial {
            let mut bookmark = bookmark(&filter, store.version);
            bookmark["object"]["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
            ready.push_back(bookmark);
        }
    } else {
        match cache.since(asked) {
            Ok(missed) => ready.extend(missed.filter_map(|change| watch_event(&filter, change))),
            Err(TooOld(oldest)) => {
                ready.push_back(gone(asked, oldest));
                stage = Stage::Ending;
            }
        }
    }
    let receiver = cache.subscribe();
    let lasting = query.value("timeoutSeconds").and_then(|t| t.parse().ok()).filter(|t| *t > 0);
    let lasting = lasting.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let bookmarks = query.is_on("allowWatchBookmarks").then(|| Box::pin(sleep(BOOKMARK_INTERVAL)));
    let end = Box::pin(sleep(lasting));
    Ok(Watch {
        simulation: Arc::clone(simulation),
        filter,
        ready,
        receiver,
        bookmarks,
        end,
        fault,
        sent: 0,
        stage,
    })
}

impl Watch {
    /// The next line of the stream; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        match self.fault {
            Some(WatchFault::Silent) => std::future::pending().await,
            Some(WatchFault::CloseAfter(limit)) if self.sent >= limit => return None,
            Some(WatchFault::GoneAfter(limit)) if self.sent >= limit && self.stage == Stage::Open => {
                self.ready.clear();
                let version = self.simulation.version();
                self.ready.push_back(gone(version, version));
                self.stage = Stage::Ending;
            }
            Some(_) | None => (),
        }
        let event = self.event().await?;
        self.sent += 1;
        let mut line = event.to_string();
        line.push('\n');
        if self.fault == Some(WatchFault::DuplicateEach) {
            line = line.repeat(2);
        }
        Some(Bytes::from(line))
    }

    async fn event(&mut self) -> Option<Value> {
        loop {
            if self.stage == Stage::Closed {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.stage == Stage::Ending {
                self.stage = Stage::Closed;
                continue;
            }
            let quiet = async {
                match &mut self.bookmarks {
                    Some(sleep) => sleep.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                change = self.receiver.recv() => self.ready.extend(watch_event(&self.filter, &change?)),
                () = &mut self.end => self.stage = Stage::Ending,
                () = quiet => {
                    self.bookmarks = Some(Box::pin(sleep(BOOKMARK_INTERVAL)));
                    // A bookmark promises that every earlier event was sent, and all events up to this version are in
                    // the channel by now.
                    let version = self.simulation.version();
                    while let Ok(change) = self.receiver.try_recv() {
                        self.ready.extend(watch_event(&self.filter, &change));
                    }
                    self.ready.push_back(bookmark(&self.filter, version));
                }
            }
        }
    }
}

impl Filter {
    /// An event about an object, in the version of the watch.
    fn event(&self, kind: &str, object: &Value) -> Value {
        event(kind, &self.kind.present(object))
    }
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn bookmark(filter: &Filter, version: u64) -> Value {
    let object = json!({
        "kind": filter.kind.kind,
        "apiVersion": filter.kind.api_version(),
        "metadata": {"resourceVersion": version.to_string()},
    });
    event("BOOKMARK", &object)
}

fn gone(asked: u64, oldest: u64) -> Value {
    event("ERROR", &StatusError::expired(asked, oldest).to_status())
}

/// The event of a change for a watch. An object that begins to match is added, one that no longer matches is deleted.
fn watch_event(filter: &Filter, change: &ChangeRecord) -> Option<Value> {
    let elsewhere = filter.namespace.as_ref().is_some_and(|n| *n != change.key.namespace);
    if change.key.kind != filter.kind || elsewhere {
        return None;
    }
    let chosen = |object: &Option<Arc<Value>>| object.as_ref().filter(|o| filter.matches(o)).cloned();
    match (chosen(&change.before), chosen(&change.after)) {
        (None, None) => None,
        (None, Some(after)) => Some(filter.event("ADDED", &after)),
        (Some(_), Some(after)) => Some(filter.event("MODIFIED", &after)),
        (Some(before), None) => {
            let mut last = (*before).clone();
            meta::metadata(&mut last).insert("resourceVersion".to_owned(), json!(change.version.to_string()));
            Some(filter.event("DELETED", &last))
        }
    }
}
