//! Decides which workloads belong to a component. Only those are scaled, counted, overwritten or deleted.
//!
//! A label alone proves nothing: KubeVela puts the component's label on every output of a component, and people copy
//! manifests. So the kind, name, labels and a mark of a workload have to match (ARCHITECTURE.md, *Ownership*).

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::{keys, workload};
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::plan::observed::{Uid, Workload};
use crate::plan::record::Record;

/// The value of [`labels::RESOURCE_TYPE`] on a workload that KubeVela or `rollout` rendered.
const WORKLOAD: &str = "WORKLOAD";

/// A workload with the label of a component, and everything that its ownership is decided from.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledWorkload {
    /// What the planner needs to know about it.
    pub workload: Workload,
    kind: WorkloadKind,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    pod_labels: BTreeMap<String, String>,
    /// Its controller owner, such as a KubeVela Rollout that would revert changes.
    controller: Option<String>,
}

/// What identifies the workloads of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentOwner {
    application: String,
    component: String,
    kind: WorkloadKind,
    /// The names that a Deployment of the component may have, which are those of its revisions.
    revisions: BTreeSet<String>,
}

/// A workload with the label of a component that is not the component's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignWorkload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// Why it is not the component's, object first.
    pub reason: String,
    /// Whether a run has stamped it, so that it may belong to a lost revision.
    pub is_stamped: bool,
    /// The labels of its pods.
    pod_labels: BTreeMap<String, String>,
}

impl LabelledWorkload {
    /// Reads an object.
    #[must_use]
    pub fn of(kind: WorkloadKind, object: &DynamicObject) -> Self {
        let controller = object.owner_references().iter().find(|owner| owner.controller == Some(true));
        let pod_labels = object.data.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
        let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        Self {
            workload: workload::observe_workload(kind, object),
            kind,
            labels: object.labels().clone(),
            pod_labels: pod_labels.into_iter().flatten().filter_map(text).collect(),
            annotations: object.annotations().clone(),
            controller: controller.map(|owner| format!("{} `{}`", owner.kind, owner.name)),
        }
    }

    /// Its labels and its annotations.
    #[must_use]
    pub fn labels_and_annotations(&self) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        (self.labels.clone(), self.annotations.clone())
    }

    /// Whether it has the label of this component.
    #[must_use]
    pub fn is_labelled(&self, component: &str) -> bool {
        self.labels.get(labels::COMPONENT).is_some_and(|name| name == component)
    }

    /// Whether a run of `rollout` has stamped it.
    fn is_stamped(&self) -> bool {
        self.annotations.contains_key(keys::EPOCH)
    }
}

impl ComponentOwner {
    /// The owner of the workloads of a component with these revisions.
    #[must_use]
    pub fn new(
        application: &str,
        component: &str,
        kind: WorkloadKind,
        revisions: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            application: application.to_owned(),
            component: component.to_owned(),
            kind,
            revisions: revisions.into_iter().collect(),
        }
    }

    /// The owner of the workloads of a recorded component, with the revisions that its runs name.
    #[must_use]
    pub fn of_record(record: &Record) -> Self {
        let Record { application, component, run, .. } = record;
        Self::new(application, component, run.spec.kind, record.workload_names())
    }

    /// Adds the revisions that a record names: a concurrent run may have created them since.
    #[must_use]
    pub fn with_record(&self, record: Option<&Record>) -> Self {
        let mut owner = self.clone();
        owner.revisions.extend(record.into_iter().flat_map(Record::workload_names));
        owner
    }

    /// Adds a revision that is about to be rolled out.
    #[must_use]
    pub fn with_revision(mut self, name: &str) -> Self {
        self.revisions.insert(name.to_owned());
        self
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &str {
        &self.component
    }

    /// The kind of workload that the component runs as.
    #[must_use]
    pub fn kind(&self) -> WorkloadKind {
        self.kind
    }

    /// The workloads that are the component's.
    #[must_use]
    pub fn owned(&self, labelled: &[LabelledWorkload]) -> Vec<Workload> {
        let owned = labelled.iter().filter(|one| self.rejects(one).is_none());
        owned.map(|one| one.workload.clone()).collect()
    }

    /// The workloads that are not the component's, by name.
    #[must_use]
    pub fn foreign(&self, labelled: &[LabelledWorkload]) -> Vec<ForeignWorkload> {
        let foreign = labelled.iter().filter_map(|one| {
            self.rejects(one).map(|reason| ForeignWorkload {
                kind: one.kind,
                name: one.workload.name.clone(),
                reason,
                is_stamped: one.is_stamped(),
                pod_labels: one.pod_labels.clone(),
            })
        });
        foreign.collect()
    }

    /// The UIDs of workloads that are not the component's although a run of `rollout` has stamped them: a revision may
    /// have been recorded since, or somebody has copied an object.
    #[must_use]
    pub fn stamped_foreign(&self, labelled: &[LabelledWorkload]) -> BTreeSet<Uid> {
        let stamped_foreign = labelled.iter().filter(|one| one.is_stamped() && !self.owns(one));
        stamped_foreign.map(|one| one.workload.uid.clone()).collect()
    }

    /// Whether a workload is the component's.
    #[must_use]
    pub fn owns(&self, labelled: &LabelledWorkload) -> bool {
        self.rejects(labelled).is_none()
    }

    /// Why a workload is not the component's; `None` if it is.
    fn rejects(&self, labelled: &LabelledWorkload) -> Option<String> {
        let Self { application, component, kind, revisions } = self;
        let LabelledWorkload { workload: Workload { name, .. }, labels, .. } = labelled;
        let object = format!("{} `{name}`", labelled.kind.noun());
        match labels.get(labels::NAME) {
            Some(owner) if owner == application => {}
            Some(owner) => return Some(format!("{object} belongs to application `{owner}`")),
            None => return Some(format!("{object} has no label `{}`", labels::NAME)),
        }
        if !labelled.is_labelled(component) {
            return Some(format!("{object} is not part of component `{component}`"));
        }
        if labelled.kind != *kind {
            let runs_as = kind.noun();
            return Some(format!("{object} is not a {runs_as}, as which component `{component}` runs"));
        }
        if kind.is_in_place() && name != component {
            return Some(format!("{object} is not named after component `{component}`"));
        }
        if !kind.is_in_place() && !revisions.contains(name) {
            return Some(format!("{object} is not named after a revision of component `{component}`"));
        }
        if !labelled.is_stamped() && labels.get(labels::RESOURCE_TYPE).is_none_or(|part| part != WORKLOAD) {
            let mark = labels::RESOURCE_TYPE;
            return Some(format!("{object} has no label `{mark}: {WORKLOAD}`"));
        }
        labelled.controller.as_ref().map(|controller| format!("{object} is controlled by {controller}"))
    }
}

