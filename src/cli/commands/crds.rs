//! `rollout crds`: the optional views for kubectl.

use crate::cli::exit;
use crate::cli::failure::CommandError;
use crate::cli::terminal::ui::Ui;

/// Print the CRDs of two optional kinds, for `kubectl get app` and `kubectl get rollout`
///
/// If they are installed, `rollout` also maintains an Application and a Rollout object that show its runs. It never
/// reads them back and works without them. Do not install them next to KubeVela.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CrdsArgs {}

const EXAMPLES: &str = "\
Examples:
  $ rollout crds | kubectl apply -f -
  $ kubectl get app,rollout";

/// The definitions.
const DEFINITIONS: &str = include_str!("crds.yaml");

/// Runs the command.
///
/// # Errors
///
/// Never fails.
pub fn run(_args: &CrdsArgs, ui: &mut Ui) -> Result<u8, CommandError> {
    ui.data(DEFINITIONS);
    Ok(exit::SUCCESS)
}
