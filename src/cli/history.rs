//! `rollout history`: the revisions and runs of a component.

use std::collections::BTreeSet;

use crate::cli::args::{GlobalArgs, Output};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting::{self, unreachable};
use crate::cli::ui::Ui;
use crate::cli::{exit, gather};
use crate::cluster::record;
use crate::cluster::revisions;
use crate::oam::revision::StoredRevision;
use crate::plan::in_place::Shape;
use crate::plan::observed::Workload;
use crate::plan::readiness;
use crate::report::history::{self, History, PastRun, Revision};

/// Show the revisions of a component and the runs that rolled them out
///
/// Revisions with number, image, age and live pods; runs with who, when, from where to where, and how they
/// ended.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Show this component; may be left out where the namespace has only one
    pub component: Option<String>,

    /// Print in this form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout history
  $ rollout history express-server -o json";

/// Runs the command.
///
/// # Errors
///
/// A cluster that cannot be read, and a component that is not there.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let setting = setting::open(global, Purpose::Look, ui).await?;
    let session = &setting.session;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let known = record::load_all(session, &namespace).await.map_err(unreachable)?;
    let record = gather::pick(&known, args.component.as_deref(), &namespace)?;
    let names = [record.component.clone()];
    let stored = revisions::list(session, &namespace, &names).await.map_err(unreachable)?;
    let kinds = BTreeSet::from([record.run.spec.kind]);
    let mut workloads = gather::workloads(session, &namespace, &kinds).await.map_err(unreachable)?;
    let live = workloads.remove(&(record.run.spec.kind, record.component.clone())).unwrap_or_default();
    let history = History {
        component: record.component.clone(),
        application: record.application.clone(),
        revisions: stored.iter().map(|revision| entry(revision, &live)).collect(),
        runs: std::iter::once(&record.run).chain(&record.past).map(PastRun::of).collect(),
    };
    ui.data(&history::render(&history, args.output.into(), session.clock().now()));
    Ok(exit::SUCCESS)
}

fn entry(revision: &StoredRevision, live: &[Workload]) -> Revision {
    let image = revision
        .workload()
        .and_then(|workload| workload.pointer("/spec/template/spec/containers/0/image"))
        .and_then(serde_json::Value::as_str);
    let workload = live.iter().find(|workload| workload.revision() == Some(&revision.name));
    Revision {
        revision: revision.revision,
        name: revision.name.clone(),
        image: image.unwrap_or_default().to_owned(),
        replicas: workload.map_or(0, |workload| Shape::of(workload).moved()),
        ready_replicas: workload.map_or(0, readiness::ready),
        created: revision.created.as_deref().and_then(|created| created.parse().ok()),
    }
}
