//! The scheduler and the kubelet: pods are bound, start, become ready or fail, and end.
//!
//! What a pod looks like follows from its rule, the moment it was made and the clock alone, so nothing is
//! lost when nobody looks for a while. It must not know who made the pod.

mod events;
mod outlook;
mod status;

use serde_json::{Value, json};
use std::sync::Arc;

use super::deletion::{self, Deletion};
use super::meta;
use super::queue::Task;
use super::rules;
use super::store::{Key, Noted, Store};
use super::write::{self, Part, Persist};
use outlook::{Outlook, Probe, State};

/// The only node.
const NODE: &str = "sandbox";

/// Takes note of a change of a pod's images: its containers begin anew, and its rule counts from then on.
pub(super) fn notice(store: &mut Store, noted: &Noted) {
    if let (Some(before), Some(after)) = (&noted.before, &noted.after)
        && images(before) != images(after)
    {
        store.born.insert(meta::uid(after).to_owned(), store.now);
    }
}

fn images(pod: &Value) -> Vec<&Value> {
    meta::items(pod, "/spec/containers").iter().map(|container| &container["image"]).collect()
}

/// Brings a pod to where it should be by now.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(pod) = store.object(key).cloned() else { return };
    if meta::is_terminating(&pod) {
        end(store, key);
        return;
    }
    if matches!(meta::text(&pod, "/status/phase"), "Succeeded" | "Failed") {
        return;
    }
    let image = meta::text(&pod, "/spec/containers/0/image");
    let (outcome, _) = rules::outcome(&store.rules, image);
    let mut outlook = Outlook::of(outcome, born(store, &pod), store.now);
    if outlook.state == State::Starting && meta::text(&pod, "/status/phase") == "Running" {
        // A pod that ran does not start again: one of its containers will, and nobody has looked at that yet.
        outlook.state = State::Waiting;
    }
    if let Some(due) = outlook.next {
        // Restarts that nobody could see need not be gone through one by one.
        let due = if matches!(outlook.state, State::Crashing(_)) { due.max(store.horizon) } else { due };
        store.queue.add(Task::Kubelet, key, due);
    }
    let bound = !meta::text(&pod, "/spec/nodeName").is_empty();
    match outlook.state {
        State::Waiting => (),
        State::Unschedulable if !bound => {
            let status = status::unschedulable(&pod, store.now);
            if let Some(pod) = write::modify(store, key, Part::Status, |pod| pod["status"] = status) {
                events::tell(store, &pod, events::Said::Unschedulable);
            }
        }
        State::Unschedulable => (),
        State::Starting | State::Running(_) | State::PullFailing | State::Crashing(_) => {
            let now = store.now;
            if !bound {
                // Binding is a write of its own in a cluster, too: it is not seen as a change of the spec.
                bind(store, key, &pod);
            }
            let Some(pod) = store.object(key).cloned() else { return };
            let status = status::of(&pod, outlook.state, now);
            if pod["status"] == status {
                return;
            }
            if let Some(pod) = write::modify(store, key, Part::Status, |pod| pod["status"] = status) {
                report(store, &pod, outlook.state);
            }
        }
    }
}

/// When the pod was made, to the millisecond where that is known.
pub(super) fn born(store: &Store, pod: &Value) -> jiff::Timestamp {
    let exact = store.born.get(meta::uid(pod)).copied();
    exact.or_else(|| meta::moment(pod, "/metadata/creationTimestamp")).unwrap_or(store.now)
}

fn bind(store: &mut Store, key: &Key, pod: &Arc<Value>) {
    let mut bound = (**pod).clone();
    bound["spec"]["nodeName"] = json!(NODE);
    store.put(key.clone(), bound);
}

/// Ends a pod whose deletion has begun.
fn end(store: &mut Store, key: &Key) {
    let options = Deletion { grace: Some(0), ..Deletion::default() };
    // A refusal cannot happen: the pod is there and nothing was demanded of it.
    deletion::delete(store, key, &options, Persist::Keep).ok();
}

fn report(store: &mut Store, pod: &Value, state: State) {
    match state {
        State::PullFailing => events::tell(store, pod, events::Said::PullFailed),
        State::Crashing(crash) => events::tell(store, pod, events::Said::Crashed(crash.restarts)),
        State::Running(Probe::Failing) => events::tell(store, pod, events::Said::Unready),
        State::Running(Probe::Passing | Probe::Awaited)
        | State::Starting
        | State::Waiting
        | State::Unschedulable => (),
    }
}

/// Why a pod has no log yet, in the server's words, or what it printed.
pub(super) fn log(store: &Store, pod: &Value) -> Result<String, String> {
    let image = meta::text(pod, "/spec/containers/0/image");
    let (_, log) = rules::outcome(&store.rules, image);
    let (name, container) = (meta::name(pod), meta::text(pod, "/spec/containers/0/name"));
    let statuses = meta::items(pod, "/status/containerStatuses");
    let waiting = statuses.first().map(|s| meta::text(s, "/state/waiting/reason"));
    let waits = match waiting {
        None | Some("ContainerCreating") => "ContainerCreating",
        Some("ImagePullBackOff" | "ErrImagePull") => "trying and failing to pull image",
        Some(_) => return Ok(log.unwrap_or_default().to_owned()),
    };
    Err(format!("container \"{container}\" in pod \"{name}\" is waiting to start: {waits}"))
}
