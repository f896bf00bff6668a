//! `rollout pause`: stops a run until it is resumed, whichever process drives it.

use crate::cli::connect::client::Access;
use crate::cli::connect::env::Env;
use crate::cli::exit;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::{ComponentArg, GlobalArgs};
use crate::cli::interrupt::signals;
use crate::cli::terminal::ui::Ui;
use crate::ops::pause::{self, Paused};
use crate::ops::status;
use crate::report::format::Format;
use crate::report::status as table;

/// Pause the run in progress
///
/// Returns once nothing more is written; pods are left as they are. The process that drives the run waits, and
/// `rollout apply` is rejected, until `rollout resume` or `rollout promote` resumes the run. `undo` and `abort` also
/// end the pause, by starting a run of their own, as does `scale` unless an upgrade is in progress.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PauseArgs {
    /// What stops.
    #[command(flatten)]
    pub component: ComponentArg,

    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout pause
  $ rollout pause express-server && rollout history express-server";

/// Runs the command.
///
/// # Errors
///
/// If the component has no run in progress, or the cluster cannot be written.
pub async fn run(args: &PauseArgs, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    let env = Env::open(global, Access::Write, ui).await?;
    let component = env.component(args.component.component.as_deref());
    let paused = signals()?.interrupt(pause::pause(&env.context, &component)).await;
    let Paused { component: name, was_paused } = paused.map_err(|signal| {
        CommandError::message(Kind::Interrupted(signal), "interrupted before the run was known to be paused")
            .hint("rerun the same command")
    })??;
    let resume = ui.flags().add_to(&format!("`rollout resume {name}`"));
    ui.status(&match was_paused {
        false => format!("{name}: paused; resume it with {resume}"),
        true => format!("{name}: already paused"),
    });
    let items = status::statuses(&env.context, &component.namespace).await?;
    let items: Vec<_> = items.into_iter().filter(|item| item.component == name).collect();
    ui.data(&table::render_status(&items, args.output, env.context.session.clock().now()));
    Ok(exit::SUCCESS)
}
