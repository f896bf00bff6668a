//! Creating: names, namespaces, fields that clients may not set, and existing objects.

use serde_json::json;

use super::configurations::{deployment, lease, map, quiet, revision, service};
use super::talk::{DEPLOYMENTS, LEASES, MAPS, REVISIONS, SERVICES, Talk};

pub(super) fn script(talk: &mut Talk) {
    accepted(talk);
    metadata(talk);
    names(talk);
    places(talk);
    bodies(talk);
}

fn accepted(talk: &mut Talk) {
    for (path, body) in [
        (MAPS, map("one", &json!({"a": "1"}))),
        (MAPS, map("empty", &json!({}))),
        (SERVICES, service("one")),
        (DEPLOYMENTS, quiet("one")),
        (REVISIONS, revision("one")),
        (LEASES, lease("one")),
    ] {
        talk.post(path, &body);
    }
    for (path, body) in [
        (MAPS, map("one", &json!({"a": "2"}))),
        (SERVICES, service("one")),
        (DEPLOYMENTS, quiet("one")),
        (REVISIONS, revision("one")),
        (LEASES, lease("one")),
    ] {
        talk.post(path, &body);
    }
    for path in [MAPS, SERVICES, REVISIONS, LEASES] {
        talk.get(&format!("{path}/one"));
        talk.get(&format!("{path}/none"));
    }
    talk.get(&format!("{DEPLOYMENTS}/none"));
}

/// Metadata that the server sets regardless of the request.
fn metadata(talk: &mut Talk) {
    let mut body = map("told", &json!({}));
    body["metadata"] = json!({
        "name": "told",
        "uid": "11111111-2222-3333-4444-555555555555",
        "generation": 7,
        "creationTimestamp": "2020-01-01T00:00:00Z",
        "deletionTimestamp": "2020-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 5,
        "selfLink": "/here",
        "labels": {"a": "b"},
        "annotations": {"c/d": "e"},
    });
    talk.post(MAPS, &body);
    let mut body = quiet("told");
    body["metadata"]["generation"] = json!(7);
    body["status"] = json!({"replicas": 5, "observedGeneration": 9});
    talk.post(DEPLOYMENTS, &body);
    let mut body = map("versioned", &json!({}));
    body["metadata"]["resourceVersion"] = json!("99999999999");
    talk.post(MAPS, &body);
    body["metadata"]["resourceVersion"] = json!("0");
    talk.post(MAPS, &body);
}

fn names(talk: &mut Talk) {
    let mut body = map("", &json!({}));
    talk.post(MAPS, &body);
    body["metadata"] = json!({"generateName": "made-"});
    talk.post(MAPS, &body);
    body["metadata"] = json!({"generateName": "made-", "name": "given"});
    talk.post(MAPS, &body);
    body["metadata"] = json!({"generateName": "Made_"});
    talk.viewed("POST", MAPS, super::talk::JSON, &body.to_string(), |body| {
        // The name, the message and the details contain the random suffix.
        json!({"code": body["code"], "reason": body["reason"], "field": body["details"]["causes"][0]["field"]})
    });
    let long = "x".repeat(254);
    for name in ["Upper", "under_score", "-edge", "dots.are.good", "a..b", long.as_str()] {
        talk.post(MAPS, &map(name, &json!({})));
    }
    for name in ["dotted.name", "1st", "UPPER", &long[..64]] {
        talk.post(SERVICES, &service(name));
    }
    talk.post(DEPLOYMENTS, &deployment("Web", 0));
    talk.post(LEASES, &lease("a/b"));
    talk.post(REVISIONS, &revision("a b"));
}

fn places(talk: &mut Talk) {
    let mut body = map("placed", &json!({}));
    body["metadata"]["namespace"] = json!("elsewhere");
    talk.post(MAPS, &body);
    body["metadata"]["namespace"] = json!(talk.namespace());
    talk.post(MAPS, &body);
    talk.post("/api/v1/configmaps", &body);
    talk.get("/api/v1/namespaces/{ns}/nothings");
    talk.get("/apis/apps/v1/namespaces/{ns}/nothings/one");
    talk.get("/apis/nothing.example/v1/namespaces/{ns}/nothings");
    talk.post("/api/v1/namespaces/{ns}/nothings", &body);
    talk.get(&format!("{MAPS}/one/status"));
    talk.get(&format!("{MAPS}/one/nothing"));
}

fn bodies(talk: &mut Talk) {
    let mut body = map("bodied", &json!({}));
    body["kind"] = json!("Secret");
    talk.post(MAPS, &body);
    body["kind"] = json!("ConfigMap");
    body["apiVersion"] = json!("v2");
    talk.post(MAPS, &body);
    body["apiVersion"] = json!("apps/v1");
    talk.post(MAPS, &body);
    let object = body.as_object_mut().unwrap();
    object.remove("kind");
    object.remove("apiVersion");
    talk.post(MAPS, &body);
    talk.raw("POST", MAPS, super::talk::JSON, "{\"metadata\": ");
    talk.raw("POST", MAPS, super::talk::JSON, "[]");
    talk.raw("POST", MAPS, super::talk::JSON, "\"text\"");
    talk.raw("POST", MAPS, super::talk::JSON, "");
    talk.raw("POST", MAPS, "text/plain", "{}");
    talk.raw("POST", MAPS, "application/yaml", "metadata: {name: yaml}\ndata: {a: '1'}\n");
    talk.post(MAPS, &map("typed", &json!({"a": 1})));
    let mut body = deployment("typed", 0);
    body["spec"]["replicas"] = json!("three");
    talk.post(DEPLOYMENTS, &body);
}
