//! What is rolled out: components with their pods, as manifests of `rollout` and as the objects of the other drivers.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Components that are upgraded together.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    /// Each with as many of the components.
    pub(crate) namespaces: Vec<String>,
    pub(crate) components: usize,
    pub(crate) replicas: usize,
    pub(crate) batches: usize,
}

impl Fleet {
    pub(crate) fn one(namespace: &str, replicas: usize, batches: usize) -> Self {
        Self { namespaces: vec![namespace.to_owned()], components: 1, replicas, batches }
    }

    /// The components by namespace.
    pub(crate) fn shares(&self) -> Vec<(&str, Vec<String>)> {
        let count = self.namespaces.len();
        let of = |nth: usize| (nth..self.components).step_by(count).map(name).collect();
        self.namespaces.iter().enumerate().map(|(nth, namespace)| (namespace.as_str(), of(nth))).collect()
    }

    /// How many pods of the target there are after each batch.
    pub(crate) fn goals(&self) -> Vec<usize> {
        (1..=self.batches).map(|batch| self.replicas * batch / self.batches).collect()
    }

    /// The applications of a version as YAML, one for each namespace.
    pub(crate) fn manifests(&self, version: usize) -> Vec<String> {
        self.shares().iter().map(|(namespace, names)| self.manifest(version, namespace, names)).collect()
    }

    fn manifest(&self, version: usize, namespace: &str, names: &[String]) -> String {
        let mut before = 0;
        let mut batches = String::new();
        for goal in self.goals() {
            writeln!(batches, "              - replicas: {}", goal - before).unwrap();
            before = goal;
        }
        let mut text = format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: bench\n  namespace: \
             {namespace}\nspec:\n  components:\n"
        );
        for name in names {
            write!(
                text,
                "    - name: {name}\n      type: webservice\n      externalRevision: {name}-v{version}\n      \
                 properties:\n        image: web:{version}\n      traits:\n        - type: rollout\n          \
                 properties:\n            targetSize: {}\n            rolloutBatches:\n{batches}",
                self.replicas
            )
            .unwrap();
        }
        text
    }

    /// Writes the applications of a version into a folder, a file for each namespace.
    pub(crate) fn write_manifests(&self, version: usize, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (nth, text) in self.manifests(version).iter().enumerate() {
            fs::write(folder.join(format!("{nth:02}.yaml")), text).unwrap();
        }
    }
}

/// The name of a component.
fn name(nth: usize) -> String {
    format!("web-{nth:04}")
}

/// The workload of a component in a version, as the reference drivers have it.
pub(crate) fn deployment(name: &str, version: usize, replicas: usize) -> Value {
    let labels = json!({"bench": "reference", "component": name, "version": format!("v{version}")});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": format!("{name}-v{version}"), "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": name, "image": format!("web:{version}")}]},
            },
        },
    })
}

/// One workload that its controller rolls out by itself, as many pods at a time as a batch has.
pub(crate) fn rolling_deployment(version: usize, replicas: usize, surge: usize) -> Value {
    let mut object = deployment("web", 0, replicas);
    object["metadata"]["name"] = json!("web");
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("web:{version}"));
    object["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}});
    object
}

/// The same as an Argo Rollout whose canary steps are the batches.
pub(crate) fn argo_rollout(version: usize, fleet: &Fleet) -> Value {
    let mut object = deployment("web", 0, fleet.replicas);
    let steps = fleet.goals().into_iter().filter(|goal| *goal < fleet.replicas);
    let steps: Vec<Value> = steps.map(|goal| json!({"setWeight": goal * 100 / fleet.replicas})).collect();
    object["apiVersion"] = json!("argoproj.io/v1alpha1");
    object["kind"] = json!("Rollout");
    object["metadata"]["name"] = json!("web");
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("web:{version}"));
    object["spec"]["strategy"] = json!({"canary": {"steps": steps}});
    object
}
