//! Kinds that a client defines.

use crate::fixture::*;
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A definition of `<plural>.example.com`. Each test has its own plural, since the registry is shared in the process.
fn definition(plural: &str, kind: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com",
            "names": {"plural": plural, "kind": kind, "categories": ["all"]},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}},
            ],
        },
    })
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "one"}, "spec": spec})
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_served_once_it_is_established() {
    let (_sandbox, client) = client();
    let path = "/apis/example.com/v1/namespaces/default/widgets";
    assert_eq!(get(&client, path).await.0, 404);
    let made = made(&client, DEFINITIONS, &definition("widgets", "Widget")).await;
    assert_eq!(made["spec"]["names"]["listKind"], "WidgetList");
    assert_eq!(get(&client, path).await.0, 404);
    pass(100).await;
    let (_, established) = get(&client, &format!("{DEFINITIONS}/widgets.example.com")).await;
    assert_eq!(established["status"]["conditions"][1]["type"], "Established");
    let spec = json!({"a": [{"b": 1}], "c": {}});
    let (code, kept) = post(&client, path, &object("Widget", &spec)).await;
    assert_eq!((code, &kept["spec"], &kept["metadata"]["generation"]), (201, &spec, &json!(1)));
    let change = json!({"spec": {"a": null}, "status": {"x": 1}});
    let (_, changed) = patch(&client, &format!("{path}/one"), MERGE_PATCH, &change).await;
    assert_eq!((&changed["spec"], changed.get("status")), (&json!({"c": {}}), None));
    let (_, changed) = patch(&client, &format!("{path}/one/status"), MERGE_PATCH, &change).await;
    assert_eq!(changed["status"], json!({"x": 1}));
    let (_, list) = get(&client, path).await;
    assert_eq!((&list["kind"], &list["items"][0]["kind"]), (&json!("WidgetList"), &json!("Widget")));
    let (_, resources) = get(&client, "/apis/example.com/v1").await;
    assert_eq!(resources["resources"][0]["categories"], json!(["all"]));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_definition_deletes_its_objects() {
    let (sandbox, client) = client();
    let path = "/apis/example.com/v1/namespaces/default/gadgets";
    made(&client, DEFINITIONS, &definition("gadgets", "Gadget")).await;
    pass(100).await;
    made(&client, path, &object("Gadget", &json!({}))).await;
    let (_, answer) = delete(&client, &format!("{DEFINITIONS}/gadgets.example.com"), &Value::Null).await;
    assert!(answer["metadata"]["deletionTimestamp"].is_string(), "{answer}");
    pass(100).await;
    assert_eq!(get(&client, path).await.0, 404);
    assert!(sandbox.objects().is_empty(), "{:?}", sandbox.objects());
}

#[tokio::test(start_paused = true)]
async fn a_kind_may_have_the_plural_of_another_group() {
    let (sandbox, client) = client();
    let path = "/apis/example.com/v1/namespaces/default/jobs";
    made(&client, DEFINITIONS, &definition("jobs", "Job")).await;
    pass(100).await;
    made(&client, path, &object("Job", &json!({"queue": "a"}))).await;
    pass(1_000).await;
    let (_, kept) = get(&client, &format!("{path}/one")).await;
    assert_eq!((&kept["spec"], kept.get("status")), (&json!({"queue": "a"}), None));
    assert_eq!(sandbox.objects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_definition_without_schema_or_with_another_name_is_rejected() {
    let (_sandbox, client) = client();
    let mut body = definition("things", "Thing");
    body["metadata"]["name"] = json!("others.example.com");
    body["spec"]["versions"][0].as_object_mut().unwrap().remove("schema");
    let (code, _, message) = refusal(post(&client, DEFINITIONS, &body).await);
    assert_eq!(code, 422);
    assert!(message.contains("must be spec.names.plural+\".\"+spec.group"), "{message}");
    assert!(message.contains("schemas are required"), "{message}");
}
