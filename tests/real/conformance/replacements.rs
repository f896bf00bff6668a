//! Replacing: versions, identity, and a PUT to a missing object.

use serde_json::{Value, json};

use super::configurations::{is_at_rest, lease, map, quiet, revision, service};
use super::talk::{DEPLOYMENTS, LEASES, MAPS, PODS, REVISIONS, SERVICES, Talk};

pub(super) fn script(talk: &mut Talk) {
    versions(talk);
    identity(talk);
    nothing(talk);
    leases(talk);
    immutable(talk);
    deployments(talk);
}

fn versions(talk: &mut Talk) {
    let path = format!("{MAPS}/one");
    let made = talk.post(MAPS, &map("one", &json!({"a": "1"})));
    let mut body = made.clone();
    body["data"] = json!({"a": "2"});
    talk.put(&path, &body);
    body["data"] = json!({"a": "3"});
    talk.put(&path, &body);
    talk.get(&path);
    for version in [json!(""), json!("0"), json!("nonsense"), Value::Null] {
        body["metadata"]["resourceVersion"] = version;
        talk.put(&path, &body);
    }
    body["metadata"]["resourceVersion"] = json!(5);
    talk.put(&path, &body);
    talk.put(&path, &map("one", &json!({"a": "4"})));
    talk.put(&path, &map("one", &json!({"a": "4"})));
    talk.put(&path, &map("one", &json!({})));
}

fn identity(talk: &mut Talk) {
    let path = format!("{MAPS}/one");
    talk.put(&path, &map("other", &json!({})));
    talk.put(&path, &map("", &json!({})));
    let mut body = map("one", &json!({}));
    body["metadata"]["namespace"] = json!("elsewhere");
    talk.put(&path, &body);
    body["metadata"] = json!({"name": "one", "uid": "11111111-2222-3333-4444-555555555555"});
    talk.put(&path, &body);
    body["metadata"] = json!({"name": "one", "creationTimestamp": "2020-01-01T00:00:00Z", "generation": 4});
    talk.put(&path, &body);
    talk.put(MAPS, &body);
}

fn nothing(talk: &mut Talk) {
    talk.put(&format!("{MAPS}/none"), &map("none", &json!({})));
    talk.put(&format!("{DEPLOYMENTS}/none"), &quiet("none"));
    talk.put(&format!("{REVISIONS}/none"), &revision("none"));
    talk.put(&format!("{SERVICES}/made"), &service("made"));
    talk.put(&format!("{LEASES}/made"), &lease("made"));
    let mut body = map("none", &json!({}));
    body["metadata"]["uid"] = json!("11111111-2222-3333-4444-555555555555");
    talk.put(&format!("{MAPS}/none"), &body);
    body["metadata"] = json!({"name": "none", "resourceVersion": "1"});
    talk.put(&format!("{MAPS}/none"), &body);
    talk.put(&format!("{PODS}/none"), &json!({"metadata": {"name": "none"}}));
}

fn leases(talk: &mut Talk) {
    let path = format!("{LEASES}/made");
    let mut body = talk.get(&path);
    body["spec"]["renewTime"] = json!("2020-01-02T03:04:05Z");
    let renewed = talk.put(&path, &body);
    talk.put(&path, &body);
    body["metadata"] = json!({"name": "made"});
    talk.put(&path, &body);
    body["metadata"] = renewed["metadata"].clone();
    body["spec"] = json!({"leaseDurationSeconds": 0, "leaseTransitions": -1});
    talk.put(&path, &body);
    body["spec"] =
        json!({"renewTime": "2020-01-02T03:04:05.1Z", "acquireTime": "2020-01-02T05:04:05.123456+02:00"});
    talk.put(&path, &body);
    body["spec"] = json!({"renewTime": "yesterday"});
    talk.put(&path, &body);
    let merge = super::talk::MERGE;
    talk.patch(&path, merge, &json!({"spec": {"renewTime": "2020-01-02T03:04:06.000001Z"}}));
    talk.patch(
        &path,
        merge,
        &json!({"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": "thief"}}),
    );
    talk.patch(&path, merge, &json!({"spec": {"holderIdentity": ""}}));
    talk.patch(&path, merge, &json!({"spec": {"holderIdentity": null}}));
}

fn immutable(talk: &mut Talk) {
    let path = format!("{REVISIONS}/one");
    let mut body = talk.post(REVISIONS, &revision("one"));
    body["data"]["more"] = json!(1);
    talk.put(&path, &body);
    body["data"].as_object_mut().unwrap().remove("more");
    body["revision"] = json!(2);
    body["metadata"]["labels"] = json!({"a": "b"});
    talk.put(&path, &body);
    let mut body = map("fixed", &json!({"a": "1"}));
    body["immutable"] = json!(true);
    let mut body = talk.post(MAPS, &body);
    body["data"]["a"] = json!("2");
    talk.put(&format!("{MAPS}/fixed"), &body);
    body["data"]["a"] = json!("1");
    body["immutable"] = json!(false);
    talk.put(&format!("{MAPS}/fixed"), &body);
    let mut body = talk.get(&format!("{SERVICES}/made"));
    body["spec"]["clusterIP"] = json!("");
    body["spec"].as_object_mut().unwrap().remove("clusterIPs");
    talk.put(&format!("{SERVICES}/made"), &body);
}

fn deployments(talk: &mut Talk) {
    let path = format!("{DEPLOYMENTS}/one");
    talk.post(DEPLOYMENTS, &quiet("one"));
    let mut body = talk.until(DEPLOYMENTS, "one", is_at_rest);
    body["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    talk.put(&path, &body);
    talk.put(&path, &body);
    let mut body = talk.until(DEPLOYMENTS, "one", is_at_rest);
    body["spec"]["selector"]["matchLabels"]["more"] = json!("x");
    body["spec"]["template"]["metadata"]["labels"]["more"] = json!("x");
    talk.put(&path, &body);
    body["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    talk.put(&path, &body);
    talk.put(&path, &quiet("one"));
}
