//! The objects of the cluster at one moment of its history.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollout::plan::record::Record;
use rollout::sandbox::Change;
use serde_json::Value;

use super::Broken;
use crate::support::invariants::FOREIGN;
use crate::support::test_cluster::BYSTANDER;

/// The kinds of object that components run as.
pub(super) const WORKLOADS: [&str; 3] = ["clonesets", "deployments", "statefulsets"];

/// The objects, by kind and name.
#[derive(Default)]
pub(super) struct World(BTreeMap<(String, String), Arc<Value>>);

impl World {
    pub(super) fn take_in(&mut self, change: &Change) {
        let key = (change.kind.clone(), change.name.clone());
        match &change.after {
            Some(after) => drop(self.0.insert(key, after.clone())),
            None => drop(self.0.remove(&key)),
        }
    }

    pub(super) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.0.get(&(kind.to_owned(), name.to_owned())).map(|object| &**object)
    }

    /// The component's objects of a kind that stay.
    pub(super) fn of<'a>(&'a self, kind: &'a str, component: &'a str) -> impl Iterator<Item = &'a Value> {
        let of_kind =
            self.0.range((kind.to_owned(), String::new())..).take_while(move |((of, _), _)| of == kind);
        of_kind.map(|(_, object)| &**object).filter(move |object| {
            self::component(object) == Some(component)
                && object["metadata"]["deletionTimestamp"].is_null()
                && !is_foreign(object)
        })
    }

    /// The workloads that the component's processes have made.
    pub(super) fn workloads<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = WORKLOADS.into_iter().flat_map(move |kind| self.of(kind, component));
        all.filter(|workload| epoch(workload).is_some())
    }

    /// The sizes of its workloads together.
    pub(super) fn wanted(&self, component: &str) -> u32 {
        self.workloads(component).map(size).sum()
    }

    /// The run record of a component.
    pub(super) fn record(&self, component: &str) -> Option<Record> {
        record(self.get("configmaps", &format!("rollout-{component}"))?)
    }

    /// Pods that would go on serving if every workload had just the size wanted of it.
    pub(super) fn kept_ready(&self, component: &str) -> u32 {
        self.workloads(component)
            .map(|workload| {
                let name = workload["metadata"]["name"].as_str().unwrap();
                let is_its = |pod: &&Value| self.workload_of(pod) == Some(name) && is_ready(pod);
                size(workload).min(count(self.of("pods", component).filter(is_its)))
            })
            .sum()
    }

    /// Ready pods of a workload.
    pub(super) fn ready_of(&self, component: &str, name: &str) -> u32 {
        count(self.of("pods", component).filter(|pod| self.workload_of(pod) == Some(name) && is_ready(pod)))
    }

    /// Whether the workload of a pod is still there.
    pub(super) fn has_workload(&self, pod: &Value) -> bool {
        let name = self.workload_of(pod).unwrap_or_default();
        WORKLOADS.iter().any(|kind| self.get(kind, name).is_some())
    }

    fn workload_of<'a>(&'a self, pod: &'a Value) -> Option<&'a str> {
        let owner = pod["metadata"]["ownerReferences"][0]["name"].as_str()?;
        match self.get("replicasets", owner) {
            Some(set) => set["metadata"]["ownerReferences"][0]["name"].as_str(),
            None => Some(owner),
        }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap()
}

pub(super) fn size(workload: &Value) -> u32 {
    u32::try_from(workload["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap()
}

/// How many pods may be of an in-place workload's newest template; of others all.
pub(super) fn moved(workload: &Value) -> u32 {
    let strategy = &workload["spec"]["updateStrategy"];
    let partition = strategy["rollingUpdate"]["partition"].as_u64().or(strategy["partition"].as_u64());
    size(workload).saturating_sub(u32::try_from(partition.unwrap_or(0)).unwrap())
}

/// What of a workload's spec decides about its pods.
pub(super) fn shape(workload: &Value) -> (u32, u32, &Value) {
    (size(workload), moved(workload), &workload["spec"]["template"])
}

pub(super) fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().is_some_and(|all| {
        all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// Whether a test planted it as a foreign object, whatever else it carries.
pub(super) fn is_foreign(object: &Value) -> bool {
    object["metadata"]["annotations"][FOREIGN] == "true"
}

/// The epoch that an object is stamped with.
pub(super) fn epoch(object: &Value) -> Option<u64> {
    object["metadata"]["annotations"]["batch-rollout.dev/epoch"].as_str()?.parse().ok()
}

pub(super) fn component(object: &Value) -> Option<&str> {
    object["metadata"]["labels"]["app.oam.dev/component"].as_str()
}

/// The run record that a ConfigMap keeps.
pub(super) fn record(config_map: &Value) -> Option<Record> {
    serde_json::from_str(config_map["data"]["record"].as_str()?).ok()
}

/// The kinds that a process writes only where they carry the application's name.
const LABELLED: [&str; 9] = [
    "deployments",
    "clonesets",
    "statefulsets",
    "configmaps",
    "controllerrevisions",
    "services",
    "ingresses",
    "persistentvolumeclaims",
    "leases",
];

/// Objects of others, and those of controllers, are nobody's business.
pub(super) fn check_ownership(change: &Change) -> Result<(), Broken> {
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
    let name = |object: &Value| object["metadata"]["labels"]["app.oam.dev/name"].clone();
    match change.before.as_deref().or(change.after.as_deref()).map(name) {
        Some(name) if name == "shop" => Ok(()),
        _ => broken("an object without the application's name was touched"),
    }
}
