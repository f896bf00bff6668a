//! Checks the server's history. What a client believes does not count.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollout::sandbox::fault::Verb;
use rollout::sandbox::{Actor, Change};
use serde_json::{Value, json};

use super::manifest::Allowance;
use super::test_cluster::BYSTANDER;

/// Kinds that run components.
const WORKLOADS: [&str; 3] = ["clonesets", "deployments", "statefulsets"];

/// The annotation that marks foreign objects for the tests; the program does not know it.
pub(crate) const FOREIGN: &str = "test/foreign";

/// The objects of the cluster at one moment of its history.
#[derive(Default)]
struct World(BTreeMap<(String, String), Arc<Value>>);

impl World {
    fn take_in(&mut self, change: &Change) {
        let key = (change.kind.clone(), change.name.clone());
        match &change.after {
            Some(after) => drop(self.0.insert(key, after.clone())),
            None => drop(self.0.remove(&key)),
        }
    }

    fn of<'a>(&'a self, kind: &'a str, component: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |((of, _), _)| of == kind).map(|(_, object)| &**object).filter(
            move |object| {
                object["metadata"]["labels"]["app.oam.dev/component"] == component
                    && object["metadata"]["deletionTimestamp"].is_null()
                    && !is_foreign(object)
            },
        )
    }

    fn workloads<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Value> {
        WORKLOADS.into_iter().flat_map(move |kind| self.of(kind, component))
    }

    /// Sizes wanted, in total.
    fn wanted(&self, component: &str) -> u32 {
        self.workloads(component).map(size).sum()
    }

    /// The epoch that the run record is at.
    fn recorded(&self, component: &str) -> Option<u64> {
        let record = self.0.get(&("configmaps".to_owned(), format!("rollout-{component}")))?;
        record["data"]["epoch"].as_str()?.parse().ok()
    }

    /// Pods that serve, in total.
    fn ready(&self, component: &str) -> u32 {
        count(self.of("pods", component).filter(|pod| is_ready(pod)))
    }

    /// Pods that would go on serving if every workload had just the size wanted of it.
    fn kept_ready(&self, component: &str) -> u32 {
        self.workloads(component)
            .map(|workload| {
                let name = workload["metadata"]["name"].as_str().unwrap();
                let is_its =
                    |pod: &&Value| self.workload_of(pod).is_some_and(|of| of == name) && is_ready(pod);
                size(workload).min(count(self.of("pods", component).filter(is_its)))
            })
            .sum()
    }

    fn workload_of<'a>(&'a self, pod: &'a Value) -> Option<&'a str> {
        let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str()?;
        match self.0.get(&("replicasets".to_owned(), owner.to_owned())) {
            Some(set) => set["metadata"]["ownerReferences"][0]["name"].as_str(),
            None => Some(owner),
        }
    }

    /// Pods of an in-place workload's newest revision that serve.
    fn moved_ready(&self, component: &str, image: &Value) -> u32 {
        let is_new = |pod: &&Value| pod["spec"]["containers"][0]["image"] == *image && is_ready(pod);
        count(self.of("pods", component).filter(is_new))
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap()
}

