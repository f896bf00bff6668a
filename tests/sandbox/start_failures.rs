//! Pods whose containers cannot start, or are killed for lack of memory.

use crate::fixture::*;
use crate::kubelet::{condition, waiting, warnings, web};
use rollout::sandbox::Sandbox;
use serde_json::{Value, json};

const NAME_ERROR: &str = "Failed to apply default image tag \"web:1\": couldn't parse image name \"web:1\": \
                          invalid reference format";
const PULL_ERROR: &str =
    "failed to pull and unpack image \"web:1\": failed to resolve reference \"web:1\": web:1: not found";

/// A pod with a rule, and with these fields in its spec.
pub(crate) async fn pod(fail: &str, more: &Value) -> (Sandbox, kube::Client) {
    let sandbox = sandbox(&format!("- {{image: 'web:*', fail: {fail}, log: 'the log'}}"));
    let client = sandbox.client("default");
    let mut spec = json!({"containers": [{"name": "main", "image": "web:1"}]});
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    made(&client, PODS, &json!({"metadata": {"name": "web"}, "spec": spec})).await;
    (sandbox, client)
}

fn recorded_events(sandbox: &Sandbox) -> Vec<(String, String)> {
    warnings(sandbox).into_iter().map(|(reason, message, _)| (reason, message)).collect()
}

fn event(reason: &str, message: &str) -> (String, String) {
    (reason.to_owned(), message.to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_image_pull_can_fail() {
    let (sandbox, client) = pod("ErrImagePull", &json!({})).await;
    pass(100).await;
    let pod = web(&client).await;
    assert_eq!(waiting(&pod), ("ErrImagePull", PULL_ERROR));
    assert_eq!(pod["status"]["phase"], "Pending");
    let failed = format!("Failed to pull image \"web:1\": {PULL_ERROR}");
    let mut found = recorded_events(&sandbox);
    found.sort();
    assert_eq!(found, [event("Failed", "Error: ErrImagePull"), event("Failed", &failed)]);
    let log = get(&client, &format!("{PODS}/web/log")).await;
    let message = "container \"main\" in pod \"web\" is waiting to start: image can't be pulled";
    assert_eq!(refusal(log), refused(400, "BadRequest", message));
}

#[tokio::test(start_paused = true)]
async fn an_image_name_can_be_invalid() {
    let (sandbox, client) = pod("InvalidImageName", &json!({})).await;
    pass(100).await;
    let pod = web(&client).await;
    assert_eq!(waiting(&pod), ("InvalidImageName", NAME_ERROR));
    let mut found = recorded_events(&sandbox);
    found.sort();
    assert_eq!(found, [event("Failed", "Error: InvalidImageName"), event("InspectFailed", NAME_ERROR)]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_object_of_an_environment_blocks_only_its_container() {
    let variable =
        json!({"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "modes", "key": "mode"}}});
    let containers = json!({"containers": [
        {"name": "main", "image": "web:1", "env": [variable]},
        {"name": "side", "image": "side:1"},
    ]});
    let (sandbox, client) = pod("CreateContainerConfigError", &containers).await;
    pass(100).await;
    let pod = web(&client).await;
    assert_eq!(waiting(&pod), ("CreateContainerConfigError", "configmap \"modes\" not found"));
    assert_eq!(pod["status"]["phase"], "Pending");
    assert_eq!(pod["status"]["containerStatuses"][1]["ready"], true);
    assert_eq!(condition(&pod, "Ready")["message"], "containers with unready status: [main]");
    assert_eq!(recorded_events(&sandbox), [event("Failed", "Error: configmap \"modes\" not found")]);
}

#[tokio::test(start_paused = true)]
async fn a_volume_can_fail_to_mount() {
    let volumes = json!({"volumes": [{"name": "config", "configMap": {"name": "app"}}]});
    let (sandbox, client) = pod("FailedMount", &volumes).await;
    pass(60_000).await;
    let pod = web(&client).await;
    assert_eq!(waiting(&pod), ("ContainerCreating", ""));
    assert_eq!(pod["status"]["phase"], "Pending");
    assert_eq!(pod["status"].get("podIP"), None);
    assert_eq!(condition(&pod, "PodReadyToStartContainers")["status"], "False");
    assert_eq!(condition(&pod, "Initialized")["status"], "True");
    let message = "MountVolume.SetUp failed for volume \"config\" : configmap \"app\" not found";
    assert_eq!(recorded_events(&sandbox), [event("FailedMount", message)]);
}

#[tokio::test(start_paused = true)]
async fn a_container_can_be_oom_killed_repeatedly() {
    let (sandbox, client) = pod("OOMKilled", &json!({})).await;
    pass(31_000).await;
    let pod = web(&client).await;
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!((waiting(&pod).0, &status["restartCount"]), ("CrashLoopBackOff", &json!(3)));
    let last = &status["lastState"]["terminated"];
    assert_eq!((&last["reason"], &last["exitCode"]), (&json!("OOMKilled"), &json!(137)));
    assert_eq!(warnings(&sandbox)[0].0, "BackOff");
    for query in ["", "?previous=true"] {
        assert_eq!(get(&client, &format!("{PODS}/web/log{query}")).await, (200, json!("the log")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_the_prerequisite_of_a_failure_does_not_fail() {
    for fail in ["CreateContainerConfigError", "FailedMount", "InitCrashLoopBackOff"] {
        let (_sandbox, client) = pod(fail, &json!({})).await;
        pass(1_100).await;
        assert_eq!(condition(&web(&client).await, "Ready")["status"], "True", "{fail}");
    }
}
