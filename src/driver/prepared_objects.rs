//! The objects of a component that is applied as a whole: the desired state of each, its present owner, and what other
//! revisions left behind.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::cluster::keys;
use crate::cluster::managed_fields::owns_applied_fields;
use crate::cluster::object_cache::ObjectCache;
use crate::cluster::served_kind::ServedKind;
use crate::driver::component_services::ComponentServices;
use crate::driver::leftovers::{Leftover, find_leftovers};
use crate::driver::live_objects::LiveObjects;
use crate::driver::object_owner::{Handling, ObjectOwner, pointer};
use crate::driver::outcome::Failure;
use crate::oam::apply_order::apply_rank;
use crate::oam::hash::hash_json;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::oam::revision::is_concealed;
use crate::plan::epoch::Epoch;
use crate::plan::object_readiness::{Readiness, has_readiness_rule, object_pods, object_readiness};
use crate::plan::objects::ObservedObject;
use crate::plan::observed::Workload;
use crate::plan::run::Run;

/// The objects of a component that is applied as a whole, and those to delete.
#[derive(Debug, Clone, Default)]
pub struct PreparedObjects {
    /// The objects of the target, the workload first.
    pub objects: Vec<PreparedObject>,
    /// Objects that other revisions of the component left behind and that the target does not have.
    pub leftovers: Vec<Leftover>,
    /// The number of replicas for a workload that replaces others and whose manifest sets none: the present size of the
    /// component.
    pub kept_size: Option<u32>,
    /// Whether the component has workloads that the target does not have.
    replaces_workloads: bool,
}

/// An object to apply.
#[derive(Debug, Clone)]
pub struct PreparedObject {
    /// Which object it is, with its namespace.
    pub reference: ObjectRef,
    /// How its kind is served; `None` if it is not served yet.
    pub kind: Option<ServedKind>,
    /// The stage in which it is applied, see [`apply_rank`].
    pub stage: usize,
    /// The rendered object.
    pub body: Value,
    /// A hash of the body.
    hash: String,
    /// The same object in other revisions of the component: fields in these were the component's before.
    pub earlier: Vec<Value>,
    /// The object before the run.
    pub before: Option<DynamicObject>,
    /// What a run does to it.
    pub handling: Handling,
    /// Whether applications share it: if it belongs to another one by then, it is left to that.
    is_shared: bool,
    /// Fields that other clients own once the object exists, such as `spec.replicas`.
    left_alone: Vec<String>,
}

impl PreparedObjects {
    /// Prepares objects; `earlier` are the objects of the component's revisions.
    ///
    /// # Errors
    /// An object that does not belong to the component, or whose kind the cluster does not serve.
    pub fn new(
        owner: ObjectOwner<'_>,
        bodies: &[Value],
        earlier: &[&Value],
        live: &LiveObjects,
    ) -> Result<Self, Failure> {
        let mut objects = Vec::new();
        for body in bodies {
            objects.push(PreparedObject::new(owner, body, earlier, live)?);
        }
        let defines_kinds = objects.iter().any(|one| one.reference.kind == "CustomResourceDefinition");
        let is_unserved = |one: &&PreparedObject| one.kind.is_none() && !live.defines(&one.reference);
        if let Some(unserved) = objects.iter().find(is_unserved).filter(|_| !defines_kinds) {
            let ObjectRef { api_version, kind, .. } = &unserved.reference;
            return Err(Failure::refused(format!("the cluster has no kind `{kind}` in `{api_version}`"))
                .hint("install what defines it, or correct the object's `apiVersion` and `kind`"));
        }
        let kept: BTreeSet<ObjectRef> = objects.iter().map(|one| one.reference.clone()).collect();
        Ok(Self {
            objects,
            leftovers: find_leftovers(owner, earlier.iter().copied().filter_map(ObjectRef::of), &kept, live),
            kept_size: None,
            replaces_workloads: false,
        })
    }

