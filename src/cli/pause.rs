//! `rollout pause`: a run stands still, whoever drives it.

use crate::cli::args::{ComponentArg, GlobalArgs, Output};
use crate::cli::component::Component;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::cli::{exit, gather, setting};
use crate::driver::pause::{self, Paused};
use crate::plan::record::Pause;
use crate::report::status;

/// Stop the run under way after the write in flight
///
/// Returns once nothing more is written. The process that drives waits, and `rollout apply` is refused, until `rollout
/// resume` or `promote` lets the run go on; `undo` and `abort` end the pause as well, with a run of their own, and so does
/// `scale` where no upgrade is under way. Pods are left as they are.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What stops.
    #[command(flatten)]
    pub component: ComponentArg,

    /// Print in this form
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
        Paused::Now => ui.status(&format!("{name}: paused; `rollout resume {name}` lets it go on")),
        Paused::Already => ui.status(&format!("{name}: is paused already")),
    }
    let items = gather::statuses(session, &component.namespace).await.map_err(setting::unreachable)?;
    let items: Vec<_> = items.into_iter().filter(|item| item.component == *name).collect();
    ui.data(&status::render(&items, args.output.into(), session.clock().now()));
    Ok(exit::SUCCESS)
}
