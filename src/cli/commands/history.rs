//! `rollout history`: the revisions and runs of a component, and what a revision contains.

use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::flags::args::GlobalArgs;
use crate::cli::terminal::ui::Ui;
use crate::ops::history::{self, RevisionBody};
use crate::report::format::Format;
use crate::report::text::sanitise;
use crate::report::{history as table, structured};

/// Show the revisions of a component and the runs that rolled them out
///
/// Prints number, image, ready pods and age of each revision; revisions, sizes, outcome, identity and age of
/// each run.
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
  $ rollout history express-server --revision v1
  $ rollout history express-server --diff v1 v2";

/// Runs the command.
///
/// # Errors
///
/// A cluster that cannot be read, and a component or revision that does not exist.
pub async fn run(args: &HistoryArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let env = Env::open(global, Access::Read, ui).await?;
    let (context, component) = (&env.context, env.component(args.component.as_deref()));
    let text = match (&args.revision, args.diff.as_deref()) {
        (Some(reference), _) => {
            let [body] = history::revision_bodies(context, &component, [reference]).await?;
            revision(&body, args.output)
        }
        (None, Some([before, after])) => {
            let [before, after] = history::revision_bodies(context, &component, [before, after]).await?;
            before.difference(&after)
        }
        (None, _) => {
            let history = history::history(context, &component).await?;
            table::render_history(&history, args.output, context.session.clock().now())
        }
    };
    ui.data(&text);
    Ok(exit::SUCCESS)
}

/// What a revision contains, in a form.
fn revision(body: &RevisionBody, output: Format) -> String {
    match output {
        Format::Table | Format::Wide | Format::Yaml => structured::to_yaml(&body.workload),
        Format::Json => structured::to_json(&body.workload),
        Format::Name => format!("controllerrevision/{}\n", sanitise(&body.name)),
    }
}
