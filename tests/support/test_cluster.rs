//! A cluster for tests, with bystanders that no run may touch.

use std::time::Duration;

use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use rollout::cluster::clock::Clock;
use rollout::driver::context::Context;
use rollout::driver::outcome::ComponentOutcome;
use rollout::driver::request::RolloutRequest;
use rollout::sandbox::{Actor, Change};
use serde_json::{Value, json};

use super::backend::{Backend, SandboxBackend};
use super::delayed_request::DelayedRequest;
use super::manifest::{Component, request_for};
use super::process::{Process, Run};
use super::scenario::process;

/// A backend with bystanders.
pub(crate) struct TestCluster {
    backend: Box<dyn Backend>,
    pub(crate) clock: Clock,
}

/// The name of all bystanders.
pub(crate) const BYSTANDER: &str = "bystander";

impl TestCluster {
    /// An in-process cluster with paused time, whose pods follow the rules.
    pub(crate) async fn open(rules: impl AsRef<str>) -> Self {
        Self::on(SandboxBackend::open(rules.as_ref())).await
    }

    /// A cluster on a backend whose pod rules are set.
    pub(crate) async fn on(backend: impl Backend + 'static) -> Self {
        let cluster = Self { clock: backend.clock().clone(), backend: Box::new(backend) };
        cluster.create_bystanders().await;
        cluster
    }

    pub(crate) fn client(&self) -> Client {
        self.backend.client()
    }

    /// Replaces the pod rules, including those of existing pods.
    pub(crate) fn set_pod_rules(&self, rules: impl AsRef<str>) {
        self.backend.set_pod_rules(rules.as_ref());
    }

    /// Stalls controllers for this long, if the backend supports it.
    pub(crate) fn stall_controllers(&self, lasting: Duration) {
        self.backend.stall_controllers(lasting);
    }

    /// A client of a process, with a delayed request.
    pub(crate) fn delayed_client(&self, process: &Process, delayed_request: DelayedRequest) -> Client {
        delayed_request.over(self.backend.tapped(process.tap.clone()))
    }

    /// Runs a process to its end, in the cluster's namespace.
    pub(crate) async fn run(&self, process: &Process, request: &RolloutRequest) -> Run {
        let client = self.backend.tapped(process.tap.clone());
        let request = RolloutRequest { namespace: self.backend.namespace().to_owned(), ..request.clone() };
        process.apply(client, &self.clock, &request).await
    }

    /// Applies a manifest, and asserts that it succeeds.
    pub(crate) async fn apply(&self, manifest: &[Component]) -> Run {
        self.run(&process(), &request_for(manifest)).await.succeeded()
    }

    /// Runs an operation of a process to its end.
    pub(crate) async fn perform(
        &self,
        process: &Process,
        work: impl AsyncFnOnce(&Context) -> Vec<(String, ComponentOutcome)>,
    ) -> Run {
        process.perform(self.backend.tapped(process.tap.clone()), &self.clock, work).await
    }

    /// Waits until the cluster has settled.
    pub(crate) async fn settle(&self) {
        self.backend.settle().await;
    }

    /// The current length of the history.
    pub(crate) async fn mark(&self) -> usize {
        self.backend.catch_up().await;
        self.history().len()
    }

    /// The changes that the server has accepted.
    pub(crate) fn history(&self) -> Vec<Change> {
        self.backend.history()
    }

    /// How many changes clients have made.
    pub(crate) fn changes_by_clients(&self) -> usize {
        self.history().iter().filter(|change| change.actor == Actor::Client).count()
    }

    pub(crate) fn all_objects(&self) -> Vec<Value> {
        self.backend.objects()
    }

    /// Every object of a kind.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        self.all_objects().into_iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The requested sizes of the application's workloads, by name.
    pub(crate) fn sizes(&self) -> Vec<(String, u64)> {
        let deployments = self.objects("Deployment").into_iter();
        deployments
            .filter(|object| object["metadata"]["name"] != BYSTANDER)
            .map(|object| {
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                (name, object["spec"]["replicas"].as_u64().unwrap())
            })
            .collect()
    }

    /// The run record of a component.
    pub(crate) fn record(&self, component: &str) -> Option<Value> {
        let name = format!("rollout-{component}");
        let found = self.objects("ConfigMap").into_iter().find(|object| object["metadata"]["name"] == name);
        found.map(|object| serde_json::from_str(object["data"]["record"].as_str().unwrap()).unwrap())
    }

    async fn create_bystanders(&self) {
        let labels = json!({"app": BYSTANDER});
        let pod = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "bystander:1"}]},
        });
        let objects = [
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {
                "replicas": 1, "selector": {"matchLabels": labels}, "template": pod,
            }}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": "value"}}),
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": labels, "ports": [{"port": 80}]}}),
        ];
        for mut object in objects {
            object["metadata"] = json!({"name": BYSTANDER});
            self.create(object).await;
        }
    }

    /// Creates an object as another client.
    pub(crate) async fn create(&self, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let types = object.types.clone().unwrap();
        let (group, version) = types.api_version.split_once('/').unwrap_or(("", &types.api_version));
        let gvk = GroupVersionKind::gvk(group, version, &types.kind);
        let api: Api<DynamicObject> =
            Api::default_namespaced_with(self.client(), &ApiResource::from_gvk(&gvk));
        api.create(&PostParams::default(), &object).await.unwrap();
    }
}
