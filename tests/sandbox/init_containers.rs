//! Pods with init containers.

use crate::fixture::*;
use crate::kubelet::{condition, waiting, warnings, web};
use crate::start_failures::pod;
use serde_json::{Value, json};

fn init_containers() -> Value {
    json!({"initContainers": [
        {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"},
        {"name": "setup", "image": "setup:1"},
        {"name": "last", "image": "last:1"},
    ]})
}

#[tokio::test(start_paused = true)]
async fn an_init_container_can_crash_loop() {
    let (sandbox, client) = pod("InitCrashLoopBackOff", &init_containers()).await;
    pass(6).await;
    let starting = web(&client).await;
    assert_eq!(waiting(&starting).0, "PodInitializing");
    pass(31_000).await;
    let pod = web(&client).await;
    assert_eq!((waiting(&pod).0, &pod["status"]["phase"]), ("PodInitializing", &json!("Pending")));
    let init = &pod["status"]["initContainerStatuses"];
    assert_eq!((&init[0]["ready"], &init[0]["started"]), (&json!(true), &json!(true)));
    assert_eq!(init[1]["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!((&init[1]["restartCount"], &init[1]["ready"]), (&json!(3), &json!(false)));
    assert_eq!(init[1]["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(init[2]["state"]["waiting"]["reason"], "PodInitializing");
    let initialized = condition(&pod, "Initialized");
    assert_eq!(initialized["reason"], "ContainersNotInitialized");
    assert_eq!(initialized["message"], "containers with incomplete status: [setup last]");
    let warned = warnings(&sandbox);
    assert_eq!((warned[0].0.as_str(), warned[0].2), ("BackOff", 3));
    assert!(warned[0].1.starts_with("Back-off restarting failed container setup in pod web_default("));
}

#[tokio::test(start_paused = true)]
async fn each_container_has_its_own_log() {
    let (_sandbox, client) = pod("InitCrashLoopBackOff", &init_containers()).await;
    pass(100).await;
    let log = async |query: &str| get(&client, &format!("{PODS}/web/log?{query}")).await;
    assert_eq!(log("container=setup&previous=true").await, (200, json!("the log")));
    for (query, message) in [
        ("container=main", "container \"main\" in pod \"web\" is waiting to start: PodInitializing"),
        ("container=main&previous=true", "previous terminated container \"main\" in pod \"web\" not found"),
        ("container=nobody", "container nobody is not valid for pod web"),
    ] {
        assert_eq!(refusal(log(query).await), refused(400, "BadRequest", message), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn successful_init_containers_complete() {
    let (sandbox, client) = pod("NeverReady", &init_containers()).await;
    sandbox.set_rules(Vec::new());
    pass(1_100).await;
    let pod = web(&client).await;
    assert_eq!(condition(&pod, "Ready")["status"], "True");
    let init = &pod["status"]["initContainerStatuses"];
    assert_eq!(init[0]["state"]["running"]["startedAt"], "2026-01-01T00:00:00Z");
    for done in [&init[1], &init[2]] {
        assert_eq!(done["state"]["terminated"]["reason"], "Completed");
    }
}