impl ForeignWorkload {
    /// Whether it is the object of a reference; its own namespace is `namespace`.
    #[must_use]
    pub fn is(&self, reference: &ObjectRef, namespace: &str) -> bool {
        let named = (reference.group(), reference.kind.as_str(), reference.name.as_str());
        named == (self.kind.group(), self.kind.as_str(), self.name.as_str())
            && reference.namespace.as_deref().is_none_or(|of| of == namespace)
    }

    /// Whether a selector's `matchLabels` match its pods.
    #[must_use]
    pub fn is_selected_by(&self, selector: &Value) -> bool {
        let wanted = selector.as_object().filter(|wanted| !wanted.is_empty());
        wanted.is_some_and(|wanted| {
            wanted.iter().all(|(key, value)| self.pod_labels.get(key).map(String::as_str) == value.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str, labels: &Value, annotations: &Value) -> LabelledWorkload {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"template": {"metadata": {"labels": {"app.oam.dev/component": "web"}}}},
        });
        LabelledWorkload::of(WorkloadKind::Deployment, &serde_json::from_value(object).unwrap())
    }

    fn web() -> ComponentOwner {
        ComponentOwner::new("shop", "web", WorkloadKind::Deployment, ["web-v1".to_owned()])
    }

    #[test]
    fn kind_name_labels_and_mark_all_have_to_match() {
        let full = json!({
            "app.oam.dev/name": "shop", "app.oam.dev/component": "web", "app.oam.dev/resourceType": "WORKLOAD",
        });
        let with = |key: &str, value: Value| {
            let mut labels = full.clone();
            if value.is_null() {
                labels.as_object_mut().unwrap().remove(key);
            } else {
                labels[key] = value;
            }
            labels
        };
        let (none, stamp) = (json!({}), json!({"batch-rollout.dev/epoch": "1"}));
        assert!(web().owns(&object("web-v1", &full, &none)), "as KubeVela writes it");
        let without_type = with("app.oam.dev/resourceType", Value::Null);
        assert!(web().owns(&object("web-v1", &without_type, &stamp)), "with our stamp");
        for (name, labels, annotations, reason) in [
            ("web-v1", with("app.oam.dev/resourceType", json!("TRAIT")), &none, "WORKLOAD"),
            ("web-v1", without_type, &none, "WORKLOAD"),
            ("web-v1", with("app.oam.dev/name", Value::Null), &stamp, "no label `app.oam.dev/name`"),
            ("web-v1", with("app.oam.dev/name", json!("other")), &stamp, "belongs to application `other`"),
            ("web-v1", with("app.oam.dev/component", json!("api")), &stamp, "not part of component `web`"),
            ("web-copy", full.clone(), &stamp, "not named after a revision of component `web`"),
        ] {
            let labelled = object(name, &labels, annotations);
            let found = web().foreign(&[labelled]);
            assert!(found[0].reason.contains(reason), "{reason}: {found:?}");
        }
    }

    #[test]
    fn a_selector_selects_pods_that_have_all_its_labels() {
        let foreign = &web().foreign(&[object("x", &json!({}), &json!({}))])[0];
        assert!(foreign.is_selected_by(&json!({"app.oam.dev/component": "web"})));
        assert!(!foreign.is_selected_by(&json!({"app.oam.dev/component": "web", "tier": "front"})));
        assert!(!foreign.is_selected_by(&json!({})), "a Service without a selector selects nothing");
    }
}
