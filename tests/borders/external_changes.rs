//! The record of a write reflects what the server did, and no write hides an external change just before it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use rollout::driver::context::OnFailure;
use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use serde_json::{Value, json};

use crate::support::admission::Policy;
use crate::support::delayed_request::DelayedRequest;
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

/// The size is changed and changed back, so that the next run's write has no effect; then another user sets an image.
#[tokio::test(start_paused = true)]
async fn a_write_without_effect_does_not_hide_a_later_external_change() {
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

/// Another user sets an image while the write of a batch is in flight.
#[tokio::test(start_paused = true)]
async fn a_batch_does_not_overwrite_changes_since_it_was_planned() {
    // The first write claims the object.
    for batch in [1, 2] {
        case(&format!("batch {batch}"));
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 3).of("statefulset")]).await;
        let writes = AtomicUsize::new(0);
        let roll = DelayedRequest::new(move |request| {
            let is_write = request.method() == "PATCH" && request.uri().path().ends_with("/statefulsets/web");
            is_write && writes.fetch_add(1, Ordering::Relaxed) == batch
        });
        let manifest = request_for(&[web(2, 3).of("statefulset").batches(&["1", "2"])]);
        let mut first = process();
        // The change may have been made on purpose.
        first.limits.on_failure = OnFailure::Undo;
        let client = cluster.delayed_client(&first, roll.clone());
        let (run, ()) = tokio::join!(first.apply(client, &cluster.clock, &manifest), async {
            roll.reached().await;
            set_image(&cluster, "foreign:1").await;
            roll.release();
        });
        let kinds: Vec<FailureKind> = run.failures().iter().map(|failure| failure.kind).collect();
        assert_eq!(kinds, [FailureKind::ExternalChange], "{}", run.transcript());
        assert_eq!(image(&cluster), "foreign:1", "{}", run.transcript());
    }
}

/// Objects that pods of the source may need are kept while the run is held, even if other changes are applied.
#[tokio::test(start_paused = true)]
async fn a_held_run_keeps_the_objects_of_its_source() {
    let version = |version: u32, team| {
        let name = format!("settings-{version}");
        let storage = format!(
            "{{type: storage, properties: {{configMap: [{{name: {name}, mountPath: /etc/settings, data: {{a: b}}}}]}}}}"
        );
        web(version, 4).batches(&["1", "3"]).with_trait(storage).of_team(team)
    };
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[version(1, "blue")]).await;
    for team in ["blue", "green"] {
        let held = version(2, team).partition(0);
        cluster.run(&process(), &request_for(&[held])).await.succeeded();
        let maps = cluster.objects("ConfigMap");
        assert!(maps.iter().any(|map| map["metadata"]["name"] == "settings-1"), "{team}");
    }
    cluster.apply(&[version(2, "green")]).await;
    let maps = cluster.objects("ConfigMap");
    assert!(maps.iter().all(|map| map["metadata"]["name"] != "settings-1"));
}

/// A target whose component label is removed during the run is not reported as deleted.
#[tokio::test(start_paused = true)]
async fn a_target_without_its_label_is_reported_as_such() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 3)]).await;
    cluster.set_pod_rules(pod_rules::failing("web:2", "NeverReady"));
    let (process, manifest) = (process(), request_for(&[web(2, 3)]));
    let (run, ()) = tokio::join!(cluster.run(&process, &manifest), async {
        while !cluster.sizes().iter().any(|(name, size)| name == "web-v2" && *size > 0) {
            cluster.clock.pause(Duration::from_millis(100)).await;
        }
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
        let api: kube::Api<DynamicObject> = kube::Api::default_namespaced_with(cluster.client(), &resource);
        let without = json!({"metadata": {"labels": {"app.oam.dev/component": null}}});
        api.patch("web-v2", &PatchParams::default(), &Patch::Merge(without)).await.unwrap();
    });
    let failure = &run.failures()[0];
    assert_eq!(failure.kind, FailureKind::ExternalChange, "{failure:?}");
    assert!(failure.reason.contains("is not part of component `web`"), "{failure:?}");
    let restore = "`kubectl label deployment web-v2 app.oam.dev/component=web --overwrite`";
    assert!(failure.hints.iter().any(|hint| hint.contains(restore)), "{failure:?}");
    let again = cluster.run(&process, &manifest).await;
    let failure = &again.failures()[0];
    assert!(failure.hints.iter().any(|hint| hint.contains(restore)), "{failure:?}");
}

/// A size that admission lowers to the present one leaves the spec as it is, so each attempt begins with a stamp.
#[tokio::test(start_paused = true)]
async fn a_size_that_the_server_lowers_is_not_written_for_ever() {
    for kind in ["cloneset-service", "statefulset", "webservice"] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 2).of(kind)]).await;
        let client = Policy::CapSize(2).over(cluster.client());
        let process = process();
        let run = process.apply(client, &cluster.clock, &request_for(&[web(1, 4).of(kind)])).await;
        assert_eq!(run.failures()[0].kind, FailureKind::NotReady, "{}", run.transcript());
        let reason = &run.failures()[0].reason;
        assert!(reason.contains("has 2 replicas after 4 were written"), "{reason}");
    }
}

/// Another client gives the target all of its pods during the first batch.
#[tokio::test(start_paused = true)]
async fn batches_of_a_target_that_others_scale_up_are_ready_only_with_their_pods() {
    for released in [vec![], vec![web(1, 5)]] {
        let cluster = TestCluster::open(pod_rules::slow("web:2", "20s")).await;
        if !released.is_empty() {
            cluster.apply(&released).await;
        }
        let manifest = request_for(&[web(2, 5).batches(&["1", "2", "2"])]);
        let (process, scaler) = (process(), async {
            while !cluster.sizes().iter().any(|(name, size)| name == "web-v2" && *size == 1) {
                cluster.clock.pause(Duration::from_millis(100)).await;
            }
            let api: kube::Api<Deployment> = kube::Api::default_namespaced(cluster.client());
            let patch = Patch::Merge(json!({"spec": {"replicas": 5}}));
            api.patch("web-v2", &PatchParams::default(), &patch).await.unwrap();
        });
        let (run, ()) = tokio::join!(cluster.run(&process, &manifest), scaler);
        assert!(run.is_success(), "{}", run.transcript());
        let ready = run.events.iter().filter_map(|event| match &event.what {
            EventKind::BatchReady { progress } => Some((progress.batch, progress.upgraded, progress.ready)),
            _ => None,
        });
        let ready: Vec<_> = ready.collect();
        assert_eq!(ready.iter().map(|(batch, ..)| *batch).collect::<Vec<_>>(), [0, 1, 2]);
        let is_true = |(_, upgraded, ready): &(usize, u32, u32)| upgraded <= ready;
        assert!(ready.iter().all(is_true), "{ready:?}: {}", run.transcript());
    }
}
