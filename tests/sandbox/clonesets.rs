//! CloneSets: writes by their definition's schema, and OpenKruise's controller.

use crate::fixture::*;
use rollout::sandbox::Sandbox;
use rollout::sandbox::fault::Verb;
use serde_json::{Value, json};

pub(crate) const CLONE_SETS: &str = "/apis/apps.kruise.io/v1alpha1/namespaces/default/clonesets";
const WEB: &str = "/apis/apps.kruise.io/v1alpha1/namespaces/default/clonesets/web";

fn clone_set(image: &str, replicas: i64, strategy: &Value) -> Value {
    let mut body = deployment("web", image, replicas);
    body["spec"]["updateStrategy"] = strategy.clone();
    body
}

/// Sets another image for a part of the pods, in one write.
async fn upgrade(client: &kube::Client, image: &str, partition: i64) -> Value {
    let containers = json!([{"name": "web", "image": image}]);
    let change = json!({"spec": {
        "template": {"spec": {"containers": containers}},
        "updateStrategy": {"partition": partition},
    }});
    let (code, body) = patch(client, WEB, MERGE_PATCH, &change).await;
    assert_eq!(code, 200, "{body}");
    body
}

async fn web(client: &kube::Client) -> Value {
    get(client, WEB).await.1
}

/// The counts of a CloneSet: replicas, ready, updated, updated and ready.
fn counts(set: &Value) -> [i64; 4] {
    ["replicas", "readyReplicas", "updatedReplicas", "updatedReadyReplicas"]
        .map(|field| set["status"][field].as_i64().unwrap_or_default())
}

fn objects(sandbox: &Sandbox, kind: &str) -> Vec<Value> {
    sandbox.objects().into_iter().filter(|object| object["kind"] == kind).collect()
}

/// Names, UIDs and images of pods.
fn identities(sandbox: &Sandbox) -> Vec<(Value, Value, Value)> {
    let identity = |pod: &Value| {
        let image = pod["spec"]["containers"][0]["image"].clone();
        (pod["metadata"]["name"].clone(), pod["metadata"]["uid"].clone(), image)
    };
    objects(sandbox, "Pod").iter().map(identity).collect()
}

#[tokio::test(start_paused = true)]
async fn the_group_is_discovered_and_may_be_missing() {
    let (sandbox, client) = client();
    let (_, group) = get(&client, "/apis/apps.kruise.io").await;
    assert_eq!(group["preferredVersion"]["groupVersion"], "apps.kruise.io/v1alpha1");
    let (_, resources) = get(&client, "/apis/apps.kruise.io/v1alpha1").await;
    assert_eq!(resources["resources"][0]["kind"], "CloneSet");
    let without = sandbox.without_kruise();
    for path in ["/apis/apps.kruise.io", "/apis/apps.kruise.io/v1alpha1", CLONE_SETS, WEB] {
        assert_eq!(get(&client, path).await, (404, json!("404 page not found\n")), "{path}");
    }
    let watching = send(&client, "GET", &format!("{CLONE_SETS}?watch=1"), "", &Value::Null).await;
    assert_eq!(watching.0, 404);
    let (_, groups) = get(&client, "/apis").await;
    let names: Vec<&Value> = groups["groups"].as_array().unwrap().iter().map(|g| &g["name"]).collect();
    assert!(!names.contains(&&json!("apps.kruise.io")), "{names:?}");
    drop(without);
}

