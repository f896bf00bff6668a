//! Component revisions: which one a manifest renders, what it stores, and rendering workloads from it.
//!
//! Decides names, numbers, reuse and removal of revisions. Must not know how they were read: callers pass all
//! ControllerRevisions of the namespace, or at least those of the component and those that the manifest names.

pub(in crate::oam) mod body;
mod conceal;
mod decide;
mod lookup;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::oam::exposure::Exposure;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;

pub use conceal::{concealed, is_concealed, remove_last_applied};
pub use decide::{Decision, NewRevision, RevisionError, adopted_revision, decide_revision};
pub use lookup::{UnknownRevision, own_number, resolve_revision, short};

/// The number of unused revisions of a component to keep; KubeVela's `--application-revision-limit`.
pub const HISTORY_LIMIT: usize = 10;

/// A ControllerRevision in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRevision {
    /// The object's name, which is also that of its Deployment, if it has one.
    pub name: String,
    /// The object's uid; empty before it is recorded.
    pub uid: String,
    /// The object's resourceVersion; empty before it is recorded.
    pub resource_version: String,
    /// The field `revision`; 0 if an earlier version recorded it under a name that does not end in a number.
    pub revision: i64,
    /// The label [`labels::REVISION_COMPONENT`].
    pub component: Option<String>,
    /// The label [`labels::NAME`]; revisions that KubeVela wrote have none.
    pub application: Option<String>,
    /// The label [`labels::REVISION_HASH`]; opaque unless `rollout` wrote it.
    pub hash: Option<String>,
    /// `metadata.creationTimestamp`; `None` before it is recorded.
    pub created: Option<String>,
    /// The field `data`, which is never changed once it is recorded.
    pub data: Arc<Value>,
    /// The ports that it exposes; `None` if it does not record them.
    pub exposes: Option<Exposure>,
}

impl StoredRevision {
    /// Reads an `apps/v1 ControllerRevision`; `None` for an object that cannot be one from an API server.
    pub fn from_object(object: &Value) -> Option<Self> {
        Self::read(object, Arc::new(object.get("data").cloned().unwrap_or_default()))
    }

    /// Reads an object whose `data` is passed separately.
    fn read(object: &Value, data: Arc<Value>) -> Option<Self> {
        let metadata = object.get("metadata")?;
        let text = |field: &str| metadata.get(field)?.as_str().map(str::to_owned);
        let label = |key: &str| metadata.get("labels")?.get(key)?.as_str().map(str::to_owned);
        Some(Self {
            name: text("name")?,
            uid: text("uid").unwrap_or_default(),
            resource_version: text("resourceVersion").unwrap_or_default(),
            created: text("creationTimestamp"),
            revision: object.get("revision").and_then(Value::as_i64).unwrap_or_default(),
            component: label(labels::REVISION_COMPONENT),
            application: label(labels::NAME),
            hash: label(labels::REVISION_HASH),
            data,
            exposes: metadata
                .get("annotations")
                .and_then(|annotations| annotations.get(labels::EXPOSES)?.as_str())
                .and_then(|text| serde_json::from_str(text).ok()),
        })
    }

    /// The workload in the body, if the body is valid: `data.spec.workload`, or the first of `data.spec.objects`, with
    /// a `spec`.
    pub fn workload(&self) -> Option<&Value> {
        let spec = self.data.get("spec")?;
        let workload = spec.get("workload").or_else(|| spec.get("objects")?.get(0))?;
        workload.get("spec").is_some_and(Value::is_object).then_some(workload)
    }

    /// The objects of a component that is applied as a whole, the workload first; `None` if the revision is rolled
    /// out in batches.
    pub fn objects(&self) -> Option<&[Value]> {
        let objects = self.data.get("spec")?.get("objects")?.as_array()?;
        (!objects.is_empty()).then_some(objects)
    }

    /// The objects of the traits of a component that is rolled out in batches.
    pub fn outputs(&self) -> &[Value] {
        let outputs = self.data.get("spec").and_then(|spec| spec.get("outputs")?.as_array());
        outputs.map_or(&[], Vec::as_slice)
    }

    /// Every object of a component that is applied as a whole; empty otherwise.
    pub fn whole_objects(&self) -> impl Iterator<Item = &Value> {
        self.objects().unwrap_or_default().iter().chain(self.outputs())
    }

    /// The images in the revision, by container.
    pub fn images(&self) -> BTreeMap<String, String> {
        self.workload().map(container_images).unwrap_or_default()
    }

    /// The kind of the workload in the body; `None` if the body is invalid or the kind cannot be rolled out.
    pub fn kind(&self) -> Option<WorkloadKind> {
        WorkloadKind::of(self.workload()?)
    }
}

