use super::*;
use serde_json::json;

fn object(api_version: &str, kind: &str, spec: &Value, status: &Value) -> Value {
    let mut status = status.clone();
    if status["observedGeneration"].is_null() {
        status["observedGeneration"] = json!(2);
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"generation": 2}, "spec": spec, "status": status})
}

#[test]
fn each_kind_follows_its_readiness_rule() {
    let failed = json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}]);
    let late = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let established = json!([{"type": "Established", "status": "True"}]);
    let cases = [
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 3}),
            json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}),
            "ready",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 3}),
            json!({"observedGeneration": 1, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}),
            "unobserved",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 3}),
            json!({"updatedReplicas": 2, "replicas": 4}),
            "2 of 3 updated",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 3, "paused": true}),
            json!({"updatedReplicas": 2, "replicas": 4}),
            "paused",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 3}),
            json!({"updatedReplicas": 3, "replicas": 4, "availableReplicas": 4}),
            "1 old pod to terminate",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 2}),
            json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}),
            "1 pod to terminate",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 1}),
            json!({"updateRevision": "a", "currentRevision": "a", "replicas": 3, "readyReplicas": 3}),
            "2 pods to terminate",
        ),
        ("apps/v1", "Deployment", json!({}), json!({"updatedReplicas": 1, "replicas": 1}), "0 of 1 ready"),
        (
            "apps/v1",
            "Deployment",
            json!({}),
            json!({"updatedReplicas": 1, "replicas": 1, "conditions": late}),
            "0 of 1 ready: progress deadline exceeded",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 2}),
            json!({"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 1, "readyReplicas": 2}),
            "1 of 2 updated",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 2, "updateStrategy": {"type": "OnDelete"}}),
            json!({"updateRevision": "b", "currentRevision": "a", "readyReplicas": 2}),
            "ready",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 2}),
            json!({"updateRevision": "a", "currentRevision": "a", "readyReplicas": 1}),
            "1 of 2 ready",
        ),
        (
            "apps.kruise.io/v1alpha1",
            "CloneSet",
            json!({"replicas": 2}),
            json!({"updatedReplicas": 2, "readyReplicas": 2}),
            "ready",
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({}),
            json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}),
            "1 of 2 ready",
        ),
        ("batch/v1", "Job", json!({"completions": 2}), json!({"succeeded": 1}), "1 of 2 succeeded"),
        (
            "batch/v1",
            "Job",
            json!({}),
            json!({"conditions": failed}),
            "failed: BackoffLimitExceeded: too often",
        ),
        ("batch/v1", "CronJob", json!({}), json!({}), "ready"),
        ("v1", "Service", json!({"type": "LoadBalancer"}), json!({}), "no address from the load balancer"),
        (
            "v1",
            "Service",
            json!({"type": "LoadBalancer"}),
            json!({"loadBalancer": {"ingress": [{"hostname": "a"}]}}),
            "ready",
        ),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Pending"}), "ready"),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Lost"}), "failed: its volume is lost"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({}), json!({}), "not yet established"),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({"conditions": established}),
            "ready",
        ),
        (
            "example.org/v1",
            "Database",
            json!({}),
            json!({"conditions": [{"type": "Ready", "status": "False"}]}),
            "ready",
        ),
    ];
    for (api_version, kind, spec, status, expected) in cases {
        let object = object(api_version, kind, &spec, &status);
        let found = match object_readiness(&object) {
            Readiness::Ready => "ready".to_owned(),
            Readiness::Unobserved => "unobserved".to_owned(),
            Readiness::Unready(reason) => reason,
            Readiness::Failed(reason) => format!("failed: {reason}"),
        };
        assert_eq!(found, expected, "{object}");
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        assert!(found == "ready" || has_readiness_rule(group, kind), "{kind} is watched");
    }
}

#[test]
fn objects_with_a_disabled_health_check_are_ready() {
    let mut web = object("apps/v1", "Deployment", &json!({}), &json!({}));
    web["metadata"]["annotations"] = json!({UNCHECKED: "true"});
    assert_eq!(object_readiness(&web), Readiness::Ready);
    web["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(object_readiness(&web), Readiness::Unready("being deleted".to_owned()));
}

#[test]
fn pods_are_counted_once_the_controller_has_observed_the_template() {
    let status = json!({"updatedReplicas": 2, "readyReplicas": 3, "replicas": 4});
    let mut web = object("apps/v1", "Deployment", &json!({"replicas": 3}), &status);
    assert_eq!(object_pods(&web), Some(PodCount { wanted: 3, updated: 2, ready: 1 }));
    web["metadata"]["generation"] = json!(3);
    assert_eq!(object_pods(&web), Some(PodCount { wanted: 3, updated: 0, ready: 0 }));
    assert_eq!(object_pods(&json!({"apiVersion": "v1", "kind": "ConfigMap"})), None);
}
