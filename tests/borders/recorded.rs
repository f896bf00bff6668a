//! What is recorded of a write is what the server did.

use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::common::case;
use crate::common::manifest::{request_for, web};
use crate::common::scenario::{dying_at, process};
use crate::common::stage::Stage;

async fn patch(stage: &Stage, patch: Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "StatefulSet"));
    let api: kube::Api<DynamicObject> = kube::Api::default_namespaced_with(stage.client(), &resource);
    api.patch("web", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
}

async fn set_image(stage: &Stage, image: &str) {
    let containers = json!([{"name": "web", "image": image}]);
    patch(stage, json!({"spec": {"template": {"spec": {"containers": containers}}}})).await;
}

fn image(stage: &Stage) -> Value {
    stage.objects("StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

/// Somebody changes the size there and back, so that the next run writes what the object has; then somebody sets an image.
#[tokio::test(start_paused = true)]
async fn a_write_that_changes_nothing_covers_no_later_change_of_others() {
    let manifest = request_for(&[web(1, 3).of("statefulset")]);
    let repaired = {
        let stage = Stage::open("- {image: '*', readyAfter: 50ms}").await;
        assert!(stage.run(&process(), &manifest).await.is_well());
        for size in [4, 3] {
            patch(&stage, json!({"spec": {"replicas": size}})).await;
        }
        stage.settle().await;
        let run = stage.run(&process(), &manifest).await;
        assert!(run.is_well(), "{}", run.story());
        run.requests.len()
    };
    for index in (0..=repaired).rev() {
        case(&format!("death at request {index}"));
        let stage = Stage::open("- {image: '*', readyAfter: 50ms}").await;
        assert!(stage.run(&process(), &manifest).await.is_well());
        for size in [4, 3] {
            patch(&stage, json!({"spec": {"replicas": size}})).await;
        }
        stage.settle().await;
        stage.run(&dying_at(index, || crate::common::fault::Fate::DeathAfter), &manifest).await;
        let run = stage.run(&process(), &manifest).await;
        assert!(run.is_well(), "{}", run.story());
        set_image(&stage, "foreign:1").await;
        stage.settle().await;
        let run = stage.run(&process(), &manifest).await;
        assert!(run.is_well(), "{}", run.story());
        assert_eq!(image(&stage), "web:1", "{}", run.story());
    }
}
