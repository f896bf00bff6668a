//! The four kinds of patches.

use crate::fixture::*;
use serde_json::{Value, json};

async fn web() -> (rollout::sandbox::Sandbox, kube::Client, String, Value) {
    let (sandbox, client) = client();
    let made = made(&client, DEPLOYMENTS, &deployment("web", "web:1", 0)).await;
    (sandbox, client, format!("{DEPLOYMENTS}/web"), made)
}

#[tokio::test(start_paused = true)]
async fn a_json_patch_with_passing_tests_is_applied() {
    let (_sandbox, client, path, made) = web().await;
    let body = json!([
        {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
        {"op": "test", "path": "/metadata/generation", "value": 1},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
    ]);
    let (code, patched) = patch(&client, &path, JSON_PATCH, &body).await;
    assert_eq!(
        (code, &patched["spec"]["replicas"], &patched["metadata"]["generation"]),
        (200, &json!(3), &json!(2))
    );
}

#[tokio::test(start_paused = true)]
async fn a_json_patch_with_a_failing_test_changes_nothing() {
    let (_sandbox, client, path, made) = web().await;
    let body = json!([
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "test", "path": "/metadata/uid", "value": "another"},
    ]);
    let (code, answer) = patch(&client, &path, JSON_PATCH, &body).await;
    assert_eq!(
        (code, answer),
        (
            422,
            json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": "the server rejected our request due to an error in our request",
                "reason": "Invalid",
                "details": {},
                "code": 422,
            })
        )
    );
    assert_eq!(get(&client, &path).await.1, made);
}

#[tokio::test(start_paused = true)]
async fn invalid_json_patches_are_rejected() {
    let (_sandbox, client, path, made) = web().await;
    for (body, code) in [
        (json!([{"op": "remove", "path": "/spec/nothing"}]), 422),
        (json!([{"op": "replace", "path": "/spec/replicas", "value": "three"}]), 422),
        (json!([{"op": "replace", "path": "/metadata/uid", "value": "mine"}]), 422),
        (json!([{"op": "jump", "path": "/spec"}]), 422),
        (json!({"spec": {}}), 400),
    ] {
        assert_eq!(refusal(patch(&client, &path, JSON_PATCH, &body).await).0, code, "{body}");
    }
    assert_eq!(get(&client, &path).await.1, made);
}

#[tokio::test(start_paused = true)]
async fn a_patch_can_require_a_version() {
    let (_sandbox, client, path, made) = web().await;
    let at = |version: &Value| json!({"metadata": {"resourceVersion": version}, "spec": {"replicas": 2}});
    let (code, reason, _) = refusal(patch(&client, &path, MERGE_PATCH, &at(&json!("999"))).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    let right = at(&made["metadata"]["resourceVersion"]);
    assert_eq!(patch(&client, &path, MERGE_PATCH, &right).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_strategic_patch_finds_containers_by_name() {
    let (_sandbox, client, path, _) = web().await;
    let containers = json!([{"name": "side", "image": "side:1"}]);
    let body = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let (_, patched) = patch(&client, &path, STRATEGIC_PATCH, &body).await;
    let names: Vec<&Value> = patched["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["side", "web"], "what a patch adds comes first");
}

#[tokio::test(start_paused = true)]
async fn unknown_patch_types_are_rejected() {
    let (_sandbox, client, path, _) = web().await;
    let (code, reason, _) = refusal(patch(&client, &path, "application/json", &json!({})).await);
    assert_eq!((code, reason.as_str()), (415, "UnsupportedMediaType"));
}

#[tokio::test(start_paused = true)]
async fn apply_creates_then_merges() {
    let (_sandbox, client) = client();
    let path = format!("{DEPLOYMENTS}/web?fieldManager=me");
    let mut body = deployment("web", "web:1", 1);
    body["apiVersion"] = json!("apps/v1");
    body["kind"] = json!("Deployment");
    let (code, made) = patch(&client, &path, APPLY_PATCH, &body).await;
    assert_eq!((code, &made["metadata"]["managedFields"][0]["manager"]), (201, &json!("me")));
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Apply");
    let (code, again) = patch(&client, &path, APPLY_PATCH, &body).await;
    assert_eq!((code, again), (200, made.clone()));
    body["spec"].as_object_mut().unwrap().remove("replicas");
    body["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    let (_, merged) = patch(&client, &path, APPLY_PATCH, &body).await;
    let template = &merged["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&template["image"], &template["imagePullPolicy"]), (&json!("web:2"), &json!("IfNotPresent")));
    assert_eq!(merged["metadata"]["generation"], 2);
    body["metadata"]["resourceVersion"] = json!("1000");
    assert_eq!(refusal(patch(&client, &path, APPLY_PATCH, &body).await).0, 409);
}

#[tokio::test(start_paused = true)]
async fn apply_requires_a_manager() {
    let (_sandbox, client) = client();
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    let answer = refusal(patch(&client, &format!("{MAPS}/one"), APPLY_PATCH, &body).await);
    let message =
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    assert_eq!(answer, refused(422, "Invalid", message));
}

#[tokio::test(start_paused = true)]
async fn apply_conflicts_with_fields_of_another_applier() {
    let (_sandbox, client) = client();
    let body = |value: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": value}});
    let path = format!("{MAPS}/one?fieldManager=");
    assert_eq!(patch(&client, &format!("{path}first"), APPLY_PATCH, &body("1")).await.0, 201);
    let answer = refusal(patch(&client, &format!("{path}second"), APPLY_PATCH, &body("2")).await);
    assert_eq!(
        answer,
        refused(409, "Conflict", "Apply failed with 1 conflict: conflict with \"first\": .data.a")
    );
    assert_eq!(patch(&client, &format!("{path}second&force=true"), APPLY_PATCH, &body("2")).await.0, 200);
}