    /// For objects of a component that is rolled out in batches: its workloads and the Services of exposed ports are
    /// not leftovers, since they change with the batches.
    #[must_use]
    pub fn of_run_in_batches(
        mut self,
        kind: WorkloadKind,
        workloads: &[Workload],
        services: &ComponentServices,
    ) -> Self {
        let is_batched = |reference: &ObjectRef| match reference.kind.as_str() {
            "Service" => services.names().any(|name| name == reference.name),
            other => {
                let is_of_kind = other == kind.as_str() && reference.api_version == kind.api_version();
                is_of_kind && workloads.iter().any(|workload| workload.name == reference.name)
            }
        };
        self.leftovers.retain(|leftover| !is_batched(&leftover.reference));
        self
    }

    /// Adds what revisions that were rolled out in batches left behind, see
    /// [`objects_of_batches`](crate::driver::leftovers::objects_of_batches).
    #[must_use]
    pub fn replacing_batches(
        mut self,
        owner: ObjectOwner<'_>,
        references: BTreeSet<ObjectRef>,
        live: &LiveObjects,
    ) -> Self {
        let known: BTreeSet<ObjectRef> = self
            .objects
            .iter()
            .map(|one| one.reference.clone())
            .chain(self.leftovers.iter().map(|one| one.reference.clone()))
            .collect();
        let mut found = find_leftovers(owner, references.into_iter(), &known, live);
        found.retain(|leftover| stamp(&leftover.before).is_some());
        self.leftovers.extend(found);
        self
    }

    /// Whether there is an object of this kind and name.
    #[must_use]
    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.objects.iter().any(|object| object.reference.kind == kind && object.reference.name == name)
    }

    /// Warnings about Secrets that are left as they are, because revisions do not record their values.
    pub fn unrestored(&self) -> impl Iterator<Item = String> {
        self.objects.iter().filter(|object| is_concealed(&object.body)).map(|object| {
            format!("{} keeps its present values: revisions do not record them", object.reference)
        })
    }

    /// The objects that are taken over, as they are now, with the labels of the application.
    #[must_use]
    pub fn adopted(&self) -> Vec<Value> {
        let adopted = self.objects.iter().filter(|object| object.handling == Handling::Adopt);
        adopted.filter_map(|object| Some(as_found(object.before.as_ref()?, &object.body))).collect()
    }

    /// Considers the component's workloads, of which those of other revisions will be deleted. Unless the manifest sets
    /// a size, the target's workload is first scaled to the present size of the component.
    #[must_use]
    pub fn replacing(mut self, workloads: &[Workload], run: Option<&Run>) -> Self {
        let Some(workload) = self.objects.first() else { return self };
        let mut present = workloads.iter().filter(|one| !one.deleting);
        self.replaces_workloads = present.clone().any(|one| one.name != workload.reference.name);
        if self.replaces_workloads && workload.is_resizable() {
            let total = present.by_ref().map(|one| one.replicas).fold(0, u32::saturating_add);
            // In the middle of a run, source and target together have more pods than the component should have.
            let most = run.filter(|run| run.outcome.is_resumable());
            let most = most.map_or(u32::MAX, |run| run.spec.original_size.max(run.spec.target_size));
            self.kept_size = Some(total.min(most));
        }
        self
    }

    /// The size that a live object still has to be scaled to, if any.
    #[must_use]
    pub fn size_to_give(&self, object: &PreparedObject, live: &DynamicObject) -> Option<u32> {
        let is_workload = self.objects.first().is_some_and(|first| first.reference == object.reference);
        let size = live.data.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        self.kept_size.filter(|kept| is_workload && size < u64::from(*kept))
    }

    /// Whether, before the run, every object was as rendered and other revisions had left nothing behind.
    #[must_use]
    pub fn were_applied(&self) -> bool {
        let is_same = |object: &PreparedObject| {
            object.handling == Handling::Keep
                || object.before.as_ref().is_some_and(|live| object.is_same(live))
        };
        self.leftovers.iter().all(Leftover::holds_data)
            && !self.replaces_workloads
            && self.objects.iter().all(is_same)
    }

    /// Whether, before the run, all objects that pods may need before they start were as rendered.
    #[must_use]
    pub fn were_needs_applied(&self) -> bool {
        let mut needed = self.objects.iter().filter(|object| object.is_needed_by_pods());
        needed.all(|object| object.before.as_ref().is_some_and(|live| object.is_same(live)))
    }

    /// Whether every object was ready before the run.
    #[must_use]
    pub fn were_ready(&self) -> bool {
        let is_ready = |object: &PreparedObject| {
            let before = object.before.as_ref().and_then(|live| serde_json::to_value(live).ok());
            before.is_some_and(|live| object_readiness(&live) == Readiness::Ready)
        };
        self.objects.iter().all(is_ready)
    }

    /// The objects as last observed. With a claim, only objects stamped with it count as applied.
    #[must_use]
    pub fn observe(&self, cache: &ObjectCache, claimed: Option<Epoch>) -> Vec<ObservedObject> {
        let observe = |object: &PreparedObject| {
            let live = cache.get(&object.reference);
            let is_kept = object.handling == Handling::Keep;
            let is_applied = is_kept
                || live.as_ref().is_some_and(|live| match claimed {
                    Some(epoch) => {
                        object.is_stamped(live, epoch) && self.size_to_give(object, live).is_none()
                    }
                    None => object.is_same(live),
                });
            let live = live.and_then(|live| serde_json::to_value(live).ok());
            ObservedObject {
                reference: object.reference.clone(),
                stage: object.stage,
                is_applied,
                readiness: match (&live, object.handling) {
                    (None, Handling::Keep) => {
                        Readiness::Unready("does not exist, and is not created".to_owned())
                    }
                    (None, Handling::Apply | Handling::Adopt | Handling::Recreate) => absent(),
                    (Some(live), _) => object_readiness(live),
                },
                pods: object_pods(live.as_ref().unwrap_or(&object.body)),
            }
        };
        self.objects.iter().map(observe).collect()
    }

    /// The newest epoch that an object is stamped with; zero if none is.
    #[must_use]
    pub fn newest_stamp(&self, cache: &ObjectCache) -> Epoch {
        let of_objects = self.objects.iter().filter_map(|object| stamp(&cache.get(&object.reference)?));
        let of_leftovers = self.leftovers.iter().filter_map(|leftover| stamp(&leftover.before));
        of_objects.chain(of_leftovers).max().unwrap_or(Epoch(0))
    }
}