/// The images of a workload's template, by container.
pub fn container_images(workload: &Value) -> BTreeMap<String, String> {
    let containers =
        |list| workload.pointer(&format!("/spec/template/spec/{list}")).and_then(Value::as_array);
    let all = ["initContainers", "containers"].into_iter().filter_map(containers).flatten();
    let image = |container: &Value| {
        Some((container.get("name")?.as_str()?.to_owned(), container.get("image")?.as_str()?.to_owned()))
    };
    all.filter_map(image).collect()
}

/// The number in a revision's name: the part after the last `-`, without a leading `v`; 0 if that is not a number.
pub fn number(name: &str) -> i64 {
    let last = name.rsplit('-').next().unwrap_or(name);
    let digits = last.strip_prefix('v').unwrap_or(last);
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().ok()).flatten().unwrap_or_default()
}

/// Adds the spec's fields that an earlier revision has and this workload lacks, as null, so that the API server removes
/// them.
pub fn null_dropped_fields(before: &StoredRevision, workload: &mut Value) {
    let before = render_revision(before, 0, 0).unwrap_or_default();
    let fields = before["spec"].as_object().into_iter().flat_map(|fields| fields.keys());
    if let Some(after) = workload["spec"].as_object_mut() {
        for field in fields {
            after.entry(field.clone()).or_insert(Value::Null);
        }
    }
}

/// The workload of a stored revision with `replicas` pods; `None` if the body is invalid or its kind cannot be rolled
/// out. `partition` pods keep the previous template; it is ignored for a Deployment.
///
/// A Deployment is named like its revision, the other kinds like their component. The strategy is always written in
/// full, since without Kruise's webhook nothing sets its defaults.
pub fn render_revision(stored: &StoredRevision, replicas: u32, partition: u32) -> Option<Value> {
    let mut workload = stored.workload()?.clone();
    let kind = WorkloadKind::of(&workload)?;
    let template = workload.get_mut("spec")?.get_mut("template")?.as_object_mut()?;
    // KubeVela has stored bodies in which the pods' label is still a placeholder.
    if let Some(Value::Object(pod_labels)) = template.get_mut("metadata").and_then(|at| at.get_mut("labels"))
        && let Some(revision) = pod_labels.get_mut(labels::REVISION)
    {
        *revision = json!(stored.name);
    }
    let spec = workload.get_mut("spec")?.as_object_mut()?;
    spec.get("selector")?.as_object()?;
    spec.remove("paused");
    spec.insert("replicas".to_owned(), json!(replicas));
    match kind {
        WorkloadKind::Deployment => {}
        WorkloadKind::CloneSet => {
            let strategy = spec.entry("updateStrategy").or_insert_with(|| json!({})).as_object_mut()?;
            strategy.entry("type").or_insert_with(|| json!("ReCreate"));
            strategy.insert("partition".to_owned(), json!(partition));
            strategy.remove("paused");
        }
        WorkloadKind::StatefulSet => {
            let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
            spec.insert("updateStrategy".to_owned(), strategy);
        }
    }
    let document = workload.as_object_mut()?;
    document.remove("status");
    let metadata = document.get_mut("metadata")?.as_object_mut()?;
    metadata.remove("creationTimestamp");
    if !kind.is_in_place() {
        metadata.insert("name".to_owned(), json!(stored.name));
    }
    for (field, key, value) in
        [("labels", labels::REVISION, stored.name.as_str()), ("annotations", labels::SKIP_GC, "true")]
    {
        let map = metadata.entry(field).or_insert_with(|| json!({}));
        if map.is_null() {
            *map = json!({});
        }
        map.as_object_mut()?.insert(key.to_owned(), json!(value));
    }
    Some(workload)
}

/// The revisions that may be deleted, oldest first: of each component, all unused ones except the `limit` newest.
///
/// Age is determined by the number in the name; names without one are oldest. `in_use` are names of revisions, which
/// are never deleted, unlike in KubeVela. Objects without the component label are not component revisions and are kept.
/// Callers exclude revisions of other applications.
pub fn prunable<'a>(
    stored: &'a [StoredRevision],
    in_use: &BTreeSet<String>,
    limit: usize,
) -> Vec<&'a StoredRevision> {
    let mut components: BTreeMap<&str, Vec<&StoredRevision>> = BTreeMap::new();
    for revision in stored {
        if let Some(component) = &revision.component
            && !in_use.contains(&revision.name)
        {
            components.entry(component).or_default().push(revision);
        }
    }
    let oldest = |mut unused: Vec<&'a StoredRevision>| {
        unused.sort_by_key(|revision| (number(&revision.name), revision.revision, revision.name.as_str()));
        let surplus = unused.len().saturating_sub(limit);
        unused.truncate(surplus);
        unused
    };
    components.into_values().flat_map(oldest).collect()
}
