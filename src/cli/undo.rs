//! `rollout undo`: back to an earlier revision, in batches.

use crate::cli::args::{BatchArgs, DeadlineArgs, GlobalArgs, RunOutput};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting::{self, unreachable};
use crate::cli::ui::Ui;
use crate::cli::{driving, gather};
use crate::cluster::record;
use crate::driver::wish::{ComponentWish, Intent, Wish};

/// Go back to an earlier revision, in batches
///
/// Needs no manifest: the workload is rendered from the recorded revision.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Undo this component; may be left out where the namespace has only one
    pub component: Option<String>,

    /// Go to this revision: its name, the part after the component's name, or its number
    ///
    /// Without it: the revision before the one that is rolled out.
    #[arg(long, value_name = "REVISION")]
    pub to_revision: Option<String>,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Print the result in this form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout undo
  $ rollout undo express-server --to-revision v1
  $ rollout undo express-server --to-revision express-server-v1 --batches 2,3";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let setting = setting::open(global, Purpose::Change, ui).await?;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let known = record::load_all(&setting.session, &namespace).await.map_err(unreachable)?;
    let record = gather::pick(&known, args.component.as_deref(), &namespace)?;
    let wish = Wish {
        application: record.application.clone(),
        namespace,
        components: vec![ComponentWish {
            name: record.component.clone(),
            depends_on: Vec::new(),
            intent: Intent::Revision { reference: args.to_revision.clone(), kind: record.run.spec.kind },
        }],
        overrides: args.batches.overrides(false),
    };
    driving::drive(&setting, &[wish], args.deadlines.limits(), args.output, ui).await
}
