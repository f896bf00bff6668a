//! Decides whether objects are ready, by kind. Pure.
//!
//! The rules for workloads are those of `kubectl rollout status`
//! (<https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_status/>): no count is
//! trusted before the controller has observed the latest generation. In addition, surplus pods of a larger size have to
//! be gone, as in [kstatus]. An object of a kind without a rule is ready once the server has accepted it.
//!
//! [kstatus]: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus

use serde_json::Value;

use crate::plan::phrase::plural;

/// Whether an object is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is ready.
    Ready,
    /// Its controller has not observed its newest spec.
    Unobserved,
    /// It is not ready yet, for this reason, such as `1 of 3 ready`.
    Unready(String),
    /// It will not become ready unless somebody changes it, for this reason.
    Failed(String),
}

/// The pods of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PodCount {
    /// Desired pods.
    pub wanted: u32,
    /// Pods of its present template.
    pub updated: u32,
    /// The updated pods that are ready; for a Job, those that have succeeded.
    pub ready: u32,
}

impl PodCount {
    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            wanted: self.wanted.saturating_add(other.wanted),
            updated: self.updated.saturating_add(other.updated),
            ready: self.ready.saturating_add(other.ready),
        }
    }
}

/// KubeVela's annotation of a workload that counts as ready as soon as it is applied.
const UNCHECKED: &str = "app.oam.dev/disable-health-check";

/// Whether objects of a kind may not be ready yet when the server has accepted them.
#[must_use]
pub fn has_readiness_rule(group: &str, kind: &str) -> bool {
    match group {
        "apps" => matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"),
        "apps.kruise.io" => kind == "CloneSet",
        "batch" => kind == "Job",
        "" => matches!(
            kind,
            "Pod" | "ReplicationController" | "Service" | "PersistentVolumeClaim" | "Namespace"
        ),
        "apiextensions.k8s.io" => kind == "CustomResourceDefinition",
        _ => false,
    }
}

/// Whether an object is ready.
#[must_use]
pub fn object_readiness(object: &Value) -> Readiness {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Readiness::Unready("being deleted".to_owned());
    }
    if object["metadata"]["annotations"][UNCHECKED].is_string() {
        return Readiness::Ready;
    }
    match kind(object) {
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps.kruise.io", "CloneSet") => clone_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            observed(object, || ready_of(count(object, "/status/readyReplicas"), size(object)))
        }
        ("batch", "Job") => job(object),
        ("", "Pod") => pod(object),
        ("", "Service") => service(object),
        ("", "PersistentVolumeClaim") if object["status"]["phase"] == "Lost" => {
            Readiness::Failed("its volume is lost".to_owned())
        }
        ("", "Namespace") if object["status"]["phase"] != "Active" => unready("not yet active"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => Readiness::Ready,
    }
}

/// The pods of an object; `None` if it does not create pods.
#[must_use]
pub fn object_pods(object: &Value) -> Option<PodCount> {
    let is_fresh = is_observed(object);
    let counted = |wanted, existing: &str, updated: &str, ready: &str| {
        let [existing, updated, ready] =
            [existing, updated, ready].map(|field| if is_fresh { count(object, field) } else { 0 });
        // Pods of another template may be among the ready ones.
        let others = existing.saturating_sub(updated);
        PodCount { wanted, updated, ready: ready.saturating_sub(others).min(updated) }
    };
    Some(match kind(object) {
        ("apps", "Deployment" | "StatefulSet") => {
            counted(size(object), "/status/replicas", "/status/updatedReplicas", "/status/readyReplicas")
        }
        ("apps.kruise.io", "CloneSet") => {
            let updated = "/status/updatedReplicas";
            counted(size(object), updated, updated, "/status/updatedReadyReplicas")
        }
        ("apps", "DaemonSet") => {
            let wanted = count(object, "/status/desiredNumberScheduled");
            let updated = "/status/updatedNumberScheduled";
            counted(wanted, "/status/currentNumberScheduled", updated, "/status/numberReady")
        }
        ("batch", "Job") => {
            let succeeded = count(object, "/status/succeeded");
            PodCount { wanted: completions(object), updated: succeeded, ready: succeeded }
        }
        _ => return None,
    })
}

fn deployment(object: &Value) -> Readiness {
    observed(object, || {
        // Its pods may still become ready.
        let late =
            condition(object, "Progressing").filter(|found| found["reason"] == "ProgressDeadlineExceeded");
        let (wanted, updated) = (size(object), count(object, "/status/updatedReplicas"));
        let total = count(object, "/status/replicas");
        let standing = if object["spec"]["paused"] == true && updated < wanted {
            unready("paused")
        } else if updated < wanted {
            unready(&format!("{updated} of {wanted} updated"))
        } else {
            // All old pods may be among the available ones, so only the rest of these are new.
            let old = total.saturating_sub(updated);
            match ready_of(count(object, "/status/availableReplicas").saturating_sub(old), wanted) {
                Readiness::Ready if old > 0 => {
                    unready(&format!("{} to terminate", plural(old as usize, "old pod", "old pods")))
                }
                Readiness::Ready => without_excess(object, wanted),
                unready @ (Readiness::Unobserved | Readiness::Unready(_) | Readiness::Failed(_)) => unready,
            }
        };
        match (standing, late) {
            (Readiness::Unready(reason), Some(_)) => {
                Readiness::Unready(format!("{reason}: progress deadline exceeded"))
            }
            (standing, _) => standing,
        }
    })
}

