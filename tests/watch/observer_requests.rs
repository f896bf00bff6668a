//! The requests of processes that only read.

use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::context::Context;
use rollout::ops::delete::{self, DeleteExtent, Scope, inventory};
use rollout::ops::plan::{self, DryRun};
use rollout::ops::status;
use rollout::ops::status_watch::StatusWatch;
use rollout::report::status::ComponentStatus;
use rollout::sandbox::fault::Verb;
use serde_json::json;

use crate::support::manifest::{Component, NAMESPACE, component, request_for};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::test_cluster::TestCluster;

/// Four components of each kind of workload.
fn many() -> Vec<Component> {
    let kinds = ["webservice", "cloneset-service", "statefulset"];
    (0..12).map(|number| component(&format!("c{number:02}"), 1, 1).of(kinds[number % 3])).collect()
}

async fn release(cluster: &TestCluster, components: &[Component]) {
    cluster.apply(components).await;
}

/// The requests, without watches.
fn asked(run: &Run) -> Vec<String> {
    let seen = run.requests.iter().map(|request| &request.seen).filter(|seen| seen.verb != Verb::Watch);
    let mut asked: Vec<String> = seen.map(|seen| format!("{:?} {}", seen.verb, seen.kind)).collect();
    asked.sort();
    asked
}

const ONE_OF_EACH: [&str; 4] = ["List clonesets", "List configmaps", "List deployments", "List statefulsets"];

/// The states of all components, read by another process.
async fn statuses(cluster: &TestCluster) -> Vec<ComponentStatus> {
    let session = Session::new(cluster.client(), cluster.clock.clone(), Timeouts::default());
    status::statuses(&Context::new(session, "somebody".to_owned()), NAMESPACE).await.unwrap()
}

/// Makes a process follow the states during some changes, until it has observed the result.
async fn follow(cluster: &TestCluster, happens: impl Future<Output = ()>) -> Run {
    let work = async |context: &Context| {
        let followed = StatusWatch::open(context, NAMESPACE).await.unwrap();
        let look = async {
            let mut changes = followed.changes();
            assert_eq!(followed.first().await.unwrap().items, statuses(cluster).await);
            happens.await;
            cluster.settle().await;
            let is = statuses(cluster).await;
            while followed.items().unwrap() != is {
                changes.next().await;
            }
        };
        tokio::select! {
            () = look => Vec::new(),
            () = followed.feed() => panic!("it ends"),
        }
    };
    cluster.perform(&Process::new("somebody"), work).await
}

#[tokio::test(start_paused = true)]
async fn status_lists_each_kind_once() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    release(&cluster, &many()).await;
    let look = async |context: &Context| {
        assert_eq!(status::statuses(context, NAMESPACE).await.unwrap().len(), 12);
        Vec::new()
    };
    let run = cluster.perform(&Process::new("somebody"), look).await;
    assert_eq!(asked(&run), ONE_OF_EACH);
    assert_eq!(run.requests.len(), 4, "{}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn a_follower_lists_each_kind_once() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    release(&cluster, &many()).await;
    let run = follow(&cluster, release(&cluster, &[component("c00", 2, 3)])).await;
    assert_eq!(asked(&run), ONE_OF_EACH, "{}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn created_and_deleted_components_are_observed() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    let happens = async {
        release(&cluster, &[component("web", 1, 1)]).await;
        release(&cluster, &[component("db", 1, 1).of("statefulset")]).await;
        let gone = async |context: &Context| {
            let (namespace, application) = (NAMESPACE.to_owned(), "shop".to_owned());
            let scope = Scope { namespace, application, component: Some("web".to_owned()) };
            let inventory = inventory::take(&context.session, &scope).await.unwrap();
            delete::delete(context, &inventory, DeleteExtent::Scope, |_| {}).await.unwrap();
            Vec::new()
        };
        cluster.perform(&Process::new("driver"), gone).await;
    };
    follow(&cluster, happens).await;
    let names: Vec<String> = statuses(&cluster).await.into_iter().map(|item| item.component).collect();
    assert_eq!(names, ["db"]);
}

/// The reads of a plan do not grow with the components, even if the name of a Service is taken.
#[tokio::test(start_paused = true)]
async fn planning_many_components_takes_a_few_lists() {
    let reads = async |count: usize| {
        let cluster = TestCluster::open(pod_rules::READY).await;
        let taken = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c03"}, "spec": {"ports": [{"port": 80}]}});
        cluster.create(taken).await;
        let component = |number: usize| component(&format!("c{number:02}"), 1, 1).exposing(80);
        let components: Vec<Component> = (0..count).map(component).collect();
        let work = async |context: &Context| {
            let plan = plan::plan(context, &[request_for(&components)], DryRun::Client).await;
            let reasons: Vec<&str> = plan.rejections.iter().map(|failure| failure.reason.as_str()).collect();
            assert!(reasons.len() == 1 && reasons[0].contains("service `c03`"), "{reasons:?}");
            Vec::new()
        };
        let run = cluster.perform(&Process::new("somebody"), work).await;
        asked(&run)
    };
    assert_eq!(reads(12).await, reads(24).await);
}
