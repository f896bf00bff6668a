//! The pods of a Job: counting, creating and deleting them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::sandbox::controllers::ownership::Found;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::Task;
use crate::sandbox::store::write::{self, DryRun};
use crate::sandbox::validation::registry;

/// The label and annotation that name the index of a pod.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How long the controller waits after the first failed pod; each further failure doubles it.
const INITIAL_BACK_OFF: SignedDuration = SignedDuration::from_secs(10);
const MAX_BACK_OFF: SignedDuration = SignedDuration::from_secs(600);

/// The pods of a Job as they were when the sync began.
pub(super) struct Pods {
    pub(super) active: Vec<Found>,
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    /// The indexes of those that are active or have succeeded.
    taken: BTreeSet<i64>,
    last_failure: Option<Timestamp>,
}

impl Pods {
    pub(super) fn of(job: &Value, owned: Vec<Found>) -> Self {
        let phase =
            |phase: &str| owned.iter().filter(|(_, pod)| meta::text(pod, "/status/phase") == phase).count();
        let count = |phase: usize| i64::try_from(phase).unwrap_or(i64::MAX);
        let failures = owned.iter().filter(|(_, pod)| meta::text(pod, "/status/phase") == "Failed");
        let last_failure = failures.filter_map(|(_, pod)| ended_at(pod)).max();
        let is_taken = |pod: &Value| pod::is_active(pod) || meta::text(pod, "/status/phase") == "Succeeded";
        let index = |pod: &Value| meta::annotation(pod, INDEX).and_then(|index| index.parse().ok());
        // Pods that were counted may have been deleted since.
        let counted = |field: &str| meta::number(job, &format!("/status/{field}"));
        Self {
            succeeded: count(phase("Succeeded")).max(counted("succeeded")),
            failed: count(phase("Failed")).max(counted("failed")),
            taken: owned.iter().filter(|(_, pod)| is_taken(pod)).filter_map(|(_, pod)| index(pod)).collect(),
            last_failure,
            active: owned.into_iter().filter(|(_, pod)| pod::is_active(pod)).collect(),
        }
    }

    /// Whether containers that are restarted in place have used up the limit.
    pub(super) fn has_restarted_too_often(&self, job: &Value, limit: i64) -> bool {
        if job.pointer("/spec/template/spec/restartPolicy").is_none_or(|policy| policy != "OnFailure") {
            return false;
        }
        let statuses = |pod| meta::items(pod, "/status/containerStatuses").iter();
        let restarts: i64 = self
            .active
            .iter()
            .flat_map(|(_, pod)| statuses(pod))
            .map(|status| meta::number(status, "/restartCount"))
            .sum();
        restarts > 0 && restarts >= limit
    }

    /// Creates missing pods and deletes surplus ones.
    pub(super) fn adjust(&self, store: &mut Store, key: &Key, job: &Value) {
        let parallelism = meta::number(job, "/spec/parallelism");
        let active = i64::try_from(self.active.len()).unwrap_or(i64::MAX);
        let wanted = match job["spec"]["completions"].as_i64() {
            Some(completions) => parallelism.min(completions - self.succeeded),
            // After the first success, the work is done, and the other pods end by themselves.
            None if self.succeeded > 0 => active,
            None => parallelism,
        };
        if active > wanted {
            let surplus = usize::try_from(active - wanted).unwrap_or_default();
            let mut leaving: Vec<&Found> = self.active.iter().collect();
            leaving.sort_by_cached_key(|(key, pod)| pod::deletion_rank(pod, key));
            for (pod, _) in leaving.into_iter().take(surplus) {
                deletion::delete_for_controller(store, pod, &DeleteOptions::default());
            }
            return;
        }
        if let Some(due) = self.next_attempt().filter(|due| *due > store.now && active < wanted) {
            store.queue.add(Task::Job, key, due);
            return;
        }
        let free = (0..i64::MAX).filter(|index| !self.taken.contains(index));
        for (_, index) in (active..wanted).zip(free) {
            create(store, job, index);
        }
    }

    /// When the next pod may be created after failures.
    fn next_attempt(&self) -> Option<Timestamp> {
        let doublings = u32::try_from(self.failed - 1).ok()?.min(16);
        let wait = INITIAL_BACK_OFF.saturating_mul(1 << doublings).min(MAX_BACK_OFF);
        Some(meta::saturating_add(self.last_failure?, wait))
    }

    pub(super) fn delete_active(&self, store: &mut Store) {
        for (pod, _) in &self.active {
            deletion::delete_for_controller(store, pod, &DeleteOptions::default());
        }
    }
}

/// When the last container of a pod ended.
fn ended_at(pod: &Value) -> Option<Timestamp> {
    let statuses = meta::items(pod, "/status/containerStatuses").iter();
    statuses.filter_map(|status| meta::time_at(status, "/state/terminated/finishedAt")).max()
}

fn create(store: &mut Store, job: &Value, index: i64) {
    let template = &job["spec"]["template"];
    let (mut metadata, mut spec) = (template["metadata"].clone(), template["spec"].clone());
    let mut prefix = format!("{}-", meta::name(job));
    if job["spec"]["completionMode"] == "Indexed" {
        prefix.push_str(&format!("{index}-"));
        let variable = json!({"name": "JOB_COMPLETION_INDEX", "value": index.to_string()});
        for container in spec["containers"].as_array_mut().into_iter().flatten() {
            if let Some(container) = container.as_object_mut()
                && let Some(variables) = container.entry("env").or_insert_with(|| json!([])).as_array_mut()
            {
                variables.push(variable.clone());
            }
        }
        metadata["annotations"][INDEX] = json!(index.to_string());
        metadata["labels"][INDEX] = json!(index.to_string());
        spec["hostname"] = json!(format!("{}-{index}", meta::name(job)));
    }
    metadata["generateName"] = json!(prefix);
    metadata["ownerReferences"] = json!([meta::controller_reference(job)]);
    let pod = json!({"metadata": metadata, "spec": spec});
    // Fails only if the generated name exists; the next sync retries.
    write::create(store, registry::kind("pods"), meta::namespace(job), pod, DryRun::Off).ok();
}
