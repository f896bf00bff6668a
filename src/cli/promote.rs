//! `rollout promote`: past the gate.

use crate::cli::args::{ComponentArg, DeadlineArgs, GlobalArgs, RunOutput};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting;
use crate::cli::ui::Ui;
use crate::cli::{driving, gather};
use crate::driver::pause::{self, Place};
use crate::driver::wish::{Gate, Intent, Overrides, Wish};

/// Go on past the gate, to the next batch or to the end
///
/// A run that is held after a batch goes on for one more and is held again; with `--full` it goes on to the end. A
/// run that is still on its way to the gate is waited for first, and where nobody drives it, is driven there. Ends a
/// pause.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What goes on.
    #[command(flatten)]
    pub component: ComponentArg,

    /// Go on to the end, without another gate
    #[arg(long)]
    pub full: bool,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Print the result in this form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout promote
  $ rollout promote express-server --full";

/// Runs the command.
///
/// # Errors
///
/// Whatever stops the rollout.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let setting = setting::open(global, Purpose::Change, ui).await?;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let record = gather::record_of(&setting, args.component.component.as_deref(), &namespace).await?;
    let place = Place { namespace: &namespace, component: &record.component };
    pause::unpause(&setting.session, place).await?;
    let gate = if args.full { Gate::Open } else { Gate::Next };
    let intent = Intent::Recorded { gate, kind: record.run.spec.kind };
    let wish = Wish::of_record(&record, namespace, intent, Overrides::default());
    driving::drive(&setting, &[wish], args.deadlines.limits(), args.output, ui).await
}
