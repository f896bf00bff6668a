//! Patches: the four formats, immutable fields, and the errors of each.

use serde_json::{Value, json};

use super::configurations::{is_at_rest, map, quiet, service};
use super::talk::{DEPLOYMENTS, JSON, JSON_PATCH, MAPS, MERGE, SERVICES, STRATEGIC, Talk};

pub(super) fn script(talk: &mut Talk) {
    talk.post(MAPS, &map("one", &json!({"a": "1"})));
    merging(talk);
    operations(talk);
    formats(talk);
    identity(talk);
    strategic(talk);
    workloads(talk);
}

fn one() -> String {
    format!("{MAPS}/one")
}

fn merging(talk: &mut Talk) {
    for body in [
        json!({"data": {"b": "2"}}),
        json!({"data": {"b": "2"}}),
        json!({}),
        json!({"data": {"a": null}}),
        json!({"data": null}),
        json!({"metadata": {"labels": {"x": "y"}, "annotations": {"x": "y"}}}),
        json!({"metadata": {"labels": null}}),
        json!({"metadata": {"labels": {"bad key!": "y"}}}),
        json!({"metadata": {"labels": {"x": "bad value!"}}}),
        json!({"metadata": {"annotations": {"": "y"}}}),
        json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 5, "managedFields": null}}),
        json!({"data": {"a": 1}}),
        json!({"unknown": {"a": 1}}),
        json!([]),
        json!("text"),
        json!({"apiVersion": "v2"}),
        json!({"kind": "Secret"}),
    ] {
        talk.patch(&one(), MERGE, &body);
    }
    talk.patch(&format!("{MAPS}/none"), MERGE, &json!({"data": {"a": "1"}}));
}

fn operations(talk: &mut Talk) {
    let uid = talk.get(&one())["metadata"]["uid"].clone();
    for body in [
        json!([{"op": "add", "path": "/data", "value": {"a": "1"}}]),
        json!([{"op": "test", "path": "/metadata/uid", "value": uid}, {"op": "replace", "path": "/data/a", "value": "x2"}]),
        json!([{"op": "test", "path": "/data/a", "value": "x9"}, {"op": "replace", "path": "/data/a", "value": "x3"}]),
        json!([{"op": "replace", "path": "/data/a", "value": "x3"}, {"op": "test", "path": "/data/a", "value": "x9"}]),
        json!([{"op": "test", "path": "/data/none", "value": "x9"}]),
        json!([{"op": "test", "path": "/none/deeper", "value": "x9"}]),
        json!([{"op": "test", "path": "/data/none", "value": null}]),
        json!([{"op": "test", "path": "/none/deeper", "value": null}]),
        json!([{"op": "test", "path": "/metadata/annotations/x~1y", "value": null}]),
        json!([{"op": "add", "path": "/none/deeper", "value": "x1"}]),
        json!([{"op": "replace", "path": "/data/none", "value": "x1"}]),
        json!([{"op": "remove", "path": "/data/none"}]),
        json!([{"op": "remove", "path": "/data/none"}]),
        json!([{"op": "remove", "path": "/none/deeper"}]),
        json!([{"op": "add", "path": "/data/c", "value": "x1"}, {"op": "copy", "from": "/data/c", "path": "/data/d"}]),
        json!([{"op": "move", "from": "/data/d", "path": "/data/e"}]),
        json!([{"op": "move", "from": "/data/none", "path": "/data/e"}]),
        json!([{"op": "jump", "path": "/data/e"}]),
        json!([{"op": "add", "value": "x1"}]),
        json!([{"path": "/data/e", "value": "x1"}]),
        json!([]),
        json!({"op": "add"}),
        json!([{"op": "replace", "path": "/data/a", "value": 5}]),
        json!([{"op": "replace", "path": "/data/a", "value": "x2"}]),
    ] {
        talk.patch(&one(), JSON_PATCH, &body);
    }
    talk.patch(&format!("{MAPS}/none"), JSON_PATCH, &json!([{"op": "test", "path": "/data", "value": null}]));
}

