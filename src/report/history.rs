//! What `rollout history` prints about a component, for people and for programs.

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::run::{Mode, Outcome, Purpose, Run};
use crate::report::format::Format;
use crate::report::structured;
use crate::report::table::Table;
use crate::report::text::{duration_ago, sanitise};

/// The version of the JSON and YAML documents; it changes when a key is removed or changes its meaning.
pub const VERSION: u32 = 1;

/// The kinds that have a size.
const SIZED: [&str; 4] = ["Deployment", "StatefulSet", "CloneSet", "ReplicaSet"];

/// A component's revisions and runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The cluster, if the command prints several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
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
    /// The number that was recorded with it; 0 if an earlier version recorded none.
    pub revision: i64,
    /// The number that selects it: `revision`, unless another revision has the same.
    #[serde(skip)]
    pub number: Option<i64>,
    /// Its name.
    pub name: String,
    /// The image of its first container.
    pub image: String,
    /// Replicas of its workload; 0 if it has none.
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
    /// The action as printed for people: an upgrade to an earlier revision is a `Rollback`.
    #[serde(skip)]
    pub noun: &'static str,
    /// The revisions that were replaced.
    pub from: Vec<String>,
    /// The revision that was rolled out.
    pub to: String,
    /// Replicas before.
    pub original_size: u32,
    /// The target size.
    pub target_size: u32,
    /// Whether its objects have a size, unlike a DaemonSet, whose pods are not known before it exists.
    #[serde(skip)]
    pub is_sized: bool,
    /// The absolute batch sizes; empty if the component is applied as a whole.
    pub batches: Vec<u32>,
    /// `Running`, `Held`, `Paused`, `Succeeded`, `Failed`, `Interrupted` or `Superseded`.
    pub outcome: &'static str,
    /// Who ran it.
    pub by: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs.
    pub finished: Option<Timestamp>,
    /// Why it ended as it did, if there is an explanation.
    pub message: Option<String>,
}

impl PastRun {
    /// Converts a recorded run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let (action, noun) = match (run.spec.mode, run.purpose) {
            (Mode::Release, _) => ("Release", "Release"),
            (Mode::Upgrade, Purpose::Forward) => ("Upgrade", "Upgrade"),
            (Mode::Upgrade, Purpose::Undo | Purpose::Abort) => ("Upgrade", "Rollback"),
            // An abort of a run that had changed nothing yet.
            (Mode::Scale, Purpose::Undo | Purpose::Abort)
                if run.spec.original_size == run.spec.target_size =>
            {
                ("Scale", "Rollback")
            }
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
            is_sized: run.spec.mode != Mode::Apply
                || run.spec.objects.iter().any(|object| SIZED.contains(&object.kind.as_str())),
            batches: match run.spec.mode {
                Mode::Release | Mode::Upgrade | Mode::Scale => {
                    run.spec.batches.iter().map(|batch| batch.size).collect()
                }
                // The record has one batch for the whole.
                Mode::Apply => Vec::new(),
            },
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

/// Renders the histories of a component, one for each cluster, in a format; the text ends with a newline, or is empty.
/// Several histories become one table, or a document each.
#[must_use]
pub fn render_histories(histories: &[History], format: Format, now: Timestamp) -> String {
    let document = |history| HistoryDocument { version: VERSION, history };
    match format {
        Format::Table | Format::Wide => history_tables(histories, now),
        Format::Json => histories.iter().map(|one| structured::to_json(&document(one))).collect(),
        Format::Yaml => {
            let documents: Vec<String> =
                histories.iter().map(|one| structured::to_yaml(&document(one))).collect();
            documents.join("---\n")
        }
        Format::Name => histories.iter().map(names).collect(),
    }
}

fn names(history: &History) -> String {
    let cluster = history.cluster.as_ref().map_or_else(String::new, |name| format!("{} ", sanitise(name)));
    let line = |one: &Revision| format!("{cluster}controllerrevision/{}\n", sanitise(&one.name));
    history.revisions.iter().map(line).collect()
}

fn history_tables(histories: &[History], now: Timestamp) -> String {
    let has_clusters = histories.iter().any(|history| history.cluster.is_some());
    let table = |headers: &[&'static str]| {
        let cluster = has_clusters.then_some("CLUSTER");
        Table::new(&cluster.into_iter().chain(headers.iter().copied()).collect::<Vec<_>>())
    };
    let mut revisions = table(&["REVISION", "NAME", "IMAGE", "READY", "AGE"]);
    let mut runs = table(&["RUN", "REVISIONS", "SIZE", "OUTCOME", "BY", "AGE"]);
    for history in histories {
        let cluster = || has_clusters.then(|| history.cluster.clone().unwrap_or_default());
        for one in &history.revisions {
            revisions.row(cluster().into_iter().chain(revision_cells(one, now)));
        }
        for run in &history.runs {
            runs.row(cluster().into_iter().chain(run_cells(run, now)));
        }
    }
    format!("{}\n{}", revisions.render(), runs.render())
}

fn revision_cells(one: &Revision, now: Timestamp) -> [String; 5] {
    let ready = match one.replicas {
        0 => "-".to_owned(),
        replicas => format!("{}/{replicas}", one.ready_replicas),
    };
    let age = one.created.map_or_else(|| "<unknown>".to_owned(), |created| age(created, now));
    let number = one.number.map_or_else(|| "<none>".to_owned(), |number| number.to_string());
    [number, one.name.clone(), one.image.clone(), ready, age]
}

fn run_cells(run: &PastRun, now: Timestamp) -> [String; 6] {
    let cell = |size: u32| if size == 0 && !run.is_sized { "-".to_owned() } else { size.to_string() };
    let size = match run.original_size {
        original if original == run.target_size => cell(original),
        original => format!("{} → {}", cell(original), cell(run.target_size)),
    };
    [run.noun, &run.path(), &size, run.outcome, &run.by, &age(run.started, now)].map(str::to_owned)
}

fn age(since: Timestamp, now: Timestamp) -> String {
    duration_ago(now.duration_since(since))
}