fn size(deployment: &Value) -> u32 {
    u32::try_from(deployment["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap()
}

/// How many pods may be of an in-place workload's newest template; of others all.
fn moved(workload: &Value) -> u32 {
    let strategy = &workload["spec"]["updateStrategy"];
    let partition = strategy["rollingUpdate"]["partition"].as_u64().or(strategy["partition"].as_u64());
    size(workload).saturating_sub(u32::try_from(partition.unwrap_or(0)).unwrap())
}

/// What of a workload's spec decides about its pods.
fn shape(workload: &Value) -> (u32, u32, &Value) {
    (size(workload), moved(workload), &workload["spec"]["template"])
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().is_some_and(|all| {
        all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// Whether the test planted it as a foreign object, whatever else it carries.
fn is_foreign(object: &Value) -> bool {
    object["metadata"]["annotations"][FOREIGN] == "true"
}

fn epoch(object: &Value) -> Option<u64> {
    object["metadata"]["annotations"]["batch-rollout.dev/epoch"].as_str()?.parse().ok()
}

fn component(object: &Value) -> Option<&str> {
    object["metadata"]["labels"]["app.oam.dev/component"].as_str()
}

/// Panics at the first accepted change, from the given one on, that breaks an invariant.
pub(crate) fn check(history: &[Change], from: usize, allowances: &[Allowance]) {
    let mut world = World::default();
    history[..from].iter().for_each(|change| world.take_in(change));
    let mut judges: Vec<Judge> =
        allowances.iter().map(|allowance| Judge::new(allowance.clone(), &world)).collect();
    for (index, change) in history.iter().enumerate().skip(from) {
        let fail = |problem: String| {
            let so_far = trace(&history[..=index], from).join("\n");
            panic!(
                "{problem}, at change {index} ({:?} {} {})\n{so_far}",
                change.verb, change.kind, change.name
            )
        };
        if change.actor == Actor::Client {
            hands_off(change).unwrap_or_else(&fail);
        }
        world.take_in(change);
        for judge in &mut judges {
            judge.look(&world, change).unwrap_or_else(&fail);
        }
    }
}

/// Objects without our mark, and those that controllers own, are nobody's business.
fn hands_off(change: &Change) -> Result<(), String> {
    if change.name == BYSTANDER {
        return Err("a bystander was touched".to_owned());
    }
    if change.before.as_deref().is_some_and(is_foreign) {
        return Err("somebody else's workload was touched".to_owned());
    }
    match change.kind.as_str() {
        "deployments"
        | "clonesets"
        | "statefulsets"
        | "configmaps"
        | "controllerrevisions"
        | "services"
        | "ingresses"
        | "persistentvolumeclaims"
        | "leases" => {}
        _ => return Err("an object of another's was touched".to_owned()),
    }
    if change.before.is_none() && change.after.as_deref().is_some_and(is_foreign) {
        return Ok(());
    }
    let labels = |object: &Value| object["metadata"]["labels"]["app.oam.dev/name"].clone();
    match change.before.as_deref().or(change.after.as_deref()).map(labels) {
        Some(name) if name == "shop" => Ok(()),
        _ => Err("an object without our mark was touched".to_owned()),
    }
}

/// How the name of a container's port begins that a Service need not offer.
pub(crate) const HIDDEN: &str = "hidden";

/// Every pod that serves is reached through the component's Service under each port of its own, and is sent nothing for a
/// port that it lacks. What reaches a pod is worked out as the endpoint-slice controller does.
fn reachable(world: &World, component: &str) -> Result<(), String> {
    let service = world.0.get(&("services".to_owned(), component.to_owned()));
    let offered: Vec<&Value> = service
        .filter(|service| service["spec"]["selector"] == json!({"app.oam.dev/component": component}))
        .and_then(|service| service["spec"]["ports"].as_array())
        .into_iter()
        .flatten()
        .collect();
    for pod in world.of("pods", component).filter(|pod| is_ready(pod)) {
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

/// The port of a pod that a Service's port leads to: by number every pod's, by name that of a pod which has it.
fn endpoint(entry: &Value, ports: &[&Value]) -> Value {
    match &entry["targetPort"] {
        Value::String(name) => {
            let named = |port: &&&Value| port["name"] == *name && protocol(port) == protocol(entry);
            ports.iter().find(named).map(|port| port["containerPort"].clone()).unwrap_or_default()
        }
        number => number.clone(),
    }
}

/// Watches over one component.
struct Judge {
    allowance: Allowance,
    floor: u32,
    ceiling: u32,
    /// The highest epoch that a size was changed or a source deleted under.
    acted: u64,
    /// The sign of the size changes, by epoch and workload.
    directions: BTreeMap<(u64, String), bool>,
}

impl Judge {
    fn new(allowance: Allowance, world: &World) -> Self {
        let name = &allowance.component;
        // Pods that an earlier write has given up may still be ready for a moment.
        let (wanted, ready) = (world.wanted(name), world.kept_ready(name));
        let (out, surge) =
            if allowance.decrease_first { (allowance.largest, 0) } else { (0, allowance.largest) };
        Self {
            floor: ready.min(allowance.size).saturating_sub(allowance.tolerated + out),
            ceiling: wanted.max(allowance.size) + surge,
            allowance,
            acted: 0,
            directions: BTreeMap::new(),
        }
    }

    fn look(&mut self, world: &World, change: &Change) -> Result<(), String> {
        let name = self.allowance.component.clone();
        let object = change.after.as_deref().or(change.before.as_deref());
        if object.and_then(component) != Some(&name) {
            return Ok(());
        }
        if self.allowance.is_plain {
            self.check_whole(world, change)?;
        } else {
            reachable(world, &name)?;
        }
        // How many pods a rolling update of the controller's own takes down is the controller's affair: it goes by counts
        // that may be a moment old. A write must leave enough.
        let is_judged = !self.allowance.is_plain || change.actor == Actor::Client;
        if is_judged && world.ready(&name) < self.floor {
            return Err(format!("{} pods of `{name}` serve, fewer than {}", world.ready(&name), self.floor));
        }
        if !WORKLOADS.contains(&change.kind.as_str()) || change.actor != Actor::Client {
            return Ok(());
        }
        if world.kept_ready(&name) < self.floor {
            let kept = world.kept_ready(&name);
            return Err(format!("{kept} pods of `{name}` will go on serving, fewer than {}", self.floor));
        }
        if world.wanted(&name) > self.ceiling {
            let wanted = world.wanted(&name);
            return Err(format!("{wanted} pods of `{name}` are wanted, more than {}", self.ceiling));
        }
        self.check_epochs(world, change)?;
        self.check_gate(world, change)?;
        self.check_direction(change)
    }

    /// A component that is applied as a whole: every write is of the claim that the record has, and what is no longer
    /// rendered goes only when the pods of the workload that is are ready.
    fn check_whole(&self, world: &World, change: &Change) -> Result<(), String> {
        let is_record = change.kind == "configmaps" && change.name.starts_with("rollout-");
        if change.actor != Actor::Client || is_record || change.kind == "controllerrevisions" {
            return Ok(());
        }
        let name = &self.allowance.component;
        let recorded = world.recorded(name);
        if change.verb != Verb::Delete {
            let written = change.after.as_deref().and_then(epoch);
            // Only whose its fields are has changed.
            if let (Some(before), Some(after)) = (&change.before, &change.after)
                && content(before) == content(after)
                && epoch(before) == written
            {
                return Ok(());
            }
            let is_current = written.is_some() && written == recorded;
            return match is_current {
                true => Ok(()),
                false => Err(format!(
                    "an object is written by claim {written:?}, and the record is at {recorded:?}"
                )),
            };
        }
        let is_target = |one: &&Value| one["metadata"]["name"] == **name && epoch(one) == recorded;
        for target in world.workloads(name).filter(is_target) {
            let image = &target["spec"]["template"]["spec"]["containers"][0]["image"];
            let (ready, wanted) = (world.moved_ready(name, image), size(target));
            if ready < wanted {
                return Err(format!("an object is deleted while {ready} of {wanted} pods are ready"));
            }
        }
        Ok(())
    }

    fn check_epochs(&mut self, world: &World, change: &Change) -> Result<(), String> {
        let before = change.before.as_deref().and_then(epoch);
        let after = change.after.as_deref().and_then(epoch);
        if change.after.is_some() && after.is_none() {
            return Err("a workload lost its stamp or never had one".to_owned());
        }
        if after.is_some() && before > after {
            return Err(format!("the stamp went down from {before:?} to {after:?}"));
        }
        let recorded = world.recorded(&self.allowance.component);
        if after.or(before) > recorded {
            return Err(format!("epoch {after:?} acts, and the record is at {recorded:?}"));
        }
        let is_effect = match change.verb {
            // A target without pods does no harm.
            Verb::Create => change.after.as_ref().is_some_and(|after| size(after) > 0),
            Verb::Delete => true,
            Verb::Get | Verb::List | Verb::Watch | Verb::Update | Verb::Patch => {
                change.before.as_deref().map(shape) != change.after.as_deref().map(shape)
            }
        };
        if !is_effect {
            return Ok(());
        }
        let acting = after.or(before).unwrap_or(0);
        if acting < self.acted {
            return Err(format!("a run with epoch {acting} acted after one with epoch {}", self.acted));
        }
        self.acted = acting;
        let is_behind = |one: &&Value| size(one) > 0 && epoch(one).unwrap_or(0) < acting;
        if let Some(behind) = world.workloads(&self.allowance.component).find(is_behind) {
            return Err(format!("epoch {acting} acts, and {} is not stamped", behind["metadata"]["name"]));
        }
        Ok(())
    }

    /// No further pod of an in-place workload goes to a template before those that were let are ready.
    fn check_gate(&self, world: &World, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            return Ok(());
        };
        let is_same = before["spec"]["template"] == after["spec"]["template"];
        if change.kind == "deployments" || !is_same || moved(after) <= moved(before) {
            return Ok(());
        }
        let image = &after["spec"]["template"]["spec"]["containers"][0]["image"];
        let ready = world.moved_ready(&self.allowance.component, image);
        let least = moved(before).saturating_sub(self.allowance.tolerated);
        if ready < least {
            return Err(format!("more pods are let go on while {ready} of {least} are ready"));
        }
        Ok(())
    }

    fn check_direction(&mut self, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            return Ok(());
        };
        if size(before) == size(after) {
            return Ok(());
        }
        let grows = size(after) > size(before);
        let key = (epoch(after).unwrap_or(0), change.name.clone());
        if self.directions.insert(key, grows).is_some_and(|known| known != grows) {
            return Err("a workload grew and shrank within one epoch".to_owned());
        }
        Ok(())
    }
}

/// What was done to workloads, revisions and Services by clients, in words; one component after the other.
pub(crate) fn trace(history: &[Change], from: usize) -> Vec<String> {
    let clients = history.iter().skip(from).filter(|change| change.actor == Actor::Client);
    let mut trace: Vec<(&str, String)> = clients
        .filter_map(|change| Some((change.name.split('-').next().unwrap_or_default(), deed(change)?)))
        .collect();
    trace.sort_by_key(|(component, _)| *component);
    trace.into_iter().map(|(_, deed)| deed).collect()
}

fn deed(change: &Change) -> Option<String> {
    let name = &change.name;
    match (change.kind.as_str(), &change.before, &change.after) {
        ("leases", _, _) => None,
        ("configmaps", _, _) if name.starts_with("rollout-") => None,
        ("deployments", Some(before), Some(after)) if change.verb != Verb::Delete => {
            let (from, to) = (size(before), size(after));
            let image = |one: &Value| one["spec"]["template"]["spec"]["containers"][0]["image"].clone();
            match (from != to, image(before) != image(after)) {
                (false, false) => None,
                (true, false) => Some(format!("{name} {from}->{to}")),
                (_, true) => Some(format!("{name} {from}->{to} {}", image(after))),
            }
        }
        ("clonesets" | "statefulsets", Some(before), Some(after)) if change.verb != Verb::Delete => {
            let image = &after["spec"]["template"]["spec"]["containers"][0]["image"];
            let words = |one: &Value| format!("{} of {}", moved(one), size(one));
            (shape(before) != shape(after))
                .then(|| format!("{name} {} -> {} {image}", words(before), words(after)))
        }
        // A claim leaves its stamp on Services that stay as they are.
        ("services", Some(before), Some(after))
            if change.verb != Verb::Delete
                && before["spec"] == after["spec"]
                && before["metadata"]["labels"] == after["metadata"]["labels"] =>
        {
            None
        }
        (_, Some(before), Some(after))
            if change.verb != Verb::Delete && content(before) == content(after) =>
        {
            None
        }
        (kind, None, Some(_)) => Some(format!("{name} made ({kind})")),
        (kind, Some(_), _) if change.verb == Verb::Delete => Some(format!("{name} deleted ({kind})")),
        (kind, _, _) => Some(format!("{name} changed ({kind})")),
    }
}

/// What an object says, without what each write leaves on it.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    content["metadata"] = object["metadata"]["labels"].clone();
    content
}

/// Panics unless nothing is left but the targets, with what belongs to them.
pub(crate) fn check_no_orphans(objects: &[Value], targets: &[(&str, &str)]) {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let uids: Vec<&Value> = objects.iter().map(|object| &object["metadata"]["uid"]).collect();
    for object in objects {
        for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            assert!(
                uids.contains(&&owner["uid"]),
                "{} `{}` has lost its owner",
                object["kind"],
                name(object)
            );
        }
        let is_workload = object["kind"] == "Deployment" && name(object) != BYSTANDER;
        let is_target =
            targets.iter().any(|(of, target)| component(object) == Some(*of) && name(object) == *target);
        assert!(!is_workload || is_target, "deployment `{}` is left over", name(object));
    }
}
