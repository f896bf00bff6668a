//! Deleting: preconditions, propagation, finalizers, writes to objects under deletion, and collections.

use serde_json::{Value, json};

use super::configurations::{lease, map, quiet, revision, service};
use super::talk::{DEPLOYMENTS, JSON, JSON_PATCH, LEASES, MAPS, MERGE, REVISIONS, SERVICES, Talk};

pub(super) fn script(talk: &mut Talk) {
    answers(talk);
    preconditions(talk);
    finalizers(talk);
    propagation(talk);
    options(talk);
    collections(talk);
}

fn answers(talk: &mut Talk) {
    for (path, body) in [
        (MAPS, map("one", &json!({}))),
        (SERVICES, service("one")),
        (REVISIONS, revision("one")),
        (LEASES, lease("one")),
    ] {
        talk.post(path, &body);
        talk.delete(&format!("{path}/one"), &Value::Null);
        talk.delete(&format!("{path}/one"), &Value::Null);
        talk.get(&format!("{path}/one"));
    }
    talk.post(DEPLOYMENTS, &quiet("one"));
    talk.delete(&format!("{DEPLOYMENTS}/one"), &Value::Null);
    talk.delete(&format!("{DEPLOYMENTS}/one"), &Value::Null);
}

fn preconditions(talk: &mut Talk) {
    let path = format!("{MAPS}/two");
    let made = talk.post(MAPS, &map("two", &json!({})));
    let changed = talk.patch(&path, MERGE, &json!({"data": {"a": "1"}}));
    let (uid, old) = (&made["metadata"]["uid"], &made["metadata"]["resourceVersion"]);
    let new = &changed["metadata"]["resourceVersion"];
    let with = |preconditions: Value| json!({"preconditions": preconditions});
    talk.delete(&path, &with(json!({"uid": "11111111-2222-3333-4444-555555555555"})));
    talk.delete(&path, &with(json!({"resourceVersion": old})));
    talk.delete(&path, &with(json!({"uid": uid, "resourceVersion": old})));
    talk.delete(&path, &with(json!({"uid": "11111111-2222-3333-4444-555555555555", "resourceVersion": old})));
    talk.delete(&format!("{MAPS}/none"), &with(json!({"uid": uid})));
    talk.delete(&path, &with(json!({"uid": uid, "resourceVersion": new})));
    let made = talk.post(REVISIONS, &revision("two"));
    let wrong = json!({"uid": made["metadata"]["uid"], "resourceVersion": "1"});
    talk.delete(&format!("{REVISIONS}/two"), &with(wrong));
    talk.delete(&format!("{REVISIONS}/two"), &with(json!({})));
}

fn finalizers(talk: &mut Talk) {
    let path = format!("{MAPS}/held");
    let mut body = map("held", &json!({"a": "1"}));
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    talk.post(MAPS, &body);
    talk.delete(&path, &Value::Null);
    talk.get(&path);
    talk.delete(&path, &Value::Null);
    talk.post(MAPS, &body);
    talk.patch(&path, MERGE, &json!({"data": {"a": "2"}}));
    talk.patch(&path, MERGE, &json!({"metadata": {"deletionTimestamp": null}}));
    talk.patch(&path, MERGE, &json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}));
    talk.patch(&path, MERGE, &json!({"metadata": {"finalizers": null}}));
    talk.get(&path);
    talk.patch(&path, MERGE, &json!({"data": {"a": "3"}}));
    for name in ["nonsense", "a/b/c", ""] {
        body["metadata"] = json!({"name": "wrong", "finalizers": [name]});
        talk.post(MAPS, &body);
    }
    let mut body = quiet("held");
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    talk.post(DEPLOYMENTS, &body);
    let path = format!("{DEPLOYMENTS}/held");
    talk.until(DEPLOYMENTS, "held", super::configurations::is_at_rest);
    talk.delete(&path, &Value::Null);
    talk.until(DEPLOYMENTS, "held", super::configurations::is_at_rest);
    talk.patch(&path, MERGE, &json!({"spec": {"minReadySeconds": 3}}));
    talk.until(DEPLOYMENTS, "held", super::configurations::is_at_rest);
    talk.patch(&path, MERGE, &json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}));
    talk.patch(&path, JSON_PATCH, &json!([{"op": "remove", "path": "/metadata/finalizers"}]));
    talk.get(&path);
}

