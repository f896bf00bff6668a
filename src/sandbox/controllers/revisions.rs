//! The history of templates that StatefulSets and CloneSets keep in ControllerRevisions.
//!
//! This module finds, creates, renumbers and prunes them. As in Kubernetes, a workload adopts every revision that its
//! selector matches and that no other object controls: see
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/>.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::object::hash::template_hash;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::object::selector::Selector;
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The label that names a pod's revision.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
/// The label that names a revision's hash.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The revisions of a workload.
pub(super) struct History {
    owner: Arc<Value>,
    /// Oldest first.
    revisions: Vec<Arc<Value>>,
    /// The revision in the status; `update` if that does not exist.
    pub(super) current: Arc<Value>,
    /// The revision with the workload's template.
    pub(super) update: Arc<Value>,
    pub(super) collisions: i64,
}

/// The data of a revision: the template, as a patch that restores it.
pub(super) fn data(template: &Value) -> Value {
    let mut template = template.clone();
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

/// The template that a revision records.
pub(super) fn template(revision: &Value) -> Value {
    let mut template = revision.pointer("/data/spec/template").cloned().unwrap_or_default();
    if let Some(map) = template.as_object_mut() {
        map.remove("$patch");
    }
    template
}

/// The part of a revision's name that is unique among the workload's revisions.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('-').next().unwrap_or_default()
}

/// The revisions of a workload, oldest first.
pub(super) fn list(store: &Store, key: &Key, owner: &Value) -> Vec<Arc<Value>> {
    let selector = Selector::of(&owner["spec"]["selector"]);
    let mut revisions: Vec<Arc<Value>> = store
        .selected(registry::kind("controllerrevisions"), &key.namespace, &selector)
        .filter(|(_, revision)| {
            meta::controller(revision).is_none_or(|controller| controller["uid"] == meta::uid(owner))
        })
        .map(|(_, revision)| Arc::clone(revision))
        .collect();
    revisions.sort_by_cached_key(|revision| {
        let created = meta::time_at(revision, "/metadata/creationTimestamp");
        (meta::number(revision, "/revision"), created, meta::name(revision).to_owned())
    });
    revisions
}

impl History {
    /// Finds the revision of a template or creates it with these annotations. An older revision that equals the
    /// template is renumbered as the newest: that is how `kubectl rollout undo` leaves no duplicate.
    pub(super) fn of(
        store: &mut Store,
        key: &Key,
        owner: &Arc<Value>,
        template: &Value,
        annotations: &Value,
    ) -> Option<Self> {
        let revisions = list(store, key, owner);
        let collisions = meta::number(owner, "/status/collisionCount");
        let data = data(template);
        let next = revisions.last().map_or(0, |last| meta::number(last, "/revision")) + 1;
        let equal = revisions.iter().rev().find(|revision| revision["data"] == data);
        let (update, collisions) = match equal {
            Some(equal) if Arc::ptr_eq(equal, revisions.last()?) => (Arc::clone(equal), collisions),
            Some(equal) => (renumber(store, equal, next)?, collisions),
            None => make(store, key, owner, &data, next, annotations, collisions)?,
        };
        let named = meta::text(owner, "/status/currentRevision");
        let current = revisions.iter().find(|revision| meta::name(revision) == named);
        let current = current.map_or_else(|| Arc::clone(&update), Arc::clone);
        Some(Self { owner: Arc::clone(owner), revisions, current, update, collisions })
    }

    /// The revision of a pod, by its label.
    pub(super) fn of_pod(&self, pod: &Value) -> Option<&Arc<Value>> {
        let label = pod_revision(pod);
        let all = self.revisions.iter().chain([&self.update]);
        let mut found = all.filter(|revision| short(meta::name(revision)) == short(label));
        found.next()
    }

    /// Deletes the oldest revisions that neither the workload nor a pod uses, beyond the limit.
    pub(super) fn truncate(&self, store: &mut Store, pods: &[(Key, Arc<Value>)]) {
        let limit = self.owner["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10);
        let Ok(limit) = usize::try_from(limit) else { return };
        let (current, update) = (meta::name(&self.current), meta::name(&self.update));
        let idle: Vec<Key> = self
            .revisions
            .iter()
            .map(|revision| meta::name(revision))
            .filter(|name| ![current, update].contains(name))
            .filter(|name| !pods.iter().any(|(_, pod)| short(pod_revision(pod)) == short(name)))
            .map(|name| Key::new(registry::kind("controllerrevisions"), meta::namespace(&self.owner), name))
            .collect();
        for key in idle.iter().take(idle.len().saturating_sub(limit)) {
            deletion::delete_for_controller(store, key, &DeleteOptions::default());
        }
    }
}

/// The name of the revision that a pod runs.
pub(super) fn pod_revision(pod: &Value) -> &str {
    meta::label(pod, REVISION_LABEL)
}

fn renumber(store: &mut Store, revision: &Value, number: i64) -> Option<Arc<Value>> {
    let key =
        Key::new(registry::kind("controllerrevisions"), meta::namespace(revision), meta::name(revision));
    write::modify(store, &key, Part::Main, |revision| revision["revision"] = json!(number))
}

/// Creates a revision. If its name belongs to another template, the collision count changes the hash.
fn make(
    store: &mut Store,
    key: &Key,
    owner: &Value,
    data: &Value,
    number: i64,
    annotations: &Value,
    mut collisions: i64,
) -> Option<(Arc<Value>, i64)> {
    let kind = registry::kind("controllerrevisions");
    let mut labels = owner.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    loop {
        let hash = template_hash(data, collisions);
        let name = format!("{}-{hash}", key.name);
        labels[HASH_LABEL] = json!(hash);
        let revision = json!({
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [meta::controller_reference(owner)],
            },
            "data": data,
            "revision": number,
        });
        match write::create(store, kind, &key.namespace, revision, DryRun::Off) {
            Ok(made) => return Some((made, collisions)),
            Err(failure) if failure.code == 409 => {
                let there = store.object(&Key::new(kind, &key.namespace, &name))?;
                if there["data"] == *data {
                    return Some((Arc::clone(there), collisions));
                }
                collisions += 1;
            }
            Err(_) => return None,
        }
    }
}
