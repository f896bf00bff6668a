//! Which Services a component's type can render.

use serde_json::{Map, Value};

use crate::oam::convert::workload::template;

/// The index of the Service that the workload's component can render: it has the same name, selects only its pods, and
/// uses only what the type's properties can express.
pub(super) fn own_service(workload: &Value, objects: &[Value]) -> Option<usize> {
    let is_own = |service: &Value| {
        service["apiVersion"] == "v1"
            && service["kind"] == "Service"
            && service["metadata"]["name"] == workload["metadata"]["name"]
            && service["metadata"]["namespace"] == workload["metadata"]["namespace"]
            && is_plain(service)
            && selects(service, workload)
            && objects.iter().filter(|other| selects(service, other)).count() == 1
            && ports(service).all(|offer| port_of(offer, workload).is_some())
    };
    objects.iter().position(is_own)
}

fn is_plain(service: &Value) -> bool {
    let metadata = &service["metadata"];
    let kind = service["spec"]["type"].as_str().unwrap_or("ClusterIP");
    let mut fields = service["spec"].as_object().into_iter().flat_map(Map::keys);
    metadata["labels"].is_null()
        && metadata["annotations"].is_null()
        && ["ClusterIP", "NodePort", "LoadBalancer"].contains(&kind)
        && fields.all(|field| ["selector", "ports", "type"].contains(&field.as_str()))
        && ports(service).count() > 0
}

/// Whether the Service selects the workload's pods.
fn selects(service: &Value, workload: &Value) -> bool {
    let labels = &template(workload)["metadata"]["labels"];
    let Some(selector) = service["spec"]["selector"].as_object() else { return false };
    !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
}

fn ports(service: &Value) -> impl Iterator<Item = &Value> {
    service["spec"]["ports"].as_array().into_iter().flatten()
}

/// The port of the first container that the Service's port leads to, if both can have the same name.
fn port_of<'w>(offer: &Value, workload: &'w Value) -> Option<&'w Value> {
    let target = offer.get("targetPort").unwrap_or(&offer["port"]);
    let protocol = |one: &Value| one["protocol"].as_str().unwrap_or("TCP").to_owned();
    let declared = template(workload)["spec"]["containers"][0]["ports"].as_array()?;
    let port = declared.iter().find(|port| {
        protocol(port) == protocol(offer) && (port["name"] == *target || port["containerPort"] == *target)
    })?;
    let names = (offer.get("name"), port.get("name"));
    (names.0.is_none() || names.1.is_none() || names.0 == names.1).then_some(port)
}

/// The Service with the numbers of its target ports in place of their names.
pub(super) fn with_numbers(service: &Value, workload: &Value) -> Value {
    let mut service = service.clone();
    for offer in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let number = port_of(offer, workload).map(|port| port["containerPort"].clone());
        if let (Some(number), Some(offer)) = (number, offer.as_object_mut()) {
            offer.insert("targetPort".to_owned(), number);
        }
    }
    service
}