/// Dependents are ConfigMaps, which only the garbage collector changes.
fn propagation(talk: &mut Talk) {
    for policy in ["Background", "Foreground", "Orphan"] {
        let owner = format!("owner-{}", policy.to_lowercase());
        let dependent = format!("dependent-{}", policy.to_lowercase());
        let made = talk.post(MAPS, &map(&owner, &json!({})));
        let mut body = map(&dependent, &json!({}));
        body["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": made["metadata"]["uid"],
            "blockOwnerDeletion": true,
        }]);
        body["metadata"]["finalizers"] = json!(["example.com/hold"]);
        let held = talk.post(MAPS, &body);
        let version = held["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let selector = format!("resourceVersion={version}&fieldSelector=metadata.name%3D{dependent}");
        let mut events = talk.watch(MAPS, &selector);
        talk.delete(&format!("{MAPS}/{owner}"), &json!({"propagationPolicy": policy}));
        // The garbage collector begins to delete the dependent, or removes its owner reference.
        talk.told(&mut events, 1);
        talk.patch(&format!("{MAPS}/{dependent}"), MERGE, &json!({"metadata": {"finalizers": null}}));
        talk.told(&mut events, 1);
        if policy != "Background" {
            talk.until_gone(MAPS, &owner);
        }
        talk.get(&format!("{MAPS}/{owner}"));
        talk.get(&format!("{MAPS}/{dependent}"));
    }
    for kind in [json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}]), json!([{"name": "x"}])] {
        let mut body = map("misowned", &json!({}));
        body["metadata"]["ownerReferences"] = kind;
        talk.post(MAPS, &body);
    }
    let mut body = map("misowned", &json!({}));
    let owner = |uid: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": uid, "controller": true});
    body["metadata"]["ownerReferences"] = json!([owner("a"), owner("b")]);
    talk.post(MAPS, &body);
}

fn options(talk: &mut Talk) {
    let path = format!("{MAPS}/last");
    talk.post(MAPS, &map("last", &json!({})));
    talk.delete(&path, &json!({"propagationPolicy": "Sideways"}));
    talk.delete(&path, &json!({"propagationPolicy": "Background", "orphanDependents": true}));
    talk.delete(&path, &json!({"gracePeriodSeconds": "long"}));
    talk.delete(&path, &json!({"kind": "Pod", "apiVersion": "v1"}));
    talk.raw("DELETE", &path, JSON, "{\"a\": ");
    talk.raw("DELETE", &path, JSON, "[]");
    talk.delete(&format!("{path}?propagationPolicy=Sideways"), &Value::Null);
    talk.delete(&format!("{path}?dryRun=All"), &Value::Null);
    talk.delete(&path, &json!({"dryRun": ["All"]}));
    talk.delete(&path, &json!({"dryRun": ["Some"]}));
    talk.get(&path);
    talk.delete(&format!("{path}?propagationPolicy=Background&gracePeriodSeconds=0"), &Value::Null);
}

fn collections(talk: &mut Talk) {
    for (name, label) in [("c1", "x"), ("c2", "x"), ("c3", "y")] {
        let mut body = map(name, &json!({}));
        body["metadata"]["labels"] = json!({"set": label});
        talk.post(MAPS, &body);
    }
    talk.delete(&format!("{MAPS}?labelSelector=set%3Dx&dryRun=All"), &Value::Null);
    talk.delete(&format!("{MAPS}?labelSelector=set%3Dx"), &Value::Null);
    talk.get(&format!("{MAPS}?labelSelector=set"));
    talk.delete(&format!("{MAPS}?labelSelector=set%3Dnone"), &Value::Null);
    talk.delete(SERVICES, &json!({"propagationPolicy": "Background"}));
}
