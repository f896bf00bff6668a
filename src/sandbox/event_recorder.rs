//! Events that controllers and the kubelet record about objects: one for each cause, with a count.
//!
//! It stands for client-go's event recorder with its aggregation. See
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>.

use serde_json::{Value, json};

use crate::sandbox::object::hash::fnv;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The text of an event.
pub(crate) struct EventText {
    pub(crate) component: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// The minimum count, if known.
    pub(crate) count: i64,
}

/// Which repetitions are counted in one event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    /// Repetitions with the same reason; the event has the last message.
    ByReason,
    /// Repetitions with the same reason and message.
    ByMessage,
}

/// Records a warning about an object, or increments its count.
pub(crate) fn warn(store: &mut Store, object: &Value, text: &EventText, aggregate: Aggregate) {
    let EventText { component, reason, message, count } = text;
    let (name, namespace, uid) = (meta::name(object), meta::namespace(object), meta::uid(object));
    let cause = match aggregate {
        Aggregate::ByReason => (*reason).to_owned(),
        Aggregate::ByMessage => format!("{reason} {message}"),
    };
    let kind = registry::kind("events");
    let now = meta::format_time(store.now);
    let key = Key::new(kind, namespace, &format!("{name}.{:08x}{:08x}", fnv(uid), fnv(&cause)));
    if store.object(&key).is_some() {
        write::modify(store, &key, Part::Main, |event| {
            event["count"] = json!((*count).max(meta::number(event, "/count") + 1));
            event["lastTimestamp"] = json!(now);
            event["message"] = json!(message);
        });
        return;
    }
    let event = json!({
        "metadata": {"name": key.name},
        "involvedObject": {
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": meta::text(object, "/metadata/resourceVersion"),
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
    // Fails only in a namespace that is being deleted or has an invalid name; as in a cluster, there is then no event.
    write::create(store, kind, namespace, event, DryRun::Off).ok();
}
