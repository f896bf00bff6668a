//! Lost records: their content is lost, but not the marks on the objects. And records whose revision was never created.

use kube::api::{DeleteParams, Patch, PatchParams};
use rollout::driver::context::Context;
use rollout::driver::outcome::{Failure, FailureKind};
use rollout::ops::component::ComponentSelector;
use rollout::ops::{history, status};
use rollout::report::event::EventKind;
use serde_json::{Value, json};

use crate::support::command::Command;
use crate::support::delayed_request::DelayedRequest;
use crate::support::fault::Fate;
use crate::support::manifest::{NAMESPACE, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::scenario::{dying_at_effect, process};
use crate::support::test_cluster::{BYSTANDER, TestCluster};

/// Deletes an object as another client.
async fn delete<K>(cluster: &TestCluster, name: &str)
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let api: kube::Api<K> = kube::Api::default_namespaced(cluster.client());
    api.delete(name, &DeleteParams::default()).await.unwrap();
    cluster.settle().await;
}

type ConfigMap = k8s_openapi::api::core::v1::ConfigMap;
type ControllerRevision = k8s_openapi::api::apps::v1::ControllerRevision;
type Deployment = k8s_openapi::api::apps::v1::Deployment;

/// A Service keeps the stamp of the last claim, and the next claim has a higher epoch.
#[tokio::test(start_paused = true)]
async fn a_claim_is_above_the_stamps_of_services() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    for version in 1..=3 {
        cluster.apply(&[web(version, 2).exposing(80)]).await;
    }
    delete::<Deployment>(&cluster, "web-v3").await;
    delete::<ConfigMap>(&cluster, "rollout-web").await;
    cluster.apply(&[web(4, 2).exposing(80)]).await;
    assert_eq!(cluster.sizes(), [("web-v4".to_owned(), 2)]);
}

/// A workload that was applied as a whole is named after its component; without a record, its revision shows this.
#[tokio::test(start_paused = true)]
async fn a_component_that_was_applied_as_a_whole_is_rolled_out_in_batches() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2).plain()]).await;
    delete::<ConfigMap>(&cluster, "rollout-web").await;
    cluster.apply(&[web(2, 2).revision("web-blue").batches(&["50%", "50%"])]).await;
    assert_eq!(cluster.sizes(), [("web-blue".to_owned(), 2)]);
}

/// Only a record shows the revision of such a Deployment.
#[tokio::test(start_paused = true)]
async fn the_service_keeps_the_ports_of_objects_applied_as_a_whole() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2).exposing(80).plain()]).await;
    delete::<ConfigMap>(&cluster, "rollout-web").await;
    let blue = || web(2, 2).revision("web-blue").exposing(81).batches(&["50%", "50%"]);
    // The pods of the other revision lack the port, so it is offered by name.
    let ports = || {
        let services = cluster.objects("Service");
        let service = services.iter().find(|service| service["metadata"]["name"] == "web").unwrap();
        let ports = service["spec"]["ports"].as_array().unwrap().iter();
        let mut ports: Vec<String> =
            ports.map(|port| format!("{} {}", port["port"], port["targetPort"])).collect();
        ports.sort();
        ports
    };
    cluster.apply(&[blue().partition(0)]).await;
    assert_eq!(ports(), [r#"80 "port-80""#, r#"81 "port-81""#]);
    cluster.apply(&[blue()]).await;
    assert_eq!(ports(), [r#"81 "port-81""#]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_includes_objects_applied_as_a_whole() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let db = || component("db", 1, 1);
    cluster.apply(&[web(1, 2).exposing(80).storing("1").plain(), db()]).await;
    delete::<ConfigMap>(&cluster, "rollout-web").await;
    let removed = Command::Delete.run(&cluster, &process()).await;
    assert!(removed.is_success(), "{}", removed.transcript());
    cluster.settle().await;
    let is_left =
        |kind: &str| cluster.objects(kind).iter().any(|object| object["metadata"]["name"] != BYSTANDER);
    let left: Vec<&str> = ["Deployment", "Service", "ConfigMap", "ControllerRevision"]
        .into_iter()
        .filter(|kind| is_left(kind))
        .collect();
    assert!(left.is_empty(), "{left:?} are left");
}

/// The revisions show the kind of the workload.
#[tokio::test(start_paused = true)]
async fn a_deletion_includes_a_workload_of_another_kind() {
    for kind in ["cloneset-service", "statefulset"] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 2).of(kind), component("db", 1, 1)]).await;
        delete::<ConfigMap>(&cluster, "rollout-web").await;
        let removed = Command::Delete.run(&cluster, &process()).await;
        assert!(removed.is_success(), "{}", removed.transcript());
        let left = ["CloneSet", "StatefulSet"].map(|kind| cluster.objects(kind).len());
        assert_eq!((left, cluster.sizes().len()), ([0, 0], 0), "{kind}");
    }
}

