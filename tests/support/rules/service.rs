//! Services: they lead to the pods that serve.

use rollout::plan::run::{Mode, Run};
use rollout::sandbox::Change;
use rollout::sandbox::fault::Verb;
use serde_json::{Value, json};

use super::claim::Claim;
use super::world::{World, component, epoch, is_foreign};
use super::{Author, Broken, Judge};

/// The prefix of the names of container ports that a Service need not offer.
const HIDDEN: &str = "hidden";

impl Judge {
    pub(super) fn note_late_service(&mut self, change: &Change, author: Author<'_>) {
        let (true, Author::Process(_), Some(service)) = (change.kind == "services", author, &change.after)
        else {
            return;
        };
        let Some(memory) = component(service).and_then(|name| self.components.get_mut(name)) else { return };
        let is_before = |claim: &Claim| epoch(service).is_some_and(|epoch| epoch < claim.epoch);
        memory.has_late_service = change.verb == Verb::Create && memory.claim.as_ref().is_some_and(is_before);
    }

    pub(super) fn look_at_service(&self, change: &Change) -> Result<(), Broken> {
        let either = change.after.as_deref().or(change.before.as_deref());
        if !["pods", "services"].contains(&change.kind.as_str())
            || either.is_some_and(is_foreign)
            || self.circumstances.others_cut_off
        {
            return Ok(());
        }
        let Some(name) = either.and_then(component) else { return Ok(()) };
        // A component that is being deleted no longer has a Service.
        let is_removed = self.components.get(name).and_then(|memory| memory.claim.as_ref());
        // A component that is applied as a whole has the Service that KubeVela renders, only for the ports of its
        // template. A subsequent run in batches corrects the Service before it changes a workload.
        let record = self.world.record(name);
        let is_whole = |run: &Run| run.spec.mode == Mode::Apply;
        let memory = self.components.get(name);
        let was_whole = memory.is_some_and(|memory| memory.has_lost_whole)
            || record.as_ref().is_some_and(|record| record.past.iter().any(is_whole));
        let has_acted =
            memory.zip(record.as_ref()).is_some_and(|(memory, record)| memory.acted >= record.epoch.0);
        if record.as_ref().is_some_and(|record| is_whole(&record.run)) || (was_whole && !has_acted) {
            return Ok(());
        }
        if memory.is_some_and(|memory| memory.has_late_service)
            || is_removed.is_none_or(|claim| claim.removes)
            || change.verb == Verb::Delete && change.kind == "pods"
        {
            return Ok(());
        }
        // Pods of a deleted workload are deleted as well.
        let pods = self.world.ready_pods(name).filter(|pod| self.world.has_workload(pod));
        reachable(&self.world, name, pods).map_err(|problem| ("service", problem))
    }
}

/// Checks that the component's Service leads to each of these pods on each of its ports, and sends no traffic for ports
/// that it lacks. The endpoints are computed as by the endpoint-slice controller.
pub(crate) fn reachable<'a>(
    world: &World,
    component: &str,
    pods: impl Iterator<Item = &'a Value>,
) -> Result<(), String> {
    let service = world.get("services", component);
    let offered: Vec<&Value> = service
        .filter(|service| service["spec"]["selector"] == json!({"app.oam.dev/component": component}))
        .and_then(|service| service["spec"]["ports"].as_array())
        .into_iter()
        .flatten()
        .collect();
    for pod in pods {
        let name = &pod["metadata"]["name"];
        let ports: Vec<&Value> = ports(pod).collect();
        let is_exposed = |port: &&&Value| port["name"].as_str().is_some_and(|name| !name.starts_with(HIDDEN));
        for port in ports.iter().filter(is_exposed) {
            let reaches = |entry: &&&Value| {
                entry["port"] == port["containerPort"]
                    && protocol(entry) == protocol(port)
                    && endpoint(entry, &ports) == port["containerPort"]
            };
            if !offered.iter().any(|entry| reaches(&entry)) {
                return Err(format!("pod {name} is not reached on its port {}", port["containerPort"]));
            }
        }
        for entry in &offered {
            let number = endpoint(entry, &ports);
            let has = |port: &&Value| port["containerPort"] == number && protocol(port) == protocol(entry);
            if !number.is_null() && !ports.iter().any(has) {
                return Err(format!("pod {name} is sent traffic for port {number}, which it lacks"));
            }
        }
    }
    Ok(())
}

fn ports(pod: &Value) -> impl Iterator<Item = &Value> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.filter_map(|container| container["ports"].as_array()).flatten()
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

/// The port of a pod that a Service's port leads to: by number for every pod, by name only for pods that have it.
fn endpoint(entry: &Value, ports: &[&Value]) -> Value {
    match &entry["targetPort"] {
        Value::String(name) => {
            let named = |port: &&&Value| port["name"] == *name && protocol(port) == protocol(entry);
            ports.iter().find(named).map(|port| port["containerPort"].clone()).unwrap_or_default()
        }
        number => number.clone(),
    }
}
