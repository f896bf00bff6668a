//! Replaces every part of a body by another value: it is rejected or accepted, but never causes a panic.

use crate::fixture::*;
use serde_json::{Value, json};

/// All JSON pointers into a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                pointers(inner, &format!("{at}/{}", name.replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                pointers(inner, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

async fn mutate(path: &str, body: &Value) {
    let (_sandbox, client) = client();
    let others = [json!(null), json!("x"), json!(-1), json!({}), json!([{}])];
    let mut full = made(&client, path, body).await;
    let name = full["metadata"]["name"].as_str().unwrap().to_owned();
    let object = format!("{path}/{name}");
    for field in ["uid", "resourceVersion"] {
        full["metadata"].as_object_mut().unwrap().remove(field);
    }
    let mut found = Vec::new();
    pointers(&full, "", &mut found);
    for (number, pointer) in found.iter().enumerate() {
        for (other, value) in others.iter().enumerate() {
            let mut mutated = full.clone();
            *mutated.pointer_mut(pointer).unwrap() = value.clone();
            put(&client, &object, &mutated).await;
            patch(&client, &object, MERGE_PATCH, &mutated).await;
            patch(&client, &object, STRATEGIC_PATCH, &mutated).await;
            patch(&client, &format!("{object}?fieldManager=me&force=true"), APPLY_PATCH, &mutated).await;
            put(&client, &format!("{object}/status"), &mutated).await;
            let operation = json!([{"op": "replace", "path": pointer, "value": value}]);
            patch(&client, &object, JSON_PATCH, &operation).await;
            let mut new = body.clone();
            if let Some(place) = new.pointer_mut(pointer).filter(|_| !pointer.ends_with("/name")) {
                *place = value.clone();
            }
            if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("name".to_owned(), json!(format!("{name}-{number}-{other}")));
            }
            post(&client, path, &new).await;
        }
        pass(20).await;
        delete(&client, path, &json!({"gracePeriodSeconds": 0})).await;
        post(&client, path, body).await;
    }
    assert_eq!(get(&client, path).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn mutated_deployments_never_panic() {
    let mut body = deployment("web", "web:1", 1);
    body["metadata"]["labels"] = json!({"a": "b"});
    body["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "10%"}});
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "1"}});
    body["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}]);
    mutate(DEPLOYMENTS, &body).await;
}

#[tokio::test(start_paused = true)]
async fn mutated_pods_never_panic() {
    let mut pod =
        json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}});
    pod["spec"]["volumes"] = json!([{"name": "scratch"}]);
    pod["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": ""}]);
    mutate(PODS, &pod).await;
}

#[tokio::test(start_paused = true)]
async fn mutated_objects_of_other_kinds_never_panic() {
    let service = json!({"metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    mutate("/api/v1/namespaces/default/services", &service).await;
    mutate(MAPS, &map("one", &json!({"a": "b"}))).await;
    mutate("/api/v1/namespaces", &json!({"metadata": {"name": "one"}})).await;
    let lease =
        json!({"metadata": {"name": "one"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}});
    mutate("/apis/coordination.k8s.io/v1/namespaces/default/leases", &lease).await;
    let revision = json!({"metadata": {"name": "one"}, "revision": 1, "data": {"limits": {"cpu": 1}}});
    mutate("/apis/apps/v1/namespaces/default/controllerrevisions", &revision).await;
}
