//! Workloads that carry the labels of a component and belong to somebody else.

use serde_json::{Value, json};

use crate::support::foreign::foreign;
use crate::support::invariants::{self, FOREIGN};
use crate::support::manifest::web;
use crate::support::scenario::{Act, Scenario, process};
use crate::support::scenarios::{self, scenario};

/// As `kubectl get -o yaml`, another name and `kubectl apply` make it.
#[tokio::test(start_paused = true)]
async fn a_copy_of_a_stateful_set_is_not_upgraded_in_its_place() {
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

/// KubeVela labels every output of a component with it.
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
