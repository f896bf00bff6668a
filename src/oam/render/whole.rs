//! Components that are applied as a whole: the objects that KubeVela's definitions of the types render.

use serde_json::{Map, Value, json};

use crate::oam::application::{Application, Component, ComponentBody, ComponentKind};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::object::copy;
use crate::oam::properties::tables::{CRON_JOB_FIELDS, CRON_JOB_SPEC_FIELDS};
use crate::oam::properties::{ExposeType, Port, Properties, Protocol};
use crate::oam::render::{AUXILIARY, Output, Rendered, claim, pod};

/// Renders the component's type, without traits. Objects in the manifest keep their namespace, or stay without one:
/// only the cluster knows whether their kind has one.
pub(super) fn render_body(
    application: &Application,
    component: &Component,
    namespace: &str,
    revision: &str,
) -> Rendered {
    match &component.body {
        ComponentBody::Container(properties) => Rendered {
            workload: workload(application, component, properties, namespace, revision),
            outputs: service(component, properties, namespace).into_iter().collect(),
        },
        ComponentBody::Objects(objects) => {
            let output = |(index, object): (usize, &Value)| Output {
                name: format!("objects-{index}"),
                trait_type: AUXILIARY.to_owned(),
                object: object.clone(),
            };
            Rendered {
                workload: objects.first().cloned().unwrap_or_default(),
                outputs: objects.iter().enumerate().skip(1).map(output).collect(),
            }
        }
    }
}

fn workload(
    application: &Application,
    component: &Component,
    properties: &Properties,
    namespace: &str,
    revision: &str,
) -> Value {
    let template = pod::whole_template(application, component, properties, revision);
    let name = component.name.clone();
    let selector = json!({"matchLabels": {labels::COMPONENT: component.name}});
    let (api_version, kind, name, spec) = match component.kind {
        ComponentKind::Webservice | ComponentKind::Worker => {
            ("apps/v1", "Deployment", name, json!({"selector": selector, "template": template}))
        }
        ComponentKind::Daemon => {
            ("apps/v1", "DaemonSet", name, json!({"selector": selector, "template": template}))
        }
        ComponentKind::StatefulSet => {
            let mut spec = json!({"selector": selector, "template": template});
            if let Some(order) = &properties.pod_management {
                spec["podManagementPolicy"] = json!(order);
            }
            if !properties.claims.is_empty() {
                spec["volumeClaimTemplates"] = properties.claims.iter().map(claim).collect();
            }
            ("apps/v1", "StatefulSet", name, spec)
        }
        ComponentKind::ClonesetService => {
            let mut spec = json!({"selector": selector, "template": template});
            if let Some(strategy) = &properties.update_strategy {
                spec["updateStrategy"] = json!({"type": strategy});
            }
            ("apps.kruise.io/v1alpha1", "CloneSet", name, spec)
        }
        ComponentKind::Task => {
            let spec = Value::Object(job_spec(properties, &template));
            ("batch/v1", "Job", job_name(&application.name, &component.name), spec)
        }
        ComponentKind::CronTask => {
            let metadata = pod::job_metadata(application, component, properties);
            ("batch/v1", "CronJob", name, cron_job_spec(properties, &metadata, &template))
        }
        // These types consist of objects, which are not rendered here.
        ComponentKind::K8sObjects | ComponentKind::Raw | ComponentKind::RefObjects => return Value::Null,
    };
    let metadata = json!({"name": name, "namespace": namespace});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

/// The name of the Job of a `task`.
#[must_use]
pub fn job_name(application: &str, component: &str) -> String {
    format!("{application}-{component}")
}

fn job_spec(properties: &Properties, template: &Value) -> Map<String, Value> {
    let mut spec = Map::new();
    for field in ["parallelism", "completions"] {
        pod::set(&mut spec, field, properties.count);
    }
    pod::set(&mut spec, "template", Some(template));
    spec
}

fn cron_job_spec(properties: &Properties, metadata: &Value, template: &Value) -> Value {
    let mut job_spec = job_spec(properties, template);
    copy(&properties.schedule, &mut job_spec, &CRON_JOB_SPEC_FIELDS);
    let mut spec = Map::new();
    copy(&properties.schedule, &mut spec, &CRON_JOB_FIELDS);
    pod::set(&mut spec, "jobTemplate", Some(json!({"metadata": metadata, "spec": job_spec})));
    Value::Object(spec)
}

/// The Service for the exposed ports.
fn service(component: &Component, properties: &Properties, namespace: &str) -> Option<Output> {
    let exposed: Vec<&Port> = properties.ports.iter().filter(|port| port.expose).collect();
    if exposed.is_empty() {
        return None;
    }
    let service_type = properties.expose_type;
    let mut ports: Vec<Value> = exposed.into_iter().map(|port| service_port(port, service_type)).collect();
    if component.kind == ComponentKind::Daemon {
        // KubeVela omits the protocol of a daemon's ports, and so offers UDP ports as TCP.
        for port in ports.iter_mut().filter(|port| port["protocol"] == "TCP").filter_map(Value::as_object_mut)
        {
            port.remove("protocol");
        }
    }
    let name = match component.kind.workload() {
        Some(WorkloadKind::StatefulSet) => "statefulsetsExpose",
        Some(WorkloadKind::Deployment | WorkloadKind::CloneSet) | None => "webserviceExpose",
    };
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": component.name, "namespace": namespace},
        "spec": {
            "selector": {labels::COMPONENT: component.name},
            "type": service_type,
            "ports": ports,
        },
    });
    Some(Output { name: name.to_owned(), trait_type: AUXILIARY.to_owned(), object })
}

fn service_port(port: &Port, service_type: ExposeType) -> Value {
    let protocol = port.protocol.unwrap_or(Protocol::Tcp);
    let mut entry = json!({"port": port.port, "targetPort": port.target(), "protocol": protocol.as_str()});
    if let Some(name) = &port.name {
        entry["name"] = json!(name);
    }
    if let (Some(node_port), ExposeType::NodePort) = (port.node_port, service_type) {
        entry["nodePort"] = json!(node_port);
    }
    entry
}
