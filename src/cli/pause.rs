//! `rollout pause`: a run stands still, whoever drives it.

use crate::cli::args::{ComponentArg, GlobalArgs, Output};
use crate::cli::connect::Purpose;
use crate::cli::failure::Failure;
use crate::cli::setting;
use crate::cli::ui::Ui;
use crate::cli::{exit, gather};
use crate::driver::pause::{self, Paused, Place};
use crate::plan::record::Pause;
use crate::report::status;

/// Stop the run under way after the write in flight
///
/// Returns once nothing more is written. The process that drives waits, and `rollout apply` is refused, until `rollout
/// resume` or `promote` lets the run go on; `undo`, `abort` and `scale` end the pause as well, with a run of their
/// own. Pods are left as they are.
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
    let setting = setting::open(global, Purpose::Change, ui).await?;
    let session = &setting.session;
    let namespace = setting.connection.namespaces.resolve(None).to_owned();
    let record = gather::record_of(&setting, args.component.component.as_deref(), &namespace).await?;
    let component = &record.component;
    let by = Pause { by: setting.identity.clone(), at: session.clock().now() };
    let place = Place { namespace: &namespace, component };
    match pause::pause(session, place, by).await? {
        Paused::Now => ui.status(&format!("{component}: paused; `rollout resume {component}` lets it go on")),
        Paused::Already => ui.status(&format!("{component}: is paused already")),
    }
    let items = gather::statuses(session, &namespace).await.map_err(setting::unreachable)?;
    let items: Vec<_> = items.into_iter().filter(|item| item.component == *component).collect();
    ui.data(&status::render(&items, args.output.into(), session.clock().now()));
    Ok(exit::SUCCESS)
}