fn absent() -> Readiness {
    Readiness::Unready("does not exist".to_owned())
}

/// The epoch that an object is stamped with.
pub(in crate::driver) fn stamp(object: &DynamicObject) -> Option<Epoch> {
    object.annotations().get(keys::EPOCH)?.parse().ok().map(Epoch)
}

impl PreparedObject {
    fn new(
        owner: ObjectOwner<'_>,
        body: &Value,
        earlier: &[&Value],
        live: &LiveObjects,
    ) -> Result<Self, Failure> {
        let reference = ObjectRef::of(body).ok_or_else(|| {
            Failure::refused(format!("component `{}` has an object without a name", owner.component))
        })?;
        let located = live.locate(&reference, owner.namespace);
        let before = live.get(&located).cloned();
        let is_same = |other: &&&Value| {
            ObjectRef::of(other).is_some_and(|other| live.locate(&other, owner.namespace).is_same(&located))
        };
        let earlier = earlier.iter().filter(is_same);
        let earlier: Vec<Value> =
            earlier.map(|body| in_namespace(body, located.namespace.as_deref())).collect();
        let applied = before.as_ref().and_then(|live| applied_body(&earlier, live));
        let handling = owner.handling(body, live, applied, &located)?;
        let left_alone = owner.policies.map_or(&[][..], |policies| policies.fields_left_alone(body)).to_vec();
        let mut body = in_namespace(body, located.namespace.as_deref());
        // If no policies are known, keep the annotation of the live object.
        let noted = before.as_ref().filter(|_| owner.policies.is_none());
        let noted = noted.and_then(|live| live.annotations().get(keys::KEPT).cloned());
        if let Some(kept) = owner.kept(&body).map(str::to_owned).or(noted) {
            body["metadata"]["annotations"][keys::KEPT] = json!(kept);
        }
        Ok(Self {
            kind: live.kind(&reference.api_version, &reference.kind).cloned(),
            stage: apply_rank(&reference.kind),
            hash: hash_json(&body),
            earlier,
            reference: located,
            before,
            handling,
            is_shared: owner.shares(&body),
            body,
            left_alone,
        })
    }

