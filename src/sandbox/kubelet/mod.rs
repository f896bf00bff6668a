//! The scheduler and the kubelet: they bind pods, start them, make them ready or fail, and end them.
//!
//! They stand for kube-scheduler and the kubelet of a single node: see [Pod lifecycle]. The state of a pod is a pure
//! function of its rule, its start and the clock, so nothing is lost while no process runs. Containers, probes,
//! volumes, resources and evictions are not implemented: rules script what a pod does. A pod that is not always
//! restarted succeeds when its rule would make it ready, and fails with `Never` when its rule makes it crash. This
//! module must not know which controller created the pod.
//!
//! [Pod lifecycle]: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/

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
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write;
use timeline::{PodState, PodTimeline, RestartPolicy};

/// The only node.
const NODE: &str = "sandbox";

/// Restarts a pod's timeline when its images change: its containers are replaced.
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

/// Writes the status that a pod should have by now.
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
    let timeline = PodTimeline::of(outcome, start(store, &pod), store.now);
    let mut timeline = timeline.terminating(RestartPolicy::of(&pod));
    if timeline.state == PodState::Starting && meta::text(&pod, "/status/phase") == "Running" {
        // A pod that has run does not start again: only its container will, and the kubelet has not observed the change
        // yet.
        timeline.state = PodState::Created;
    }
    if let Some(due) = timeline.next {
        // Restarts while no process ran were not observable: skips to the last.
        let due = if matches!(timeline.state, PodState::Crashing(_) | PodState::InitCrashing(_)) {
            due.max(store.horizon)
        } else {
            due
        };
        store.queue.add(Task::Kubelet, key, due);
    }
    let is_bound = pod::is_bound(&pod);
    let status = match timeline.state {
        PodState::Created => return,
        PodState::Unschedulable if is_bound => return,
        PodState::Unschedulable => status::unschedulable(&pod, store.now),
        PodState::Starting
        | PodState::Running(_)
        | PodState::MountFailed
        | PodState::StartFailed(_)
        | PodState::Crashing(_)
        | PodState::InitCrashing(_)
        | PodState::Terminated(_) => {
            let pod = if is_bound { pod } else { bind(store, key, &pod) };
            let status = status::of(&pod, timeline.state, store.now);
            if pod["status"] == status {
                return;
            }
            status
        }
    };
    if let Some(pod) = write::modify(store, key, Part::Status, |pod| pod["status"] = status) {
        events::record(store, &pod, timeline.state);
    }
}

/// When the pod's timeline started: its creation or its last change of images, to the millisecond if known.
pub(crate) fn start(store: &Store, pod: &Value) -> jiff::Timestamp {
    let exact = store.pod_starts.get(meta::uid(pod)).copied();
    exact.or_else(|| meta::time_at(pod, "/metadata/creationTimestamp")).unwrap_or(store.now)
}

/// Assigns the node. As in a cluster, this is a separate write and does not raise the generation.
fn bind(store: &mut Store, key: &Key, pod: &Value) -> Arc<Value> {
    let mut bound = pod.clone();
    bound["spec"]["nodeName"] = json!(NODE);
    store.put(key.clone(), bound)
}

/// Ends a pod whose deletion has begun.
fn end(store: &mut Store, key: &Key) {
    let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    deletion::delete_for_controller(store, key, &options);
}

/// The outcome and the log of a pod according to the rules.
fn rule<'a>(store: &'a Store, pod: &Value) -> (Outcome, Option<&'a str>) {
    let image = meta::text(pod, "/spec/containers/0/image");
    let facts = PodFacts { image, labels: meta::labels(pod), start: start(store, pod) };
    rules::outcome(&store.rules, facts, |prerequisite| prerequisites::has(pod, prerequisite))
}

/// The instance of a container whose log is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerInstance {
    /// The running instance, or the last one that ran.
    Current,
    /// The previous instance, as with `kubectl logs --previous`.
    Previous,
}

/// The log of a container, by default the first; or the server's message that explains why there is none.
pub(crate) fn log(
    store: &Store,
    pod: &Value,
    container: Option<&str>,
    instance: ContainerInstance,
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
    if instance == ContainerInstance::Previous && !has_ended {
        return Err(format!("previous terminated container \"{container}\" in pod \"{name}\" not found"));
    }
    match meta::text(status, "/state/waiting/reason") {
        reason if reason.is_empty() || has_ended => Ok(rule(store, pod).1.unwrap_or_default().to_owned()),
        "ErrImagePull" => Err(waits("image can't be pulled")),
        "ImagePullBackOff" => Err(waits("trying and failing to pull image")),
        reason => Err(waits(reason)),
    }
}
