//! The kinds without a relevant controller: decoding, defaults and validation.

use crate::fixture::*;
use serde_json::{Value, json};

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const SCALERS: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
const OLD_SCALERS: &str = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";

#[tokio::test(start_paused = true)]
async fn string_data_of_a_secret_is_stored_as_data() {
    let (_sandbox, client) = client();
    let body = json!({"metadata": {"name": "one"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}});
    let made = made(&client, SECRETS, &body).await;
    assert_eq!(made["data"], json!({"a": "Yg==", "c": "ZA=="}));
    assert_eq!((&made["type"], made.get("stringData")), (&json!("Opaque"), None));
}

#[tokio::test(start_paused = true)]
async fn incomplete_objects_are_rejected() {
    let (_sandbox, client) = client();
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let containers = json!([{"name": "c", "image": "web:1"}]);
    for (path, body, message) in [
        (SECRETS, json!({"type": "kubernetes.io/tls"}), "data[tls.crt]: Required value"),
        (
            INGRESSES,
            json!({}),
            "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified",
        ),
        (
            ROLES,
            json!({"rules": [{}]}),
            "rules[0].verbs: Required value: verbs must contain at least one value",
        ),
        (
            SCALERS,
            json!({"spec": {"maxReplicas": 0}}),
            "spec.maxReplicas: Required value: must be set and greater than 0",
        ),
        (
            "/api/v1/namespaces/default/pods",
            json!({"spec": {"containers": containers, "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2},
            ]}}),
            "spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if \
             whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        ),
        (claims, json!({"spec": {}}), "spec.accessModes: Required value: at least 1 access mode is required"),
        (
            jobs,
            json!({"spec": {"template": {"spec": {"containers": containers}}}}),
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
        ),
        (
            "/apis/batch/v1/namespaces/default/cronjobs",
            json!({"spec": {"schedule": "x"}}),
            "spec.schedule: Invalid value: \"x\": expected exactly 5 fields, found 1: [x]",
        ),
    ] {
        let mut body = body;
        body["metadata"] = json!({"name": "one"});
        let (code, reason, said) = refusal(post(&client, path, &body).await);
        assert_eq!((code, reason.as_str()), (422, "Invalid"), "{path}: {said}");
        assert!(said.contains(message), "{path}: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn cluster_roles_can_have_any_name() {
    let (_sandbox, client) = client();
    let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
    let made = made(&client, ROLES, &json!({"metadata": {"name": "System:One"}, "rules": rules})).await;
    assert_eq!(made["metadata"].get("namespace"), None);
    let (code, found) = get(&client, &format!("{ROLES}/System:One")).await;
    assert_eq!((code, &found["rules"]), (200, &rules));
    let namespaced = ROLES.replace("/clusterroles", "/namespaces/default/clusterroles");
    assert_eq!(get(&client, &namespaced).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn the_role_of_a_binding_cannot_change() {
    let (_sandbox, client) = client();
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    let body = json!({"metadata": {"name": "one"}, "roleRef": {"kind": "Role", "name": "a"}});
    let mut bound = made(&client, path, &body).await;
    assert_eq!(bound["roleRef"]["apiGroup"], "rbac.authorization.k8s.io");
    bound["roleRef"]["name"] = json!("b");
    let (code, _, message) = refusal(put(&client, &format!("{path}/one"), &bound).await);
    assert_eq!(code, 422);
    assert!(message.ends_with("cannot change roleRef"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_is_one_object_in_two_versions() {
    let (_sandbox, client) = client();
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50});
    let made = made(&client, OLD_SCALERS, &json!({"metadata": {"name": "web"}, "spec": spec})).await;
    assert_eq!((&made["apiVersion"], &made["spec"]["minReplicas"]), (&json!("autoscaling/v1"), &json!(1)));
    let (_, newer) = get(&client, &format!("{SCALERS}/web")).await;
    let utilization = &newer["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"];
    assert_eq!((&newer["apiVersion"], utilization), (&json!("autoscaling/v2"), &json!(50)));
    let change = json!({"spec": {"targetCPUUtilizationPercentage": 70}});
    let (code, changed) = patch(&client, &format!("{OLD_SCALERS}/web"), MERGE_PATCH, &change).await;
    assert_eq!((code, &changed["spec"]["targetCPUUtilizationPercentage"]), (200, &json!(70)));
    let (_, list) = get(&client, OLD_SCALERS).await;
    assert_eq!(list["apiVersion"], "autoscaling/v1");
    assert_eq!(list["items"][0]["spec"]["targetCPUUtilizationPercentage"], 70);
}

#[tokio::test(start_paused = true)]
async fn every_served_kind_is_discovered() {
    let (_sandbox, client) = client();
    for (path, resource) in [
        ("/api/v1", "secrets"),
        ("/api/v1", "serviceaccounts"),
        ("/api/v1", "persistentvolumeclaims/status"),
        ("/apis/apps/v1", "daemonsets"),
        ("/apis/batch/v1", "jobs/status"),
        ("/apis/batch/v1", "cronjobs"),
        ("/apis/networking.k8s.io/v1", "ingresses"),
        ("/apis/networking.k8s.io/v1", "networkpolicies"),
        ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
        ("/apis/autoscaling/v1", "horizontalpodautoscalers"),
        ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
        ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    ] {
        let (_, list) = get(&client, path).await;
        let names: Vec<&Value> = list["resources"].as_array().unwrap().iter().map(|r| &r["name"]).collect();
        assert!(names.contains(&&json!(resource)), "{path}: {names:?}");
    }
    let (_, group) = get(&client, "/apis/autoscaling").await;
    assert_eq!(group["preferredVersion"]["version"], "v2");
}
