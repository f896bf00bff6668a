//! What only a `task` and a `cron-task` say.

use crate::oam::manifest::properties::optional;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::properties::jobs::{JobConcurrency, JobProperties, JobRestart, JobSchedule};

/// The properties of a `cron-task` beside those of a `task`.
pub(super) const SCHEDULE: [&str; 9] = [
    "schedule",
    "concurrencyPolicy",
    "suspend",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "startingDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "activeDeadlineSeconds",
    "backoffLimit",
];

const RESTARTS: [(&str, JobRestart); 2] =
    [("Never", JobRestart::Never), ("OnFailure", JobRestart::OnFailure)];

const CONCURRENCIES: [(&str, JobConcurrency); 3] = [
    ("Allow", JobConcurrency::Allow),
    ("Forbid", JobConcurrency::Forbid),
    ("Replace", JobConcurrency::Replace),
];

const MOST: u32 = i32::MAX as u32;

/// Reads what a `task` says about its Job.
pub(super) fn read_task(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<JobProperties> {
    let count = optional(object, "count", |at| walk.integer(&at, 0..=MOST, "an integer"));
    let restart = optional(object, "restart", |at| walk.choice(&at, &RESTARTS));
    Some(JobProperties { count: count?.unwrap_or(1), restart: restart?.unwrap_or_default(), schedule: None })
}

/// Reads what a `cron-task` says about its Jobs.
pub(super) fn read_cron_task(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<JobProperties> {
    let job = read_task(walk, object);
    let schedule = read_schedule(walk, object);
    Some(JobProperties { schedule: Some(schedule?), ..job? })
}

fn read_schedule(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<JobSchedule> {
    let cron = walk
        .required(object, "schedule", "a schedule such as `0 3 * * *`")
        .and_then(|at| read_cron(walk, &at));
    let concurrency = optional(object, "concurrencyPolicy", |at| walk.choice(&at, &CONCURRENCIES));
    let suspend = optional(object, "suspend", |at| walk.boolean(&at));
    let mut number = |name: &str| optional(object, name, |at| walk.integer(&at, 0..=MOST, "an integer"));
    let successful = number("successfulJobsHistoryLimit");
    let failed = number("failedJobsHistoryLimit");
    let starting_deadline_seconds = number("startingDeadlineSeconds");
    let ttl_seconds_after_finished = number("ttlSecondsAfterFinished");
    let active_deadline_seconds = number("activeDeadlineSeconds");
    let backoff_limit = number("backoffLimit");
    Some(JobSchedule {
        cron: cron?,
        concurrency: concurrency?.unwrap_or_default(),
        suspend: suspend?.unwrap_or_default(),
        successful_jobs_history_limit: successful?.unwrap_or(3),
        failed_jobs_history_limit: failed?.unwrap_or(1),
        starting_deadline_seconds: starting_deadline_seconds?,
        ttl_seconds_after_finished: ttl_seconds_after_finished?,
        active_deadline_seconds: active_deadline_seconds?,
        backoff_limit: backoff_limit?.unwrap_or(6),
    })
}

/// A schedule whose shape is right; the numbers in it are for the API server to judge.
fn read_cron(walk: &mut Walk<'_>, at: &At<'_>) -> Option<String> {
    let expected = "five fields such as `0 3 * * *`, or a name such as `@daily`";
    let is_cron = |text: &str| {
        let field =
            |field: &str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-?#".contains(&byte));
        let fields: Vec<&str> = text.split_whitespace().collect();
        text.starts_with('@') || (fields.len() == 5 && fields.into_iter().all(field))
    };
    walk.checked(at, expected, is_cron).map(str::to_owned)
}
