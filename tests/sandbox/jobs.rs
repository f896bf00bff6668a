//! Jobs: pods that run to completion.

use crate::fixture::*;
use serde_json::{Value, json};

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";

fn job(name: &str, image: &str, spec: &Value) -> Value {
    let mut job = json!({
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}},
    });
    for (field, value) in spec.as_object().unwrap() {
        job["spec"][field] = value.clone();
    }
    job
}

async fn condition(client: &kube::Client, name: &str, kind: &str) -> Option<Value> {
    let (_, job) = get(client, &format!("{JOBS}/{name}")).await;
    let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind && condition["status"] == "True")
}

async fn pods(client: &kube::Client) -> Vec<Value> {
    get(client, PODS).await.1["items"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_job_completes_when_its_pod_has_succeeded() {
    let (_sandbox, client) = client();
    let made = made(&client, JOBS, &job("one", "web:1", &json!({}))).await;
    let uid = &made["metadata"]["uid"];
    assert_eq!(made["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"], *uid);
    assert_eq!((&made["spec"]["completions"], &made["spec"]["backoffLimit"]), (&json!(1), &json!(6)));
    pass(12).await;
    let (_, running) = get(&client, &format!("{JOBS}/one")).await;
    assert_eq!(running["status"]["active"], 1);
    pass(500).await;
    let (_, done) = get(&client, &format!("{JOBS}/one")).await;
    assert_eq!((&done["status"]["succeeded"], done["status"].get("active")), (&json!(1), None));
    assert_eq!(condition(&client, "one", "Complete").await.unwrap()["reason"], "CompletionsReached");
    let pods = pods(&client).await;
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0]["status"]["phase"], "Succeeded");
    assert_eq!(pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
}

#[tokio::test(start_paused = true)]
async fn parallel_pods_share_the_completions() {
    let (_sandbox, client) = client();
    let spec = json!({"completions": 3, "parallelism": 2, "completionMode": "Indexed"});
    made(&client, JOBS, &job("one", "web:1", &spec)).await;
    pass(10).await;
    assert_eq!(pods(&client).await.len(), 2);
    pass(1_000).await;
    let (_, done) = get(&client, &format!("{JOBS}/one")).await;
    assert_eq!(done["status"]["succeeded"], 3);
    let index =
        |pod: &Value| pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].clone();
    let mut indexes: Vec<String> = pods(&client).await.iter().map(|pod| index(pod).to_string()).collect();
    indexes.sort();
    assert_eq!(indexes, ["\"0\"", "\"1\"", "\"2\""]);
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_after_its_back_off_limit() {
    let sandbox = sandbox("- {image: '*', fail: CrashLoopBackOff}");
    let client = sandbox.client("default");
    made(&client, JOBS, &job("one", "web:1", &json!({"backoffLimit": 2}))).await;
    pass(9_000).await;
    assert_eq!(pods(&client).await.len(), 1);
    assert_eq!(pods(&client).await[0]["status"]["phase"], "Failed");
    pass(3_000).await;
    assert_eq!(pods(&client).await.len(), 2);
    assert!(condition(&client, "one", "Failed").await.is_none());
    pass(60_000).await;
    assert_eq!(condition(&client, "one", "Failed").await.unwrap()["reason"], "BackoffLimitExceeded");
    assert_eq!(pods(&client).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn restarted_containers_use_up_the_limit_too() {
    let sandbox = sandbox("- {image: '*', fail: CrashLoopBackOff}");
    let client = sandbox.client("default");
    let mut body = job("one", "web:1", &json!({"backoffLimit": 1}));
    body["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    made(&client, JOBS, &body).await;
    pass(100_000).await;
    assert_eq!(condition(&client, "one", "Failed").await.unwrap()["reason"], "BackoffLimitExceeded");
    assert!(pods(&client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_has_no_pods() {
    let (_sandbox, client) = client();
    made(&client, JOBS, &job("one", "web:1", &json!({"suspend": true}))).await;
    pass(100).await;
    assert!(condition(&client, "one", "Suspended").await.is_some());
    assert!(pods(&client).await.is_empty());
    patch(&client, &format!("{JOBS}/one"), MERGE_PATCH, &json!({"spec": {"suspend": false}})).await;
    pass(500).await;
    assert!(condition(&client, "one", "Complete").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_job_ends_at_its_deadline_and_expires() {
    let sandbox = sandbox("- {image: 'web:1', fail: NeverReady}\n- {image: '*', readyAfter: 20ms}");
    let client = sandbox.client("default");
    made(&client, JOBS, &job("slow", "web:1", &json!({"activeDeadlineSeconds": 5}))).await;
    made(&client, JOBS, &job("done", "web:2", &json!({"ttlSecondsAfterFinished": 5}))).await;
    pass(4_000).await;
    assert!(condition(&client, "done", "Complete").await.is_some());
    pass(4_000).await;
    assert_eq!(condition(&client, "slow", "Failed").await.unwrap()["reason"], "DeadlineExceeded");
    assert_eq!(get(&client, &format!("{JOBS}/done")).await.0, 404);
    assert!(pods(&client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_job_orphans_its_pods_by_default() {
    let (_sandbox, client) = client();
    for (name, options, left) in
        [("kept", Value::Null, 1), ("gone", json!({"propagationPolicy": "Background"}), 1)]
    {
        made(&client, JOBS, &job(name, "web:1", &json!({}))).await;
        pass(500).await;
        assert_eq!(delete(&client, &format!("{JOBS}/{name}"), &options).await.0, 200);
        pass(500).await;
        assert_eq!(get(&client, &format!("{JOBS}/{name}")).await.0, 404, "{name}");
        assert_eq!(pods(&client).await.len(), left, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_cannot_change_its_template() {
    let (_sandbox, client) = client();
    made(&client, JOBS, &job("one", "web:1", &json!({}))).await;
    let change = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}});
    let (code, _, message) = refusal(patch(&client, &format!("{JOBS}/one"), MERGE_PATCH, &change).await);
    assert_eq!(code, 422);
    assert!(message.ends_with("field is immutable"), "{message}");
}
