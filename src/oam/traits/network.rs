//! Traits that make a component reachable.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::oam::labels;
use crate::oam::object::{list, text};
use crate::oam::render::Rendered;
use crate::oam::traits::TraitKind;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::outputs::{TraitOutput, add_output};

/// `expose`: a Service with the component's name.
pub(super) fn expose(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let service_type = text(properties, "type");
    let ports: Vec<Value> = match properties["ports"].as_array() {
        Some(ports) => ports.iter().map(|port| exposed_port(port, service_type)).collect(),
        None => list(properties, "port")
            .iter()
            .map(|port| json!({"name": format!("port-{port}"), "port": port, "targetPort": port}))
            .collect(),
    };
    if ports.is_empty() {
        return Err(refused("has no ports", "add an entry to `ports`"));
    }
    if service_type == "ExternalName" {
        let hint = "such a Service needs an external name, which the trait cannot specify";
        return Err(refused("has `type: ExternalName`", hint));
    }
    check_unique(&ports)?;
    let selector = properties.get("matchLabels").cloned();
    let selector = selector.unwrap_or_else(|| json!({labels::COMPONENT: context.component}));
    let spec = json!({"selector": selector, "type": service_type, "ports": ports});
    let annotations = properties["annotations"].as_object().cloned().unwrap_or_default();
    let object = TraitOutput::new("v1", "Service", context.component)
        .with_metadata("annotations", &annotations)
        .with("spec", spec);
    add_output(rendered, context, TraitKind::Expose, "service", object)
}

/// Checks that the ports of a Service have unique names and numbers.
fn check_unique(ports: &[Value]) -> Result<(), TraitError> {
    let mut seen = BTreeSet::new();
    for port in ports {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        for what in
            [format!("port {}/{protocol}", port["port"]), format!("port name `{}`", text(port, "name"))]
        {
            if !seen.insert(what.clone()) {
                return Err(refused(format!("has {what} twice"), "remove or rename one of them"));
            }
        }
    }
    Ok(())
}

fn exposed_port(port: &Value, service_type: &str) -> Value {
    let (number, protocol) = (&port["port"], text(port, "protocol"));
    let name = port["name"].as_str().map(str::to_owned).unwrap_or_else(|| match protocol {
        "UDP" | "SCTP" => format!("port-{number}-{}", protocol.to_lowercase()),
        _ => format!("port-{number}"),
    });
    let mut exposed = json!({"name": name, "port": number, "targetPort": number, "protocol": protocol});
    if let (Some(node_port), "NodePort") = (port.get("nodePort"), service_type) {
        exposed["nodePort"] = node_port.clone();
    }
    exposed
}

/// `gateway`: a Service for the ports, unless one exists, and an Ingress for the paths.
pub(super) fn gateway(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let suffix = properties["name"].as_str().map(|name| format!("-{name}")).unwrap_or_default();
    let name = format!("{}{suffix}", context.component);
    let existing = properties["existingServiceName"].as_str();
    if existing.is_none() {
        let service = service_for(properties, &name, context);
        add_output(rendered, context, TraitKind::Gateway, &format!("service{suffix}"), service)?;
    }
    let class = text(properties, "class");
    let is_in_spec = properties["classInSpec"] == true;
    let mut annotations = Map::new();
    if !is_in_spec {
        annotations.insert("kubernetes.io/ingress.class".to_owned(), json!(class));
    }
    if let Some(host) = properties.get("gatewayHost") {
        annotations.insert("ingress.controller/host".to_owned(), host.clone());
    }
    for (key, value) in properties["annotations"].as_object().into_iter().flatten() {
        match annotations.get(key) {
            Some(other) if other != value => {
                let hint = match key.as_str() {
                    "kubernetes.io/ingress.class" => "set `class` instead",
                    _ => "set `gatewayHost` instead",
                };
                return Err(refused(format!("sets the annotation `{key}` twice"), hint));
            }
            _ => annotations.insert(key.clone(), value.clone()),
        };
    }
    let labels = properties["labels"].as_object().cloned().unwrap_or_default();
    let mut spec = rules(properties, text(properties, "pathType"), existing.unwrap_or(&name));
    if is_in_spec {
        spec["ingressClassName"] = json!(class);
    }
    if let Some(secret) = properties.get("secretName") {
        let Some(domain) = properties.get("domain") else {
            return Err(refused(
                "has `secretName` without `domain`",
                "set `domain`, which the certificate is for",
            ));
        };
        spec["tls"] = json!([{"hosts": [domain], "secretName": secret}]);
    }
    let ingress = TraitOutput::new("networking.k8s.io/v1", "Ingress", &name)
        .with_metadata("annotations", &annotations)
        .with_metadata("labels", &labels)
        .with("spec", spec);
    add_output(rendered, context, TraitKind::Gateway, &format!("ingress{suffix}"), ingress)
}

/// The deprecated `ingress`, with the API version that clusters still support.
pub(super) fn ingress(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let service = service_for(properties, context.component, context);
    add_output(rendered, context, TraitKind::Ingress, "service", service)?;
    let ingress = plain_ingress(properties, None, context);
    add_output(rendered, context, TraitKind::Ingress, "ingress", ingress)
}

/// The deprecated `ingress-1-20`, which has a class.
pub(super) fn ingress_1_20(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let service = service_for(properties, context.component, context);
    add_output(rendered, context, TraitKind::Ingress120, "service", service)?;
    let ingress = plain_ingress(properties, Some(text(properties, "class")), context);
    add_output(rendered, context, TraitKind::Ingress120, "ingress", ingress)
}

/// The deprecated `pure-ingress`, to a Service that exists.
pub(super) fn pure_ingress(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let ingress = plain_ingress(properties, None, context);
    add_output(rendered, context, TraitKind::PureIngress, "ingress", ingress)
}

fn plain_ingress(properties: &Value, class: Option<&str>, context: &TraitContext<'_>) -> TraitOutput {
    let mut annotations = Map::new();
    if let Some(class) = class {
        annotations.insert("kubernetes.io/ingress.class".to_owned(), json!(class));
    }
    TraitOutput::new("networking.k8s.io/v1", "Ingress", context.component)
        .with_metadata("annotations", &annotations)
        .with("spec", rules(properties, "ImplementationSpecific", context.component))
}

/// A Service with the ports of the paths, without duplicates.
fn service_for(properties: &Value, name: &str, context: &TraitContext<'_>) -> TraitOutput {
    let paths = properties["http"].as_object().into_iter().flatten();
    let mut seen = BTreeSet::new();
    let ports: Vec<Value> = paths
        .map(|(_, port)| port)
        .filter(|port| seen.insert(port.to_string()))
        .map(|port| json!({"name": format!("port-{port}"), "port": port, "targetPort": port}))
        .collect();
    TraitOutput::new("v1", "Service", name)
        .with("spec", json!({"selector": {labels::COMPONENT: context.component}, "ports": ports}))
}

/// The rules of an Ingress, in the order of the paths.
fn rules(properties: &Value, path_type: &str, service: &str) -> Value {
    let paths = properties["http"].as_object().into_iter().flatten();
    let paths: Vec<Value> = paths
        .map(|(path, port)| {
            let backend = json!({"service": {"name": service, "port": {"number": port}}});
            json!({"path": path, "pathType": path_type, "backend": backend})
        })
        .collect();
    let mut rule = json!({"http": {"paths": paths}});
    if let Some(domain) = properties.get("domain") {
        rule["host"] = domain.clone();
    }
    json!({"rules": [rule]})
}
