//! Watches: their first events, the order of events, and their end.
//!
//! The next event shows that there was no other event before it.

use serde_json::{Value, json};

use super::configurations::map;
use super::talk::{LEASES, MAPS, MERGE, Talk};

pub(super) fn script(talk: &mut Talk) {
    beginnings(talk);
    order(talk);
    matching(talk);
    bookmarks(talk);
    versions(talk);
}

fn changed(talk: &mut Talk, name: &str, data: &str) -> String {
    let body = talk.patch(&format!("{MAPS}/{name}"), MERGE, &json!({"data": {"a": data}}));
    version(&body)
}

fn version(body: &Value) -> String {
    body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

fn beginnings(talk: &mut Talk) {
    talk.post(MAPS, &map("first", &json!({"a": "1"})));
    let made = talk.post(MAPS, &map("second", &json!({"a": "1"})));
    let mark = version(&made);
    let mut unset = talk.watch(MAPS, "labelSelector=!none&fieldSelector=metadata.name!=kube-root-ca.crt");
    talk.told(&mut unset, 2);
    let mut zero = talk.watch(MAPS, "resourceVersion=0&fieldSelector=metadata.name%3Dsecond");
    talk.told(&mut zero, 1);
    let mut exact = talk.watch(MAPS, &format!("resourceVersion={mark}"));
    changed(talk, "first", "2");
    talk.told(&mut exact, 1);
    let mut late = talk.watch(MAPS, &format!("resourceVersion={mark}"));
    talk.told(&mut late, 1);
    changed(talk, "second", "2");
    talk.told(&mut unset, 2);
    talk.told(&mut zero, 1);
    talk.told(&mut exact, 1);
    talk.told(&mut late, 1);
}

fn order(talk: &mut Talk) {
    let mark = changed(talk, "first", "3");
    let mut events = talk.watch(MAPS, &format!("resourceVersion={mark}"));
    talk.post(MAPS, &map("third", &json!({})));
    changed(talk, "third", "1");
    changed(talk, "third", "1");
    talk.patch(&format!("{MAPS}/third"), MERGE, &json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    talk.delete(&format!("{MAPS}/third"), &Value::Null);
    talk.patch(&format!("{MAPS}/third"), MERGE, &json!({"metadata": {"finalizers": null}}));
    talk.post(MAPS, &map("third", &json!({"a": "again"})));
    talk.delete(&format!("{MAPS}/third"), &Value::Null);
    talk.told(&mut events, 7);
}

/// Objects that begin or cease to match appear as added or deleted.
fn matching(talk: &mut Talk) {
    let mark = changed(talk, "first", "4");
    let mut events = talk.watch(MAPS, &format!("resourceVersion={mark}&labelSelector=tier%3Dfront"));
    for labels in
        [json!({"tier": "back"}), json!({"tier": "front"}), json!({"x": "y"}), json!({"tier": null})]
    {
        talk.patch(&format!("{MAPS}/first"), MERGE, &json!({"metadata": {"labels": labels}}));
    }
    talk.patch(&format!("{MAPS}/first"), MERGE, &json!({"metadata": {"labels": {"tier": "front"}}}));
    talk.delete(&format!("{MAPS}/first"), &Value::Null);
    talk.told(&mut events, 5);
    let mut one = talk.watch(MAPS, &format!("resourceVersion={mark}&fieldSelector=metadata.name%3Dsecond"));
    changed(talk, "second", "5");
    talk.told(&mut one, 1);
    talk.watch(MAPS, "labelSelector=a+b");
    talk.watch(MAPS, "fieldSelector=spec.nothing%3Dx");
    talk.watch(&format!("{MAPS}/second"), "resourceVersion=0");
}

fn bookmarks(talk: &mut Talk) {
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true\
                 &fieldSelector=metadata.name%3Dsecond";
    let mut events = talk.watch(MAPS, query);
    talk.told(&mut events, 2);
    changed(talk, "second", "6");
    talk.told(&mut events, 1);
    for query in [
        "sendInitialEvents=true",
        "sendInitialEvents=true&allowWatchBookmarks=true",
        "sendInitialEvents=true&resourceVersionMatch=Exact&allowWatchBookmarks=true",
        "resourceVersionMatch=NotOlderThan",
        "sendInitialEvents=false&resourceVersion=0",
    ] {
        talk.watch(MAPS, query);
    }
}

fn versions(talk: &mut Talk) {
    for query in [
        "resourceVersion=nonsense",
        "resourceVersion=-5",
        "timeoutSeconds=nonsense",
        "allowWatchBookmarks=nonsense",
    ] {
        talk.watch(MAPS, query);
    }
    talk.watch("/api/v1/namespaces/{ns}/nothings", "");
    talk.watch("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "");
    let mut elsewhere = talk.watch("/api/v1/namespaces/nowhere/configmaps", "timeoutSeconds=1");
    talk.told_to_the_end(&mut elsewhere);
    let mut empty = talk.watch(LEASES, "timeoutSeconds=1&resourceVersion=0");
    talk.told_to_the_end(&mut empty);
}
