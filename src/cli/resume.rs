//! `rollout resume`: on with a run that stands still.

use crate::cli::args::{ComponentArg, DeadlineArgs, GlobalArgs, RunOutput};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting;
use crate::cli::ui::Ui;
use crate::cli::{driving, gather};
use crate::driver::pause::{self, Place};
use crate::driver::wish::{Gate, Intent, Overrides, Wish};

/// Go on with a run that was paused, stopped or lost its process
///
/// Ends a pause. Where the process that was paused still waits, it goes on, and this command waits for it; where none
/// does, this command drives. A gate stays closed: `rollout promote` passes it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What goes on.
    #[command(flatten)]
    pub component: ComponentArg,

    /// How long it may take.
    #[command(flatten)]
    pub deadlines: DeadlineArgs,

    /// Print the result in this form
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout resume
  $ rollout resume express-server --timeout 30m";

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
    let intent = Intent::Recorded { gate: Gate::Stay, kind: record.run.spec.kind };
    let wish = Wish::of_record(&record, namespace, intent, Overrides::default());
    driving::drive(&setting, &[wish], args.deadlines.limits(), args.output, ui).await
}
