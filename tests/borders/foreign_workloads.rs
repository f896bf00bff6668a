//! Workloads that carry the labels of a component and are somebody else's.

use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use serde_json::{Value, json};

use crate::support::case;
use crate::support::invariants::{self, FOREIGN};
use crate::support::manifest::web;
use crate::support::random::Rng;
use crate::support::scenario::{Act, Scenario, process};
use crate::support::scenarios;
use crate::support::test_cluster::TestCluster;

/// How many plants each story gets, one after the other.
const SEEDS: u64 = 12;

/// A workload of somebody else's, which may carry anything that a component's carries, but never all of it.
fn plant(rng: &mut Rng, index: u64) -> Value {
    let kind = *rng.pick(&["Deployment", "StatefulSet"]);
    let names = ["web-copy", "a-copy", "web-v1-canary", "web-blue"];
    let name = format!("{}-{index}", rng.pick(&names));
    let mut labels = json!({"app.oam.dev/component": "web"});
    for (key, values) in [
        ("app.oam.dev/name", ["shop", "other"]),
        ("app.oam.dev/resourceType", ["WORKLOAD", "TRAIT"]),
        ("app.oam.dev/revision", ["web-v1", "web-v2"]),
    ] {
        if !rng.one_in(3) {
            labels[key] = json!(rng.pick(&values));
        }
    }
    let mut annotations = json!({FOREIGN: "true"});
    if rng.one_in(2) {
        annotations["batch-rollout.dev/epoch"] = json!("1");
    }
    let mut pod_labels = json!({"app": name});
    if rng.one_in(4) {
        pod_labels["app.oam.dev/component"] = json!("web");
    }
    let mut spec = json!({
        "replicas": rng.below(3),
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": pod_labels},
            "spec": {"containers": [{"name": "main", "image": "foreign:1"}]},
        },
    });
    if kind == "StatefulSet" {
        spec["serviceName"] = json!("foreign");
    }
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// What is somebody else's, without what controllers write.
fn foreign(cluster: &TestCluster) -> Vec<Value> {
    let planted = |object: &Value| object["metadata"]["annotations"][FOREIGN] == "true";
    let mut objects: Vec<Value> = cluster.all_objects().into_iter().filter(planted).collect();
    for object in &mut objects {
        object["status"] = Value::Null;
        object["metadata"]["resourceVersion"] = Value::Null;
        object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = Value::Null;
        object["metadata"]["generation"] = Value::Null;
    }
    objects
}

/// Plants workloads of others beside a story and plays it.
async fn play(name: &str, scenario: &Scenario, seed: u64) {
    let mut rng = Rng(seed);
    let scene = scenario.open().await;
    let planted: Vec<Value> = (0..1 + u64::from(rng.below(3))).map(|index| plant(&mut rng, index)).collect();
    case(&format!("{name}, seed {seed}: {planted:#?}"));
    for object in &planted {
        scene.cluster.create(object.clone()).await;
    }
    scene.cluster.settle().await;
    let (before, from) = (foreign(&scene.cluster), scene.cluster.mark().await);
    let run = scenario.run(&scene, &process()).await;
    scene.cluster.settle().await;
    invariants::check(&scene.cluster.history(), from, &scenario.allowances());
    assert_eq!(foreign(&scene.cluster), before, "what is somebody else's was changed");
    let is_selected = |object: &&Value| {
        object
            .pointer("/spec/template/metadata/labels/app.oam.dev~1component")
            .is_some_and(|name| name == "web")
    };
    if let Some(object) = planted.iter().find(is_selected) {
        assert!(run.writes().is_empty(), "{}", run.transcript());
        let is_named = |name: &Value| {
            run.failures().iter().any(|failure| {
                failure.kind == FailureKind::Refused && failure.reason.contains(name.as_str().unwrap())
            })
        };
        let names = planted.iter().filter(is_selected).map(|object| &object["metadata"]["name"]);
        assert!(names.into_iter().any(is_named), "{object}: {}", run.transcript());
        return;
    }
    assert!(run.is_success(), "{}", run.transcript());
    for object in &planted {
        let name = object["metadata"]["name"].as_str().unwrap();
        let warnings = run.events.iter().filter(
            |event| matches!(&event.what, EventKind::Warned { message } if message.contains(&format!("`{name}`"))),
        );
        assert_eq!(warnings.count(), 1, "`{name}` is named once: {}", run.transcript());
    }
}

#[tokio::test(start_paused = true)]
async fn are_neither_scaled_nor_deleted_nor_counted_in_any_story() {
    for (name, scenario) in scenarios::ALL {
        for seed in 0..SEEDS {
            play(name, &scenario(), seed).await;
        }
    }
}

/// As `kubectl get -o yaml`, another name and `kubectl apply` make it.
#[tokio::test(start_paused = true)]
async fn a_copy_of_a_stateful_set_is_not_upgraded_in_its_place() {
    for (copy, is_selected) in [("a-copy", false), ("z-copy", false), ("a-copy", true)] {
        let scenario = Scenario {
            rules: "- {image: '*', readyAfter: 50ms}",
            before: vec![Act::Apply(vec![web(1, 3).of("statefulset")])],
            manifest: vec![web(2, 3).of("statefulset")],
        };
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
    let scenario = Scenario { manifest: vec![web(1, 3)], ..scenarios::scale_in() };
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
        let run = scenario.run(&scene, &process()).await;
        assert!(run.is_success(), "{}", run.transcript());
    }
    scene.cluster.settle().await;
    invariants::check(&scene.cluster.history(), from, &scenario.allowances());
    assert_eq!(foreign(&scene.cluster), before);
}
