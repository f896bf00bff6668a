//! The cluster in this process, with things in it that are nobody's business.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use rollout::cluster::clock::Clock;
use rollout::driver::wish::Wish;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Change, Options, RulesSource, Sandbox};
use serde_json::{Value, json};

use super::hold::Hold;
use super::manifest::NAMESPACE;
use super::process::{Process, Run};

/// A cluster whose time is paused, with its own clock.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
}

/// Long enough for everything that follows a run to have happened.
const SETTLED: Duration = Duration::from_secs(90);

/// What all bystanders are called.
pub(crate) const BYSTANDER: &str = "bystander";

impl Stage {
    /// A cluster whose pods follow the rules, given as YAML.
    pub(crate) async fn open(rules: &str) -> Self {
        let clock = Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap());
        let hands = clock.clone();
        let sandbox = Sandbox::open(Options {
            file: None,
            rules: RulesSource::Given(parse_rules("rules", rules).unwrap()),
            now: Arc::new(move || hands.now()),
            record_history: true,
        });
        let stage = Self { sandbox: sandbox.unwrap(), clock };
        stage.put_bystanders().await;
        stage
    }

    /// A client without faults.
    pub(crate) fn client(&self) -> Client {
        self.sandbox.client(NAMESPACE)
    }

    /// Scripts the pods anew, those that are there as well.
    pub(crate) fn script_pods(&self, rules: &str) {
        self.sandbox.set_rules(parse_rules("rules", rules).unwrap());
    }

    /// A client of a process, some of whose requests are held back.
    pub(crate) fn held_client(&self, process: &Process, hold: Hold) -> Client {
        hold.over(self.sandbox.client_with(NAMESPACE, process.tap.clone()))
    }

    /// Runs a process to its end.
    pub(crate) async fn run(&self, process: &Process, wish: &Wish) -> Run {
        let client = self.sandbox.client_with(NAMESPACE, process.tap.clone());
        process.apply(client, &self.clock, wish).await
    }

    /// Lets everything happen that follows.
    pub(crate) async fn settle(&self) {
        self.clock.pause(SETTLED).await;
    }

    /// What the server has accepted.
    pub(crate) fn history(&self) -> Vec<Change> {
        self.sandbox.history()
    }

    /// Every object of a kind by its plural name.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        self.sandbox.objects().into_iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The sizes wanted of the application's workloads, by name.
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

    async fn put_bystanders(&self) {
        let client = self.client();
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
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            let types = object.types.clone().unwrap();
            let (group, version) = types.api_version.split_once('/').unwrap_or(("", &types.api_version));
            let gvk = kube::core::GroupVersionKind::gvk(group, version, &types.kind);
            let api: Api<DynamicObject> =
                Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk(&gvk));
            api.create(&PostParams::default(), &object).await.unwrap();
            api.list(&ListParams::default()).await.unwrap();
        }
    }
}
