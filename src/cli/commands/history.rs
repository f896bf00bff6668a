//! `rollout history`: the revisions and runs of a component, and what is in a revision.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cli::commands::gather;
use crate::cli::connect::client::Access;
use crate::cli::connect::setting::{self, unreachable};
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{GlobalArgs, Output};
use crate::cli::terminal::ui::Ui;
use crate::cluster::ownership::ComponentOwner;
use crate::cluster::record_store;
use crate::cluster::revision_store;
use crate::oam::revision::{self, StoredRevision};
use crate::plan::in_place::Shape;
use crate::plan::observed::Workload;
use crate::plan::readiness;
use crate::plan::record::Record;
use crate::report::history::{self, History, PastRun, Revision};
use crate::report::text::sanitise;
use crate::report::{diff, document};

/// Show the revisions of a component and the runs that rolled them out
///
/// Prints number, image, ready pods and age of each revision; revisions, sizes, outcome, identity and age of
/// each run.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Show this component; optional if the namespace has only one
    pub component: Option<String>,

    /// Show this revision: its name, the part after the component's name, or its number
    ///
    /// Prints the workload as it would be rolled out at the component's current size, as YAML or with `-o json`.
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,

    /// Show the diff between the workloads of two revisions
    ///
    /// Prints nothing if they are identical. Ignores the size and names derived from revisions.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["revision", "output"])]
    pub diff: Option<Vec<String>>,

    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout history
  $ rollout history express-server -o json
  $ rollout history express-server --revision v1
  $ rollout history express-server --diff v1 v2";

/// Runs the command.
///
/// # Errors
///
/// A cluster that cannot be read, and a component or revision that is not there.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let setting = setting::open(global, Access::Read, ui).await?;
    let session = &setting.session;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let known = record_store::load_records(session, &namespace).await.map_err(unreachable)?;
    let record = gather::pick(&known, args.component.as_deref(), &namespace)?;
    let names = [record.component.clone()];
    let stored = revision_store::list_revisions(session, &namespace, &names).await.map_err(unreachable)?;
    if let Some(reference) = &args.revision {
        let (found, workload) = body(reference, record, &stored)?;
        ui.data(&shown(found, &workload, args.output));
        return Ok(exit::SUCCESS);
    }
    if let Some([before, after]) = args.diff.as_deref() {
        let (_, before) = body(before, record, &stored)?;
        let (_, after) = body(after, record, &stored)?;
        ui.data(&diff::workloads(record.run.spec.kind, Some(&before), Some(&after)));
        return Ok(exit::SUCCESS);
    }
    let kinds = BTreeSet::from([record.run.spec.kind]);
    let mut workloads = gather::workloads(session, &namespace, &kinds).await.map_err(unreachable)?;
    let labelled = workloads.remove(&record.component).unwrap_or_default();
    let live = ComponentOwner::of_record(record).owned(&labelled);
    let history = History {
        component: record.component.clone(),
        application: record.application.clone(),
        revisions: stored.iter().map(|revision| entry(revision, &stored, &live)).collect(),
        runs: std::iter::once(&record.run).chain(&record.past).map(PastRun::of).collect(),
    };
    ui.data(&history::render(&history, args.output.into(), session.clock().now()));
    Ok(exit::SUCCESS)
}

/// The revision that is meant and its workload, at the size that the component has.
fn body<'a>(
    reference: &str,
    record: &Record,
    stored: &'a [StoredRevision],
) -> Result<(&'a StoredRevision, Value), Failure> {
    let found = revision::resolve(reference, &record.component, stored).map_err(|unknown| {
        let failure = Failure::message(Kind::Refused, unknown.to_string());
        match unknown.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let workload = revision::workload(found, record.run.spec.target_size, 0).ok_or_else(|| {
        let reason = format!("revision `{}` contains no workload that can be rolled out", found.name);
        Failure::message(Kind::Refused, reason)
    })?;
    Ok((found, workload))
}

/// What is in a revision, in a form.
fn shown(found: &StoredRevision, workload: &Value, output: Output) -> String {
    match output {
        Output::Table | Output::Wide | Output::Yaml => document::yaml(workload),
        Output::Json => document::json(workload),
        Output::Name => format!("controllerrevision/{}\n", sanitise(&found.name)),
    }
}

fn entry(revision: &StoredRevision, stored: &[StoredRevision], live: &[Workload]) -> Revision {
    let image = revision
        .workload()
        .and_then(|workload| workload.pointer("/spec/template/spec/containers/0/image"))
        .and_then(serde_json::Value::as_str);
    let workload = live.iter().find(|workload| workload.revision() == Some(&revision.name));
    Revision {
        revision: revision.revision,
        number: revision::own_number(revision, stored),
        name: revision.name.clone(),
        image: image.unwrap_or_default().to_owned(),
        replicas: workload.map_or(0, |workload| Shape::of(workload).moved()),
        ready_replicas: workload.map_or(0, readiness::ready),
        created: revision.created.as_deref().and_then(|created| created.parse().ok()),
    }
}
