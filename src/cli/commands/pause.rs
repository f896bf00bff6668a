//! `rollout pause`: a run stands still, whoever drives it.

use crate::cli::commands::component::Component;
use crate::cli::commands::gather;
use crate::cli::connect::setting;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::flags::args::{ComponentArg, GlobalArgs, Output};
use crate::cli::terminal::ui::Ui;
use crate::driver::pause::{self, Paused};
use crate::plan::record::Pause;
use crate::report::status;

/// Pause the run in progress
///
/// Returns once nothing more is written; pods are left as they are. The process that drives the run waits, and
/// `rollout apply` is rejected, until `rollout resume` or `rollout promote` resumes the run. `undo` and `abort` also end
/// the pause, by starting a run of their own, as does `scale` unless an upgrade is in progress.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What stops.
    #[command(flatten)]
    pub component: ComponentArg,

    /// Print in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout pause
  $ rollout pause express-server && rollout history express-server";

/// Runs the command.
///
/// # Errors
///
/// A component without a run under way, and a cluster that cannot be written.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let component = Component::find(args.component.component.as_deref(), None, global, ui).await?;
    let (session, name) = (&component.setting.session, &component.record.component);
    let by = Pause { by: component.setting.identity.clone(), at: session.clock().now() };
    match pause::pause(session, component.place(), by).await? {
        Paused::Now => ui.status(&format!("{name}: paused; resume it with `rollout resume {name}`")),
        Paused::Already => ui.status(&format!("{name}: already paused")),
    }
    let items = gather::statuses(session, &component.namespace).await.map_err(setting::unreachable)?;
    let items: Vec<_> = items.into_iter().filter(|item| item.component == *name).collect();
    ui.data(&status::render(&items, args.output.into(), session.clock().now()));
    Ok(exit::SUCCESS)
}
