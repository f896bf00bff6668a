//! Validation errors of each kind, with their fields and messages.

use serde_json::{Value, json};

use super::configurations::{deployment, lease, map, revision, service};
use super::talk::{DEPLOYMENTS, LEASES, MAPS, REVISIONS, SERVICES, Talk};

pub(super) fn script(talk: &mut Talk) {
    maps(talk);
    revisions(talk);
    leases(talk);
    services(talk);
    deployments(talk);
    templates(talk);
    strategies(talk);
}

/// A body with another value at a JSON pointer; null removes it.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(map), Value::Null) => drop(map.remove(field)),
        (Value::Array(items), value) => items[field.parse::<usize>().unwrap()] = value,
        (parent, value) => parent[field] = value,
    }
    body
}

fn refused(talk: &mut Talk, path: &str, good: &Value, changes: &[(&str, Value)]) {
    for (pointer, value) in changes {
        talk.post(path, &with(good.clone(), pointer, value.clone()));
    }
}

fn maps(talk: &mut Talk) {
    let good = map("wrong", &json!({}));
    refused(
        talk,
        MAPS,
        &good,
        &[
            ("/data", json!({"a b": "1"})),
            ("/data", json!({"..": "1"})),
            ("/data", json!({"": "1"})),
            ("/binaryData", json!({"a": "not base64!"})),
            ("/metadata/labels", json!({"a": "x".repeat(64)})),
            ("/metadata/labels", json!({"x y": "z"})),
            // Each body has one error, since the server iterates over maps in random order.
            ("/metadata/labels", json!({"ok": "-bad-"})),
            ("/metadata/labels", json!({"Bad.Prefix_/x": "z"})),
            ("/metadata/labels", json!({"/x": "z"})),
            ("/metadata/labels", json!({"a/b/c": "z"})),
            ("/metadata/labels", json!({"x".repeat(64): "z"})),
            ("/metadata/labels", json!({"a": 1})),
            ("/metadata/annotations", json!({"a b": "z"})),
            ("/metadata/annotations", json!({"a": "z".repeat(300_000)})),
        ],
    );
    let mut both = good;
    both["data"] = json!({"a": "1"});
    both["binaryData"] = json!({"a": "MQ=="});
    talk.post(MAPS, &both);
}

fn revisions(talk: &mut Talk) {
    let good = revision("wrong");
    refused(
        talk,
        REVISIONS,
        &good,
        &[
            ("/data", Value::Null),
            ("/data", json!("text")),
            ("/data", json!([1])),
            ("/data", json!({})),
            ("/revision", json!(-1)),
            ("/revision", json!("one")),
            ("/revision", json!(1.5)),
        ],
    );
    let mut body = good;
    body["metadata"]["name"] = json!("without");
    body.as_object_mut().unwrap().remove("revision");
    talk.post(REVISIONS, &body);
}

fn leases(talk: &mut Talk) {
    refused(
        talk,
        LEASES,
        &lease("wrong"),
        &[
            ("/spec/leaseDurationSeconds", json!(0)),
            ("/spec/leaseDurationSeconds", json!(-5)),
            ("/spec/leaseTransitions", json!(-1)),
            ("/spec/renewTime", json!("yesterday")),
            ("/spec/renewTime", json!(5)),
            ("/spec/holderIdentity", json!("")),
        ],
    );
    let mut body = lease("without");
    body.as_object_mut().unwrap().remove("spec");
    talk.post(LEASES, &body);
}

fn services(talk: &mut Talk) {
    refused(
        talk,
        SERVICES,
        &service("wrong"),
        &[
            ("/spec/ports", Value::Null),
            ("/spec/ports", json!([])),
            ("/spec/ports", json!([{"port": 80}, {"port": 81}])),
            ("/spec/ports", json!([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}])),
            ("/spec/ports", json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}])),
            ("/spec/ports", json!([{"port": 80, "name": "Bad_Name"}])),
            ("/spec/ports", json!([{"port": 0}])),
            ("/spec/ports", json!([{"port": 70_000}])),
            ("/spec/ports", json!([{"port": 80, "protocol": "HTTP"}])),
            ("/spec/ports", json!([{"port": 80, "targetPort": 70_000}])),
            ("/spec/ports", json!([{"port": 80, "targetPort": "Not_Good"}])),
            ("/spec/type", json!("Sideways")),
            ("/spec/selector", json!({"a b": "c"})),
            ("/spec/sessionAffinity", json!("Nobody")),
            ("/spec/clusterIP", json!("nonsense")),
            ("/spec", json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]})),
            ("/spec", json!({"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 32_768}]})),
        ],
    );
}

