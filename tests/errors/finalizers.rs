//! A removal that a finalizer blocks reports it, ends in time, and completes when it is rerun.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::Api;
use kube::api::{Patch, PatchParams};
use rollout::driver::outcome::FailureKind;
use rollout::ops::delete::{self, DeleteEvent, DeleteExtent, Scope, inventory};
use rollout::report::event::EventKind;
use rollout::sandbox::fault::Verb;
use serde_json::json;

use crate::support::manifest::{NAMESPACE, request_for, request_for_entries, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::{BYSTANDER, TestCluster};

async fn finalize(cluster: &TestCluster, finalizers: &[&str]) {
    let api: Api<Service> = Api::default_namespaced(cluster.client());
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    api.patch("web", &PatchParams::default(), &patch).await.unwrap();
}

/// Removes the application; returns the reports and the failure.
async fn remove(cluster: &TestCluster) -> (Run, Vec<String>, Option<String>) {
    let (mut said, mut failed) = (Vec::new(), None);
    let process = Process::new(IDENTITY);
    let run = cluster
        .perform(&process, async |context| {
            let (namespace, application) = (NAMESPACE.to_owned(), "shop".to_owned());
            let scope = Scope { namespace, application, component: None };
            let inventory = inventory::take(&context.session, &scope).await.unwrap();
            let say = |one: DeleteEvent<'_>| match one {
                DeleteEvent::Waiting(_) | DeleteEvent::Superseding(_) | DeleteEvent::Warned(..) => {}
                DeleteEvent::Removed(owned) => said.push(format!("{owned} deleted")),
                DeleteEvent::Awaited(owned, finalizers) => {
                    said.push(format!("{owned} awaits {finalizers:?}"));
                }
            };
            let removal = delete::delete(context, &inventory, DeleteExtent::Scope, say);
            if let Err(failure) = removal.await {
                assert_eq!(failure.kind, FailureKind::NotReady, "{failure:?}");
                failed = Some(failure.reason);
            }
            Vec::new()
        })
        .await;
    (run, said, failed)
}

#[tokio::test(start_paused = true)]
async fn an_object_with_a_finalizer_is_named_and_awaited_for_a_minute() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.run(&Process::new(IDENTITY), &request_for(&[web(1, 2).exposing(80)])).await;
    finalize(&cluster, &["example.com/balancer"]).await;
    let begun = cluster.clock.elapsed();
    let (run, said, failed) = remove(&cluster).await;
    let reason = "not deleted after 60s: `service/web`, for `example.com/balancer`";
    assert_eq!(failed.as_deref(), Some(reason));
    let lasted = (cluster.clock.elapsed() - begun).unsigned_abs();
    assert!(lasted < Duration::from_secs(65), "it took {lasted:?}");
    assert_eq!(
        said,
        [
            "deployment.apps/web-v1 deleted",
            "controllerrevision.apps/web-v1 deleted",
            "service/web awaits [\"example.com/balancer\"]",
        ]
    );
    let deletes =
        run.requests.iter().filter(|one| one.seen.verb == Verb::Delete && one.seen.kind == "services");
    assert_eq!(deletes.count(), 1, "{}", run.transcript());
    assert!(cluster.record("web").is_some(), "what is there is still known");
    finalize(&cluster, &[]).await;
    let (_, said, failed) = remove(&cluster).await;
    assert_eq!((said, failed), (vec!["configmap/rollout-web deleted".to_owned()], None));
    let left: Vec<_> =
        cluster.objects("Service").into_iter().map(|one| one["metadata"]["name"].clone()).collect();
    assert_eq!(left, [BYSTANDER]);
}

/// A run does not wait for an object that a finalizer holds, and does not report it as deleted.
#[tokio::test(start_paused = true)]
async fn a_drained_source_that_a_finalizer_holds_is_not_reported_as_deleted() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2).exposing(80)]).await;
    finalize(&cluster, &["example.com/balancer"]).await;
    let api: Api<Deployment> = Api::default_namespaced(cluster.client());
    let patch = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/audit"]}}));
    api.patch("web-v1", &PatchParams::default(), &patch).await.unwrap();
    let run = cluster.apply(&[web(2, 2)]).await;
    let warnings: Vec<&String> = run
        .events
        .iter()
        .filter_map(|event| match &event.what {
            EventKind::Warned { message } => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(
        warnings,
        [
            "deployment `web-v1` is being deleted, blocked by its finalizers: example.com/audit",
            "service `web` is being deleted, blocked by its finalizers: example.com/balancer",
        ],
        "{}",
        run.transcript()
    );
    let is_deleted = |what: &EventKind| {
        matches!(what, EventKind::WorkloadDeleted { .. } | EventKind::ServiceRemoved { .. })
    };
    assert!(!run.events.iter().any(|event| is_deleted(&event.what)), "{}", run.transcript());
}

/// Nothing fails while a finalizer holds an object that a policy recreates.
#[tokio::test(start_paused = true)]
async fn a_run_waits_for_the_finalizers_of_an_object_that_it_recreates() {
    let settings = |value: &str| {
        let object = format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{key: {value}}}}}"
        );
        let rule = "{selector: {resourceTypes: [ConfigMap]}, strategy: {recreateFields: [data.key]}}";
        request_for_entries(&[&format!(
            "{{name: conf, type: k8s-objects, properties: {{objects: [{object}]}}}}\n  policies: [{{name: again, \
             type: resource-update, properties: {{rules: [{rule}]}}}}]"
        )])
    };
    let cluster = TestCluster::open(pod_rules::READY).await;
    let process = Process::new(IDENTITY);
    cluster.run(&process, &settings("one")).await.succeeded();
    let api: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    let finalizers = async |names: &[&str]| {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": names}}));
        api.patch("settings", &PatchParams::default(), &patch).await.unwrap();
    };
    finalizers(&["example.com/keep"]).await;
    let changed = settings("two");
    let (run, ()) = tokio::join!(cluster.run(&process, &changed), async {
        cluster.clock.pause(Duration::from_secs(60)).await;
        finalizers(&[]).await;
    });
    let run = run.succeeded();
    let waits = run.events.iter().filter_map(|event| match &event.what {
        EventKind::Waiting { on, .. } => Some(on.as_str()),
        EventKind::Retrying { error, .. } => panic!("{error}: {}", run.transcript()),
        _ => None,
    });
    let expected = "`configmap/settings`: being deleted, blocked by its finalizers: example.com/keep";
    assert!(waits.into_iter().any(|on| on == expected), "{}", run.transcript());
    assert_eq!(api.get("settings").await.unwrap().data.unwrap()["key"], "two");
}
