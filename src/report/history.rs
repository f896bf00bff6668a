//! What `rollout history` says about a component, for people and for programs.

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::run::{Mode, Outcome, Purpose, Run};
use crate::report::format::Format;
use crate::report::structured;
use crate::report::table::Table;
use crate::report::text::{duration_ago, sanitise};

/// The version of the JSON and YAML forms; it changes when a key goes or changes its meaning.
pub const VERSION: u32 = 1;

/// A component's revisions and runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The component's name.
    pub component: String,
    /// The application it belongs to.
    pub application: String,
    /// The recorded revisions, oldest number first.
    pub revisions: Vec<Revision>,
    /// The runs, newest first; at most eleven are kept.
    pub runs: Vec<PastRun>,
}

/// A recorded revision.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The number that was recorded with it; 0 where an earlier version recorded none.
    pub revision: i64,
    /// The number by which it can be named, which is that number where no other revision has it.
    #[serde(skip)]
    pub number: Option<i64>,
    /// Its name.
    pub name: String,
    /// The image of its first container.
    pub image: String,
    /// Replicas of its workload; 0 where it has none.
    pub replicas: u32,
    /// Ready pods of its workload.
    pub ready_replicas: u32,
    /// When it was recorded.
    pub created: Option<Timestamp>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PastRun {
    /// `Release`, `Upgrade` or `Scale`.
    pub action: &'static str,
    /// What a person calls it: the action, but for an upgrade to an earlier revision, which is a `Rollback`.
    #[serde(skip)]
    pub noun: &'static str,
    /// The revisions that were replaced.
    pub from: Vec<String>,
    /// The revision that was rolled out.
    pub to: String,
    /// Replicas before.
    pub original_size: u32,
    /// Replicas wanted.
    pub target_size: u32,
    /// The absolute batch sizes.
    pub batches: Vec<u32>,
    /// `Running`, `Held`, `Paused`, `Succeeded`, `Failed`, `Interrupted` or `Superseded`.
    pub outcome: &'static str,
    /// Who ran it.
    pub by: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs.
    pub finished: Option<Timestamp>,
    /// Why it ended as it did, where that needs words.
    pub message: Option<String>,
}

impl PastRun {
    /// A run as it is shown.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let (action, noun) = match (run.spec.mode, run.purpose) {
            (Mode::Release, _) => ("Release", "Release"),
            (Mode::Upgrade, Purpose::Forward) => ("Upgrade", "Upgrade"),
            (Mode::Upgrade, Purpose::Undo | Purpose::Abort) => ("Upgrade", "Rollback"),
            (Mode::Scale, _) => ("Scale", "Scale"),
            (Mode::Apply, Purpose::Forward) => ("Apply", "Apply"),
            (Mode::Apply, Purpose::Undo | Purpose::Abort) => ("Apply", "Rollback"),
        };
        Self {
            action,
            noun,
            from: run.spec.sources.clone(),
            to: run.spec.target.clone(),
            original_size: run.spec.size_before(),
            target_size: run.spec.target_size,
            batches: run.spec.batches.iter().map(|batch| batch.size).collect(),
            outcome: match run.outcome {
                Outcome::Running => "Running",
                Outcome::Held => "Held",
                Outcome::Paused => "Paused",
                Outcome::Succeeded => "Succeeded",
                Outcome::Failed => "Failed",
                Outcome::Interrupted => "Interrupted",
                Outcome::Superseded => "Superseded",
            },
            by: run.by.clone(),
            started: run.started,
            finished: run.finished,
            message: run.message.clone(),
        }
    }

    /// `express-server-v1 → express-server-v2`, or the revision alone.
    fn path(&self) -> String {
        if self.from.is_empty() {
            self.to.clone()
        } else {
            format!("{} → {}", self.from.join(" + "), self.to)
        }
    }
}

#[derive(Serialize)]
struct HistoryDocument<'a> {
    version: u32,
    #[serde(flatten)]
    history: &'a History,
}

/// Renders a history in a form; every form ends with a newline, or is empty.
#[must_use]
pub fn render_history(history: &History, format: Format, now: Timestamp) -> String {
    let document = HistoryDocument { version: VERSION, history };
    match format {
        Format::Table | Format::Wide => history_tables(history, now),
        Format::Json => structured::to_json(&document),
        Format::Yaml => structured::to_yaml(&document),
        Format::Name => history
            .revisions
            .iter()
            .map(|one| format!("controllerrevision/{}\n", sanitise(&one.name)))
            .collect(),
    }
}

fn history_tables(history: &History, now: Timestamp) -> String {
    let age = |since: Timestamp| duration_ago(now.duration_since(since));
    let mut revisions = Table::new(&["REVISION", "NAME", "IMAGE", "READY", "AGE"]);
    for one in &history.revisions {
        let ready = if one.replicas == 0 {
            "-".to_owned()
        } else {
            format!("{}/{}", one.ready_replicas, one.replicas)
        };
        let age = one.created.map_or_else(|| "<unknown>".to_owned(), age);
        let number = one.number.map_or_else(|| "<none>".to_owned(), |number| number.to_string());
        revisions.row([number, one.name.clone(), one.image.clone(), ready, age]);
    }
    let mut runs = Table::new(&["RUN", "REVISIONS", "SIZE", "OUTCOME", "BY", "AGE"]);
    for run in &history.runs {
        let size = match run.original_size {
            original if original == run.target_size => original.to_string(),
            original => format!("{original} → {}", run.target_size),
        };
        let cells =
            [run.noun, &run.path(), &size, run.outcome, &run.by, &age(run.started)].map(str::to_owned);
        runs.row(cells);
    }
    format!("{}\n{}", revisions.render(), runs.render())
}
