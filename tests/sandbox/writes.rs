//! Creating, reading, replacing and deleting objects.

use crate::fixture::*;
use serde_json::{Value, json};

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_created_object_gets_its_metadata() {
    let (_sandbox, client) = client();
    let made = made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    let metadata = &made["metadata"];
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert_eq!((&made["apiVersion"], &made["kind"]), (&json!("apps/v1"), &json!("Deployment")));
    assert_eq!(made["status"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_defaulted() {
    let (_sandbox, client) = client();
    let mut body = deployment("web", "web:1", 0);
    body["spec"].as_object_mut().unwrap().remove("replicas");
    let made = made(&client, DEPLOYMENTS, &body).await;
    let template = &made["spec"]["template"]["spec"];
    let strategy =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    assert_eq!(made["spec"]["replicas"], 1);
    assert_eq!(made["spec"]["strategy"], strategy);
    assert_eq!(made["spec"]["revisionHistoryLimit"], 10);
    assert_eq!(made["spec"]["progressDeadlineSeconds"], 600);
    assert_eq!(
        *template,
        json!({
            "containers": [{
                "name": "web",
                "image": "web:1",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_is_defaulted() {
    let (_sandbox, client) = client();
    let body =
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let path = "/api/v1/namespaces/default/services";
    let made = made(&client, path, &body).await;
    let ip = made["spec"]["clusterIP"].as_str().unwrap();
    assert!(ip.starts_with("10."), "{ip}");
    assert_eq!(made["spec"]["clusterIPs"], json!([ip]));
    assert_eq!(made["spec"]["type"], "ClusterIP");
    assert_eq!(made["spec"]["sessionAffinity"], "None");
    assert_eq!(made["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "targetPort": 80}]));
    let mut body = body;
    body["spec"]["ports"][0]["port"] = json!(81);
    let (code, put) = put(&client, &format!("{path}/web"), &body).await;
    assert_eq!((code, &put["spec"]["clusterIP"]), (200, &json!(ip)));
}

#[tokio::test(start_paused = true)]
async fn missing_objects_are_not_found() {
    let (_sandbox, client) = client();
    let path = format!("{DEPLOYMENTS}/web");
    let (code, body) = get(&client, &path).await;
    assert_eq!(
        (code, body),
        (
            404,
            json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": "deployments.apps \"web\" not found",
                "reason": "NotFound",
                "details": {"name": "web", "group": "apps", "kind": "deployments"},
                "code": 404,
            })
        )
    );
    let not_found = refused(404, "NotFound", "deployments.apps \"web\" not found");
    assert_eq!(refusal(delete(&client, &path, &Value::Null).await), not_found);
    assert_eq!(refusal(put(&client, &path, &deployment("web", "web:1", 1)).await), not_found);
    assert_eq!(refusal(patch(&client, &path, MERGE_PATCH, &json!({})).await), not_found);
}

#[tokio::test(start_paused = true)]
async fn unknown_resources_are_not_found() {
    let (_sandbox, client) = client();
    let answer = get(&client, "/apis/core.oam.dev/v1beta1/namespaces/default/applications").await;
    assert_eq!(answer, (404, json!("404 page not found\n")));
    for path in [
        "/apis/apps/v1/namespaces/default/podgroups",
        "/apis/apps/v1beta2/namespaces/default/deployments",
        "/apis/autoscaling/v2beta2/namespaces/default/horizontalpodautoscalers/web",
        "/api/v2/namespaces/default/pods",
    ] {
        let message = "the server could not find the requested resource";
        assert_eq!(refusal(get(&client, path).await), refused(404, "NotFound", message), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_can_be_used_once() {
    let (_sandbox, client) = client();
    made(&client, MAPS, &map("one", &json!({}))).await;
    let again = post(&client, MAPS, &map("one", &json!({}))).await;
    assert_eq!(refusal(again), refused(409, "AlreadyExists", "configmaps \"one\" already exists"));
}

#[tokio::test(start_paused = true)]
async fn names_can_be_generated() {
    let (_sandbox, client) = client();
    let body = json!({"metadata": {"generateName": "one-"}});
    let (one, two) = (made(&client, MAPS, &body).await, made(&client, MAPS, &body).await);
    let name = one["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("one-") && name.len() == 9, "{name}");
    assert_ne!(one["metadata"]["name"], two["metadata"]["name"]);
}

#[tokio::test(start_paused = true)]
async fn invalid_objects_are_rejected_with_every_cause() {
    let (_sandbox, client) = client();
    let mut body = deployment("web", "web:1", -1);
    body["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    let (code, body) = post(&client, DEPLOYMENTS, &body).await;
    assert_eq!(code, 422);
    assert_eq!(
        body["message"],
        "Deployment.apps \"web\" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, \
         spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`]"
    );
    let cause = json!({
        "reason": "FieldValueInvalid",
        "message": "Invalid value: -1: must be greater than or equal to 0",
        "field": "spec.replicas",
    });
    assert_eq!(body["details"]["causes"][0], cause);
    assert_eq!((&body["details"]["kind"], &body["reason"]), (&json!("Deployment"), &json!("Invalid")));
}

#[tokio::test(start_paused = true)]
async fn invalid_names_are_rejected() {
    let (_sandbox, client) = client();
    let (code, reason, message) = refusal(post(&client, MAPS, &map("Bad_Name", &json!({}))).await);
    assert_eq!((code, reason.as_str()), (422, "Invalid"));
    assert!(message.starts_with("ConfigMap \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain"), "{message}");
    let nameless = refusal(post(&client, MAPS, &json!({})).await);
    let message =
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required";
    assert_eq!(nameless, refused(422, "Invalid", message));
}

#[tokio::test(start_paused = true)]
async fn wrong_types_are_rejected_and_never_stored() {
    let (sandbox, client) = client();
    for (field, wrong) in [
        ("replicas", json!("two")),
        ("selector", json!([])),
        ("template", json!("x")),
        ("strategy", json!(3)),
        ("replicas", json!(5_000_000_000_i64)),
    ] {
        let mut body = deployment("web", "web:1", 1);
        body["spec"][field] = wrong;
        assert_eq!(refusal(post(&client, DEPLOYMENTS, &body).await).0, 400, "{field}");
    }
    for body in [json!([]), json!("x"), json!({"metadata": 1}), json!({"spec": null}), json!({"kind": "Pod"})]
    {
        let code = refusal(post(&client, DEPLOYMENTS, &body).await).0;
        assert!(code == 400 || code == 422, "{body}: {code}");
    }
    assert!(sandbox.objects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_the_spec_raises_the_generation() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 0)).await;
    pass(100).await;
    let path = format!("{DEPLOYMENTS}/web");
    let (_, before) = get(&client, &path).await;
    let (_, labelled) =
        patch(&client, &path, MERGE_PATCH, &json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(labelled["metadata"]["generation"], before["metadata"]["generation"]);
    assert!(version(&labelled) > version(&before));
    let (_, scaled) = patch(&client, &path, MERGE_PATCH, &json!({"spec": {"replicas": 1}})).await;
    assert_eq!(scaled["metadata"]["generation"], 2);
    let (_, again) = patch(&client, &path, MERGE_PATCH, &json!({"spec": {"replicas": 1}})).await;
    assert_eq!(again, scaled);
}

#[tokio::test(start_paused = true)]
async fn annotations_of_a_deployment_also_raise_its_generation() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 0)).await;
    let body = json!({"metadata": {"annotations": {"a": "b"}}});
    let (_, main) = patch(&client, &format!("{DEPLOYMENTS}/web"), MERGE_PATCH, &body).await;
    assert_eq!(main["metadata"]["generation"], 2);
    let body = json!({"metadata": {"annotations": {"a": "c"}}});
    let (_, status) = patch(&client, &format!("{DEPLOYMENTS}/web/status"), MERGE_PATCH, &body).await;
    assert_eq!(
        (&status["metadata"]["generation"], &status["metadata"]["annotations"]["a"]),
        (&json!(2), &json!("c"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_must_not_have_a_version() {
    let (_sandbox, client) = client();
    let mut body = map("one", &json!({}));
    body["metadata"]["resourceVersion"] = json!("7");
    let message = "resourceVersion should not be set on objects to be created";
    assert_eq!(refusal(post(&client, MAPS, &body).await), refused(500, "", message));
}

#[tokio::test(start_paused = true)]
async fn spec_and_status_are_written_separately() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 1)).await;
    let path = format!("{DEPLOYMENTS}/web");
    let both = json!({"spec": {"replicas": 7}, "status": {"replicas": 9}});
    let (_, main) = patch(&client, &path, MERGE_PATCH, &both).await;
    assert_eq!((&main["spec"]["replicas"], &main["status"]), (&json!(7), &json!({})));
    let both = json!({"spec": {"replicas": 8}, "status": {"replicas": 9}});
    let (_, status) = patch(&client, &format!("{path}/status"), MERGE_PATCH, &both).await;
    assert_eq!((&status["spec"]["replicas"], &status["status"]["replicas"]), (&json!(7), &json!(9)));
    assert_eq!(status["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_put_of_an_old_version_conflicts() {
    let (_sandbox, client) = client();
    let first = made(&client, MAPS, &map("one", &json!({"a": "1"}))).await;
    let path = format!("{MAPS}/one");
    let mut newer = first.clone();
    newer["data"]["a"] = json!("2");
    assert_eq!(put(&client, &path, &newer).await.0, 200);
    let message = "Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply \
                   your changes to the latest version and try again";
    assert_eq!(refusal(put(&client, &path, &first).await), refused(409, "Conflict", message));
    newer["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    newer["metadata"]["uid"] = json!("another");
    assert_eq!(refusal(put(&client, &path, &newer).await).0, 409);
}

#[tokio::test(start_paused = true)]
async fn selectors_are_immutable() {
    let (_sandbox, client) = client();
    let mut body = made(&client, DEPLOYMENTS, &deployment("web", "web:1", 0)).await;
    body["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    body["spec"]["selector"] = json!({"matchLabels": {"app": "web", "more": "x"}});
    body["spec"]["template"]["metadata"]["labels"] = json!({"app": "web", "more": "x"});
    let (code, _, message) = refusal(put(&client, &format!("{DEPLOYMENTS}/web"), &body).await);
    assert_eq!(code, 422);
    assert!(message.ends_with("field is immutable"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_put_of_a_lease_needs_its_version_or_creates_it() {
    let (_sandbox, client) = client();
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/one";
    let body = json!({"metadata": {"name": "one"}, "spec": {"holderIdentity": "me"}});
    assert_eq!(put(&client, path, &body).await.0, 201);
    let (code, _, message) = refusal(put(&client, path, &body).await);
    assert_eq!(code, 422);
    assert!(message.contains("metadata.resourceVersion"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn deletions_check_their_preconditions() {
    let (_sandbox, client) = client();
    let made = made(&client, MAPS, &map("one", &json!({}))).await;
    let path = format!("{MAPS}/one");
    for (field, reason) in
        [("uid", "the UID in the precondition"), ("resourceVersion", "the ResourceVersion")]
    {
        let options = json!({"preconditions": {field: "999"}});
        let (code, why, message) = refusal(delete(&client, &path, &options).await);
        assert_eq!((code, why.as_str()), (409, "Conflict"));
        assert!(message.contains(reason), "{message}");
    }
    let metadata = &made["metadata"];
    let options =
        json!({"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}});
    let (code, body) = delete(&client, &path, &options).await;
    assert_eq!((code, &body["status"]), (200, &json!("Success")));
    assert_eq!(body["details"], json!({"name": "one", "kind": "configmaps", "uid": metadata["uid"]}));
}

#[tokio::test(start_paused = true)]
async fn finalizers_delay_a_deletion() {
    let (_sandbox, client) = client();
    let mut body = map("one", &json!({}));
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    made(&client, MAPS, &body).await;
    let path = format!("{MAPS}/one");
    let (code, held) = delete(&client, &path, &Value::Null).await;
    assert_eq!((code, &held["metadata"]["deletionTimestamp"]), (200, &json!("2026-01-01T00:00:00Z")));
    assert_eq!(get(&client, &path).await.0, 200);
    patch(&client, &path, MERGE_PATCH, &json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(get(&client, &path).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_stores_nothing() {
    let (sandbox, client) = client();
    let (code, made) = post(&client, &format!("{MAPS}?dryRun=All"), &map("one", &json!({"a": "b"}))).await;
    assert_eq!((code, &made["data"]["a"]), (201, &json!("b")));
    assert!(sandbox.objects().is_empty());
    let before = self::made(&client, MAPS, &map("one", &json!({"a": "b"}))).await;
    let path = format!("{MAPS}/one");
    let (_, patched) =
        patch(&client, &format!("{path}?dryRun=All"), MERGE_PATCH, &json!({"data": {"a": "c"}})).await;
    assert_eq!(patched["data"]["a"], "c");
    assert_eq!(delete(&client, &path, &json!({"dryRun": ["All"]})).await.0, 200);
    assert_eq!(get(&client, &path).await.1, before);
}

#[tokio::test(start_paused = true)]
async fn lists_select_by_labels_and_fields() {
    let (_sandbox, client) = client();
    for (name, tier) in [("a", "front"), ("b", "back")] {
        let mut body = map(name, &json!({}));
        body["metadata"]["labels"] = json!({"tier": tier});
        made(&client, MAPS, &body).await;
    }
    made(&client, "/api/v1/namespaces/other/configmaps", &map("c", &json!({}))).await;
    for (query, names) in [
        ("", vec!["a", "b"]),
        ("?labelSelector=tier%3Dfront", vec!["a"]),
        ("?labelSelector=tier+notin+(front)&limit=500", vec!["b"]),
        ("?fieldSelector=metadata.name%3Db", vec!["b"]),
    ] {
        let (_, list) = get(&client, &format!("{MAPS}{query}")).await;
        let found: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["metadata"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "{query}");
        assert_eq!(list["kind"], "ConfigMapList");
        assert!(list["items"][0].get("kind").is_none());
    }
    let (_, all) = get(&client, "/api/v1/configmaps").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    let bad = get(&client, &format!("{MAPS}?labelSelector=a+b")).await;
    assert_eq!(refusal(bad).0, 400);
}

#[tokio::test(start_paused = true)]
async fn access_reviews_allow_everything() {
    let (sandbox, client) = client();
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let body = json!({"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}});
    let review = made(&client, path, &body).await;
    assert_eq!(review["status"]["allowed"], true);
    assert!(sandbox.objects().is_empty());
}

#[tokio::test(start_paused = true)]
async fn discovery_lists_the_served_kinds() {
    let (_sandbox, client) = client();
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    let resources = client.list_api_group_resources("apps/v1").await.unwrap();
    assert!(resources.resources.iter().any(|r| r.name == "deployments" && r.kind == "Deployment"));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_has_a_scale_subresource() {
    let (_sandbox, client) = client();
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 1)).await;
    let path = format!("{DEPLOYMENTS}/web/scale");
    let (_, scale) = get(&client, &path).await;
    assert_eq!((&scale["kind"], &scale["spec"]), (&json!("Scale"), &json!({"replicas": 1})));
    assert_eq!(scale["status"]["selector"], "app=web");
    let (_, scale) = patch(&client, &path, MERGE_PATCH, &json!({"spec": {"replicas": 4}})).await;
    assert_eq!(scale["spec"]["replicas"], 4);
    let (_, scaled) = get(&client, &format!("{DEPLOYMENTS}/web")).await;
    assert_eq!((&scaled["spec"]["replicas"], &scaled["metadata"]["generation"]), (&json!(4), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn quantities_come_back_in_their_canonical_form() {
    let (_sandbox, client) = client();
    let mut body = deployment("web", "web:1", 0);
    let container = &mut body["spec"]["template"]["spec"]["containers"][0];
    container["resources"] = json!({"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": "0.5"}});
    let made = made(&client, DEPLOYMENTS, &body).await;
    let resources = &made["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(*resources, json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}));
    body["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("lots");
    let (code, _, message) = refusal(post(&client, DEPLOYMENTS, &body).await);
    assert_eq!(code, 400);
    assert!(message.contains("quantities must match the regular expression"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_does_not_change_later_names() {
    let mut uids = Vec::new();
    for tries in [0, 3] {
        let (_sandbox, client) = client();
        for _ in 0..tries {
            made(&client, &format!("{MAPS}?dryRun=All"), &map("tried", &json!({}))).await;
        }
        uids.push(made(&client, MAPS, &map("kept", &json!({}))).await["metadata"]["uid"].clone());
    }
    assert_eq!(uids[0], uids[1]);
}
