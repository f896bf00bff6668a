//! The Job controller: creates pods until enough have succeeded or too many have failed.
//!
//! See <https://kubernetes.io/docs/concepts/workloads/controllers/job/>. Pods are counted as long as they exist: the
//! finalizers with which the controller counts deleted pods, limits per index, and policies of failures and success are
//! not implemented.

mod pods;
mod status;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::pods::Pods;
use super::ownership;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::{meta, pod};
use crate::sandbox::store::deletion::{self, DeleteOptions, Propagation};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::Task;
use crate::sandbox::validation::registry;

/// The state of a Job by its pods, which its conditions report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobState {
    Running,
    Suspended,
    Complete,
    Failed { reason: &'static str, message: &'static str },
}

/// Brings the pods of a Job, and its status, one step further.
pub(super) fn sync(store: &mut Store, key: &Key) {
    let Some(job) = store.object(key).cloned() else { return };
    if meta::is_terminating(&job) {
        return;
    }
    if let Some(finished) = status::finished_at(&job) {
        expire(store, key, &job, finished);
        return;
    }
    let owned = ownership::claim(store, key, &job, registry::kind("pods"), |_, pod| pod::is_active(pod));
    let pods = Pods::of(&job, owned);
    let started = meta::time_at(&job, "/status/startTime").unwrap_or(store.now);
    let state = job_state(store, key, &job, &pods, started);
    match state {
        JobState::Running => pods.adjust(store, key, &job),
        JobState::Suspended | JobState::Complete | JobState::Failed { .. } => pods.delete_active(store),
    }
    status::report(store, key, &job, state);
}

fn job_state(store: &mut Store, key: &Key, job: &Value, pods: &Pods, started: Timestamp) -> JobState {
    let limit = meta::number(job, "/spec/backoffLimit");
    if pods.failed > limit || pods.has_restarted_too_often(job, limit) {
        let message = "Job has reached the specified backoff limit";
        return JobState::Failed { reason: "BackoffLimitExceeded", message };
    }
    if job["spec"]["suspend"] == true {
        return JobState::Suspended;
    }
    if let Some(seconds) = job["spec"]["activeDeadlineSeconds"].as_i64() {
        let due = meta::saturating_add(started, SignedDuration::from_secs(seconds));
        if due <= store.now {
            let message = "Job was active longer than specified deadline";
            return JobState::Failed { reason: "DeadlineExceeded", message };
        }
        store.queue.add(Task::Job, key, due);
    }
    match job["spec"]["completions"].as_i64() {
        Some(completions) if pods.succeeded >= completions => JobState::Complete,
        None if pods.succeeded > 0 && pods.active.is_empty() => JobState::Complete,
        Some(_) | None => JobState::Running,
    }
}

/// Deletes a finished Job when its time to live has expired. See
/// <https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/>.
fn expire(store: &mut Store, key: &Key, job: &Value, finished: Timestamp) {
    let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else { return };
    let due = meta::saturating_add(finished, SignedDuration::from_secs(seconds));
    if due > store.now {
        store.queue.add(Task::Job, key, due);
        return;
    }
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    deletion::delete_for_controller(store, key, &options);
}