    /// The object as it was last applied by a revision of the component; `None` if none has applied it.
    #[must_use]
    pub fn applied_before(&self, live: &DynamicObject) -> Option<&Value> {
        applied_body(&self.earlier, live)
    }

    /// The body to apply under a claim, given the live object. Fields that other clients own keep their values.
    #[must_use]
    pub fn stamped_body(&self, live: Option<&DynamicObject>, epoch: Epoch) -> Value {
        let mut body = self.body.clone();
        for path in &self.left_alone {
            let pointer = pointer(path);
            let found = live.and_then(|live| live.data.pointer(&pointer).cloned());
            if let (Some(found), Some(value)) = (found, body.pointer_mut(&pointer)) {
                *value = found;
            }
        }
        // Kruise's controller needs a size, which is defaulted only if Kruise's webhook is installed.
        if self.lacks_clone_set_size() {
            let size = live.and_then(|live| live.data.pointer("/spec/replicas").cloned());
            body["spec"]["replicas"] = size.unwrap_or_else(|| json!(1));
        }
        // Keep the Service name of a StatefulSet that was first rolled out in batches: it is immutable.
        if self.is_stateful_set() && body["spec"]["serviceName"].is_null() {
            let name = live.and_then(|live| live.data["spec"]["serviceName"].as_str());
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                body["spec"]["serviceName"] = json!(name);
            }
        }
        // Clear the deprecated alias that the server fills in: it would restore a name that the manifest removes.
        for pods in ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
            if let Some(pods) = body.pointer_mut(pods)
                && let Some(account) = pods.get("serviceAccountName").cloned()
                && self.reference.group() != "apps.kruise.io"
            {
                pods["serviceAccount"] = account;
            }
        }
        body["metadata"]["annotations"][keys::APPLIED] = json!(self.hash);
        body["metadata"]["annotations"][keys::EPOCH] = json!(epoch.to_string());
        body
    }

    /// Whether the run may have to wait for it after applying it.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        let is_to_come = self.handling == Handling::Keep && self.before.is_none();
        is_to_come || has_readiness_rule(self.reference.group(), &self.reference.kind)
    }

    fn lacks_clone_set_size(&self) -> bool {
        let is_clone_set = self.reference.group() == "apps.kruise.io" && self.reference.kind == "CloneSet";
        is_clone_set && self.body["spec"]["replicas"].is_null()
    }

    fn is_stateful_set(&self) -> bool {
        self.reference.group() == "apps" && self.reference.kind == "StatefulSet"
    }

    /// Whether the Deployment's strategy has to be reset before an apply: the server has defaulted fields of the
    /// present type, which no manager owns and the new type forbids.
    #[must_use]
    pub fn resets_strategy(&self, live: &DynamicObject) -> bool {
        let is_deployment = self.reference.group() == "apps" && self.reference.kind == "Deployment";
        is_deployment
            && self.body["spec"]["strategy"]["type"] == "Recreate"
            && !live.data["spec"]["strategy"]["rollingUpdate"].is_null()
    }

    /// Whether this is still the object that has to be deleted before it is recreated. If it is as applied, it only
    /// differs in notation, such as `500m` for `0.5`.
    #[must_use]
    pub fn is_to_be_recreated(&self, live: &DynamicObject) -> bool {
        let is_it = self.before.as_ref().is_some_and(|before| before.uid() == live.uid());
        self.handling == Handling::Recreate && is_it && !self.is_same(live)
    }

    /// Whether pods may need it before they start.
    #[must_use]
    pub fn is_needed_by_pods(&self) -> bool {
        self.stage < apply_rank("Service")
    }

    /// Whether it is a workload whose size the manifest does not set.
    #[must_use]
    pub fn is_resizable(&self) -> bool {
        let is_workload = matches!(self.reference.kind.as_str(), "Deployment" | "StatefulSet" | "CloneSet");
        is_workload && self.body["spec"]["replicas"].is_null()
    }

    /// Whether a run has applied it under this claim.
    fn is_stamped(&self, live: &DynamicObject, epoch: Epoch) -> bool {
        self.is_left(live)
            || stamp(live) == Some(epoch) && live.annotations().get(keys::APPLIED) == Some(&self.hash)
    }

    /// Whether the run leaves the live object as it is. Another application may have created a shared one since.
    fn is_left(&self, live: &DynamicObject) -> bool {
        let is_others = |key: &&str| {
            live.labels().get(*key).is_some_and(|label| self.body["metadata"]["labels"][*key] != *label)
        };
        let may_be_left = self.is_shared && self.handling == Handling::Apply;
        let keys = [labels::NAME, labels::NAMESPACE, labels::COMPONENT];
        self.handling == Handling::Keep || may_be_left && keys.iter().any(is_others)
    }

    /// Whether the live object is as last applied, and that was the same as what is rendered now.
    #[must_use]
    pub fn is_same(&self, live: &DynamicObject) -> bool {
        if self.is_left(live) {
            return true;
        }
        let Some(epoch) = stamp(live) else { return false };
        let mut body = self.stamped_body(Some(live), epoch);
        self.left_alone.iter().for_each(|path| remove(&mut body, path));
        if self.lacks_clone_set_size() {
            remove(&mut body, "spec.replicas");
        }
        self.is_stamped(live, epoch)
            && live.metadata.deletion_timestamp.is_none()
            && owns_applied_fields(live, keys::FIELD_MANAGER, &body)
    }
}

