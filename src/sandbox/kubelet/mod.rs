//! The scheduler and the kubelet: pods are bound, start, become ready or fail, and end.
//!
//! What a pod looks like follows from its rule, the moment it was made and the clock alone, so nothing is
//! lost when nobody looks for a while. It must not know who made the pod.

mod container;
mod events;
mod init;
mod prerequisites;
mod status;
mod timeline;

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::rules::{self, Outcome, PodFacts};
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write::{self, Part};
use timeline::{PodState, PodTimeline};

/// The only node.
const NODE: &str = "sandbox";

/// Takes note of a change of a pod's images: its containers begin anew, and its rule counts from then on.
pub(crate) fn handle_change(store: &mut Store, change: &ChangeRecord) {
    if let (Some(before), Some(after)) = (&change.before, &change.after)
        && images(before) != images(after)
    {
        store.pod_starts.insert(meta::uid(after).to_owned(), store.now);
    }
}

fn images(pod: &Value) -> Vec<&Value> {
    meta::items(pod, "/spec/containers").iter().map(|container| &container["image"]).collect()
}

/// Brings a pod to where it should be by now.
pub(crate) fn sync(store: &mut Store, key: &Key) {
    let Some(pod) = store.object(key).cloned() else { return };
    if meta::is_terminating(&pod) {
        end(store, key);
        return;
    }
    if pod::has_ended(&pod) {
        return;
    }
    let (outcome, _) = rule(store, &pod);
    let mut timeline = PodTimeline::of(outcome, start(store, &pod), store.now);
    if timeline.state == PodState::Starting && meta::text(&pod, "/status/phase") == "Running" {
        // A pod that ran does not start again: one of its containers will, and nobody has looked at that yet.
        timeline.state = PodState::Created;
    }
    if let Some(due) = timeline.next {
        // Restarts that nobody could see need not be gone through one by one.
        let due = if matches!(timeline.state, PodState::Crashing(_) | PodState::InitCrashing(_)) {
            due.max(store.horizon)
        } else {
            due
        };
        store.queue.add(Task::Kubelet, key, due);
    }
    let bound = pod::is_bound(&pod);
    match timeline.state {
        PodState::Created => (),
        PodState::Unschedulable if !bound => {
            let status = status::unschedulable(&pod, store.now);
            if let Some(pod) = write::modify(store, key, Part::Status, |pod| pod["status"] = status) {
                events::record(store, &pod, timeline.state);
            }
        }
        PodState::Unschedulable => (),
        PodState::Starting
        | PodState::Running(_)
        | PodState::MountFailed
        | PodState::StartFailed(_)
        | PodState::Crashing(_)
        | PodState::InitCrashing(_) => {
            let now = store.now;
            if !bound {
                // Binding is a write of its own in a cluster, too: it is not seen as a change of the spec.
                bind(store, key, &pod);
            }
            let Some(pod) = store.object(key).cloned() else { return };
            let status = status::of(&pod, timeline.state, now);
            if pod["status"] == status {
                return;
            }
            if let Some(pod) = write::modify(store, key, Part::Status, |pod| pod["status"] = status) {
                events::record(store, &pod, timeline.state);
            }
        }
    }
}

/// When the pod was made, to the millisecond where that is known.
pub(crate) fn start(store: &Store, pod: &Value) -> jiff::Timestamp {
    let exact = store.pod_starts.get(meta::uid(pod)).copied();
    exact.or_else(|| meta::time_at(pod, "/metadata/creationTimestamp")).unwrap_or(store.now)
}

fn bind(store: &mut Store, key: &Key, pod: &Arc<Value>) {
    let mut bound = (**pod).clone();
    bound["spec"]["nodeName"] = json!(NODE);
    store.put(key.clone(), bound);
}

/// Ends a pod whose deletion has begun.
fn end(store: &mut Store, key: &Key) {
    let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    deletion::delete_for_controller(store, key, &options);
}

/// What becomes of a pod, and what it prints.
fn rule<'a>(store: &'a Store, pod: &Value) -> (Outcome, Option<&'a str>) {
    let image = meta::text(pod, "/spec/containers/0/image");
    let look = PodFacts { image, labels: meta::labels(pod), start: start(store, pod) };
    rules::outcome(&store.rules, look, |prerequisite| prerequisites::has(pod, prerequisite))
}

/// Which log of a pod is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerInstance {
    /// That of the container as it is, or as it last was.
    Current,
    /// That of the one before.
    Previous,
}

/// What a container of a pod printed; or why there is nothing to read, in the server's words. Without a name it is the
/// first one.
pub(crate) fn log(
    store: &Store,
    pod: &Value,
    container: Option<&str>,
    life: ContainerInstance,
) -> Result<String, String> {
    let name = meta::name(pod);
    let container = container.unwrap_or_else(|| meta::text(pod, "/spec/containers/0/name"));
    let lists = ["containers", "initContainers"].map(|list| meta::items(&pod["spec"], &format!("/{list}")));
    if !lists.into_iter().flatten().any(|one| one["name"] == container) {
        return Err(format!("container {container} is not valid for pod {name}"));
    }
    let waits = |why: &str| format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}");
    let lists = ["containerStatuses", "initContainerStatuses"]
        .map(|list| meta::items(&pod["status"], &format!("/{list}")));
    let Some(status) = lists.into_iter().flatten().find(|status| status["name"] == container) else {
        return Err(waits("ContainerCreating"));
    };
    let has_ended = status["lastState"].get("terminated").is_some();
    if life == ContainerInstance::Previous && !has_ended {
        return Err(format!("previous terminated container \"{container}\" in pod \"{name}\" not found"));
    }
    match meta::text(status, "/state/waiting/reason") {
        reason if reason.is_empty() || has_ended => Ok(rule(store, pod).1.unwrap_or_default().to_owned()),
        "ErrImagePull" => Err(waits("image can't be pulled")),
        "ImagePullBackOff" => Err(waits("trying and failing to pull image")),
        reason => Err(waits(reason)),
    }
}
