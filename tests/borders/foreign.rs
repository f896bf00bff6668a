//! Workloads that carry the labels of a component and are somebody else's.

use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use serde_json::{Value, json};

use crate::common::case;
use crate::common::chance::Chance;
use crate::common::invariants::{self, FOREIGN};
use crate::common::manifest::web;
use crate::common::scenario::{Act, Story, process};
use crate::common::stage::Stage;
use crate::common::stories;

/// How many plants each story gets, one after the other.
const SEEDS: u64 = 12;

/// A workload of somebody else's, which may carry anything that a component's carries, but never all of it.
fn plant(chance: &mut Chance, index: u64) -> Value {
    let kind = *chance.pick(&["Deployment", "StatefulSet"]);
    let names = ["web-copy", "a-copy", "web-v1-canary", "web-blue"];
    let name = format!("{}-{index}", chance.pick(&names));
    let mut labels = json!({"app.oam.dev/component": "web"});
    for (key, values) in [
        ("app.oam.dev/name", ["shop", "other"]),
        ("app.oam.dev/resourceType", ["WORKLOAD", "TRAIT"]),
        ("app.oam.dev/revision", ["web-v1", "web-v2"]),
    ] {
        if !chance.one_in(3) {
            labels[key] = json!(chance.pick(&values));
        }
    }
    let mut annotations = json!({FOREIGN: "true"});
    if chance.one_in(2) {
        annotations["batch-rollout.dev/epoch"] = json!("1");
    }
    let mut pod_labels = json!({"app": name});
    if chance.one_in(4) {
        pod_labels["app.oam.dev/component"] = json!("web");
    }
    let mut spec = json!({
        "replicas": chance.below(3),
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
fn foreign(stage: &Stage) -> Vec<Value> {
    let planted = |object: &Value| object["metadata"]["annotations"][FOREIGN] == "true";
    let mut objects: Vec<Value> = stage.all_objects().into_iter().filter(planted).collect();
    for object in &mut objects {
        object["status"] = Value::Null;
        object["metadata"]["resourceVersion"] = Value::Null;
        object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = Value::Null;
        object["metadata"]["generation"] = Value::Null;
    }
    objects
}

/// Plants workloads of others beside a story and plays it.
async fn play(name: &str, story: &Story, seed: u64) {
    let mut chance = Chance(seed);
    let scene = story.open().await;
    let planted: Vec<Value> =
        (0..1 + u64::from(chance.below(3))).map(|index| plant(&mut chance, index)).collect();
    case(&format!("{name}, seed {seed}: {planted:#?}"));
    for object in &planted {
        scene.stage.create(object.clone()).await;
    }
    scene.stage.settle().await;
    let (before, from) = (foreign(&scene.stage), scene.stage.mark().await);
    let run = story.run(&scene, &process()).await;
    scene.stage.settle().await;
    invariants::check(&scene.stage.history(), from, &story.allowances());
    assert_eq!(foreign(&scene.stage), before, "what is somebody else's was changed");
    let is_selected = |object: &&Value| {
        object
            .pointer("/spec/template/metadata/labels/app.oam.dev~1component")
            .is_some_and(|name| name == "web")
    };
    if let Some(object) = planted.iter().find(is_selected) {
        assert!(run.writes().is_empty(), "{}", run.story());
        let is_named = |name: &Value| {
            run.failures().iter().any(|failure| {
                failure.kind == FailureKind::Refused && failure.reason.contains(name.as_str().unwrap())
            })
        };
        let names = planted.iter().filter(is_selected).map(|object| &object["metadata"]["name"]);
        assert!(names.into_iter().any(is_named), "{object}: {}", run.story());
        return;
    }
    assert!(run.is_well(), "{}", run.story());
    for object in &planted {
        let name = object["metadata"]["name"].as_str().unwrap();
        let warnings = run.events.iter().filter(
            |event| matches!(&event.what, EventKind::Warned { message } if message.contains(&format!("`{name}`"))),
        );
        assert_eq!(warnings.count(), 1, "`{name}` is named once: {}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn are_neither_scaled_nor_deleted_nor_counted_in_any_story() {
    for (name, story) in stories::ALL {
        for seed in 0..SEEDS {
            play(name, &story(), seed).await;
        }
    }
}

/// As `kubectl get -o yaml`, another name and `kubectl apply` make it.
#[tokio::test(start_paused = true)]
async fn a_copy_of_a_stateful_set_is_not_upgraded_in_its_place() {
    for (copy, is_selected) in [("a-copy", false), ("z-copy", false), ("a-copy", true)] {
        let story = Story {
            rules: "- {image: '*', readyAfter: 50ms}",
            before: vec![Act::Apply(vec![web(1, 3).of("statefulset")])],
            manifest: vec![web(2, 3).of("statefulset")],
        };
        let scene = story.open().await;
        let mut object = scene.stage.objects("StatefulSet")[0].clone();
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
        scene.stage.create(object).await;
        scene.stage.settle().await;
        let (before, from) = (foreign(&scene.stage), scene.stage.mark().await);
        let run = story.run(&scene, &process()).await;
        scene.stage.settle().await;
        invariants::check(&scene.stage.history(), from, &story.allowances());
        assert_eq!(foreign(&scene.stage), before);
        assert_eq!(run.is_well(), !is_selected, "{}", run.story());
        let images =
            scene.stage.objects("StatefulSet").into_iter().filter(|set| set["metadata"]["name"] == "web");
        let images: Vec<Value> =
            images.map(|set| set["spec"]["template"]["spec"]["containers"][0]["image"].clone()).collect();
        assert_eq!(images, [if is_selected { "web:1" } else { "web:2" }]);
    }
}

/// KubeVela labels every output of a component with it.
#[tokio::test(start_paused = true)]
async fn the_output_of_a_trait_survives_an_unchanged_apply_and_a_removal() {
    let story = Story { manifest: vec![web(1, 3)], ..stories::scale_in() };
    let scene = story.open().await;
    let labels = json!({
        "app.oam.dev/component": "web", "app.oam.dev/name": "shop", "app.oam.dev/resourceType": "TRAIT",
    });
    let own = json!({"app": "proxy"});
    scene
        .stage
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
    scene.stage.settle().await;
    let (before, from) = (foreign(&scene.stage), scene.stage.mark().await);
    for _ in 0..2 {
        let run = story.run(&scene, &process()).await;
        assert!(run.is_well(), "{}", run.story());
    }
    scene.stage.settle().await;
    invariants::check(&scene.stage.history(), from, &story.allowances());
    assert_eq!(foreign(&scene.stage), before);
}