/// The running workload is not treated as foreign.
#[tokio::test(start_paused = true)]
async fn a_workload_of_a_lost_revision_is_kept_until_the_revision_is_recorded_again() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(7, 2)]).await;
    delete::<ControllerRevision>(&cluster, "web-v7").await;
    delete::<ConfigMap>(&cluster, "rollout-web").await;
    let run = cluster.run(&process(), &request_for(&[web(8, 2)])).await;
    let failure = run.failures()[0];
    assert_eq!(failure.kind, FailureKind::Refused, "{}", run.transcript());
    assert!(failure.hints[0].contains("with `externalRevision: web-v7`"), "{failure:?}");
    cluster.apply(&[web(7, 2)]).await;
    cluster.apply(&[web(8, 2)]).await;
    assert_eq!(cluster.sizes(), [("web-v8".to_owned(), 2)]);
}

/// The name of a lost revision is not given to other content, because the running workload would be mistaken for it.
#[tokio::test(start_paused = true)]
async fn a_new_revision_does_not_reuse_the_name_of_a_lost_one() {
    for kind in ["webservice", "cloneset-service", "statefulset"] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        let version = |version| web(version, 2).of(kind).unnamed();
        cluster.apply(&[version(1)]).await;
        delete::<ControllerRevision>(&cluster, "web-v1").await;
        delete::<ConfigMap>(&cluster, "rollout-web").await;
        cluster.apply(&[version(2)]).await;
        let pods = cluster.objects("Pod");
        let images: Vec<&Value> = pods
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["app.oam.dev/component"] == "web")
            .map(|pod| &pod["spec"]["containers"][0]["image"])
            .collect();
        assert_eq!(images, ["web:2", "web:2"], "{kind}");
        assert_eq!(cluster.record("web").unwrap()["run"]["spec"]["target"], "web-v2", "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_revision_is_recorded_again() {
    for kind in ["webservice", "cloneset-service", "statefulset"] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        let web = || web(1, 2).of(kind).variables(["A", "B"]).unnamed();
        cluster.apply(&[web()]).await;
        delete::<ControllerRevision>(&cluster, "web-v1").await;
        delete::<ConfigMap>(&cluster, "rollout-web").await;
        let pods =
            || cluster.objects("Pod").iter().map(|pod| pod["metadata"]["uid"].clone()).collect::<Vec<_>>();
        let before = pods();
        cluster.apply(&[web()]).await;
        assert_eq!(pods(), before, "{kind}");
        assert_eq!(cluster.record("web").unwrap()["run"]["spec"]["target"], "web-v1", "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_lost_revision_is_rejected_for_other_content() {
    for kind in ["webservice", "cloneset-service"] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 2).of(kind)]).await;
        delete::<ControllerRevision>(&cluster, "web-v1").await;
        let before = cluster.changes_by_clients();
        let other = web(1, 2).of(kind).image("web:2");
        let run = cluster.run(&process(), &request_for(&[other])).await;
        let failure = run.failures()[0];
        assert_eq!(failure.kind, FailureKind::Refused, "{}", run.transcript());
        assert!(failure.reason.starts_with("controller revision `web-v1`, which "), "{failure:?}");
        assert_eq!(cluster.changes_by_clients(), before);
    }
}

/// A queued command about the recorded run finds the component deleted.
#[tokio::test(start_paused = true)]
async fn a_promotion_does_not_recreate_a_deleted_component() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2)]).await;
    cluster.apply(&[web(2, 2).batches(&["50%", "50%"]).partition(0)]).await;
    let promoter = Process::new("promoter");
    let lease = DelayedRequest::new(|request| request.uri().path().contains("/leases"));
    let client = cluster.delayed_client(&promoter, lease.clone());
    let promote = async |context: &_| Command::PromoteFull.perform_all(context).await;
    let deletion = async {
        lease.reached().await;
        assert!(Command::Delete.run(&cluster, &process()).await.is_success());
        lease.release();
    };
    let (promoted, ()) = tokio::join!(promoter.perform(client, &cluster.clock, promote), deletion);
    assert!(cluster.sizes().is_empty(), "{}", promoted.transcript());
    assert!(cluster.record("web").is_none(), "{}", promoted.transcript());
    let kinds: Vec<FailureKind> = promoted.failures().iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [FailureKind::NotReady], "{}", promoted.transcript());
    // An apply specifies the desired state.
    cluster.run(&process(), &request_for(&[web(1, 1)])).await.succeeded();
}

