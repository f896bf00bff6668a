//! Pods under each rule.

use crate::fixture::*;
use rollout::sandbox::Sandbox;
use serde_json::{Value, json};

async fn pod(rules: &str) -> (Sandbox, kube::Client) {
    let sandbox = sandbox(rules);
    let client = sandbox.client("default");
    let body =
        json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}});
    made(&client, PODS, &body).await;
    (sandbox, client)
}

pub(crate) async fn web(client: &kube::Client) -> Value {
    get(client, &format!("{PODS}/web")).await.1
}

pub(crate) fn condition(pod: &Value, kind: &str) -> Value {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|c| c["type"] == kind).unwrap_or_default()
}

pub(crate) fn waiting(pod: &Value) -> (&str, &str) {
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    (waiting["reason"].as_str().unwrap_or_default(), waiting["message"].as_str().unwrap_or_default())
}

pub(crate) fn warnings(sandbox: &Sandbox) -> Vec<(String, String, i64)> {
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    sandbox
        .objects()
        .iter()
        .filter(|o| o["kind"] == "Event" && o["type"] == "Warning")
        .map(|e| (text(e, "reason"), text(e, "message"), e["count"].as_i64().unwrap()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn by_default_a_pod_is_ready_after_a_second() {
    let (_sandbox, client) = pod("").await;
    assert_eq!(web(&client).await["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    pass(6).await;
    let bound = web(&client).await;
    assert_eq!(
        (&bound["status"]["phase"], &bound["spec"]["nodeName"]),
        (&json!("Pending"), &json!("sandbox"))
    );
    assert_eq!(condition(&bound, "PodScheduled")["status"], "True");
    assert_eq!(waiting(&bound).0, "ContainerCreating");
    pass(990).await;
    let running = web(&client).await;
    assert_eq!(
        (&running["status"]["phase"], &condition(&running, "Ready")["status"]),
        (&json!("Running"), &json!("False"))
    );
    assert_eq!(condition(&running, "Ready")["message"], "containers with unready status: [main]");
    pass(10).await;
    let ready = web(&client).await;
    assert_eq!(condition(&ready, "Ready")["status"], "True");
    assert_eq!(condition(&ready, "Ready")["lastTransitionTime"], "2026-01-01T00:00:01Z");
    assert_eq!(ready["status"]["containerStatuses"][0]["ready"], true);
}

#[tokio::test(start_paused = true)]
async fn a_rule_can_make_a_pod_ready_and_unready_again() {
    let (sandbox, client) = pod("- {image: 'web:*', readyAfter: 20ms, unreadyAfter: 5s}").await;
    pass(25).await;
    assert_eq!(condition(&web(&client).await, "Ready")["status"], "True");
    pass(5_000).await;
    assert_eq!(condition(&web(&client).await, "Ready")["status"], "False");
    assert_eq!(warnings(&sandbox)[0].0, "Unhealthy");
}

#[tokio::test(start_paused = true)]
async fn a_pod_can_stay_unready() {
    let (sandbox, client) = pod("- {image: 'web:*', fail: NeverReady}").await;
    pass(60_000).await;
    let pod = web(&client).await;
    assert_eq!(
        (&pod["status"]["phase"], &condition(&pod, "Ready")["status"]),
        (&json!("Running"), &json!("False"))
    );
    assert_eq!(warnings(&sandbox)[0].0, "Unhealthy");
}

#[tokio::test(start_paused = true)]
async fn an_image_pull_can_back_off() {
    let (sandbox, client) = pod("- {image: 'web:*', fail: ImagePullBackOff}").await;
    pass(100).await;
    let pod = web(&client).await;
    let (reason, message) = waiting(&pod);
    assert_eq!((reason, &pod["status"]["phase"]), ("ImagePullBackOff", &json!("Pending")));
    assert!(message.starts_with("Back-off pulling image \"web:1\""), "{message}");
    assert_eq!(warnings(&sandbox)[0].0, "Failed");
    for (name, count) in [("web", 1), ("other", 0)] {
        let path = format!("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{name}");
        assert_eq!(get(&client, &path).await.1["items"].as_array().unwrap().len(), count);
    }
    let log = get(&client, &format!("{PODS}/web/log")).await;
    let message = "container \"main\" in pod \"web\" is waiting to start: trying and failing to pull image";
    assert_eq!(refusal(log), refused(400, "BadRequest", message));
}

#[tokio::test(start_paused = true)]
async fn a_container_can_crash_loop() {
    let (sandbox, client) =
        pod("- {image: 'web:*', fail: CrashLoopBackOff, log: 'panic: no database'}").await;
    pass(100).await;
    let pod = web(&client).await;
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!((waiting(&pod).0, &status["restartCount"]), ("CrashLoopBackOff", &json!(1)));
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    assert!(waiting(&pod).1.starts_with("back-off 10s restarting failed container=main pod=web_default("));
    pass(31_000).await;
    let pod = web(&client).await;
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 3);
    let warned = warnings(&sandbox);
    assert_eq!((warned.len(), warned[0].0.as_str(), warned[0].2), (1, "BackOff", 3));
    assert_eq!(get(&client, &format!("{PODS}/web/log")).await, (200, json!("panic: no database")));
}

#[tokio::test(start_paused = true)]
async fn a_pod_can_be_unschedulable() {
    let (sandbox, client) = pod("- {image: 'web:*', fail: Unschedulable}").await;
    pass(100).await;
    let pod = web(&client).await;
    let scheduled = condition(&pod, "PodScheduled");
    assert_eq!((&scheduled["status"], &scheduled["reason"]), (&json!("False"), &json!("Unschedulable")));
    assert!(scheduled["message"].as_str().unwrap().starts_with("0/1 nodes are available"));
    assert_eq!((&pod["status"]["phase"], pod["spec"].get("nodeName")), (&json!("Pending"), None));
    assert_eq!(warnings(&sandbox)[0].0, "FailedScheduling");
    assert_eq!(delete(&client, &format!("{PODS}/web"), &Value::Null).await.0, 200);
    assert_eq!(get(&client, &format!("{PODS}/web")).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn new_rules_apply_to_existing_pods() {
    let (sandbox, client) = pod("- {image: 'web:*', fail: Unschedulable}").await;
    pass(2_000).await;
    sandbox.set_rules(Vec::new());
    pass(50).await;
    assert_eq!(condition(&web(&client).await, "Ready")["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn a_bound_pod_is_removed_after_a_delay() {
    let (_sandbox, client) = pod("").await;
    pass(100).await;
    let (code, going) = delete(&client, &format!("{PODS}/web"), &Value::Null).await;
    assert_eq!((code, &going["metadata"]["deletionGracePeriodSeconds"]), (200, &json!(30)));
    assert_eq!(going["metadata"]["deletionTimestamp"], "2026-01-01T00:00:30Z");
    assert_eq!(get(&client, &format!("{PODS}/web")).await.0, 200);
    pass(20).await;
    assert_eq!(get(&client, &format!("{PODS}/web")).await.0, 404);
}
