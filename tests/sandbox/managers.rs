//! Field managers: every writer owns the fields that it writes, which determines conflicts of server-side apply.

use crate::fixture::*;
use serde_json::{Value, json};

/// The managers of an object, each with its operation and subresource.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let shown = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let below = if text("subresource").is_empty() { "" } else { "/" };
        format!("{} {}{below}{}", text("operation"), text("manager"), text("subresource"))
    };
    let mut managers: Vec<String> = entries.iter().map(shown).collect();
    managers.sort();
    managers
}

fn fields<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let mut entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    &entries.find(|entry| entry["manager"] == manager).unwrap()["fieldsV1"]
}

fn web(replicas: i64) -> Value {
    let mut body = deployment("web", "web:1", replicas);
    body["apiVersion"] = json!("apps/v1");
    body["kind"] = json!("Deployment");
    body
}

fn path(manager: &str) -> String {
    format!("{DEPLOYMENTS}/web?fieldManager={manager}")
}

async fn apply(client: &kube::Client, path: &str, body: &Value) -> (u16, Value) {
    patch(client, path, APPLY_PATCH, body).await
}

#[tokio::test(start_paused = true)]
async fn every_writer_owns_what_it_changes() {
    let (_sandbox, client) = client();
    made(&client, &format!("{DEPLOYMENTS}?fieldManager=creator"), &web(0)).await;
    let label = |value: &str| json!({"metadata": {"labels": {"a": value}}});
    patch(&client, &path("merger"), MERGE_PATCH, &label("1")).await;
    let (_, object) = patch(&client, &path("strategist"), STRATEGIC_PATCH, &label("2")).await;
    assert_eq!(*fields(&object, "strategist"), json!({"f:metadata": {"f:labels": {"f:a": {}}}}));
    assert_eq!(*fields(&object, "merger"), json!({"f:metadata": {"f:labels": {}}}));
    let replace = json!([{"op": "replace", "path": "/metadata/labels/a", "value": "3"}]);
    let (_, mut object) = patch(&client, &path("patcher"), JSON_PATCH, &replace).await;
    assert_eq!(managers(&object), ["Update creator", "Update merger", "Update patcher"]);
    object["spec"]["paused"] = json!(true);
    put(&client, &path("replacer"), &object).await;
    let scale = format!("{DEPLOYMENTS}/web/scale?fieldManager=scaler");
    patch(&client, &scale, MERGE_PATCH, &json!({"spec": {"replicas": 1}})).await;
    let status = json!({"status": {"conditions": [{"type": "Mine", "status": "True"}]}});
    let (_, object) =
        patch(&client, &format!("{DEPLOYMENTS}/web/status?fieldManager=reporter"), MERGE_PATCH, &status)
            .await;
    assert_eq!(
        managers(&object),
        [
            "Update creator",
            "Update merger",
            "Update patcher",
            "Update replacer",
            "Update reporter/status",
            "Update scaler/scale",
        ]
    );
    assert_eq!(*fields(&object, "replacer"), json!({"f:spec": {"f:paused": {}}}));
    assert_eq!(*fields(&object, "scaler"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(fields(&object, "creator")["f:spec"].get("f:replicas"), None);
}

#[tokio::test(start_paused = true)]
async fn the_default_manager_is_the_user_agent() {
    let (_sandbox, client) = client();
    let request = http::Request::post(MAPS).header("user-agent", "kubectl/v1.36.0 (linux/amd64)");
    let body = map("one", &json!({"a": "1"})).to_string().into_bytes();
    let request = request.header("content-type", "application/json").body(body.into()).unwrap();
    assert_eq!(client.send(request).await.unwrap().status(), 201);
    let (_, one) = get(&client, &format!("{MAPS}/one")).await;
    assert_eq!(managers(&one), ["Update kubectl"]);
    let two = made(&client, MAPS, &map("two", &json!({"a": "1"}))).await;
    assert_eq!(managers(&two), ["Update unknown"]);
}

#[tokio::test(start_paused = true)]
async fn an_apply_conflicts_with_what_others_changed() {
    let (_sandbox, client) = client();
    assert_eq!(apply(&client, &path("me"), &web(1)).await.0, 201);
    let edit = json!({"spec": {"replicas": 3}, "metadata": {"annotations": {"a": "b"}}});
    patch(&client, &path("kubectl-edit"), STRATEGIC_PATCH, &edit).await;
    let (code, answer) = apply(&client, &path("me"), &web(1)).await;
    let cause = json!({
        "reason": "FieldManagerConflict",
        "message": "conflict with \"kubectl-edit\" using apps/v1",
        "field": ".spec.replicas",
    });
    assert_eq!(
        (code, &answer["reason"], &answer["details"]["causes"]),
        (409, &json!("Conflict"), &json!([cause]))
    );
    let (_, forced) = apply(&client, &format!("{}&force=true", path("me")), &web(1)).await;
    assert_eq!(forced["spec"]["replicas"], 1);
    assert_eq!(
        *fields(&forced, "kubectl-edit"),
        json!({"f:metadata": {"f:annotations": {".": {}, "f:a": {}}}})
    );
    // A field that another manager sets to the same value is shared.
    patch(&client, &path("kubectl-edit"), MERGE_PATCH, &json!({"spec": {"replicas": 2}})).await;
    let (code, shared) = apply(&client, &path("me"), &web(2)).await;
    assert_eq!((code, fields(&shared, "me")["f:spec"].get("f:replicas").is_some()), (200, true));
    assert_eq!(fields(&shared, "kubectl-edit")["f:spec"], json!({"f:replicas": {}}));
}

#[tokio::test(start_paused = true)]
async fn several_conflicts_are_listed_by_manager() {
    let (_sandbox, client) = client();
    let path = |manager: &str| format!("{MAPS}/one?fieldManager={manager}");
    let body = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data});
    apply(&client, &path("b"), &body(json!({"x": "1", "y": "1"}))).await;
    patch(&client, &path("a"), MERGE_PATCH, &json!({"data": {"z": "1"}})).await;
    let (_, _, message) =
        refusal(apply(&client, &path("me"), &body(json!({"x": "2", "y": "2", "z": "2"}))).await);
    let expected = "Apply failed with 3 conflicts: conflicts with \"a\" using v1:\n- .data.z\nconflicts with \"b\":\n\
                    - .data.x\n- .data.y";
    assert_eq!(message, expected);
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_changes_nothing_writes_nothing() {
    let (_sandbox, client) = client();
    let (_, once) = apply(&client, &path("me"), &web(0)).await;
    pass(5_000).await;
    let (_, settled) = get(&client, &format!("{DEPLOYMENTS}/web")).await;
    let (code, again) = apply(&client, &path("me"), &web(0)).await;
    assert_eq!((code, &again), (200, &settled));
    let time = |object: &Value| object["metadata"]["managedFields"][0]["time"].clone();
    assert_eq!(time(&once), time(&again));
    assert_eq!(managers(&again), ["Apply me", "Update kube-controller-manager/status"]);
}

#[tokio::test(start_paused = true)]
async fn dropped_fields_are_removed_unless_another_manager_owns_them() {
    let (_sandbox, client) = client();
    let env = |names: &[&str]| {
        let mut body = web(0);
        let variables: Vec<Value> = names.iter().map(|name| json!({"name": name, "value": "1"})).collect();
        body["spec"]["template"]["spec"]["containers"][0]["env"] = json!(variables);
        body
    };
    let mut both = env(&["A", "B", "C"]);
    both["spec"]["minReadySeconds"] = json!(5);
    both["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 2}});
    apply(&client, &path("one"), &both).await;
    apply(&client, &path("two"), &env(&["B"])).await;
    let (_, left) = apply(&client, &path("one"), &env(&["C"])).await;
    let container = &left["spec"]["template"]["spec"]["containers"][0];
    let names: Vec<&Value> =
        container["env"].as_array().unwrap().iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["B", "C"]);
    assert_eq!(left["spec"].get("minReadySeconds"), None);
    assert_eq!(left["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
}

#[tokio::test(start_paused = true)]
async fn a_version_in_an_applied_body_is_a_precondition() {
    let (_sandbox, client) = client();
    let mut body = web(0);
    body["metadata"]["resourceVersion"] = json!("1");
    // A new object has no version to compare.
    let (code, made) = apply(&client, &path("me"), &body).await;
    assert_eq!(code, 201);
    let (code, reason, _) = refusal(apply(&client, &path("me"), &body).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(apply(&client, &path("me"), &body).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn objects_of_controllers_have_no_managers() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &web(1)).await;
    pass(1_000).await;
    let (_, pods) = get(&client, PODS).await;
    assert_eq!(managers(&pods["items"][0]), Vec::<String>::new());
    let name = pods["items"][0]["metadata"]["name"].as_str().unwrap();
    let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"a": "b"}}});
    let (code, pod) = apply(&client, &format!("{PODS}/{name}?fieldManager=me"), &body).await;
    assert_eq!((code, managers(&pod)), (200, vec!["Apply me".into(), "Update before-first-apply".into()]));
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_is_applied_in_either_version() {
    let (_sandbox, client) = client();
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let path = |version: &str| {
        format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers/web?fieldManager=me")
    };
    let body = |percent: i64| {
        json!({
            "apiVersion": "autoscaling/v1",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": percent},
        })
    };
    let (code, made) = apply(&client, &path("v1"), &body(50)).await;
    assert_eq!((code, &made["spec"]["targetCPUUtilizationPercentage"]), (201, &json!(50)));
    let (code, same) = apply(&client, &path("v1"), &body(50)).await;
    assert_eq!((code, same), (200, made));
    let edit = json!({"spec": {"maxReplicas": 5}});
    patch(&client, &path("v2").replace("=me", "=editor"), MERGE_PATCH, &edit).await;
    let (code, _, message) = refusal(apply(&client, &path("v1"), &body(60)).await);
    let expected =
        "Apply failed with 1 conflict: conflict with \"editor\" using autoscaling/v2: .spec.maxReplicas";
    assert_eq!((code, message.as_str()), (409, expected));
}

#[tokio::test(start_paused = true)]
async fn string_data_of_a_secret_can_be_applied() {
    let (_sandbox, client) = client();
    let path = "/api/v1/namespaces/default/secrets/one?fieldManager=me";
    let body = |texts: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}, "stringData": texts});
    assert_eq!(apply(&client, path, &body(json!({"a": "1"}))).await.0, 201);
    let (code, changed) = apply(&client, path, &body(json!({"a": "2"}))).await;
    assert_eq!((code, &changed["data"]), (200, &json!({"a": "Mg=="})));
}

#[tokio::test(start_paused = true)]
async fn an_update_can_hand_fields_to_others() {
    let (_sandbox, client) = client();
    let mut object = made(&client, MAPS, &map("one", &json!({"a": "1"}))).await;
    let entry = json!({
        "manager": "other",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2025-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}},
    });
    object["metadata"]["managedFields"] = json!([entry]);
    let (code, object) = put(&client, &format!("{MAPS}/one"), &object).await;
    assert_eq!((code, &object["metadata"]["managedFields"]), (200, &json!([entry])));
    let reset = json!({"metadata": {"managedFields": [{}]}});
    let (_, object) = patch(&client, &format!("{MAPS}/one"), MERGE_PATCH, &reset).await;
    assert_eq!(managers(&object), Vec::<String>::new());
}