/// Such a run cannot be resumed, and while it is paused, no manifest can be applied.
#[tokio::test(start_paused = true)]
async fn the_pause_of_a_run_that_never_recorded_its_revision_ends() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let dead = dying_at_effect(1, || Fate::DeathBefore);
    let run = cluster.run(&dead, &request_for(&[web(1, 2)])).await;
    assert!(run.ends.is_none() && cluster.objects("ControllerRevision").is_empty(), "{}", run.transcript());
    assert!(Command::Pause.run(&cluster, &process()).await.is_success());
    let resumed = Command::Resume.run(&cluster, &process()).await;
    assert_eq!(resumed.failures()[0].reason, "revision `web-v1` is not recorded", "{}", resumed.transcript());
    cluster.apply(&[web(1, 2)]).await;
}

/// The deletion has the observed version as a precondition; records are kept until the workload no longer exists.
#[tokio::test(start_paused = true)]
async fn a_workload_edited_during_a_deletion_is_deleted_as_well() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2)]).await;
    let remover = process();
    let deletion = DelayedRequest::new(|request| {
        request.method() == http::Method::DELETE && request.uri().path().contains("/deployments/")
    });
    let client = cluster.delayed_client(&remover, deletion.clone());
    let delete = async |context: &_| Command::Delete.perform_all(context).await;
    let edit = async {
        deletion.reached().await;
        let api: kube::Api<Deployment> = kube::Api::default_namespaced(cluster.client());
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"edited": "yes"}}}));
        api.patch("web-v1", &PatchParams::default(), &patch).await.unwrap();
        deletion.release();
    };
    let (removed, ()) = tokio::join!(remover.perform(client, &cluster.clock, delete), edit);
    assert!(removed.is_success(), "{}", removed.transcript());
    cluster.settle().await;
    assert!(cluster.sizes().is_empty(), "{}", removed.transcript());
}

/// A record that another client breaks ends the run, as an external change.
#[tokio::test(start_paused = true)]
async fn a_record_broken_during_a_run_is_named() {
    let cluster = TestCluster::open(pod_rules::failing("*:2", "NeverReady")).await;
    cluster.apply(&[web(1, 2)]).await;
    let first = process();
    let manifest = request_for(&[web(2, 2).batches(&["1", "1"])]);
    let (run, ()) = tokio::join!(cluster.run(&first, &manifest), async {
        first.heard(1, |what| matches!(what, EventKind::Waiting { .. })).await;
        let api: kube::Api<ConfigMap> = kube::Api::default_namespaced(cluster.client());
        let patch = Patch::Merge(json!({"data": {"record": "{}"}}));
        api.patch("rollout-web", &PatchParams::default(), &patch).await.unwrap();
        cluster.set_pod_rules(pod_rules::READY);
    });
    let failure = run.failures()[0];
    assert_eq!(failure.kind, FailureKind::ExternalChange, "{}", run.transcript());
    assert!(failure.reason.starts_with("configmap `rollout-web` in namespace `"), "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.contains("`kubectl delete configmap rollout-web -n ")));
}

/// Commands about a component whose record was deleted name the record, and how it is created again.
#[tokio::test(start_paused = true)]
async fn commands_name_the_missing_record_of_a_component_with_revisions() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2), component("api", 1, 1)]).await;
    delete::<ConfigMap>(&cluster, "rollout-web").await;
    let reason = "configmap `rollout-web` in namespace `default` is not usable: it does not exist, but component \
                  `web` has revisions";
    let reading = async |context: &Context| {
        let web = ComponentSelector { namespace: NAMESPACE.to_owned(), name: Some("web".to_owned()) };
        let history = history::history(context, &web).await.unwrap_err();
        assert_eq!((history.kind, history.reason.as_str()), (FailureKind::Refused, reason));
        assert_eq!(history.hints, ["restore it, or rerun `rollout apply`, which creates it again"]);
        let status = status::statuses_with_drivers(context, NAMESPACE, Some("web")).await.unwrap();
        let missing: Vec<Failure> = status.failures(Some("web")).collect();
        assert_eq!(missing.iter().map(|failure| failure.reason.as_str()).collect::<Vec<_>>(), [reason]);
        let other = status::statuses_with_drivers(context, NAMESPACE, Some("nobody")).await.unwrap();
        assert_eq!(other.failures(Some("nobody")).count(), 0);
        delete::<ConfigMap>(&cluster, "rollout-api").await;
        let all = status::statuses_with_drivers(context, NAMESPACE, None).await.unwrap();
        assert_eq!(all.failures(None).count(), 2);
        Vec::new()
    };
    cluster.perform(&process(), reading).await;
    let undone = Command::Undo.run(&cluster, &process()).await;
    assert_eq!(undone.failures()[0].reason, reason, "{}", undone.transcript());
    cluster.apply(&[web(1, 2), component("api", 1, 1)]).await;
}