fn deployments(talk: &mut Talk) {
    let good = deployment("wrong", 0);
    refused(
        talk,
        DEPLOYMENTS,
        &good,
        &[
            ("/spec/replicas", json!(-1)),
            ("/spec/replicas", json!(1.5)),
            ("/spec/replicas", json!(3_000_000_000_u64)),
            ("/spec/selector", Value::Null),
            ("/spec/selector", json!({})),
            ("/spec/selector", json!({"matchLabels": {"app": "other"}})),
            ("/spec/selector", json!({"matchLabels": {"app": "bad value"}})),
            (
                "/spec/selector",
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["wrong"]}]}),
            ),
            ("/spec/selector", json!({"matchExpressions": [{"key": "app", "operator": "Near"}]})),
            ("/spec/template/metadata/labels", Value::Null),
            ("/spec/template/metadata/labels", json!({"app": "wrong", "a b": "c"})),
            ("/spec/template", Value::Null),
            ("/spec", Value::Null),
            ("/spec/minReadySeconds", json!(-1)),
            ("/spec/revisionHistoryLimit", json!(-1)),
            ("/spec/progressDeadlineSeconds", json!(0)),
            ("/spec/progressDeadlineSeconds", json!(-5)),
        ],
    );
    let body = with(good.clone(), "/spec/progressDeadlineSeconds", json!(5));
    talk.post(DEPLOYMENTS, &with(body, "/spec/minReadySeconds", json!(5)));
    let body = with(good, "/spec/replicas", json!(-1));
    talk.post(DEPLOYMENTS, &with(body, "/spec/template/spec/containers", json!([])));
}

fn templates(talk: &mut Talk) {
    let good = deployment("wrong", 0);
    let web = |field: &str, value: Value| {
        let mut container = json!({"name": "web", "image": "web:1"});
        container[field] = value;
        ("/spec/template/spec/containers", json!([container]))
    };
    refused(
        talk,
        DEPLOYMENTS,
        &good,
        &[
            ("/spec/template/spec/containers", Value::Null),
            ("/spec/template/spec/containers", json!([{"name": "web"}])),
            ("/spec/template/spec/containers", json!([{"image": "web:1"}])),
            (
                "/spec/template/spec/containers",
                json!([{"name": "web", "image": "a"}, {"name": "web", "image": "b"}]),
            ),
            ("/spec/template/spec/initContainers", json!([{"name": "web", "image": "a"}])),
            ("/spec/template/spec/restartPolicy", json!("Never")),
            ("/spec/template/spec/restartPolicy", json!("Sometimes")),
            ("/spec/template/spec/dnsPolicy", json!("Sometimes")),
            ("/spec/template/spec/nodeSelector", json!({"a b": "c"})),
            ("/spec/template/spec/serviceAccountName", json!("Bad_Name")),
            web("name", json!("Bad_Name")),
            web("image", json!("")),
            web("imagePullPolicy", json!("Sometimes")),
            web("ports", json!([{"containerPort": 0}])),
            web("ports", json!([{"containerPort": 70_000}])),
            web("ports", json!([{"name": "Bad_Name", "containerPort": 80}])),
            web("ports", json!([{"name": "a", "containerPort": 80}, {"name": "a", "containerPort": 81}])),
            web("ports", json!([{"containerPort": 80, "protocol": "HTTP"}])),
            web("env", json!([{"value": "x"}])),
            web("env", json!([{"name": "a=b", "value": "x"}])),
            web(
                "env",
                json!([{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            ),
            web("resources", json!({"limits": {"cpu": "lots"}})),
            web("resources", json!({"limits": {"cpu": "-1"}})),
            web("resources", json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
            web("resources", json!({"limits": {"coffee": "1"}})),
            web("volumeMounts", json!([{"name": "none", "mountPath": "/x"}])),
            web("livenessProbe", json!({"periodSeconds": -1, "httpGet": {"port": 80}})),
            web("livenessProbe", json!({})),
            web("command", json!("sh")),
        ],
    );
}

fn strategies(talk: &mut Talk) {
    let good = deployment("wrong", 0);
    refused(
        talk,
        DEPLOYMENTS,
        &good,
        &[
            ("/spec/strategy", json!({"type": "Sideways"})),
            ("/spec/strategy", json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
            ("/spec/strategy", json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
            ("/spec/strategy", json!({"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "0%"}})),
            ("/spec/strategy", json!({"rollingUpdate": {"maxSurge": -1}})),
            ("/spec/strategy", json!({"rollingUpdate": {"maxUnavailable": "101%"}})),
            ("/spec/strategy", json!({"rollingUpdate": {"maxUnavailable": "five"}})),
            ("/spec/strategy", json!({"rollingUpdate": {"maxSurge": "5"}})),
        ],
    );
}
