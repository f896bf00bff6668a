//! Deployments, ReplicaSets and the garbage collector as time passes.

use crate::fixture::*;
use rollout::sandbox::fault::Verb;
use rollout::sandbox::{Actor, Sandbox};
use serde_json::{Value, json};

/// The counts of a Deployment: replicas, updated, ready, available, unavailable.
fn counts(deployment: &Value) -> [i64; 5] {
    ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"]
        .map(|field| deployment["status"][field].as_i64().unwrap_or_default())
}

fn condition<'a>(deployment: &'a Value, kind: &str) -> &'a Value {
    deployment["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == kind).unwrap()
}

async fn web(client: &kube::Client) -> Value {
    get(client, &format!("{DEPLOYMENTS}/web")).await.1
}

fn count(sandbox: &Sandbox, kind: &str) -> usize {
    sandbox.objects().iter().filter(|object| object["kind"] == kind).count()
}

#[tokio::test(start_paused = true)]
async fn status_follows_a_write_one_delay_at_a_time() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 3)).await;
    assert_eq!(web(&client).await["status"], json!({}));
    pass(6).await;
    let first = web(&client).await;
    assert_eq!((counts(&first), &first["status"]["observedGeneration"]), ([0, 0, 0, 0, 3], &json!(1)));
    assert_eq!((count(&sandbox, "ReplicaSet"), count(&sandbox, "Pod")), (1, 0));
    pass(10).await;
    assert_eq!(count(&sandbox, "Pod"), 3);
    pass(100).await;
    let done = web(&client).await;
    assert_eq!(counts(&done), [3, 3, 3, 3, 0]);
    assert_eq!(done["metadata"]["generation"], 1);
    assert_eq!(done["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    assert_eq!(condition(&done, "Available")["status"], "True");
    assert_eq!(condition(&done, "Progressing")["reason"], "NewReplicaSetAvailable");
}

#[tokio::test(start_paused = true)]
async fn a_new_size_is_not_observed_at_once() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    let (_, scaled) =
        patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &json!({"spec": {"replicas": 5}})).await;
    assert_eq!(
        (&scaled["metadata"]["generation"], &scaled["status"]["observedGeneration"]),
        (&json!(2), &json!(1))
    );
    pass(5).await;
    let stale = web(&client).await;
    assert_eq!((&stale["status"]["observedGeneration"], counts(&stale)[0]), (&json!(2), 2));
    pass(200).await;
    assert_eq!(counts(&web(&client).await), [5, 5, 5, 5, 0]);
    patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &json!({"spec": {"replicas": 0}})).await;
    pass(200).await;
    assert_eq!(counts(&web(&client).await), [0, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_stays_within_surge_and_unavailability() {
    let (sandbox, client) = client();
    let mut body = deployment("web", "web:1", 4);
    body["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}});
    made(&client, DEPLOYMENTS, &body).await;
    pass(200).await;
    let image =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]);
    patch(&client, &format!("{DEPLOYMENTS}/web"), JSON_PATCH, &image).await;
    let mut seen = Vec::new();
    for _ in 0..200 {
        pass(2).await;
        let web = web(&client).await;
        let counts = counts(&web);
        assert!(counts[0] <= 5, "{counts:?}");
        assert!(counts[3] >= 3, "{counts:?}");
        let sizes: i64 = sandbox
            .objects()
            .iter()
            .filter(|o| o["kind"] == "ReplicaSet")
            .map(|set| set["spec"]["replicas"].as_i64().unwrap())
            .sum();
        assert!(sizes <= 5, "{sizes}");
        if web["status"]["observedGeneration"] == web["metadata"]["generation"] {
            seen.push(counts[1]);
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
    let done = web(&client).await;
    assert_eq!(counts(&done), [4, 4, 4, 4, 0]);
    assert_eq!(done["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let sets = sandbox.objects().into_iter().filter(|o| o["kind"] == "ReplicaSet");
    let mut sizes: Vec<i64> = sets.map(|set| set["spec"]["replicas"].as_i64().unwrap()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_reuses_the_old_replica_set() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    for image in ["web:2", "web:1"] {
        let image =
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
        patch(&client, &format!("{DEPLOYMENTS}/web"), JSON_PATCH, &image).await;
        pass(500).await;
    }
    assert_eq!(count(&sandbox, "ReplicaSet"), 2);
    let done = web(&client).await;
    assert_eq!(done["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    assert_eq!(counts(&done), [2, 2, 2, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn recreate_deletes_all_old_pods_first() {
    let (sandbox, client) = client();
    let mut body = deployment("web", "web:1", 2);
    body["spec"]["strategy"] = json!({"type": "Recreate"});
    made(&client, DEPLOYMENTS, &body).await;
    pass(200).await;
    let image =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]);
    patch(&client, &format!("{DEPLOYMENTS}/web"), JSON_PATCH, &image).await;
    for _ in 0..100 {
        pass(2).await;
        assert!(count(&sandbox, "Pod") <= 2);
    }
    assert_eq!(counts(&web(&client).await), [2, 2, 2, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_deployment_scales_but_does_not_roll() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    let body = json!({"spec": {"paused": true, "replicas": 3, "template": {"metadata": {"annotations": {"a": "b"}}}}});
    patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &body).await;
    pass(200).await;
    let paused = web(&client).await;
    assert_eq!((counts(&paused), count(&sandbox, "ReplicaSet")), ([3, 0, 3, 3, 0], 1));
    assert_eq!(condition(&paused, "Progressing")["reason"], "DeploymentPaused");
    patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &json!({"spec": {"paused": false}})).await;
    pass(500).await;
    let done = web(&client).await;
    assert_eq!((counts(&done), count(&sandbox, "ReplicaSet")), ([3, 3, 3, 3, 0], 2));
    assert!(done["spec"].get("paused").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_deployment_exceeds_its_progress_deadline() {
    let sandbox = sandbox("- {image: 'web:*', fail: NeverReady}");
    let client = sandbox.client("default");
    let mut body = deployment("web", "web:1", 2);
    body["spec"]["progressDeadlineSeconds"] = json!(10);
    made(&client, DEPLOYMENTS, &body).await;
    pass(9_000).await;
    assert_eq!(condition(&web(&client).await, "Progressing")["status"], "True");
    pass(4_000).await;
    let stuck = web(&client).await;
    let progressing = condition(&stuck, "Progressing");
    assert_eq!(
        (&progressing["status"], &progressing["reason"]),
        (&json!("False"), &json!("ProgressDeadlineExceeded"))
    );
    assert_eq!(condition(&stuck, "Available")["reason"], "MinimumReplicasUnavailable");
    assert_eq!(counts(&stuck), [2, 2, 0, 0, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_resize_in_mid_rollout_is_proportional() {
    // The example of the Kubernetes documentation on proportional scaling.
    let sandbox = sandbox("- {image: 'web:2', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 20ms}");
    let client = sandbox.client("default");
    let mut body = deployment("web", "web:1", 10);
    body["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    made(&client, DEPLOYMENTS, &body).await;
    pass(300).await;
    let sizes = || -> Vec<i64> {
        let mut sizes: Vec<i64> = sandbox
            .objects()
            .iter()
            .filter(|o| o["kind"] == "ReplicaSet")
            .map(|set| set["spec"]["replicas"].as_i64().unwrap())
            .collect();
        sizes.sort_unstable();
        sizes
    };
    let image =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]);
    patch(&client, &format!("{DEPLOYMENTS}/web"), JSON_PATCH, &image).await;
    pass(1_000).await;
    assert_eq!(sizes(), [5, 8]);
    patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &json!({"spec": {"replicas": 15}})).await;
    pass(1_000).await;
    assert_eq!(sizes(), [7, 11]);
}

#[tokio::test(start_paused = true)]
async fn ready_pods_are_available_after_min_ready_seconds() {
    let (_sandbox, client) = client();
    let mut body = deployment("web", "web:1", 1);
    body["spec"]["minReadySeconds"] = json!(3);
    made(&client, DEPLOYMENTS, &body).await;
    pass(1_000).await;
    assert_eq!(counts(&web(&client).await), [1, 1, 1, 0, 1]);
    pass(3_000).await;
    assert_eq!(counts(&web(&client).await), [1, 1, 1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn unready_pods_are_deleted_before_ready_ones() {
    let sandbox = sandbox("- {image: 'web:1', readyAfter: 20ms}");
    let client = sandbox.client("default");
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    let ready: Vec<Value> = sandbox.objects().into_iter().filter(|o| o["kind"] == "Pod").collect();
    sandbox
        .set_rules(rollout::sandbox::rules::parse_rules("r", "- {image: 'web:1', readyAfter: 1h}").unwrap());
    pass(100).await;
    sandbox
        .set_rules(rollout::sandbox::rules::parse_rules("r", "- {image: 'web:1', readyAfter: 1s}").unwrap());
    pass(1_000).await;
    patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &json!({"spec": {"replicas": 4}})).await;
    pass(100).await;
    assert_eq!(counts(&web(&client).await)[..3], [4, 4, 2]);
    patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &json!({"spec": {"replicas": 2}})).await;
    pass(100).await;
    let names = |pods: &[Value]| pods.iter().map(|p| p["metadata"]["name"].clone()).collect::<Vec<_>>();
    let left: Vec<Value> = sandbox.objects().into_iter().filter(|o| o["kind"] == "Pod").collect();
    assert_eq!(names(&left), names(&ready));
}

#[tokio::test(start_paused = true)]
async fn dependents_of_a_deleted_deployment_are_deleted() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 3)).await;
    pass(200).await;
    assert_eq!(delete(&client, &format!("{DEPLOYMENTS}/web"), &Value::Null).await.1["status"], "Success");
    assert_eq!(count(&sandbox, "Pod"), 3);
    pass(200).await;
    assert_eq!(sandbox.objects(), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_foreground_deletion_deletes_the_owner_last() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    let options = json!({"propagationPolicy": "Foreground"});
    let (_, going) = delete(&client, &format!("{DEPLOYMENTS}/web"), &options).await;
    assert_eq!(going["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    pass(500).await;
    assert_eq!(sandbox.objects(), Vec::<Value>::new());
    let history = sandbox.history();
    let gone: Vec<&str> = history.iter().filter(|c| c.after.is_none()).map(|c| c.kind.as_str()).collect();
    assert_eq!(gone, ["pods", "pods", "replicasets", "deployments"]);
}

#[tokio::test(start_paused = true)]
async fn orphans_are_kept_and_can_be_adopted() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    delete(&client, &format!("{DEPLOYMENTS}/web"), &json!({"propagationPolicy": "Orphan"})).await;
    pass(200).await;
    assert_eq!(
        (count(&sandbox, "Deployment"), count(&sandbox, "ReplicaSet"), count(&sandbox, "Pod")),
        (0, 1, 2)
    );
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    assert_eq!((count(&sandbox, "ReplicaSet"), count(&sandbox, "Pod")), (1, 2));
    assert_eq!(counts(&web(&client).await), [2, 2, 2, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_object_with_a_missing_owner_is_collected() {
    let (sandbox, client) = client();
    let owner = made(&client, MAPS, &map("owner", &json!({}))).await;
    for (name, uid, kind) in [
        ("right", owner["metadata"]["uid"].clone(), "ConfigMap"),
        ("wrong", json!("gone"), "ConfigMap"),
        ("foreign", json!("x"), "Application"),
    ] {
        let mut body = map(name, &json!({}));
        let version = if kind == "ConfigMap" { "v1" } else { "core.oam.dev/v1beta1" };
        body["metadata"]["ownerReferences"] =
            json!([{"apiVersion": version, "kind": kind, "name": "owner", "uid": uid}]);
        made(&client, MAPS, &body).await;
    }
    pass(100).await;
    let names: Vec<Value> = sandbox.objects().into_iter().map(|o| o["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["foreign", "owner", "right"]);
}

#[tokio::test(start_paused = true)]
async fn the_history_limit_deletes_the_oldest_replica_sets() {
    let (sandbox, client) = client();
    let mut body = deployment("web", "web:0", 1);
    body["spec"]["revisionHistoryLimit"] = json!(1);
    made(&client, DEPLOYMENTS, &body).await;
    for number in 1..4 {
        pass(500).await;
        let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": format!("web:{number}")}]);
        patch(&client, &format!("{DEPLOYMENTS}/web"), JSON_PATCH, &image).await;
    }
    pass(500).await;
    assert_eq!(count(&sandbox, "ReplicaSet"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_namespace_is_emptied() {
    let (sandbox, client) = client();
    made(&client, "/api/v1/namespaces", &json!({"metadata": {"name": "default"}})).await;
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(200).await;
    let (_, going) = delete(&client, "/api/v1/namespaces/default", &Value::Null).await;
    assert_eq!(going["status"]["phase"], "Terminating");
    pass(500).await;
    assert_eq!(sandbox.objects(), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn the_same_requests_lead_to_the_same_state() {
    let mut ends = Vec::new();
    for _ in 0..2 {
        let (sandbox, client) = client();
        made(&client, DEPLOYMENTS, &deployment("web", "web:1", 4)).await;
        pass(37).await;
        let image =
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]);
        patch(&client, &format!("{DEPLOYMENTS}/web"), JSON_PATCH, &image).await;
        pass(300).await;
        ends.push((sandbox.objects(), sandbox.history()));
    }
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test(start_paused = true)]
async fn history_distinguishes_clients_from_controllers() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 1)).await;
    pass(100).await;
    let history = sandbox.history();
    assert_eq!(
        (history[0].actor, history[0].kind.as_str(), &history[0].before),
        (Actor::Client, "deployments", &None)
    );
    assert!(history[1..].iter().all(|change| change.actor == Actor::Controller));
    let pod = history.iter().find(|change| change.kind == "pods").unwrap();
    assert_eq!((pod.verb, &pod.before), (Verb::Create, &None));
}

#[tokio::test(start_paused = true)]
async fn controllers_stop_when_the_last_handle_is_dropped() {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (sandbox, before) = (sandbox(""), alive());
    let other = sandbox.clone();
    drop(sandbox);
    pass(1).await;
    assert_eq!((before, alive()), (1, 1));
    drop(other);
    pass(1).await;
    assert_eq!(alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pods_are_fast() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 1_000)).await;
    pass(1_000).await;
    assert_eq!(counts(&web(&client).await), [1_000, 1_000, 1_000, 1_000, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_new_replica_set_is_announced_before_anything_is_counted() {
    let (sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 0)).await;
    pass(100).await;
    let history = sandbox.history();
    let told = history.iter().filter(|change| change.kind == "deployments").filter_map(|c| c.after.as_ref());
    let said: Vec<(&Value, Vec<&str>)> = told
        .map(|object| {
            let status = &object["status"];
            let conditions = status["conditions"].as_array().into_iter().flatten();
            (&status["observedGeneration"], conditions.filter_map(|c| c["reason"].as_str()).collect())
        })
        .collect();
    let expected = [
        (&Value::Null, vec![]),
        (&Value::Null, vec!["NewReplicaSetCreated"]),
        (&json!(1), vec!["MinimumReplicasAvailable", "NewReplicaSetAvailable"]),
    ];
    assert_eq!(said[..3], expected);
}
