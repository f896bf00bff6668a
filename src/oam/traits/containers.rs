//! Traits that change existing containers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::oam::object::{copy, list, text};
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{TraitError, refused};
use crate::oam::traits::patch::{self, Mark};
use crate::oam::traits::workload::{self, CRON_POD, POD, container};

/// The parameters for each container: the properties themselves, or those in `containers`.
pub(super) fn each_container(properties: &Value) -> Result<Vec<&Value>, TraitError> {
    let Some(several) = properties["containers"].as_array() else { return Ok(vec![properties]) };
    let mut names = BTreeSet::new();
    for parameters in several {
        let name = text(parameters, "containerName");
        if !names.insert(name) {
            return Err(refused(
                format!("has container `{name}` twice"),
                "put everything for a container into one entry of `containers`",
            ));
        }
    }
    Ok(several.iter().collect())
}

/// Changes the containers that the properties name.
fn change_containers(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
    change: impl Fn(&Value, &mut Value),
) -> Result<(), TraitError> {
    for parameters in each_container(properties)? {
        change(parameters, container(workload, text(parameters, "containerName"), context.component)?);
    }
    Ok(())
}

/// `env`: sets and unsets variables; existing ones keep their place, and new ones follow in the order of their names.
pub(super) fn env(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    change_containers(properties, workload, context, |parameters, container| {
        let set = parameters["env"].as_object().cloned().unwrap_or_default();
        let unset = list(parameters, "unset");
        let is_unset = |name: &str| unset.iter().any(|other| other == name);
        let existing = if parameters["replace"] == true { &[] } else { list(container, "env") };
        let mut variables: Vec<Value> = Vec::new();
        for variable in existing.iter().filter(|variable| !is_unset(text(variable, "name"))) {
            let name = text(variable, "name");
            variables.push(match set.get(name) {
                Some(value) => json!({"name": name, "value": value}),
                None => variable.clone(),
            });
        }
        for (name, value) in &set {
            let is_there = existing.iter().any(|variable| text(variable, "name") == name);
            if !is_unset(name) && !is_there {
                variables.push(json!({"name": name, "value": value}));
            }
        }
        container["env"] = Value::Array(variables);
    })
}

/// `command`: replaces the command, and replaces the arguments or adds and removes some.
pub(super) fn command(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    change_containers(properties, workload, context, |parameters, container| {
        if parameters["command"].is_array() {
            container["command"] = parameters["command"].clone();
        }
        let existing =
            if parameters["args"].is_array() { list(parameters, "args") } else { list(container, "args") };
        let removed = list(parameters, "delArgs");
        let added = list(parameters, "addArgs").iter().filter(|arg| !existing.contains(arg));
        let args: Vec<Value> =
            existing.iter().chain(added).filter(|arg| !removed.contains(arg)).cloned().collect();
        container["args"] = Value::Array(args);
    })
}

/// `container-image`: the last one wins.
pub(super) fn image(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    change_containers(properties, workload, context, |parameters, container| {
        container["image"] = parameters["image"].clone();
        if !text(parameters, "imagePullPolicy").is_empty() {
            container["imagePullPolicy"] = parameters["imagePullPolicy"].clone();
        }
    })
}

/// `container-ports`: sets the host ports of existing ports, and adds the others.
pub(super) fn ports(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    change_containers(properties, workload, context, |parameters, container| {
        let mut ports = list(container, "ports").to_vec();
        for wanted in list(parameters, "ports") {
            let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
            let is_same = |port: &&mut Value| {
                port["containerPort"] == wanted["containerPort"] && protocol(port) == protocol(wanted)
            };
            match ports.iter_mut().find(is_same).and_then(Value::as_object_mut) {
                Some(port) => copy(wanted, port, &["hostPort", "hostIP"]),
                None => ports.push(wanted.clone()),
            }
        }
        container["ports"] = Value::Array(ports);
    })
}

/// `resource`: replaces the requests and limits of the first container. `cpu` or `memory` alone has no effect.
pub(super) fn resource(properties: &Value, workload: &mut Value) -> Result<(), TraitError> {
    let mut resources = Map::new();
    let asked = ["requests", "limits"].map(|field| properties.get(field));
    if let [None, None] = asked {
        if let (Some(cpu), Some(memory)) = (properties.get("cpu"), properties.get("memory")) {
            for field in ["requests", "limits"] {
                resources.insert(field.to_owned(), json!({"cpu": cpu, "memory": memory}));
            }
        }
    } else {
        copy(properties, &mut resources, &["requests", "limits"]);
    }
    if resources.is_empty() {
        return Ok(());
    }
    let pod = if workload::kind(workload) == "CronJob" { CRON_POD } else { POD };
    if pod == POD {
        workload::require_pod(workload)?;
    }
    let containers = patch::descend(workload, pod)?;
    let Some(first) = containers.get_mut("containers").and_then(|containers| containers.get_mut(0)) else {
        return Err(refused("finds no container", "use it in a component with pods"));
    };
    let patch = json!({"resources": resources});
    patch::merge(
        first,
        &[],
        &patch,
        &[("resources.requests", Mark::Replace), ("resources.limits", Mark::Replace)],
    )?;
    Ok(())
}

/// `service-binding`: variables from keys of Secrets.
pub(super) fn service_binding(
    properties: &Value,
    workload: &mut Value,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    container(workload, "", context.component)?;
    let mappings = properties["envMappings"].as_object().into_iter().flatten();
    let env: Vec<Value> = mappings
        .map(|(name, from)| {
            let key = from["key"].as_str().unwrap_or(name);
            json!({"name": name, "valueFrom": {"secretKeyRef": {"name": from["secret"], "key": key}}})
        })
        .collect();
    let patch = json!({"containers": [{"name": context.component, "env": env}]});
    workload::merge_into_pod(workload, &patch, workload::BY_NAME)
}
