//! A cloud's service controller: a Service of type `LoadBalancer` gets an address after some time.
//!
//! See <https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer>. The rules decide when, as they
//! do for a pod with the image `service/NAME`.

use serde_json::{Value, json};

use crate::sandbox::object::hash::fnv;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::rules::{self, Outcome, PodFacts};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write;

/// Whether a Service needs an address.
pub(super) fn concerns(service: &Value) -> bool {
    let has_address = !meta::items(service, "/status/loadBalancer/ingress").is_empty();
    meta::text(service, "/spec/type") == "LoadBalancer" && !has_address
}

/// Sets the address of a Service when it is due.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(service) = store.object(key).cloned() else { return };
    if !concerns(&service) {
        return;
    }
    let start = meta::time_at(&service, "/metadata/creationTimestamp").unwrap_or(store.now);
    let image = format!("service/{}", key.name);
    let facts = PodFacts { image: &image, labels: meta::labels(&service), start };
    let (Outcome::Ready { after, .. }, _) = rules::outcome(&store.rules, facts, |_| true) else { return };
    let due = meta::saturating_add(start, after);
    if due > store.now {
        store.queue.add(Task::LoadBalancer, key, due);
        return;
    }
    // In the range that RFC 5737 reserves for documentation.
    let address = format!("203.0.113.{}", 1 + fnv(meta::uid(&service)) % 254);
    write::modify(store, key, Part::Status, |service| {
        service["status"]["loadBalancer"]["ingress"] = json!([{"ip": address, "ipMode": "VIP"}]);
    });
}
