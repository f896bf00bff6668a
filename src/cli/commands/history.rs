//! `rollout history`: the revisions and runs of a component, and what a revision contains.

use futures::future::join_all;

use crate::cli::clusters::{Clusters, all_or_failure};
use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::flags::args::GlobalArgs;
use crate::cli::terminal::ui::Ui;
use crate::ops::history::{self, RevisionBody};
use crate::report::format::Format;
use crate::report::history::{self as table, History};
use crate::report::structured;
use crate::report::text::sanitise;

/// Show the revisions of a component and the runs that rolled them out
///
/// Prints the number, image, ready pods and age of each revision, and the revisions, sizes, outcome, identity and age
/// of each run.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct HistoryArgs {
    /// Show this component; optional if the namespace has only one
    pub component: Option<String>,

    /// Show this revision: its name, the part after the component's name, or its number
    ///
    /// Prints the workload as it would be rolled out at the component's current size, as YAML or with `-o json`.
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,

    /// Show the diff between two revisions, object by object
    ///
    /// Prints nothing if they are identical. Ignores the size of a workload that is rolled out in batches, and names
    /// derived from revisions.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["revision", "output"])]
    pub diff: Option<Vec<String>>,

    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout history
  $ rollout history express-server -o json
  $ rollout history express-server --context eu --context us
  $ rollout history express-server --revision v1
  $ rollout history express-server --diff v1 v2";

/// Runs the command.
///
/// # Errors
///
/// If a cluster cannot be read, or the component or revision does not exist.
pub async fn run(args: &HistoryArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    if args.revision.is_none() && args.diff.is_none() {
        let clusters = Clusters::open(global, Access::Read, ui).await?;
        return show(args, &clusters, ui).await;
    }
    let env = Env::open(global, Access::Read, ui).await?;
    let (context, component) = (&env.context, env.component(args.component.as_deref()));
    match (&args.revision, args.diff.as_deref()) {
        (Some(reference), _) => {
            let [body] = history::revision_bodies(context, &component, [reference]).await?;
            ui.data(&revision(&body, args.output));
        }
        (None, Some([before, after])) => {
            let [before, after] = history::revision_bodies(context, &component, [before, after]).await?;
            ui.words(&before.difference(&after));
        }
        (None, _) => {}
    }
    Ok(exit::SUCCESS)
}

/// Prints the component's histories in all clusters that can be read, then fails if others cannot.
async fn show(args: &HistoryArgs, clusters: &Clusters, ui: &mut Ui) -> Result<u8, CommandError> {
    let read = join_all(clusters.all.iter().map(|cluster| async {
        let component = cluster.env.component(args.component.as_deref());
        let history = history::history(&cluster.env.context, &component).await;
        let history = history.map_err(|failure| cluster.attributed(failure))?;
        Ok::<_, CommandError>(History { cluster: cluster.name.clone(), ..history })
    }));
    let (read, failures): (Vec<_>, Vec<_>) = read.await.into_iter().partition(Result::is_ok);
    let histories: Vec<History> = read.into_iter().flatten().collect();
    if !histories.is_empty() {
        let now = clusters.all[0].env.context.session.clock().now();
        ui.data(&table::render_histories(&histories, args.output, now));
    }
    all_or_failure(failures.into_iter().filter_map(Result::err).collect(), ui)?;
    Ok(exit::SUCCESS)
}

/// The contents of a revision in a format.
fn revision(body: &RevisionBody, output: Format) -> String {
    match output {
        Format::Table | Format::Wide | Format::Yaml => structured::to_yaml(&body.workload),
        Format::Json => structured::to_json(&body.workload),
        Format::Name => format!("controllerrevision/{}\n", sanitise(&body.name)),
    }
}
