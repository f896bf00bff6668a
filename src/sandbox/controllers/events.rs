//! The events by which controllers warn: one per object and reason, counted.

use serde_json::{Value, json};

use crate::sandbox::object::hash::fnv;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::{self, DryRun, Part};
use crate::sandbox::validation::registry;

/// Warns, or counts that it was warned again.
pub(super) fn warn(store: &mut Store, object: &Value, reason: &str, message: &str) {
    let (name, namespace, uid) = (meta::name(object), meta::namespace(object), meta::uid(object));
    let kind = registry::kind("events");
    let now = meta::format_time(store.now);
    let key = Key::new(kind, namespace, &format!("{name}.{:08x}{:08x}", fnv(uid), fnv(reason)));
    if store.object(&key).is_some() {
        write::modify(store, &key, Part::Main, |event| {
            event["count"] = json!(meta::number(event, "/count") + 1);
            event["lastTimestamp"] = json!(now);
            event["message"] = json!(message);
        });
        return;
    }
    let component = format!("{}-controller", meta::text(object, "/kind").to_lowercase());
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
        "count": 1,
        "type": "Warning",
        "reportingComponent": component,
        "reportingInstance": "",
    });
    // A refusal can only mean that the namespace is going away; then there is no event.
    write::create(store, kind, namespace, event, DryRun::Off).ok();
}
