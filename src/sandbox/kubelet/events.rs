//! The events that go with failing pods. One event per pod and reason, counted.

use serde_json::{Value, json};

use super::status::{UNSCHEDULABLE, pull_error};
use crate::sandbox::defaulting::fnv;
use crate::sandbox::kinds::Kind;
use crate::sandbox::meta;
use crate::sandbox::store::{Key, Store};
use crate::sandbox::write::{self, Part, Persist};

/// What there is to say about a pod.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    Unschedulable,
    PullFailed,
    /// After so many restarts.
    Crashed(i64),
    Unready,
}

/// Says it, or counts that it was said again.
pub(super) fn tell(store: &mut Store, pod: &Value, said: Said) {
    let (image, container) =
        (meta::text(pod, "/spec/containers/0/image"), meta::text(pod, "/spec/containers/0/name"));
    let (name, namespace, uid) = (meta::name(pod), meta::namespace(pod), meta::uid(pod));
    let (reason, component, message) = match said {
        Said::Unschedulable => ("FailedScheduling", "default-scheduler", UNSCHEDULABLE.to_owned()),
        Said::PullFailed => {
            ("Failed", "kubelet", format!("Failed to pull image \"{image}\": {}", pull_error(image)))
        }
        Said::Crashed(_) => {
            let message =
                format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
            ("BackOff", "kubelet", message)
        }
        Said::Unready => (
            "Unhealthy",
            "kubelet",
            "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned(),
        ),
    };
    let count = match said {
        Said::Crashed(restarts) => restarts,
        Said::Unschedulable | Said::PullFailed | Said::Unready => 1,
    };
    let kind = Kind::of("events");
    let now = meta::seconds(store.now);
    let key = Key::new(kind, namespace, &format!("{name}.{:08x}{:08x}", fnv(uid), fnv(reason)));
    if store.object(&key).is_some() {
        write::modify(store, &key, Part::Main, |event| {
            event["count"] = json!(count.max(meta::number(event, "/count") + 1));
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