fn stateful_set(object: &Value) -> Readiness {
    observed(object, || {
        let (wanted, strategy) = (size(object), &object["spec"]["updateStrategy"]);
        let partition = count(strategy, "/rollingUpdate/partition");
        let updated = count(object, "/status/updatedReplicas");
        let is_current = object["status"]["updateRevision"] == object["status"]["currentRevision"];
        // Its pods are only replaced when somebody deletes them.
        let due = if strategy["type"] == "OnDelete" { 0 } else { wanted.saturating_sub(partition) };
        if !is_current && updated < due {
            return unready(&format!("{updated} of {due} updated"));
        }
        match ready_of(count(object, "/status/readyReplicas"), wanted) {
            Readiness::Ready => without_excess(object, wanted),
            unready @ (Readiness::Unobserved | Readiness::Unready(_) | Readiness::Failed(_)) => unready,
        }
    })
}

fn clone_set(object: &Value) -> Readiness {
    observed(object, || {
        let wanted = size(object);
        let due = wanted.saturating_sub(count(object, "/spec/updateStrategy/partition"));
        let updated = count(object, "/status/updatedReplicas");
        if updated < due {
            return unready(&format!("{updated} of {due} updated"));
        }
        match ready_of(count(object, "/status/readyReplicas"), wanted) {
            Readiness::Ready => without_excess(object, wanted),
            unready @ (Readiness::Unobserved | Readiness::Unready(_) | Readiness::Failed(_)) => unready,
        }
    })
}

/// Ready, unless surplus pods of a larger size are left.
fn without_excess(object: &Value, wanted: u32) -> Readiness {
    match count(object, "/status/replicas").saturating_sub(wanted) {
        0 => Readiness::Ready,
        excess => unready(&format!("{} to terminate", plural(excess as usize, "pod", "pods"))),
    }
}

fn daemon_set(object: &Value) -> Readiness {
    observed(object, || {
        let wanted = count(object, "/status/desiredNumberScheduled");
        let updated = count(object, "/status/updatedNumberScheduled");
        if updated < wanted && object["spec"]["updateStrategy"]["type"] != "OnDelete" {
            return unready(&format!("{updated} of {wanted} updated"));
        }
        ready_of(count(object, "/status/numberAvailable"), wanted)
    })
}

fn job(object: &Value) -> Readiness {
    if let Some(failed) = condition(object, "Failed") {
        let text = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
        return Readiness::Failed(format!("{}: {}", text("reason"), text("message")));
    }
    if condition(object, "Complete").is_some() || object["spec"]["suspend"] == true {
        return Readiness::Ready;
    }
    unready(&format!("{} of {} succeeded", count(object, "/status/succeeded"), completions(object)))
}

fn pod(object: &Value) -> Readiness {
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => Readiness::Ready,
        Some("Failed") => Readiness::Failed("it has failed".to_owned()),
        _ if condition(object, "Ready").is_some() => Readiness::Ready,
        _ => unready("not ready"),
    }
}

fn service(object: &Value) -> Readiness {
    let has_address = !object["status"]["loadBalancer"]["ingress"].as_array().is_none_or(Vec::is_empty);
    if object["spec"]["type"] != "LoadBalancer" || has_address {
        return Readiness::Ready;
    }
    unready("no address from the load balancer")
}

fn definition(object: &Value) -> Readiness {
    let is_refused = |found: &&Value| found["type"] == "NamesAccepted" && found["status"] == "False";
    if let Some(refused) = conditions(object).iter().find(is_refused) {
        return Readiness::Failed(format!(
            "its names are not accepted: {}",
            refused["message"].as_str().unwrap_or_default()
        ));
    }
    match condition(object, "Established") {
        Some(_) => Readiness::Ready,
        None => unready("not yet established"),
    }
}

fn observed(object: &Value, judge: impl FnOnce() -> Readiness) -> Readiness {
    if is_observed(object) { judge() } else { Readiness::Unobserved }
}

fn is_observed(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    object["status"]["observedGeneration"].as_i64().unwrap_or(-1) >= generation
}

fn ready_of(ready: u32, wanted: u32) -> Readiness {
    if ready >= wanted { Readiness::Ready } else { unready(&format!("{ready} of {wanted} ready")) }
}

fn unready(reason: &str) -> Readiness {
    Readiness::Unready(reason.to_owned())
}

/// The size of an object, which the API server defaults to one.
fn size(object: &Value) -> u32 {
    if object["spec"]["replicas"].is_null() { 1 } else { count(object, "/spec/replicas") }
}

fn completions(object: &Value) -> u32 {
    let field =
        if object["spec"]["completions"].is_null() { "/spec/parallelism" } else { "/spec/completions" };
    if object.pointer(field).is_none_or(Value::is_null) { 1 } else { count(object, field) }
}

fn count(object: &Value, pointer: &str) -> u32 {
    object.pointer(pointer).and_then(Value::as_i64).map_or(0, |count| u32::try_from(count).unwrap_or(0))
}

fn conditions(object: &Value) -> &[Value] {
    object["status"]["conditions"].as_array().map_or(&[], Vec::as_slice)
}

/// The condition of a type if it is true; for `Progressing`, with any status.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let is_met = |found: &&Value| found["status"] == "True" || kind == "Progressing";
    conditions(object).iter().find(|found| found["type"] == kind && is_met(found))
}

fn kind(object: &Value) -> (&str, &str) {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    (group, object["kind"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests;
