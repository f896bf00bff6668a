//! StatefulSets as time passes.

use crate::fixture::*;
use rollout::sandbox::Sandbox;
use serde_json::{Value, json};

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const WEB: &str = "/apis/apps/v1/namespaces/default/statefulsets/web";

fn stateful_set(image: &str, replicas: i64, management: &str) -> Value {
    let mut body = deployment("web", image, replicas);
    body["spec"]["serviceName"] = json!("web");
    body["spec"]["podManagementPolicy"] = json!(management);
    body
}

async fn upgrade(client: &kube::Client, image: &str, partition: i64) {
    let change = json!({"spec": {
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        "updateStrategy": {"rollingUpdate": {"partition": partition}},
    }});
    let (code, body) = patch(client, WEB, MERGE_PATCH, &change).await;
    assert_eq!(code, 200, "{body}");
}

async fn web(client: &kube::Client) -> Value {
    get(client, WEB).await.1
}

/// The counts of a StatefulSet: replicas, ready, current, updated.
fn counts(set: &Value) -> [i64; 4] {
    ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas"]
        .map(|field| set["status"][field].as_i64().unwrap_or_default())
}

/// The pods and their images.
fn pods(sandbox: &Sandbox) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pods = sandbox.objects().into_iter().filter(|object| object["kind"] == "Pod");
    pods.map(|pod| (text(&pod["metadata"]["name"]), text(&pod["spec"]["containers"][0]["image"]))).collect()
}

fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, image)| ((*name).to_owned(), (*image).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn pods_are_created_one_by_one_or_in_parallel() {
    for (management, most_unready) in [("OrderedReady", 1), ("Parallel", 3)] {
        let (_sandbox, client) = client();
        made(&client, SETS, &stateful_set("web:1", 3, management)).await;
        let mut worst = 0;
        for _ in 0..200 {
            pass(1).await;
            let [replicas, ready, ..] = counts(&web(&client).await);
            worst = worst.max(replicas - ready);
        }
        assert_eq!(worst, most_unready, "{management}");
        let done = web(&client).await;
        assert_eq!(counts(&done), [3, 3, 3, 3]);
        assert_eq!(done["status"]["currentRevision"], done["status"]["updateRevision"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_replaces_pods_down_to_the_partition() {
    let (sandbox, client) = client();
    made(&client, SETS, &stateful_set("web:1", 3, "OrderedReady")).await;
    pass(300).await;
    upgrade(&client, "web:2", 2).await;
    for _ in 0..200 {
        pass(1).await;
        assert!(counts(&web(&client).await)[1] >= 2);
    }
    assert_eq!(pods(&sandbox), named(&[("web-0", "web:1"), ("web-1", "web:1"), ("web-2", "web:2")]));
    let set = web(&client).await;
    assert_eq!(counts(&set), [3, 3, 2, 1]);
    assert_ne!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    upgrade(&client, "web:2", 0).await;
    pass(500).await;
    let set = web(&client).await;
    assert_eq!(counts(&set), [3, 3, 3, 3]);
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
}

#[tokio::test(start_paused = true)]
async fn scaling_down_deletes_the_highest_first() {
    let (sandbox, client) = client();
    made(&client, SETS, &stateful_set("web:1", 4, "OrderedReady")).await;
    pass(500).await;
    patch(&client, &format!("{WEB}/scale"), MERGE_PATCH, &json!({"spec": {"replicas": 1}})).await;
    pass(500).await;
    assert_eq!(pods(&sandbox), named(&[("web-0", "web:1")]));
    assert_eq!(counts(&web(&client).await), [1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_pod_blocks_its_own_repair_unless_pods_are_managed_in_parallel() {
    for (management, repaired) in [("OrderedReady", false), ("Parallel", true)] {
        let sandbox = sandbox("- {image: 'bad', fail: NeverReady}\n- {image: '*', readyAfter: 20ms}");
        let client = sandbox.client("default");
        made(&client, SETS, &stateful_set("web:1", 3, management)).await;
        pass(300).await;
        upgrade(&client, "bad", 0).await;
        pass(300).await;
        assert_eq!(counts(&web(&client).await)[1], 2, "{management}");
        upgrade(&client, "web:1", 0).await;
        pass(1_000).await;
        assert_eq!(counts(&web(&client).await)[1] == 3, repaired, "{management}");
        if !repaired {
            // A user must delete it.
            delete(&client, &format!("{PODS}/web-2"), &Value::Null).await;
            pass(1_000).await;
        }
        assert_eq!(counts(&web(&client).await), [3, 3, 3, 3], "{management}");
    }
}

#[tokio::test(start_paused = true)]
async fn stateful_sets_are_defaulted_and_validated() {
    let (_sandbox, client) = client();
    let set = made(&client, SETS, &deployment("web", "web:1", 1)).await;
    assert_eq!(
        set["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    );
    assert_eq!(set["spec"]["podManagementPolicy"], "OrderedReady");
    assert_eq!(set["status"], json!({"replicas": 0, "availableReplicas": 0}));
    let change = json!({"spec": {"serviceName": "other"}});
    let (code, reason, message) = refusal(patch(&client, WEB, MERGE_PATCH, &change).await);
    assert_eq!((code, reason.as_str()), (422, "Invalid"));
    assert!(
        message.starts_with("StatefulSet.apps \"web\" is invalid: spec: Forbidden: updates to"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn revisions_that_the_selector_matches_are_adopted() {
    let (sandbox, client) = client();
    let revisions = "/apis/apps/v1/namespaces/default/controllerrevisions";
    for (name, labels) in [("chosen", json!({"app": "web"})), ("apart", json!({"component": "web"}))] {
        let body = json!({"metadata": {"name": name, "labels": labels}, "data": {"a": 1}, "revision": 1});
        made(&client, revisions, &body).await;
    }
    made(&client, SETS, &stateful_set("web:1", 1, "OrderedReady")).await;
    pass(300).await;
    let owned = |name: &str| {
        let objects = sandbox.objects();
        let revision = objects.iter().find(|object| object["metadata"]["name"] == name).unwrap();
        revision["metadata"].get("ownerReferences").is_some()
    };
    assert_eq!([owned("chosen"), owned("apart")], [true, false]);
}
