//! The events that go with failing pods. One event per pod, reason and message, counted.

use serde_json::{Value, json};

use super::outlook::{Block, Crash, Probe, State};
use super::parts::{self, UNSCHEDULABLE};
use crate::sandbox::object::hash::fnv;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, Part, Persist};
use crate::sandbox::validation::registry;

/// What there is to say about a pod.
struct Said {
    component: &'static str,
    reason: &'static str,
    message: String,
    /// How often, where that is known.
    count: i64,
}

/// Says what goes with a state, or counts that it was said again.
pub(super) fn tell(store: &mut Store, pod: &Value, state: State) {
    for said in all(pod, state) {
        say(store, pod, &said);
    }
}

fn all(pod: &Value, state: State) -> Vec<Said> {
    let said = |reason, message| Said { component: "kubelet", reason, message, count: 1 };
    let first = &pod["spec"]["containers"][0];
    let image = meta::text(first, "/image");
    let crashed = |container: &str, crash: Crash| {
        let (name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
        let message =
            format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
        vec![Said { count: crash.restarts, ..said("BackOff", message) }]
    };
    match state {
        State::Unschedulable => {
            let message = UNSCHEDULABLE.to_owned();
            vec![Said { component: "default-scheduler", ..said("FailedScheduling", message) }]
        }
        State::Mounting => vec![said("FailedMount", parts::unmounted(pod).unwrap_or_default())],
        State::Blocked(Block::Pull) => {
            let failed = format!("Failed to pull image \"{image}\": {}", parts::pull_error(image));
            vec![said("Failed", failed), said("Failed", "Error: ErrImagePull".to_owned())]
        }
        State::Blocked(Block::PullBackOff) => {
            vec![said("Failed", format!("Failed to pull image \"{image}\": {}", parts::pull_error(image)))]
        }
        State::Blocked(Block::ImageName) => {
            let failed = said("Failed", "Error: InvalidImageName".to_owned());
            vec![said("InspectFailed", parts::name_error(image)), failed]
        }
        State::Blocked(Block::Environment) => {
            vec![said("Failed", format!("Error: {}", parts::missing(first).unwrap_or_default()))]
        }
        State::Crashing(crash) => crashed(meta::text(first, "/name"), crash),
        State::InitCrashing(crash) => crashed(parts::failing_init(pod).unwrap_or_default(), crash),
        State::Running(Probe::Failing) => {
            vec![said(
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned(),
            )]
        }
        State::Running(Probe::Passing | Probe::Awaited) | State::Starting | State::Waiting => Vec::new(),
    }
}

fn say(store: &mut Store, pod: &Value, said: &Said) {
    let Said { component, reason, message, count } = said;
    let (name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
    let kind = registry::kind("events");
    let now = meta::seconds(store.now);
    let key = Key::new(
        kind,
        namespace,
        &format!("{name}.{:08x}{:08x}", fnv(uid), fnv(&format!("{reason} {message}"))),
    );
    if store.object(&key).is_some() {
        write::modify(store, &key, Part::Main, |event| {
            event["count"] = json!((*count).max(meta::number(event, "/count") + 1));
            event["lastTimestamp"] = json!(now);
        });
        return;
    }
    let event = json!({
        "metadata": {"name": key.name},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": meta::text(pod, "/metadata/resourceVersion"),
        },
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": count,
        "type": "Warning",
        "reportingComponent": component,
        "reportingInstance": "",
    });
    // A refusal can only mean that the namespace's name is odd; then there is no event.
    write::create(store, kind, namespace, event, Persist::Keep).ok();
}
