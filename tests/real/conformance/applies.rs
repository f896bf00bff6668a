//! Server-side apply: owners, conflicts, what is taken away, and what is refused.

use serde_json::{Value, json};

use super::configurations::{is_at_rest, map, quiet};
use super::talk::{APPLY, DEPLOYMENTS, MAPS, MERGE, Talk};

pub(super) fn script(talk: &mut Talk) {
    owners(talk);
    refusals(talk);
    workloads(talk);
}

fn owners(talk: &mut Talk) {
    let by = |manager: &str| format!("{MAPS}/one?fieldManager={manager}");
    let data = |data: Value| map("one", &data);
    talk.patch(&by("first"), APPLY, &data(json!({"a": "1", "b": "1"})));
    talk.patch(&by("first"), APPLY, &data(json!({"a": "1", "b": "1"})));
    talk.patch(&by("first"), APPLY, &data(json!({"a": "2"})));
    talk.patch(&by("second"), APPLY, &data(json!({"a": "3"})));
    talk.patch(&by("second"), APPLY, &data(json!({"a": "3", "c": "3"})));
    talk.patch(&by("second"), APPLY, &data(json!({"a": "2", "c": "3"})));
    talk.patch(&by("first"), APPLY, &data(json!({"a": "4"})));
    talk.patch(&format!("{}&force=true", by("first")), APPLY, &data(json!({"a": "4"})));
    talk.patch(&by("first"), APPLY, &data(json!({})));
    talk.patch(&format!("{MAPS}/one?fieldManager=plain"), MERGE, &json!({"data": {"d": "5"}}));
    talk.patch(&by("first"), APPLY, &data(json!({"d": "5"})));
}

fn refusals(talk: &mut Talk) {
    let path = format!("{MAPS}/one?fieldManager=me");
    talk.patch(&format!("{MAPS}/one"), APPLY, &map("one", &json!({})));
    talk.patch(&path, APPLY, &map("other", &json!({})));
    talk.patch(&path, APPLY, &json!({"metadata": {"name": "one"}}));
    talk.patch(&path, APPLY, &json!({"apiVersion": "v1", "metadata": {"name": "one"}}));
    talk.patch(&path, APPLY, &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}}));
    talk.patch(&path, APPLY, &json!([]));
    talk.raw("PATCH", &path, APPLY, "a: [");
    let mut body = map("one", &json!({}));
    body["metadata"]["managedFields"] = json!([{"manager": "me", "operation": "Apply"}]);
    talk.patch(&path, APPLY, &body);
    body["metadata"] = json!({"name": "one", "resourceVersion": "1"});
    talk.patch(&path, APPLY, &body);
    body["metadata"] = json!({"name": "one", "uid": "11111111-2222-3333-4444-555555555555"});
    talk.patch(&path, APPLY, &body);
    for metadata in [
        json!({"name": "none", "resourceVersion": "1"}),
        json!({"name": "none", "uid": "11111111-2222-3333-4444-555555555555"}),
    ] {
        body["metadata"] = metadata;
        talk.patch(&format!("{MAPS}/none?fieldManager=me"), APPLY, &body);
    }
    talk.patch(&format!("{MAPS}/one?fieldManager={}", "m".repeat(129)), APPLY, &map("one", &json!({})));
    talk.raw(
        "PATCH",
        &format!("{MAPS}/two?fieldManager=me"),
        APPLY,
        "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n",
    );
}

fn workloads(talk: &mut Talk) {
    let path = format!("{DEPLOYMENTS}/one?fieldManager=me");
    let mut body = quiet("one");
    talk.patch(&path, APPLY, &body);
    talk.until(DEPLOYMENTS, "one", is_at_rest);
    talk.patch(&path, APPLY, &body);
    body["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    body["spec"].as_object_mut().unwrap().remove("replicas");
    talk.until(DEPLOYMENTS, "one", is_at_rest);
    talk.patch(&path, APPLY, &body);
    body["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:3");
    talk.until(DEPLOYMENTS, "one", is_at_rest);
    talk.patch(&format!("{DEPLOYMENTS}/one?fieldManager=other"), APPLY, &body);
}