#[tokio::test(start_paused = true)]
async fn no_defaults_are_set_and_unknown_fields_are_dropped() {
    let (_sandbox, client) = client();
    let body = json!({
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}, "odd": 1},
            "template": {"odd": [1]},
            "odd": true,
            "updateStrategy": {"partition": "50%", "odd": {}, "type": null},
        },
        "status": {"replicas": 7},
        "odd": {},
    });
    let made = made(&client, CLONE_SETS, &body).await;
    let spec = json!({
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"odd": [1]},
        "updateStrategy": {"partition": "50%"},
    });
    assert_eq!((&made["spec"], made.get("status"), made.get("odd")), (&spec, None, None));
    pass(50).await;
    // Without a size the controller does nothing.
    assert_eq!(web(&client).await["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn bodies_that_violate_the_schema_are_rejected() {
    let (_sandbox, client) = client();
    let body = json!({"metadata": {"name": "web"}, "spec": {"replicas": "3", "template": {}}});
    let message = "CloneSet.apps.kruise.io \"web\" is invalid: [spec.replicas: Invalid value: \"string\": \
                   spec.replicas in body must be of type integer: \"string\", spec.selector: Required value, \
                   .spec.replicas: Invalid value: 0: .spec.replicas accessor error: 3 is of the type string, \
                   expected int64]";
    assert_eq!(refusal(post(&client, CLONE_SETS, &body).await), refused(422, "Invalid", message));
    made(&client, CLONE_SETS, &clone_set("web:1", 1, &json!({}))).await;
    let (code, _) = patch(&client, WEB, STRATEGIC_PATCH, &json!({"spec": {"replicas": 2}})).await;
    assert_eq!(code, 415);
}

#[tokio::test(start_paused = true)]
async fn only_the_spec_raises_the_generation() {
    let (_sandbox, client) = client();
    made(&client, CLONE_SETS, &clone_set("web:1", 1, &json!({}))).await;
    pass(200).await;
    let change = json!({"metadata": {"annotations": {"a": "b"}}});
    let annotated = patch(&client, WEB, MERGE_PATCH, &change).await.1;
    assert_eq!(annotated["metadata"]["generation"], 1);
    let status =
        json!({"metadata": {"labels": {"no": "no"}}, "spec": {"replicas": 9}, "status": {"replicas": 1}});
    let written = patch(&client, &format!("{WEB}/status"), MERGE_PATCH, &status).await.1;
    assert_eq!((&written["spec"]["replicas"], &written["metadata"]["labels"]), (&json!(1), &Value::Null));
    let scaled =
        patch(&client, &format!("{WEB}/scale"), MERGE_PATCH, &json!({"spec": {"replicas": 2}})).await.1;
    assert_eq!((&scaled["spec"]["replicas"], &scaled["status"]["selector"]), (&json!(2), &json!("app=web")));
    assert_eq!(web(&client).await["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn pods_have_the_metadata_of_the_controller() {
    let (sandbox, client) = client();
    let made = made(&client, CLONE_SETS, &clone_set("web:1", 3, &json!({}))).await;
    pass(200).await;
    let set = web(&client).await;
    assert_eq!(counts(&set), [3, 3, 3, 3]);
    let revision = set["status"]["updateRevision"].as_str().unwrap();
    assert_eq!(set["status"]["currentRevision"], revision);
    for pod in objects(&sandbox, "Pod") {
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["controller-revision-hash"], revision);
        assert_eq!(format!("web-{}", labels["pod-template-hash"].as_str().unwrap()), revision);
        assert_eq!(labels["lifecycle.apps.kruise.io/state"], "Normal");
        let id = labels["apps.kruise.io/cloneset-instance-id"].as_str().unwrap();
        assert_eq!(pod["metadata"]["name"], format!("web-{id}"));
        assert_eq!(pod["spec"]["readinessGates"], json!([{"conditionType": "InPlaceUpdateReady"}]));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], made["metadata"]["uid"]);
    }
    delete(&client, WEB, &Value::Null).await;
    pass(200).await;
    assert!(objects(&sandbox, "Pod").is_empty());
    assert!(objects(&sandbox, "ControllerRevision").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_update_recreates_pods_down_to_the_partition() {
    let (sandbox, client) = client();
    made(&client, CLONE_SETS, &clone_set("web:1", 5, &json!({}))).await;
    pass(500).await;
    let before = identities(&sandbox);
    let written = upgrade(&client, "web:2", 3).await;
    assert_eq!((counts(&written), &written["status"]["observedGeneration"]), ([5, 5, 5, 5], &json!(1)));
    for _ in 0..200 {
        pass(2).await;
        // One of five pods may be unavailable.
        assert!(counts(&web(&client).await)[1] >= 4);
    }
    let set = web(&client).await;
    assert_eq!((counts(&set), &set["status"]["expectedUpdatedReplicas"]), ([5, 5, 2, 2], &json!(2)));
    assert_ne!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    let kept = identities(&sandbox).into_iter().filter(|pod| before.contains(pod)).count();
    assert_eq!(kept, 3);
    upgrade(&client, "web:2", 0).await;
    pass(1_000).await;
    let set = web(&client).await;
    assert_eq!(counts(&set), [5, 5, 5, 5]);
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
}

#[tokio::test(start_paused = true)]
async fn in_place_updates_keep_name_and_uid() {
    let (sandbox, client) = client();
    let strategy = json!({"type": "InPlaceIfPossible", "maxUnavailable": "100%"});
    made(&client, CLONE_SETS, &clone_set("web:1", 3, &strategy)).await;
    pass(500).await;
    let before = identities(&sandbox);
    upgrade(&client, "web:2", 1).await;
    for _ in 0..100 {
        pass(2).await;
        let set = web(&client).await;
        let fresh = set["status"]["observedGeneration"] == 2;
        let [replicas, ready, updated, updated_ready] = counts(&set);
        assert!(replicas == 3 && (!fresh || updated_ready <= updated), "{set}");
        assert!(!fresh || updated_ready == 0 || ready > 1, "{set}");
    }
    assert_eq!(counts(&web(&client).await), [3, 3, 2, 2]);
    let after = identities(&sandbox);
    let names = |pods: &[(Value, Value, Value)]| -> Vec<(Value, Value)> {
        pods.iter().map(|(name, uid, _)| (name.clone(), uid.clone())).collect()
    };
    assert_eq!(names(&before), names(&after));
    for pod in objects(&sandbox, "Pod") {
        let status = &pod["status"]["containerStatuses"][0];
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
        assert_eq!(status["restartCount"], i64::from(image == "web:2"), "{status}");
        assert_eq!(status["imageID"], format!("sandbox://{image}"));
    }
    // A command cannot be changed in place, so these pods are replaced.
    let change = json!({"spec": {"updateStrategy": {"partition": 0}, "template": {"spec": {"containers": [
        {"name": "web", "image": "web:2", "command": ["run"]},
    ]}}}});
    patch(&client, WEB, MERGE_PATCH, &change).await;
    pass(500).await;
    assert_eq!(counts(&web(&client).await), [3, 3, 3, 3]);
    assert!(names(&identities(&sandbox)).iter().all(|pod| !names(&before).contains(pod)));
}

#[tokio::test(start_paused = true)]
async fn a_broken_image_breaks_at_most_max_unavailable_pods() {
    let sandbox = sandbox("- {image: 'bad', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 20ms}");
    let client = sandbox.client("default");
    for kind in ["ReCreate", "InPlaceIfPossible"] {
        made(&client, CLONE_SETS, &clone_set("web:1", 5, &json!({"type": kind}))).await;
        pass(500).await;
        upgrade(&client, "bad", 2).await;
        pass(500).await;
        assert_eq!(counts(&web(&client).await), [5, 4, 1, 0], "{kind}");
        for image in ["web:1", "web:3"] {
            upgrade(&client, image, 0).await;
            pass(2_000).await;
            assert_eq!(counts(&web(&client).await), [5, 5, 5, 5], "{kind}");
        }
        let mut restarts: Vec<i64> = objects(&sandbox, "Pod")
            .iter()
            .map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap())
            .collect();
        restarts.sort_unstable();
        // The broken pod was restarted with its first image, and again after that.
        let expected = if kind == "ReCreate" { [0; 5] } else { [1, 1, 1, 1, 2] };
        assert_eq!(restarts, expected, "{kind}");
        delete(&client, WEB, &Value::Null).await;
        pass(200).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_without_valid_pods_is_reported() {
    let (sandbox, client) = client();
    made(&client, CLONE_SETS, &clone_set("web:1", 4, &json!({}))).await;
    pass(500).await;
    upgrade(&client, "", 2).await;
    pass(500).await;
    let set = web(&client).await;
    assert_eq!(counts(&set), [3, 3, 0, 0]);
    let condition = &set["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&json!("FailedScale"), &json!("True")));
    let events = objects(&sandbox, "Event");
    assert_eq!(events[0]["reason"], "FailedCreate");
    assert!(events[0]["message"].as_str().unwrap().contains("image: Required value"), "{}", events[0]);
    // The controller ignores a CloneSet whose template cannot be decoded.
    patch(&client, WEB, MERGE_PATCH, &json!({"spec": {"template": {"spec": {"containers": "web"}}}})).await;
    pass(500).await;
    assert_eq!(web(&client).await["status"], set["status"]);
    upgrade(&client, "web:2", 2).await;
    pass(1_000).await;
    let set = web(&client).await;
    assert_eq!((counts(&set), set["status"].get("conditions")), ([4, 4, 2, 2], None));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_reuses_the_old_revision() {
    let (sandbox, client) = client();
    made(&client, CLONE_SETS, &clone_set("web:1", 5, &json!({"maxUnavailable": "100%"}))).await;
    pass(200).await;
    let first = web(&client).await["status"]["updateRevision"].clone();
    upgrade(&client, "web:2", 3).await;
    pass(300).await;
    // A larger partition rolls nothing back.
    upgrade(&client, "web:2", 5).await;
    pass(300).await;
    assert_eq!(counts(&web(&client).await), [5, 5, 2, 2]);
    upgrade(&client, "web:1", 0).await;
    pass(6).await;
    let back = web(&client).await;
    assert_eq!((counts(&back), &back["status"]["updateRevision"]), ([5, 5, 3, 3], &first));
    pass(300).await;
    assert_eq!(counts(&web(&client).await), [5, 5, 5, 5]);
    let mut numbers: Vec<i64> = objects(&sandbox, "ControllerRevision")
        .iter()
        .map(|revision| revision["revision"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn foreign_revisions_that_the_selector_matches_are_pruned() {
    let (sandbox, client) = client();
    let revisions = "/apis/apps/v1/namespaces/default/controllerrevisions";
    for (name, labels) in [("chosen", json!({"app": "web"})), ("apart", json!({"component": "web"}))] {
        let body = json!({"metadata": {"name": name, "labels": labels}, "data": {"a": 1}, "revision": 1});
        made(&client, revisions, &body).await;
    }
    let mut body = clone_set("web:1", 1, &json!({"maxUnavailable": "100%"}));
    body["spec"]["revisionHistoryLimit"] = json!(1);
    made(&client, CLONE_SETS, &body).await;
    for image in ["web:2", "web:3"] {
        pass(300).await;
        upgrade(&client, image, 0).await;
    }
    pass(300).await;
    let names: Vec<Value> = objects(&sandbox, "ControllerRevision")
        .iter()
        .map(|revision| revision["metadata"]["name"].clone())
        .filter(|name| !name.as_str().unwrap().starts_with("web-"))
        .collect();
    assert_eq!(names, ["apart"]);
}

#[tokio::test(start_paused = true)]
async fn scaling_down_deletes_old_pods_down_to_the_partition() {
    let (sandbox, client) = client();
    made(&client, CLONE_SETS, &clone_set("web:1", 5, &json!({"maxUnavailable": "100%"}))).await;
    pass(200).await;
    upgrade(&client, "web:2", 3).await;
    pass(300).await;
    let change = json!({"spec": {"replicas": 3, "updateStrategy": {"partition": 2}}});
    patch(&client, WEB, MERGE_PATCH, &change).await;
    pass(300).await;
    assert_eq!(counts(&web(&client).await), [3, 3, 1, 1]);
    patch(&client, WEB, MERGE_PATCH, &json!({"spec": {"replicas": 6}})).await;
    pass(300).await;
    assert_eq!(counts(&web(&client).await), [6, 6, 4, 4]);
    let writes = sandbox.history().into_iter().filter(|c| c.kind == "pods" && c.verb == Verb::Create).count();
    assert_eq!(writes, 5 + 2 + 3);
}
