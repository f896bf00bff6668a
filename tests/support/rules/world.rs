//! The objects of the cluster at one point of its history.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollout::plan::record::Record;
use rollout::sandbox::Change;
use rollout::sandbox::fault::Verb;
use serde_json::Value;

use super::Broken;
use crate::support::test_cluster::BYSTANDER;

/// The annotation that marks foreign objects for the tests; the program does not know it.
pub(crate) const FOREIGN: &str = "test/foreign";

/// The kinds of object that components run as.
pub(crate) const WORKLOADS: [&str; 3] = ["clonesets", "deployments", "statefulsets"];

/// The objects, by kind and name.
#[derive(Default)]
pub(crate) struct World(BTreeMap<(String, String), Arc<Value>>);

impl World {
    pub(crate) fn take_in(&mut self, change: &Change) {
        let key = (change.kind.clone(), change.name.clone());
        match &change.after {
            Some(after) => drop(self.0.insert(key, after.clone())),
            None => drop(self.0.remove(&key)),
        }
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.0.get(&(kind.to_owned(), name.to_owned())).map(|object| &**object)
    }

    /// The component's objects of a kind that are not being deleted.
    pub(crate) fn of<'a>(&'a self, kind: &'a str, component: &'a str) -> impl Iterator<Item = &'a Value> {
        let of_kind =
            self.0.range((kind.to_owned(), String::new())..).take_while(move |((of, _), _)| of == kind);
        of_kind.map(|(_, object)| &**object).filter(move |object| {
            self::component(object) == Some(component)
                && object["metadata"]["deletionTimestamp"].is_null()
                && !is_foreign(object)
        })
    }

    /// Its workloads, other than those of a list of objects.
    pub(crate) fn workloads<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = WORKLOADS.into_iter().flat_map(move |kind| self.of(kind, component));
        all.filter(|workload| !is_in_list(workload))
    }

    /// The total size of its workloads.
    pub(crate) fn wanted(&self, component: &str) -> u32 {
        self.workloads(component).map(size).sum()
    }

    /// The run record of a component.
    pub(crate) fn record(&self, component: &str) -> Option<Record> {
        record(self.get("configmaps", &format!("rollout-{component}"))?)
    }

    /// The epoch of its run record.
    pub(crate) fn recorded(&self, component: &str) -> Option<u64> {
        self.get("configmaps", &format!("rollout-{component}"))?["data"]["epoch"].as_str()?.parse().ok()
    }

    /// Its ready pods.
    pub(crate) fn ready_pods<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Value> {
        self.of("pods", component).filter(|pod| is_ready(pod))
    }

    /// The number of ready pods.
    pub(crate) fn ready(&self, component: &str) -> u32 {
        count(self.ready_pods(component))
    }

    /// The ready pods of an in-place workload's newest revision.
    pub(crate) fn moved_ready(&self, component: &str, image: &Value) -> u32 {
        count(self.ready_pods(component).filter(|pod| pod["spec"]["containers"][0]["image"] == *image))
    }

    /// Pods that would remain ready once every workload has its requested size.
    pub(crate) fn kept_ready(&self, component: &str) -> u32 {
        self.workloads(component)
            .map(|workload| {
                let name = workload["metadata"]["name"].as_str().unwrap();
                size(workload).min(self.ready_of(component, name))
            })
            .sum()
    }

    /// Ready pods of a workload.
    pub(crate) fn ready_of(&self, component: &str, name: &str) -> u32 {
        count(self.ready_pods(component).filter(|pod| self.workload_of(pod) == Some(name)))
    }

    /// Ready pods of an object of this kind, which other kinds may share the name of.
    pub(crate) fn ready_of_kind(&self, kind: &str, component: &str, name: &str) -> u32 {
        let is_of_it =
            |pod: &&Value| self.workload_of(pod) == Some(name) && kinds_of_owner(pod).contains(&kind);
        count(self.ready_pods(component).filter(is_of_it))
    }

    /// Whether the workload of a pod exists and is not foreign.
    pub(crate) fn has_workload(&self, pod: &Value) -> bool {
        let name = self.workload_of(pod).unwrap_or_default();
        kinds_of_owner(pod)
            .iter()
            .any(|kind| self.get(kind, name).is_some_and(|workload| !is_foreign(workload)))
    }

    fn workload_of<'a>(&'a self, pod: &'a Value) -> Option<&'a str> {
        let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str()?;
        match self.get("replicasets", owner) {
            Some(set) => set["metadata"]["ownerReferences"][0]["name"].as_str(),
            None => Some(owner),
        }
    }
}