fn formats(talk: &mut Talk) {
    talk.patch(&one(), JSON, &json!({}));
    talk.raw("PATCH", &one(), "", "{}");
    talk.raw("PATCH", &one(), "text/plain", "{}");
    for kind in [MERGE, STRATEGIC, JSON_PATCH] {
        talk.raw("PATCH", &one(), kind, "{\"data\": ");
        talk.raw("PATCH", &one(), kind, "");
    }
    talk.raw("PATCH", &one(), &format!("{MERGE}; charset=utf-8"), "{}");
    talk.patch(&format!("{}?force=true", one()), MERGE, &json!({}));
    talk.patch(MAPS, MERGE, &json!({}));
}

/// Name, namespace, UID and version in a patch are conditions, or must not change.
fn identity(talk: &mut Talk) {
    for metadata in [
        json!({"uid": "11111111-2222-3333-4444-555555555555"}),
        json!({"name": "other"}),
        json!({"namespace": "other"}),
        json!({"resourceVersion": "1"}),
        json!({"resourceVersion": "nonsense"}),
        json!({"resourceVersion": ""}),
        json!({"resourceVersion": "0"}),
        json!({"resourceVersion": null}),
        json!({"uid": null}),
        json!({"name": null}),
    ] {
        talk.patch(&one(), MERGE, &json!({"metadata": metadata}));
    }
    let found = talk.get(&one());
    let version = found["metadata"]["resourceVersion"].clone();
    let conditional =
        |value: &Value, data: &str| json!({"metadata": {"resourceVersion": value}, "data": {"v": data}});
    talk.patch(&one(), MERGE, &conditional(&version, "1"));
    talk.patch(&one(), MERGE, &conditional(&version, "2"));
    let test = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/data/v", "value": "x3"},
    ]);
    talk.patch(&one(), JSON_PATCH, &test);
    let replace = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": version}]);
    talk.patch(&one(), JSON_PATCH, &replace);
}

fn strategic(talk: &mut Talk) {
    talk.post(SERVICES, &service("one"));
    let path = format!("{SERVICES}/one");
    for body in [
        json!({"spec": {"ports": [{"port": 81, "name": "second"}]}}),
        json!({"spec": {"ports": [{"port": 80, "name": "first"}]}}),
        json!({"spec": {"ports": [{"port": 81, "name": "second"}]}}),
        json!({"spec": {"ports": [{"port": 81, "$patch": "delete"}]}}),
        json!({"spec": {"ports": [{"name": "keyless"}]}}),
        json!({"spec": {"selector": {"$patch": "replace", "b": "c"}}}),
        json!({"metadata": {"finalizers": ["example.com/one"]}}),
        json!({"metadata": {"finalizers": ["example.com/two"]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/one", "example.com/two"]}}),
        json!({"spec": {"clusterIP": "192.0.2.7"}}),
        json!({"spec": []}),
    ] {
        talk.patch(&path, STRATEGIC, &body);
    }
}

fn workloads(talk: &mut Talk) {
    talk.post(DEPLOYMENTS, &quiet("one"));
    let path = format!("{DEPLOYMENTS}/one");
    for (kind, body) in [
        (
            STRATEGIC,
            json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}),
        ),
        (
            STRATEGIC,
            json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}),
        ),
        (MERGE, json!({"spec": {"template": {"spec": {"containers": [{"name": "only", "image": "only"}]}}}})),
        (
            JSON_PATCH,
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "only:2"}]),
        ),
        (JSON_PATCH, json!([{"op": "test", "path": "/spec/replicas", "value": 1}])),
        (
            JSON_PATCH,
            json!([{"op": "test", "path": "/spec/replicas", "value": 0}, {"op": "replace", "path": "/spec/minReadySeconds", "value": 5}]),
        ),
        (JSON_PATCH, json!([{"op": "add", "path": "/metadata/annotations/x", "value": "y"}])),
        (MERGE, json!({"spec": {"replicas": "three"}})),
        (MERGE, json!({"spec": {"replicas": -1}})),
        (MERGE, json!({"spec": {"minReadySeconds": 0}})),
        (MERGE, json!({"spec": {"selector": {"matchLabels": {"app": "two"}}}})),
    ] {
        talk.until(DEPLOYMENTS, "one", is_at_rest);
        talk.patch(&path, kind, &body);
    }
}
