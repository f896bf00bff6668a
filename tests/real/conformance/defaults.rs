//! The server's defaults, and how it formats given values.

use serde_json::{Value, json};

use super::configurations::{lease, quiet, revision, service};
use super::talk::{DEPLOYMENTS, JSON, LEASES, PODS, REVISIONS, SERVICES, Talk};

pub(super) fn script(talk: &mut Talk) {
    deployments(talk);
    containers(talk);
    services(talk);
    others(talk);
}

/// Creates an object in a dry run, so that no controller changes it.
fn made(talk: &mut Talk, path: &str, body: &Value) {
    talk.viewed("POST", &format!("{path}?dryRun=All"), JSON, &body.to_string(), |body| match &body["kind"] {
        Value::String(kind) if kind == "Status" => body.clone(),
        _ => json!({"labels": body["metadata"]["labels"], "generation": body["metadata"]["generation"],
                    "spec": body["spec"], "status": body["status"], "data": body["data"], "revision": body["revision"]}),
    });
}

fn deployments(talk: &mut Talk) {
    let mut body = quiet("one");
    for field in ["replicas", "paused"] {
        body["spec"].as_object_mut().unwrap().remove(field);
    }
    made(talk, DEPLOYMENTS, &body);
    for (field, value) in [
        ("strategy", json!({"type": "Recreate"})),
        ("strategy", json!({"rollingUpdate": {"maxSurge": 2}})),
        ("strategy", json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}})),
        ("replicas", json!(0)),
        ("replicas", Value::Null),
        ("minReadySeconds", json!(0)),
        ("revisionHistoryLimit", json!(0)),
        ("progressDeadlineSeconds", json!(2_147_483_647)),
        ("paused", json!(false)),
    ] {
        let mut body = body.clone();
        body["spec"][field] = value;
        made(talk, DEPLOYMENTS, &body);
    }
}

fn containers(talk: &mut Talk) {
    let mut body = quiet("one");
    for image in [
        "web",
        "web:latest",
        "web:1",
        "host:5000/web",
        "host:5000/web:1",
        "web@sha256:0123456789012345678901234567890123456789012345678901234567890123",
    ] {
        body["spec"]["template"]["spec"] = json!({"containers": [{"name": "web", "image": image}]});
        made(talk, DEPLOYMENTS, &body);
    }
    let full = json!({
        "name": "web",
        "image": "web:1",
        "command": [],
        "args": ["a"],
        "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP", "name": "dns"}],
        "env": [
            {"name": "A", "value": ""},
            {"name": "B", "value": "x"},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "D", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "c"}}],
        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}, "requests": {"cpu": "500m", "memory": 1_000}},
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"tcpSocket": {"port": "dns"}, "initialDelaySeconds": 0, "timeoutSeconds": 5},
        "startupProbe": {"exec": {"command": ["true"]}},
        "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
        "volumeMounts": [
            {"name": "empty", "mountPath": "/a", "readOnly": false},
            {"name": "config", "mountPath": "/b", "readOnly": true},
        ],
        "securityContext": {"runAsNonRoot": true},
        "stdin": false,
        "tty": true,
    });
    body["spec"]["template"]["spec"] = json!({
        "containers": [full],
        "initContainers": [{"name": "first", "image": "first"}],
        "volumes": [
            {"name": "empty"},
            {"name": "sized", "emptyDir": {"sizeLimit": "1.5Gi"}},
            {"name": "config", "configMap": {"name": "c"}},
            {"name": "secret", "secret": {"secretName": "s"}},
            {"name": "host", "hostPath": {"path": "/x"}},
            {"name": "all", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {"name": "down", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ],
        "serviceAccountName": "somebody",
        "nodeSelector": {},
        "hostNetwork": false,
        "tolerations": [],
        "imagePullSecrets": [{"name": "s"}],
        "affinity": {},
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "one"}},
        }],
    });
    body["spec"]["template"]["metadata"]["annotations"] = json!({});
    made(talk, DEPLOYMENTS, &body);
    for cpu in [
        json!("1000m"),
        json!("1.5"),
        json!(2),
        json!(0.1),
        json!("1e3"),
        json!("100u"),
        json!("0.0001"),
        json!("2Ki"),
    ] {
        let container = json!({"name": "web", "image": "web:1", "resources": {"limits": {"cpu": cpu}}});
        body["spec"]["template"]["spec"] = json!({"containers": [container]});
        made(talk, DEPLOYMENTS, &body);
    }
    for resources in
        [json!({}), json!({"limits": {"cpu": "1", "memory": "1Gi"}}), json!({"requests": {"cpu": "1"}})]
    {
        let container = json!({"name": "web", "image": "web:1", "resources": resources});
        made(talk, PODS, &json!({"metadata": {"name": "one"}, "spec": {"containers": [container]}}));
    }
}

fn services(talk: &mut Talk) {
    made(talk, SERVICES, &service("one"));
    for spec in [
        json!({"clusterIP": "None", "selector": {"app": "one"}}),
        json!({"ports": [{"port": 80, "targetPort": "http", "name": "http"}, {"port": 53, "protocol": "UDP", "name": "dns"}]}),
        json!({"type": "NodePort", "ports": [{"port": 80}]}),
        json!({"type": "LoadBalancer", "ports": [{"port": 80}]}),
        json!({"type": "ExternalName", "externalName": "example.com"}),
        json!({"ports": [{"port": 80}], "publishNotReadyAddresses": true, "sessionAffinity": "ClientIP"}),
    ] {
        let mut body = service("one");
        body["spec"] = spec;
        made(talk, SERVICES, &body);
    }
}

fn others(talk: &mut Talk) {
    made(talk, REVISIONS, &revision("one"));
    let mut body = lease("one");
    made(talk, LEASES, &body);
    body["spec"] = json!({});
    made(talk, LEASES, &body);
    body["spec"] = json!({"renewTime": null, "holderIdentity": "", "leaseTransitions": 3});
    made(talk, LEASES, &body);
}
