//! Labels and annotations that the target's workload inherits from its application.
//!
//! They are not part of a revision: the pod template does not have them, so changing them replaces no pods. If only
//! they change, the workload is updated in place, under a claim like every write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cluster::keys;
use crate::cluster::workload_cache::WorkloadCache;
use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::render::Inherited;
use crate::oam::revision::StoredRevision;

/// Labels and annotations of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// The metadata of a workload in the cache.
    #[must_use]
    pub fn known(cache: &WorkloadCache, component: &str, kind: WorkloadKind, name: &str) -> Option<Self> {
        let (labels, annotations) = cache.labels_and_annotations(component, kind, name)?;
        Some(Self { labels, annotations })
    }

    /// Formats it as part of an object, without what only `rollout` writes.
    #[must_use]
    pub fn shown(&self, name: &str) -> Value {
        let annotations: BTreeMap<_, _> =
            self.annotations.iter().filter(|(key, _)| !labels::is_own(key)).collect();
        json!({"metadata": {"name": name, "labels": self.labels, "annotations": annotations}})
    }
}

/// The labels and annotations that a component's workload inherits from the application.
#[derive(Debug, Clone)]
pub struct InheritedMetadata {
    wanted: Inherited,
    /// Keys that earlier manifests set.
    known: BTreeSet<String>,
    /// Keys in the body of the workload's revision.
    recorded: BTreeSet<String>,
    /// Whether keys that no revision records are kept.
    keeps_unrecorded: bool,
}

impl InheritedMetadata {
    /// The metadata for the target, whose workload was created from its revision or, in place, from any earlier
    /// revision.
    #[must_use]
    pub fn new(
        wanted: Inherited,
        kind: WorkloadKind,
        target: &StoredRevision,
        stored: &[StoredRevision],
    ) -> Self {
        let keys = |revision: &StoredRevision| -> Vec<String> {
            let inherited = revision.workload().map(Inherited::stored).unwrap_or_default();
            inherited.labels.into_keys().chain(inherited.annotations.into_keys()).collect()
        };
        let recorded: BTreeSet<String> = keys(target).into_iter().collect();
        let earlier = stored.iter().filter(|_| kind.is_in_place()).flat_map(keys);
        let known = earlier.chain(recorded.clone()).collect();
        Self { wanted, known, recorded, keeps_unrecorded: false }
    }

    /// The metadata that a rollback restores on an in-place workload: what traits set on both the workload and its
    /// pods. Metadata of the workload alone is not part of a revision, and is kept. `None` if each revision has its own
    /// workload.
    #[must_use]
    pub fn restored(kind: WorkloadKind, target: &StoredRevision, stored: &[StoredRevision]) -> Option<Self> {
        let body = target.workload().filter(|_| kind.is_in_place())?;
        let of_pods = |workload: &Value| {
            let Inherited { labels, annotations } = Inherited::stored(workload);
            let of_template = Inherited::stored(&workload["spec"]["template"]);
            let labels = labels.into_keys().filter(|key| of_template.labels.contains_key(key));
            let annotations = annotations.into_keys();
            let annotations = annotations.filter(|key| of_template.annotations.contains_key(key));
            labels.chain(annotations).collect::<Vec<String>>()
        };
        let known: BTreeSet<String> =
            stored.iter().filter_map(StoredRevision::workload).flat_map(of_pods).collect();
        let mut wanted = Inherited::stored(body);
        wanted.labels.retain(|key, _| known.contains(key));
        wanted.annotations.retain(|key, _| known.contains(key));
        Some(Self { wanted, recorded: known.clone(), known, keeps_unrecorded: true })
    }

    /// The desired metadata; keys that other clients wrote are kept.
    #[must_use]
    pub fn applied(&self, seen: &Metadata) -> Metadata {
        let listed: BTreeSet<String> = seen
            .annotations
            .get(keys::APPLIED)
            .filter(|_| !self.keeps_unrecorded)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let merged = |seen: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            let mut after = seen.clone();
            after.retain(|key, _| !self.known.contains(key) && !listed.contains(key));
            after.extend(wanted.iter().map(|(key, value)| (key.clone(), value.clone())));
            after
        };
        let labels = merged(&seen.labels, &self.wanted.labels);
        let mut annotations = merged(&seen.annotations, &self.wanted.annotations);
        if self.keeps_unrecorded {
            return Metadata { labels, annotations };
        }
        // The annotation lists keys that the revision does not have, so that they can be removed later.
        let handed = self.wanted.labels.keys().chain(self.wanted.annotations.keys());
        let unrecorded: BTreeSet<&String> = handed.filter(|key| !self.recorded.contains(*key)).collect();
        annotations.remove(keys::APPLIED);
        if !unrecorded.is_empty() {
            annotations.insert(keys::APPLIED.to_owned(), json!(unrecorded).to_string());
        }
        Metadata { labels, annotations }
    }
}

/// The JSON Patch operations from one state to another. A removed key is tested first, so that a value that another
/// client has set is kept.
#[must_use]
pub fn operations(seen: &Metadata, wanted: &Metadata) -> Vec<Value> {
    let mut operations = Vec::new();
    for (field, before, after) in
        [("labels", &seen.labels, &wanted.labels), ("annotations", &seen.annotations, &wanted.annotations)]
    {
        let path = |key: &str| format!("/metadata/{field}/{}", keys::escape_pointer(key));
        for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
            operations.push(json!({"op": "test", "path": path(key), "value": value}));
            operations.push(json!({"op": "remove", "path": path(key)}));
        }
        for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(*value)) {
            operations.push(json!({"op": "add", "path": path(key), "value": value}));
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn inherited_metadata(labels: &[(&str, &str)], recorded: &[&str]) -> InheritedMetadata {
        let recorded: BTreeSet<String> = recorded.iter().map(|key| (*key).to_owned()).collect();
        let wanted = Inherited { labels: map(labels), annotations: BTreeMap::new() };
        InheritedMetadata { wanted, known: recorded.clone(), recorded, keeps_unrecorded: false }
    }

    #[test]
    fn inherited_labels_are_removed_and_foreign_ones_kept() {
        let seen = Metadata { labels: map(&[("team", "a"), ("x", "y")]), annotations: map(&[("n", "m")]) };
        let after = inherited_metadata(&[], &["team"]).applied(&seen);
        assert_eq!(after, Metadata { labels: map(&[("x", "y")]), annotations: map(&[("n", "m")]) });
        let paths: Vec<Value> = operations(&seen, &after).iter().map(|one| one["op"].clone()).collect();
        assert_eq!(paths, ["test", "remove"]);
    }

    #[test]
    fn labels_missing_from_the_revision_are_listed_for_later_removal() {
        let seen = Metadata::default();
        let given = inherited_metadata(&[("team", "a")], &[]).applied(&seen);
        assert_eq!(given.labels, map(&[("team", "a")]));
        assert_eq!(given.annotations, map(&[("batch-rollout.dev/applied", "[\"team\"]")]));
        assert_eq!(inherited_metadata(&[], &[]).applied(&given), seen);
        assert_eq!(
            inherited_metadata(&[("team", "a")], &[]).applied(&given),
            given,
            "and then it is at rest"
        );
    }
}
