//! Checks invariants of the server's history, independently of what clients observe.

use std::collections::BTreeMap;

use rollout::sandbox::fault::Verb;
use rollout::sandbox::{Actor, Change};
use serde_json::Value;

use super::manifest::Allowance;
use super::rules::service::reachable;
use super::rules::world::{WORKLOADS, World, component, epoch, is_effect, is_foreign, moved, shape, size};
use super::test_cluster::BYSTANDER;

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

/// Checks that a client changes only objects with the marks of `rollout`, and none that controllers own.
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
        | "jobs"
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

/// Checks one component.
struct Judge {
    allowance: Allowance,
    floor: u32,
    ceiling: u32,
    /// The highest epoch that has changed a size or deleted a source.
    acted: u64,
    /// The sign of the size changes, by epoch and workload.
    directions: BTreeMap<(u64, String), bool>,
}

impl Judge {
    fn new(allowance: Allowance, world: &World) -> Self {
        let name = &allowance.component;
        // Pods that an earlier write removes may still be ready for a moment.
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
            reachable(world, &name, world.ready_pods(&name))?;
        }
        // Changes of the controller are not checked, since its rolling update uses counts that may be slightly stale.
        // Writes of clients must leave enough pods.
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

    /// Checks a component that is applied as a whole: every write belongs to the recorded claim, and objects that are
    /// no longer rendered are deleted only once the pods of the rendered workload are ready.
    fn check_whole(&self, world: &World, change: &Change) -> Result<(), String> {
        let is_record = change.kind == "configmaps" && change.name.starts_with("rollout-");
        if change.actor != Actor::Client || is_record || change.kind == "controllerrevisions" {
            return Ok(());
        }
        let name = &self.allowance.component;
        let recorded = world.recorded(name);
        if change.verb != Verb::Delete {
            let written = change.after.as_deref().and_then(epoch);
            // Only the ownership of fields has changed.
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
        if !is_effect(change) {
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

    /// Checks that no further pod of an in-place workload is updated before the earlier ones are ready.
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

/// The changes of workloads, revisions and Services by clients as text, by component.
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
        // A claim stamps Services that do not change otherwise.
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
        // A Job's name ends in a hash of the start of the run.
        ("jobs", before, _) => {
            let deed = if before.is_none() { "made" } else { "deleted" };
            Some(format!("{} {deed} (jobs)", name.rsplit_once('-').map_or(name.as_str(), |(test, _)| test)))
        }
        (kind, None, Some(_)) => Some(format!("{name} made ({kind})")),
        (kind, Some(_), _) if change.verb == Verb::Delete => Some(format!("{name} deleted ({kind})")),
        (kind, _, _) => Some(format!("{name} changed ({kind})")),
    }
}

/// The content of an object, without the metadata that each write changes.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    content["metadata"] = object["metadata"]["labels"].clone();
    content
}

/// Panics unless only the targets and their objects are left.
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
