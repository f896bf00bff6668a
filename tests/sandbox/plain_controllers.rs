//! The controllers of other kinds: DaemonSets, claims and load balancers.

use crate::fixture::*;
use serde_json::{Value, json};

const DAEMONS: &str = "/apis/apps/v1/namespaces/default/daemonsets";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const SERVICES: &str = "/api/v1/namespaces/default/services";

fn daemon(name: &str, image: &str) -> Value {
    let mut body = deployment(name, image, 0);
    body["spec"].as_object_mut().unwrap().remove("replicas");
    body
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_has_a_pod_on_the_node() {
    let (_sandbox, client) = client();
    let made = made(&client, DAEMONS, &daemon("agent", "web:1")).await;
    assert_eq!(made["metadata"]["annotations"]["deprecated.daemonset.template.generation"], "1");
    pass(500).await;
    let (_, set) = get(&client, &format!("{DAEMONS}/agent")).await;
    let expected = json!({
        "currentNumberScheduled": 1,
        "desiredNumberScheduled": 1,
        "numberAvailable": 1,
        "numberMisscheduled": 0,
        "numberReady": 1,
        "observedGeneration": 1,
        "updatedNumberScheduled": 1,
    });
    assert_eq!(set["status"], expected);
}

#[tokio::test(start_paused = true)]
async fn a_new_template_replaces_the_pod_of_a_daemon_set() {
    let sandbox = sandbox("- {image: 'web:2', fail: NeverReady}\n- {image: '*', readyAfter: 20ms}");
    let client = sandbox.client("default");
    made(&client, DAEMONS, &daemon("agent", "web:1")).await;
    pass(500).await;
    let path = format!("{DAEMONS}/agent");
    let images = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}});
    let (_, changed) = patch(&client, &path, STRATEGIC_PATCH, &images("web:2")).await;
    assert_eq!(changed["metadata"]["annotations"]["deprecated.daemonset.template.generation"], "2");
    pass(2_000).await;
    let (_, set) = get(&client, &path).await;
    assert_eq!((&set["status"]["numberUnavailable"], &set["status"]["numberReady"]), (&json!(1), &json!(0)));
    assert_eq!(set["status"]["updatedNumberScheduled"], 1);
    patch(&client, &path, STRATEGIC_PATCH, &images("web:3")).await;
    pass(2_000).await;
    let (_, set) = get(&client, &path).await;
    assert_eq!(
        (&set["status"]["numberAvailable"], &set["status"]["observedGeneration"]),
        (&json!(1), &json!(3))
    );
    let (_, pods) = get(&client, PODS).await;
    assert_eq!(pods["items"].as_array().unwrap().len(), 1);
    assert_eq!(pods["items"][0]["spec"]["containers"][0]["image"], "web:3");
}

#[tokio::test(start_paused = true)]
async fn claims_are_bound_and_kept_while_a_pod_uses_them() {
    let (_sandbox, client) = client();
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    made(&client, CLAIMS, &json!({"metadata": {"name": "disk"}, "spec": spec})).await;
    pass(100).await;
    let (_, bound) = get(&client, &format!("{CLAIMS}/disk")).await;
    assert_eq!(
        (&bound["status"]["phase"], &bound["status"]["capacity"]["storage"]),
        (&json!("Bound"), &json!("1Gi"))
    );
    let pod = json!({
        "metadata": {"name": "user"},
        "spec": {
            "containers": [{"name": "c", "image": "web:1"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "disk"}}],
        },
    });
    made(&client, PODS, &pod).await;
    pass(100).await;
    delete(&client, &format!("{CLAIMS}/disk"), &Value::Null).await;
    pass(100).await;
    assert_eq!(get(&client, &format!("{CLAIMS}/disk")).await.0, 200);
    delete(&client, &format!("{PODS}/user"), &json!({"gracePeriodSeconds": 0})).await;
    pass(100).await;
    assert_eq!(get(&client, &format!("{CLAIMS}/disk")).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_gets_an_address_according_to_the_rules() {
    let sandbox =
        sandbox("- {image: 'service/never', fail: NeverReady}\n- {image: 'service/*', readyAfter: 5s}");
    let client = sandbox.client("default");
    for name in ["never", "later"] {
        let spec = json!({"type": "LoadBalancer", "ports": [{"port": 80}]});
        made(&client, SERVICES, &json!({"metadata": {"name": name}, "spec": spec})).await;
    }
    let client = &client;
    let address = |name: &'static str| async move {
        let (_, service) = get(client, &format!("{SERVICES}/{name}")).await;
        service["status"]["loadBalancer"]["ingress"][0]["ip"].clone()
    };
    pass(3_000).await;
    assert_eq!(address("later").await, Value::Null);
    pass(3_000).await;
    assert!(address("later").await.is_string());
    pass(600_000).await;
    assert_eq!(address("never").await, Value::Null);
    patch(client, &format!("{SERVICES}/later"), MERGE_PATCH, &json!({"spec": {"type": "ClusterIP"}})).await;
    pass(100).await;
    assert_eq!(address("later").await, Value::Null);
}
