//! What only a `task` and a `cron-task` say.

/// How a Job runs its pods, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobProperties {
    /// Pods that run side by side and that have to succeed.
    pub count: u32,
    /// When a container that has ended is started again.
    pub restart: JobRestart,
    /// When the Job runs again and again; `None` for a `task`, which runs once.
    pub schedule: Option<JobSchedule>,
}

/// When a container of a Job that has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobRestart {
    /// Never; the Job starts another pod.
    #[default]
    Never,
    /// If it has failed.
    OnFailure,
}

impl JobRestart {
    /// Kubernetes' spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::OnFailure => "OnFailure",
        }
    }
}

/// When a `cron-task` runs, and what becomes of its Jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSchedule {
    /// Five fields as in a crontab, or a name such as `@daily`.
    pub cron: String,
    /// What happens when a Job is due while another one runs.
    pub concurrency: JobConcurrency,
    /// Whether no Job starts.
    pub suspend: bool,
    /// Succeeded Jobs that are kept; 3 where not given.
    pub successful_jobs_history_limit: u32,
    /// Failed Jobs that are kept; 1 where not given.
    pub failed_jobs_history_limit: u32,
    /// Seconds after which a missed Job is no longer started.
    pub starting_deadline_seconds: Option<u32>,
    /// Seconds after which a finished Job is deleted.
    pub ttl_seconds_after_finished: Option<u32>,
    /// Seconds that a Job may run.
    pub active_deadline_seconds: Option<u32>,
    /// Failed pods after which a Job has failed; 6 where not given.
    pub backoff_limit: u32,
}

/// What happens when a Job is due while another one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobConcurrency {
    /// Both run.
    #[default]
    Allow,
    /// The one that is due does not start.
    Forbid,
    /// The one that runs is ended.
    Replace,
}

impl JobConcurrency {
    /// Kubernetes' spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Forbid => "Forbid",
            Self::Replace => "Replace",
        }
    }
}
