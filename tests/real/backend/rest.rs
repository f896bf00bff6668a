//! Detects when a real namespace is at rest: earlier writes have no further effects.

use std::cell::RefCell;
use std::time::Duration;

use rollout::sandbox::rules::{Outcome, PodFacts, Rule, outcome, parse_rules};
use serde_json::Value;

/// Far longer than needed on a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(90);

/// Knows which pods become ready.
#[derive(Default)]
pub(super) struct Rest {
    rules: RefCell<Vec<Rule>>,
}

impl Rest {
    /// Sets the rules that pods follow from now on.
    pub(super) fn rules_are(&self, rules: &str) {
        self.rules.replace(parse_rules("rules", rules).unwrap());
    }

    /// A pending change, if any.
    pub(super) fn trouble(&self, objects: &[&Value]) -> Option<String> {
        objects.iter().find_map(|object| {
            let problem = orphaned(object, objects).or_else(|| match object["kind"].as_str() {
                Some("Pod") => self.pod(object),
                Some("Deployment" | "ReplicaSet") => workload(object, objects),
                _ => None,
            });
            problem.map(|problem| format!("{} {}: {problem}", object["kind"], object["metadata"]["name"]))
        })
    }

    fn pod(&self, pod: &Value) -> Option<String> {
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            return Some("is going".to_owned());
        }
        if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            return None;
        }
        let rules = self.rules.borrow();
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
        let facts = PodFacts { image, labels: None, start: jiff::Timestamp::UNIX_EPOCH };
        let (outcome, _) = outcome(&rules, facts, |_| false);
        let gets_ready = match outcome {
            Outcome::Ready { .. } => true,
            Outcome::Fail(_) => false,
        };
        (is_ready(pod) != gets_ready).then(|| format!("ready: {}, and will not stay so", is_ready(pod)))
    }
}

fn orphaned(object: &Value, objects: &[&Value]) -> Option<String> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let is_there = |owner: &Value| objects.iter().any(|object| object["metadata"]["uid"] == owner["uid"]);
    (!owners.iter().any(is_there)).then(|| "has lost its owner".to_owned())
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().is_some_and(|all| {
        all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// Reports a status that is not up to date.
fn workload(object: &Value, objects: &[&Value]) -> Option<String> {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Some("is going".to_owned());
    }
    let status = &object["status"];
    let count = |field: &str| status[field].as_u64().unwrap_or(0);
    let pods: Vec<&&Value> = objects.iter().filter(|pod| is_below(pod, object, objects)).collect();
    let ready = pods.iter().filter(|pod| is_ready(pod)).count() as u64;
    let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let is_told = status["observedGeneration"] == object["metadata"]["generation"]
        && count("replicas") == wanted
        && pods.len() as u64 == wanted
        && count("readyReplicas") == ready
        && count("availableReplicas") == ready
        && count("terminatingReplicas") == 0;
    (!is_told)
        .then(|| format!("{wanted} wanted, {} there, {ready} ready, and status says {status}", pods.len()))
}

/// Whether a pod belongs to a ReplicaSet, or to one of a Deployment's.
fn is_below(pod: &Value, top: &Value, objects: &[&Value]) -> bool {
    let owner = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"].clone();
    let is_top = |uid: &Value| *uid == top["metadata"]["uid"];
    pod["kind"] == "Pod"
        && (is_top(&owner(pod))
            || objects.iter().any(|set| set["metadata"]["uid"] == owner(pod) && is_top(&owner(set))))
}
