//! The events in the cluster other than the commands.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use rollout::cluster::clock::Moment;
use serde_json::{Value, json};

use crate::script::{Disturbance, EnvironmentEvent};
use crate::support::admission::Admission;
use crate::support::foreign;
use crate::support::pod_rules;
use crate::support::random::Rng;
use crate::support::rules::world::{FOREIGN, is_foreign};
use crate::support::test_cluster::TestCluster;

/// The user agent of other people's requests.
pub(crate) const USER_AGENT: &str = "kubectl";

/// An unreadable record.
const GARBLED: &str = "{";

/// The finalizer that holds workloads.
const FINALIZER: &str = "example.com/hold";

/// The people and controllers other than the users.
pub(crate) struct Environment<'a> {
    pub(crate) cluster: &'a TestCluster,
    /// A client with [`USER_AGENT`].
    pub(crate) client: Client,
    pub(crate) admission: Arc<Admission>,
    /// The revisions that were deleted.
    pub(crate) deleted_revisions: RefCell<Vec<Value>>,
}

impl Environment<'_> {
    /// Triggers every event at its time.
    pub(crate) async fn happen(&self, begin: Moment, disturbances: &[Disturbance]) {
        let mut sorted: Vec<(Duration, Option<&EnvironmentEvent>)> = Vec::new();
        for Disturbance { at, event } in disturbances {
            sorted.push((*at, Some(event)));
            if let EnvironmentEvent::Hold { lasting, .. } = event {
                sorted.push((*at + *lasting, None));
            }
        }
        sorted.sort_by_key(|(at, _)| *at);
        for (at, event) in sorted {
            self.cluster.clock.until(Some(begin.plus(at))).await;
            match event {
                Some(event) => self.act(event).await,
                None => self.release().await,
            }
        }
    }

    /// Ends all disturbances that keep commands from finishing: pods become ready, and nothing is denied.
    pub(crate) async fn calm_down(&self) {
        self.cluster.set_pod_rules(pod_rules::READY);
        self.admission.lift();
        self.release().await;
        // Only its revision shows that a workload belongs to the component.
        for mut revision in self.deleted_revisions.take() {
            for field in ["resourceVersion", "uid", "creationTimestamp", "ownerReferences"] {
                revision["metadata"].as_object_mut().unwrap().remove(field);
            }
            self.create(revision).await;
        }
        for paused in self.cluster.all_objects().iter().filter(|object| is_paused(object)) {
            self.merge(paused, json!({"spec": pause_of(paused, &Value::Null)})).await;
        }
        // A foreign workload occupies its name, and autoscalers and quotas block commands. An unreadable record has to
        // be deleted, as the error message asks for.
        let is_in_the_way = |object: &&Value| is_foreign(object) || object["data"]["record"] == GARBLED;
        for object in self.cluster.all_objects().iter().filter(is_in_the_way) {
            self.delete(object).await;
        }
    }

    /// Creates objects with the labels of the application's components and the names of their revisions, but without a
    /// stamp or mark: a removal keeps them.
    pub(crate) async fn plant_look_alikes(&self) {
        let all = self.cluster.all_objects();
        let revisions = all.iter().filter(|object| object["kind"] == "ControllerRevision");
        for (number, revision) in revisions.enumerate() {
            let component = &revision["metadata"]["labels"]["controller.oam.dev/component"];
            // Controllers have their own revisions.
            if component.is_null() {
                continue;
            }
            let labels = json!({"app.oam.dev/name": "shop", "app.oam.dev/component": component});
            let name = revision["metadata"]["name"].as_str().unwrap();
            let pod = json!({
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "foreign:1"}]},
            });
            let selector = json!({"matchLabels": {"app": name}});
            let spec = json!({"replicas": 1, "selector": selector, "template": pod});
            let mut workload = foreign("apps/v1", "Deployment", name, &spec);
            workload["metadata"]["labels"] = labels.clone();
            // A run adopts objects of KubeVela, and a removal does not.
            if number % 2 == 0 {
                workload["metadata"]["labels"]["app.oam.dev/resourceType"] = json!("WORKLOAD");
            }
            self.create(workload).await;
            let spec = json!({"selector": {"app": name}, "ports": [{"port": 80}]});
            let mut service = foreign("v1", "Service", &format!("{name}-copy"), &spec);
            service["metadata"]["labels"] = labels.clone();
            self.create(service).await;
            let name = format!("{name}-settings");
            let metadata = json!({"name": name, "labels": labels, "annotations": {FOREIGN: "true"}});
            self.create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})).await;
        }
    }

    /// Removes the finalizers.
    async fn release(&self) {
        let holds = json!([FINALIZER]);
        for held in self.cluster.all_objects().iter().filter(|one| one["metadata"]["finalizers"] == holds) {
            self.merge(held, json!({"metadata": {"finalizers": null}})).await;
        }
    }

    async fn act(&self, event: &EnvironmentEvent) {
        match event {
            EnvironmentEvent::FailPods { images, failure } => {
                let failing = images.iter().map(|image| format!("- {{image: '{image}', fail: {failure}}}\n"));
                self.cluster.set_pod_rules(failing.collect::<String>() + pod_rules::READY);
            }
            EnvironmentEvent::SlowPods(time) => {
                self.cluster.set_pod_rules(pod_rules::ready_after(&format!("{}s", time.as_secs())));
            }
            EnvironmentEvent::SetImage(component) => {
                let Some(workload) = self.workload(component) else { return };
                let mut containers = workload["spec"]["template"]["spec"]["containers"].clone();
                containers[0]["image"] = json!("edited:1");
                self.merge(&workload, json!({"spec": {"template": {"spec": {"containers": containers}}}}))
                    .await;
            }
            EnvironmentEvent::Scale { component, replicas } => {
                let Some(workload) = self.workload(component) else { return };
                self.merge(&workload, json!({"spec": {"replicas": replicas}})).await;
            }
            EnvironmentEvent::Rescale { component, replicas } => {
                let Some(workload) = self.workload(component) else { return };
                let name = workload["metadata"]["name"].as_str().unwrap();
                let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
                let kubectl =
                    PatchParams { field_manager: Some("kubectl".to_owned()), ..PatchParams::default() };
                self.api(&workload).patch_scale(name, &kubectl, &patch).await.ok();
            }
            EnvironmentEvent::OwnSize { component, replicas } => {
                let Some(workload) = self.workload(component) else { return };
                let name = &workload["metadata"]["name"];
                let patch = Patch::Apply(json!({
                    "apiVersion": workload["apiVersion"], "kind": workload["kind"], "metadata": {"name": name},
                    "spec": {"replicas": replicas},
                }));
                let of_manager = PatchParams::apply("gitops").force();
                self.api(&workload).patch(name.as_str().unwrap(), &of_manager, &patch).await.ok();
            }
            EnvironmentEvent::PlantForeign(seed) => {
                let mut rng = Rng(*seed);
                let mut object = foreign::plant(&mut rng, *seed);
                // An object does not belong to a component just because of the name of a revision or component.
                if rng.one_in(2) {
                    object["metadata"]["name"] = json!(rng.pick(&["web-v1", "web-v2", "web-v3", "web"]));
                    lack_something(&mut rng, &mut object["metadata"]);
                }
                self.create(object).await;
            }
            EnvironmentEvent::DeleteWorkload(component) => {
                let Some(workload) = self.workload(component) else { return };
                self.delete(&workload).await;
            }
            EnvironmentEvent::DeletePod(component) => {
                let pods = self.cluster.objects("Pod");
                let pod = pods.iter().find(|pod| is_of(pod, component));
                let Some(pod) = pod else { return };
                self.delete(pod).await;
            }
            EnvironmentEvent::DeleteRecord(component) => {
                let Some(record) = self.named("ConfigMap", &format!("rollout-{component}")) else { return };
                self.delete(&record).await;
            }
            EnvironmentEvent::GarbleRecord(component) => {
                let Some(record) = self.named("ConfigMap", &format!("rollout-{component}")) else { return };
                self.merge(&record, json!({"data": {"record": GARBLED}})).await;
            }
            EnvironmentEvent::DeleteRevision(component) => {
                let revisions = self.cluster.objects("ControllerRevision").into_iter();
                let label = "controller.oam.dev/component";
                let of_it = revisions.filter(|one| one["metadata"]["labels"][label] == **component);
                let Some(newest) = of_it.max_by_key(|one| one["revision"].as_i64()) else { return };
                self.delete(&newest).await;
                self.deleted_revisions.borrow_mut().push(newest);
            }
            EnvironmentEvent::Restart(component) => {
                let Some(workload) = self.workload(component) else { return };
                let annotations = json!({"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"});
                let template = json!({"metadata": {"annotations": annotations}});
                self.merge(&workload, json!({"spec": {"template": template}})).await;
            }
            EnvironmentEvent::PauseWorkload(component) => {
                let Some(workload) = self.workload(component) else { return };
                self.merge(&workload, json!({"spec": pause_of(&workload, &json!(true))})).await;
            }
            EnvironmentEvent::EditService(component) => {
                let Some(service) = self.named("Service", component) else { return };
                self.merge(&service, json!({"spec": {"ports": [{"name": "discard", "port": 9}]}})).await;
            }
            EnvironmentEvent::DeleteService(component) => {
                let Some(service) = self.named("Service", component) else { return };
                self.delete(&service).await;
            }
            EnvironmentEvent::DeleteLease => {
                let leases = self.cluster.objects("Lease");
                let Some(lease) = leases.first() else { return };
                self.delete(lease).await;
            }
            EnvironmentEvent::FillQuota => {
                let hard = json!({"pods": "1", "requests.cpu": "1"});
                self.create(foreign("v1", "ResourceQuota", "full", &json!({"hard": hard}))).await;
                let Some(quota) = self.cluster.objects("ResourceQuota").first().cloned() else { return };
                let status = Patch::Merge(json!({"status": {"hard": hard, "used": hard}}));
                self.api(&quota).patch_status("full", &PatchParams::default(), &status).await.ok();
            }
            EnvironmentEvent::Autoscale { component, replicas } => {
                let Some(workload) = self.workload(component) else { return };
                let (kind, name) = (&workload["kind"], &workload["metadata"]["name"]);
                let target = json!({"apiVersion": workload["apiVersion"], "kind": kind, "name": name});
                let spec = json!({"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9});
                self.create(foreign("autoscaling/v2", "HorizontalPodAutoscaler", "scaler", &spec)).await;
                self.merge(&workload, json!({"spec": {"replicas": replicas}})).await;
            }
            EnvironmentEvent::StallControllers(lasting) => self.cluster.stall_controllers(*lasting),
            EnvironmentEvent::Hold { component, .. } => {
                let Some(workload) = self.workload(component) else { return };
                self.merge(&workload, json!({"metadata": {"finalizers": [FINALIZER]}})).await;
            }
            EnvironmentEvent::Enforce { policy, lasting } => {
                self.admission.add(*policy, self.cluster.clock.moment().plus(*lasting));
            }
            EnvironmentEvent::Deny { kind, lasting } => {
                self.admission.deny(kind, self.cluster.clock.moment().plus(*lasting));
            }
        }
    }

    fn named(&self, kind: &str, name: &str) -> Option<Value> {
        self.cluster.objects(kind).into_iter().find(|object| object["metadata"]["name"] == *name)
    }

    /// The largest workload of the component.
    fn workload(&self, component: &str) -> Option<Value> {
        let is_workload = |object: &Value| {
            ["Deployment", "CloneSet", "StatefulSet"].iter().any(|kind| object["kind"] == *kind)
        };
        let all = self.cluster.all_objects().into_iter();
        all.filter(|object| is_workload(object) && is_of(object, component) && !is_foreign(object))
            .max_by_key(|object| object["spec"]["replicas"].as_u64())
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap());
        Api::default_namespaced_with(self.client.clone(), &ApiResource::from_gvk(&gvk))
    }

    async fn create(&self, object: Value) {
        let typed: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        // An object of the same seed may exist.
        self.api(&object).create(&PostParams::default(), &typed).await.ok();
    }

    async fn merge(&self, object: &Value, patch: Value) {
        let name = object["metadata"]["name"].as_str().unwrap();
        // It may no longer exist.
        self.api(object).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.ok();
    }

    async fn delete(&self, object: &Value) {
        let name = object["metadata"]["name"].as_str().unwrap();
        // It may no longer exist.
        self.api(object).delete(name, &DeleteParams::default()).await.ok();
    }
}

/// The fields of a workload's spec that pause it, which a StatefulSet lacks.
fn pause_of(workload: &Value, paused: &Value) -> Value {
    match workload["kind"].as_str() {
        Some("Deployment") => json!({"paused": paused}),
        Some("CloneSet") => json!({"updateStrategy": {"paused": paused}}),
        Some(_) | None => json!({}),
    }
}

fn is_paused(object: &Value) -> bool {
    object["spec"]["paused"] == true || object["spec"]["updateStrategy"]["paused"] == true
}

/// Removes the marks, or changes the application: with the marks, the application and the name, the object would belong
/// to the component.
fn lack_something(rng: &mut Rng, metadata: &mut Value) {
    if rng.one_in(2) {
        metadata["labels"]["app.oam.dev/name"] = json!("other");
        return;
    }
    metadata["labels"].as_object_mut().unwrap().remove("app.oam.dev/resourceType");
    metadata["annotations"].as_object_mut().unwrap().remove("batch-rollout.dev/epoch");
}

/// An object of another owner.
fn foreign(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({"name": name, "annotations": {FOREIGN: "true"}});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

fn is_of(object: &Value, component: &str) -> bool {
    object["metadata"]["labels"]["app.oam.dev/component"] == component
}
