//! Workloads with the labels of a component that belong to others.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::command::Command;
use crate::support::foreign::foreign;
use crate::support::invariants;
use crate::support::manifest::{component, web};
use crate::support::pod_rules;
use crate::support::rules::world::FOREIGN;
use crate::support::scenario::{Act, Scenario, process};
use crate::support::scenarios::{self, scenario};
use crate::support::test_cluster::TestCluster;

/// A copy as made by `kubectl get -o yaml`, another name and `kubectl apply`.
#[tokio::test(start_paused = true)]
async fn a_copy_of_a_stateful_set_is_not_upgraded() {
    for (copy, is_selected) in [("a-copy", false), ("z-copy", false), ("a-copy", true)] {
        let scenario = scenario("upgrade", [Act::Apply(vec![web(1, 3)])], [web(2, 3)]).of("statefulset");
        let scene = scenario.open().await;
        let mut object = scene.cluster.objects("StatefulSet")[0].clone();
        object["metadata"] = json!({
            "name": copy,
            "labels": object["metadata"]["labels"],
            "annotations": object["metadata"]["annotations"],
        });
        object["metadata"]["annotations"][FOREIGN] = json!("true");
        object["status"] = Value::Null;
        if !is_selected {
            let own = json!({"app": copy});
            object["spec"]["selector"]["matchLabels"] = own.clone();
            object["spec"]["template"]["metadata"]["labels"] = own;
        }
        scene.cluster.create(object).await;
        scene.cluster.settle().await;
        let (before, from) = (foreign(&scene.cluster), scene.cluster.mark().await);
        let run = scenario.run(&scene, &process()).await;
        scene.cluster.settle().await;
        invariants::check(&scene.cluster.history(), from, &scenario.allowances());
        assert_eq!(foreign(&scene.cluster), before);
        assert_eq!(run.is_success(), !is_selected, "{}", run.transcript());
        let images =
            scene.cluster.objects("StatefulSet").into_iter().filter(|set| set["metadata"]["name"] == "web");
        let images: Vec<Value> =
            images.map(|set| set["spec"]["template"]["spec"]["containers"][0]["image"].clone()).collect();
        assert_eq!(images, [if is_selected { "web:1" } else { "web:2" }]);
    }
}

/// KubeVela sets the component's label on every output.
#[tokio::test(start_paused = true)]
async fn the_output_of_a_trait_survives_an_unchanged_apply_and_a_removal() {
    let scenario = Scenario { manifest: vec![web(1, 3)], ..scenarios::named("scale_in") };
    let scene = scenario.open().await;
    let labels = json!({
        "app.oam.dev/component": "web", "app.oam.dev/name": "shop", "app.oam.dev/resourceType": "TRAIT",
    });
    let own = json!({"app": "proxy"});
    scene
        .cluster
        .create(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web-proxy", "labels": labels, "annotations": {FOREIGN: "true"}},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": own},
                "template": {
                    "metadata": {"labels": own},
                    "spec": {"containers": [{"name": "main", "image": "proxy:1"}]},
                },
            },
        }))
        .await;
    scene.cluster.settle().await;
    let (before, from) = (foreign(&scene.cluster), scene.cluster.mark().await);
    for _ in 0..2 {
        scenario.run(&scene, &process()).await.succeeded();
    }
    scene.cluster.settle().await;
    invariants::check(&scene.cluster.history(), from, &scenario.allowances());
    assert_eq!(foreign(&scene.cluster), before);
}

/// Objects with the labels and names of a component, but without the stamp, were created by others, such as a `kubectl
/// apply` of KubeVela's output.
#[tokio::test(start_paused = true)]
async fn a_removal_keeps_objects_without_the_stamp() {
    let plain = component("api", 1, 1).plain().storing("1");
    for command in [Command::Delete, Command::DeleteComponent] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 2), plain.clone()]).await;
        cluster.apply(&[web(2, 2), plain.clone()]).await;
        let metadata = |name: &str, component: &str| {
            json!({
                "name": name,
                "labels": {
                    "app.oam.dev/component": component, "app.oam.dev/name": "shop",
                    "app.oam.dev/resourceType": "WORKLOAD",
                },
                "annotations": {FOREIGN: "true"},
            })
        };
        let own = json!({"app": "copy"});
        // The revision `web-v1` is recorded, but its Deployment no longer exists.
        cluster
            .create(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("web-v1", "web"),
                "spec": {
                    "replicas": 1, "selector": {"matchLabels": own},
                    "template": {
                        "metadata": {"labels": own},
                        "spec": {"containers": [{"name": "main", "image": "copy:1"}]},
                    },
                },
            }))
            .await;
        cluster
            .create(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": metadata("web", "web"),
                "spec": {"selector": own, "ports": [{"port": 80}]},
            }))
            .await;
        let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
        maps.delete("api-settings", &DeleteParams::default()).await.unwrap();
        cluster
            .create(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("api-settings", "api"),
                "data": {"level": "9"},
            }))
            .await;
        cluster.settle().await;
        let before = foreign(&cluster);
        assert!(before.len() >= 3, "{before:#?}");
        command.run(&cluster, &process()).await.succeeded();
        cluster.settle().await;
        assert_eq!(foreign(&cluster), before, "{command:?}");
        assert!(cluster.record("web").is_none());
    }
}
