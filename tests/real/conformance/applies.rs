//! Server-side apply: owners, conflicts, removals and errors.

use serde_json::{Value, json};

use super::configurations::{is_at_rest, map, quiet, service};
use super::talk::{APPLY, DEPLOYMENTS, JSON_PATCH, MAPS, MERGE, SERVICES, STRATEGIC, Talk};

pub(super) fn script(talk: &mut Talk) {
    owners(talk);
    refusals(talk);
    workloads(talk);
    other_writers(talk);
    lists(talk);
    other_kinds(talk);
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

/// Writers without server-side apply own the fields they change, and conflict with applied fields.
fn other_writers(talk: &mut Talk) {
    let path = |manager: &str| format!("{DEPLOYMENTS}/two?fieldManager={manager}");
    let mut body = quiet("two");
    body["metadata"]["labels"] = json!({"a": "1", "b": "1"});
    talk.post(&format!("{DEPLOYMENTS}?fieldManager=creator"), &body);
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(&path("applier"), APPLY, &body);
    body["metadata"]["labels"]["a"] = json!("2");
    body["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(&path("applier"), APPLY, &body);
    talk.patch(&format!("{}&force=true", path("applier")), APPLY, &body);
    let label = |value: Value| json!({"metadata": {"labels": {"b": value}}});
    for (kind, patch) in [
        (MERGE, label(json!("2"))),
        (STRATEGIC, label(json!("3"))),
        (JSON_PATCH, json!([{"op": "replace", "path": "/metadata/labels/b", "value": "x4"}])),
        (MERGE, label(Value::Null)),
        (MERGE, json!({"metadata": {"annotations": {"c": "d"}}, "spec": {"minReadySeconds": 3}})),
    ] {
        talk.until(DEPLOYMENTS, "two", is_at_rest);
        talk.patch(&path("editor"), kind, &patch);
        talk.until(DEPLOYMENTS, "two", is_at_rest);
        talk.patch(&path("applier"), APPLY, &body);
    }
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(
        &format!("{DEPLOYMENTS}/two/scale?fieldManager=scaler"),
        MERGE,
        &json!({"spec": {"replicas": 1}}),
    );
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(&path("applier"), APPLY, &body);
    let mut live = talk.until(DEPLOYMENTS, "two", is_at_rest);
    live["spec"]["replicas"] = json!(0);
    live["metadata"]["labels"] = json!({"z": "1"});
    talk.put(&path("replacer"), &live);
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(&path("applier"), APPLY, &body);
    talk.patch(&format!("{}&dryRun=All&force=true", path("applier")), APPLY, &body);
    body["spec"].as_object_mut().unwrap().remove("strategy");
    body["metadata"].as_object_mut().unwrap().remove("labels");
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(&format!("{}&force=true", path("applier")), APPLY, &body);
    let reset = json!({"metadata": {"managedFields": [{}]}});
    talk.until(DEPLOYMENTS, "two", is_at_rest);
    talk.patch(&path("editor"), MERGE, &reset);
}

/// Items of lists are owned individually.
fn lists(talk: &mut Talk) {
    let path = |manager: &str| format!("{DEPLOYMENTS}/three?fieldManager={manager}");
    let mut body = quiet("three");
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    body["metadata"]["finalizers"] = json!(["example.com/a", "example.com/b"]);
    body["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([variable("A", "1"), variable("B", "1"), variable("C", "1")]);
    talk.patch(&path("one"), APPLY, &body);
    let mut other = quiet("three");
    let container = &mut other["spec"]["template"]["spec"]["containers"][0];
    container["env"] = json!([variable("D", "1"), variable("B", "1")]);
    container["ports"] =
        json!([{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP", "name": "x"}]);
    talk.until(DEPLOYMENTS, "three", is_at_rest);
    talk.patch(&path("two"), APPLY, &other);
    body["metadata"]["finalizers"] = json!(["example.com/b"]);
    body["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([variable("C", "1"), variable("A", "2")]);
    talk.until(DEPLOYMENTS, "three", is_at_rest);
    talk.patch(&path("one"), APPLY, &body);
    other["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"] = json!("2");
    talk.until(DEPLOYMENTS, "three", is_at_rest);
    talk.patch(&path("two"), APPLY, &other);
    other["spec"]["template"]["spec"]["containers"] =
        json!([{"name": "web"}, {"name": "side", "image": "side:1"}]);
    talk.until(DEPLOYMENTS, "three", is_at_rest);
    talk.patch(&path("two"), APPLY, &other);
    body["metadata"].as_object_mut().unwrap().remove("finalizers");
    talk.until(DEPLOYMENTS, "three", is_at_rest);
    talk.patch(&path("one"), APPLY, &body);
    let mut exposed = service("three");
    let path = format!("{SERVICES}/three?fieldManager=one");
    talk.patch(&path, APPLY, &exposed);
    talk.patch(&path, APPLY, &exposed);
    exposed["spec"]["ports"] = json!([{"port": 81, "name": "a"}, {"port": 82, "name": "b"}]);
    talk.patch(&path, APPLY, &exposed);
    exposed["spec"]["ports"] =
        json!([{"port": 82, "name": "b"}, {"port": 83, "name": "c"}, {"port": 81, "name": "a"}]);
    talk.patch(&path, APPLY, &exposed);
    exposed["spec"]["ports"] = json!([{"port": 83, "name": "c"}]);
    exposed["spec"].as_object_mut().unwrap().remove("selector");
    talk.patch(&path, APPLY, &exposed);
}

/// Kinds whose defaults and derived fields have no owner.
fn other_kinds(talk: &mut Talk) {
    let metadata = json!({"name": "four"});
    let rule = json!({"host": "a.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "one", "port": {"number": 80}}}},
    ]}});
    for (path, version, kind, first, second) in [
        (
            "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
            "networking.k8s.io/v1",
            "Ingress",
            json!({"spec": {"ingressClassName": "one", "rules": [rule]}}),
            json!({"spec": {"rules": [rule]}}),
        ),
        (
            "/api/v1/namespaces/{ns}/serviceaccounts",
            "v1",
            "ServiceAccount",
            json!({"imagePullSecrets": [{"name": "a"}], "secrets": [{"name": "b"}, {"name": "c"}]}),
            json!({"imagePullSecrets": [{"name": "b"}], "secrets": [{"name": "c"}]}),
        ),
        (
            "/api/v1/namespaces/{ns}/secrets",
            "v1",
            "Secret",
            json!({"stringData": {"a": "1", "b": "1"}, "type": "Opaque"}),
            json!({"stringData": {"a": "2"}, "type": "Opaque"}),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles",
            "rbac.authorization.k8s.io/v1",
            "Role",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
            json!({"rules": []}),
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{}]}}),
            json!({"spec": {"podSelector": {"matchLabels": {"c": "d"}}}}),
        ),
        (
            "/apis/batch/v1/namespaces/{ns}/cronjobs",
            "batch/v1",
            "CronJob",
            json!({"spec": {"schedule": "@yearly", "suspend": true, "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "web:1"}],
            }}}}}}),
            json!({"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "web:2"}],
            }}}}}}),
        ),
    ] {
        for mut body in [first.clone(), first, second] {
            body["apiVersion"] = json!(version);
            body["kind"] = json!(kind);
            body["metadata"] = metadata.clone();
            talk.patch(&format!("{path}/four?fieldManager=one"), APPLY, &body);
        }
        let labels = json!({"metadata": {"labels": {"a": "b"}}});
        talk.patch(&format!("{path}/four?fieldManager=editor"), MERGE, &labels);
        talk.patch(
            &format!("{path}/four?fieldManager=editor"),
            MERGE,
            &json!({"metadata": {"labels": null}}),
        );
    }
}