/// The body that was last applied to an object, out of those that revisions of its component render.
fn applied_body<'a>(earlier: &'a [Value], live: &DynamicObject) -> Option<&'a Value> {
    let applied = live.annotations().get(keys::APPLIED)?;
    earlier.iter().find(|earlier| hash_json(earlier) == *applied)
}

/// A live object without what the server added, and with the labels of a body.
fn as_found(live: &DynamicObject, body: &Value) -> Value {
    let mut found = json!(live);
    let metadata = &found["metadata"];
    let mut labels = metadata["labels"].as_object().cloned().unwrap_or_default();
    labels.extend(body["metadata"]["labels"].as_object().cloned().unwrap_or_default());
    let mut annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
    annotations.retain(|key, _| {
        let of_programs = ["deployment.kubernetes.io/", "batch-rollout.dev/"];
        key != labels::KUBECTL_LAST_APPLIED && !of_programs.iter().any(|prefix| key.starts_with(prefix))
    });
    let mut kept = json!({"name": metadata["name"], "labels": labels});
    if !annotations.is_empty() {
        kept["annotations"] = json!(annotations);
    }
    found["metadata"] = kept;
    if let Some(fields) = found.as_object_mut() {
        fields.remove("status");
    }
    found
}

fn remove(body: &mut Value, path: &str) {
    let pointer = pointer(path);
    let Some((parent, field)) = pointer.rsplit_once('/') else { return };
    if let Some(fields) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

/// Sets the namespace of an object, or removes it.
fn in_namespace(body: &Value, namespace: Option<&str>) -> Value {
    let mut body = body.clone();
    if let Some(metadata) = body["metadata"].as_object_mut() {
        match namespace {
            Some(namespace) => drop(metadata.insert("namespace".to_owned(), json!(namespace))),
            None => drop(metadata.remove("namespace")),
        }
    }
    body
}
