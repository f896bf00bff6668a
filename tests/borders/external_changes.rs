//! What is recorded of a write is what the server did.

use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::support::manifest::{request_for, web};
use crate::support::pod_rules;
use crate::support::scenario::{dying_at, process};
use crate::support::test_cluster::TestCluster;
use crate::support::trial::case;

async fn patch(cluster: &TestCluster, patch: Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "StatefulSet"));
    let api: kube::Api<DynamicObject> = kube::Api::default_namespaced_with(cluster.client(), &resource);
    api.patch("web", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
}

async fn set_image(cluster: &TestCluster, image: &str) {
    let containers = json!([{"name": "web", "image": image}]);
    patch(cluster, json!({"spec": {"template": {"spec": {"containers": containers}}}})).await;
}

fn image(cluster: &TestCluster) -> Value {
    cluster.objects("StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

/// Somebody changes the size there and back, so that the next run writes what the object has; then somebody sets an image.
#[tokio::test(start_paused = true)]
async fn a_write_that_changes_nothing_covers_no_later_change_of_others() {
    let manifest = request_for(&[web(1, 3).of("statefulset")]);
    let repaired = {
        let cluster = TestCluster::open(pod_rules::READY).await;
        assert!(cluster.run(&process(), &manifest).await.is_success());
        for size in [4, 3] {
            patch(&cluster, json!({"spec": {"replicas": size}})).await;
        }
        cluster.settle().await;
        let run = cluster.run(&process(), &manifest).await.succeeded();
        run.requests.len()
    };
    for index in (0..=repaired).rev() {
        case(&format!("death at request {index}"));
        let cluster = TestCluster::open(pod_rules::READY).await;
        assert!(cluster.run(&process(), &manifest).await.is_success());
        for size in [4, 3] {
            patch(&cluster, json!({"spec": {"replicas": size}})).await;
        }
        cluster.settle().await;
        cluster.run(&dying_at(index, || crate::support::fault::Fate::DeathAfter), &manifest).await;
        cluster.run(&process(), &manifest).await.succeeded();
        set_image(&cluster, "foreign:1").await;
        cluster.settle().await;
        let run = cluster.run(&process(), &manifest).await.succeeded();
        assert_eq!(image(&cluster), "web:1", "{}", run.transcript());
    }
}