/// The kinds of object that a pod's owner can be a part of.
fn kinds_of_owner(pod: &Value) -> &'static [&'static str] {
    match pod["metadata"]["ownerReferences"][0]["kind"].as_str() {
        Some("StatefulSet") => &["statefulsets"],
        Some("CloneSet") => &["clonesets"],
        Some("ReplicaSet") => &["deployments"],
        Some("DaemonSet") => &["daemonsets"],
        Some(_) | None => &WORKLOADS,
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap()
}

pub(crate) fn size(workload: &Value) -> u32 {
    u32::try_from(workload["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap()
}

/// How many pods may have an in-place workload's newest template; for others, all.
pub(crate) fn moved(workload: &Value) -> u32 {
    let strategy = &workload["spec"]["updateStrategy"];
    let partition = strategy["rollingUpdate"]["partition"].as_u64().or(strategy["partition"].as_u64());
    size(workload).saturating_sub(u32::try_from(partition.unwrap_or(0)).unwrap())
}

/// The parts of a workload's spec that determine its pods.
pub(crate) fn shape(workload: &Value) -> (u32, u32, &Value) {
    (size(workload), moved(workload), &workload["spec"]["template"])
}

/// Whether a change of a workload changes its pods.
pub(crate) fn is_effect(change: &Change) -> bool {
    match change.verb {
        // A target without pods has no effect.
        Verb::Create => change.after.as_deref().is_some_and(|after| size(after) > 0),
        Verb::Delete => true,
        Verb::Get | Verb::List | Verb::Watch | Verb::Update | Verb::Patch => {
            change.before.as_deref().map(shape) != change.after.as_deref().map(shape)
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().is_some_and(|all| {
        all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// Whether a test planted it as a foreign object, regardless of its other marks.
pub(crate) fn is_foreign(object: &Value) -> bool {
    object["metadata"]["annotations"][FOREIGN] == "true"
}

/// Whether it is one of a component that is a list of objects: its pods do not have the component's label.
pub(crate) fn is_in_list(object: &Value) -> bool {
    object["metadata"]["name"].as_str().is_some_and(|name| name.ends_with("-objects"))
}

/// The epoch that an object is stamped with.
pub(crate) fn epoch(object: &Value) -> Option<u64> {
    object["metadata"]["annotations"]["batch-rollout.dev/epoch"].as_str()?.parse().ok()
}

pub(crate) fn component(object: &Value) -> Option<&str> {
    object["metadata"]["labels"]["app.oam.dev/component"].as_str()
}

/// The run record that a ConfigMap keeps.
pub(crate) fn record(config_map: &Value) -> Option<Record> {
    serde_json::from_str(config_map["data"]["record"].as_str()?).ok()
}

/// The mark in the user agent of a process that applies the other application, `store`.
pub(crate) const OF_OTHER: &str = "store:";

/// The kinds that a process writes only if they have the label of the application.
const LABELLED: [&str; 12] = [
    "cronjobs",
    "daemonsets",
    "deployments",
    "jobs",
    "clonesets",
    "statefulsets",
    "configmaps",
    "controllerrevisions",
    "services",
    "ingresses",
    "persistentvolumeclaims",
    "leases",
];

/// Checks that a process changes no objects of others, nor of controllers.
pub(crate) fn check_ownership(change: &Change) -> Result<(), Broken> {
    let broken = |problem: &str| Err(("ownership", problem.to_owned()));
    if change.name == BYSTANDER {
        return if change.before.is_none() { Ok(()) } else { broken("a bystander was touched") };
    }
    if change.before.as_deref().is_some_and(is_foreign) {
        return broken("a foreign object was touched");
    }
    if !LABELLED.contains(&change.kind.as_str()) {
        return broken("an object of a controller's was touched");
    }
    let object = change.before.as_deref().or(change.after.as_deref());
    let name = object.and_then(|object| object["metadata"]["labels"]["app.oam.dev/name"].as_str());
    // Only manifests name their application; other commands act on components of either.
    let agent = change.user_agent.as_deref().unwrap_or_default();
    let is_right = match agent.contains(OF_OTHER) {
        true => name == Some("store"),
        false if agent.ends_with(" apply") || agent.ends_with(" prune") => name == Some("shop"),
        false => name == Some("shop") || name == Some("store"),
    };
    if is_right { Ok(()) } else { broken("an object without the application's name was touched") }
}
