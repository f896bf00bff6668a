//! Lists: selectors, versions, pages.

use serde_json::{Value, json};

use super::configurations::{map, quiet, revision};
use super::talk::{DEPLOYMENTS, JSON, MAPS, PODS, REVISIONS, Talk};

pub(super) fn script(talk: &mut Talk) {
    talk.get(PODS);
    for (name, labels) in [
        ("l1", json!({"app": "web", "tier": "front"})),
        ("l2", json!({"app": "web", "tier": "back"})),
        ("l3", json!({"app": "api"})),
        ("l4", Value::Null),
    ] {
        let mut body = revision(name);
        body["metadata"]["labels"] = labels;
        talk.post(REVISIONS, &body);
    }
    labels(talk);
    fields(talk);
    versions(talk);
    pages(talk);
}

/// The names of a list's objects, or its error.
fn names(body: &Value) -> Value {
    match body["items"].as_array() {
        Some(items) => items.iter().map(|item| item["metadata"]["name"].clone()).collect(),
        None => body.clone(),
    }
}

fn chosen(talk: &mut Talk, collection: &str, query: &str) {
    talk.viewed("GET", &format!("{collection}?{query}"), "", "", names);
}

fn labels(talk: &mut Talk) {
    talk.get(&format!("{REVISIONS}?labelSelector=tier"));
    for selector in [
        "app%3Dweb",
        "app%3D%3Dweb",
        "app%21%3Dweb",
        "app%3Dweb,tier%3Dfront",
        "app+in+(web,+api)",
        "app+notin+(web)",
        "tier",
        "%21tier",
        "app%3D",
        "app+in+()",
        "app+in+(web",
        "app+near+(web)",
        "%3Dweb",
        "a+b",
        "app%3Dweb,",
        ",",
        "app%3Dweb%21",
        "bad/key/here%3Dx",
        "app%3Dbad+value",
        "app+in+(bad value)",
        "n%3E5",
    ] {
        let selector = selector.replace(' ', "+");
        chosen(talk, REVISIONS, &format!("labelSelector={selector}"));
    }
}

fn fields(talk: &mut Talk) {
    for selector in [
        "metadata.name%3Dl1",
        "metadata.name%21%3Dl1",
        "metadata.name%3D%3Dl1,metadata.namespace%3D{ns}",
        "metadata.namespace%3Delsewhere",
        "metadata.uid%3Dx",
        "spec.replicas%3D1",
        "metadata.name",
        "metadata.name%3D",
    ] {
        chosen(talk, REVISIONS, &format!("fieldSelector={selector}"));
    }
    chosen(talk, DEPLOYMENTS, "fieldSelector=spec.replicas%3D1");
    chosen(talk, PODS, "fieldSelector=status.phase%3DRunning,spec.nodeName%3Dx");
    chosen(talk, PODS, "fieldSelector=spec.hostname%3Dx");
}

fn versions(talk: &mut Talk) {
    let list = talk.get(&format!("{REVISIONS}?labelSelector=tier&resourceVersion=0"));
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    // Other namespaces change the version of a list, so requests use the version of an object.
    let made = talk.post(MAPS, &map("mark", &json!({})));
    let mark = made["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    assert!(version.parse::<u64>().is_ok(), "{list}");
    for query in [
        format!("resourceVersion={mark}"),
        format!("resourceVersion={mark}&resourceVersionMatch=NotOlderThan"),
        "resourceVersion=0&resourceVersionMatch=NotOlderThan".to_owned(),
        "resourceVersion=0&resourceVersionMatch=Exact".to_owned(),
        "resourceVersionMatch=Exact".to_owned(),
        "resourceVersionMatch=NotOlderThan".to_owned(),
        format!("resourceVersion={mark}&resourceVersionMatch=Nearby"),
        "resourceVersion=nonsense".to_owned(),
        "resourceVersion=-1".to_owned(),
        "limit=nonsense".to_owned(),
        "timeoutSeconds=nonsense".to_owned(),
        "unknown=option".to_owned(),
        "sendInitialEvents=true".to_owned(),
    ] {
        chosen(talk, MAPS, &format!("{query}&labelSelector=none"));
    }
    talk.get(&format!("{MAPS}/mark?resourceVersion={mark}"));
    talk.get(&format!("{MAPS}/mark?resourceVersion=0"));
    talk.get(&format!("{MAPS}/mark?resourceVersion=nonsense"));
    talk.get(&format!("{MAPS}?resourceVersion=99999999999&labelSelector=none"));
    talk.get(&format!("{MAPS}/mark?resourceVersion=99999999999"));
}

fn page(body: &Value) -> Value {
    match body["items"].as_array() {
        Some(_) => json!({"names": names(body), "metadata": body["metadata"], "items": []}),
        None => body.clone(),
    }
}

fn pages(talk: &mut Talk) {
    let mut query = "limit=3".to_owned();
    for _ in 0..3 {
        let list = talk.viewed("GET", &format!("{REVISIONS}?{query}"), "", "", page);
        let token = list["metadata"]["continue"].as_str().unwrap_or_default();
        if token.is_empty() {
            break;
        }
        query = format!("limit=3&continue={}", token.replace('=', "%3D"));
    }
    // Later pages show the state at the time of the first page.
    let first = talk.viewed("GET", &format!("{REVISIONS}?limit=1&labelSelector=app"), "", "", page);
    let token = first["metadata"]["continue"].as_str().unwrap_or_default().replace('=', "%3D");
    talk.delete(&format!("{REVISIONS}/l2"), &Value::Null);
    talk.viewed("GET", &format!("{REVISIONS}?limit=9&labelSelector=app&continue={token}"), "", "", page);
    talk.viewed("GET", &format!("{REVISIONS}?limit=9&resourceVersion=1&continue={token}"), "", "", page);
    talk.viewed("GET", &format!("{REVISIONS}?continue=nonsense"), "", "", page);
    talk.viewed("GET", &format!("{REVISIONS}?limit=2&resourceVersion=0"), "", "", page);
    talk.viewed("GET", &format!("{REVISIONS}?limit=-2"), "", "", page);
    talk.viewed("GET", &format!("{REVISIONS}?limit=0"), "", "", page);
    talk.raw("GET", DEPLOYMENTS, JSON, "");
    talk.post(DEPLOYMENTS, &quiet("one"));
}
