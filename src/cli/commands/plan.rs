//! `rollout plan`: what `apply` would do, without a write.

use crate::cli::commands::apply;
use crate::cli::commands::forecast;
use crate::cli::commands::leftover;
use crate::cli::connect::client::Access;
use crate::cli::connect::setting::{self, Setting};
use crate::cli::exit;
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{BatchArgs, DryRun, GlobalArgs, ManifestArgs, Output};
use crate::cli::input;
use crate::cli::terminal::ui::Ui;
use crate::driver::foresee::{Forecast, foresee, rehearse};
use crate::driver::outcome::{self, FailureKind};
use crate::driver::request::RolloutRequest;
use crate::plan::step::{Refusal, Step};
use crate::report::document;
use crate::report::text::sanitise;

/// Show what `rollout apply` would do, without changing anything
///
/// Prints the revision that would be created or reused, the diff against the running workload, and the steps
/// of each batch with their sizes and the peak: exactly the steps that `apply` takes. Names derived from
/// revisions appear only in the header of the diff.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to plan.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// Accept different content under an existing `externalRevision`
    #[arg(long)]
    pub reuse_revision: bool,

    /// Exit with 8 if there are changes to make, with 0 if there are none
    #[arg(long)]
    pub detailed_exitcode: bool,

    /// Print in this format; `name` prints the components with changes
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout plan app.yaml
  $ rollout plan app.yaml --batches 1,4
  $ rollout plan deploy/ --detailed-exitcode
  $ rollout plan app.yaml -o json | jq '.items[].run.batches'";

/// Runs the command.
///
/// # Errors
///
/// Whatever would stop the rollout before its first write.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let applications = input::applications(&args.manifests.paths(), ui)?;
    let setting = setting::open(global, Access::Read, ui).await?;
    let overrides = args.batches.overrides(args.reuse_revision);
    let requests = apply::requests(&setting, &applications, &overrides)?;
    let pending = show(&setting, &requests, None, args.output, ui).await?;
    leftover::tell(&leftover::find(&setting, &requests).await?, ui);
    Ok(match (args.detailed_exitcode, pending) {
        (true, Pending::Changes) => exit::CHANGES,
        (true, Pending::Nothing) | (false, _) => exit::SUCCESS,
    })
}

fn rendered(forecasts: &[&Forecast], output: Output) -> String {
    let plan = || forecast::Plan::of(forecasts.iter().copied());
    match output {
        Output::Table | Output::Wide => forecasts.iter().copied().map(forecast::render).collect(),
        Output::Json => document::json(&plan()),
        Output::Yaml => document::yaml(&plan()),
        Output::Name => {
            let changing = forecasts.iter().filter(|forecast| forecast.is_pending());
            changing.map(|forecast| format!("rollout/{}\n", sanitise(&forecast.prepared.component))).collect()
        }
    }
}

/// Whether a plan has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Everything is as wanted.
    Nothing,
    /// There is something to do.
    Changes,
}

/// Shows what driving the requests would do; a dry run on the server lets it judge what would be created. Every
/// component is shown before a refusal ends the command.
///
/// # Errors
///
/// Every refusal at once.
pub async fn show(
    setting: &Setting,
    requests: &[RolloutRequest],
    dry_run: Option<DryRun>,
    output: Output,
    ui: &mut Ui,
) -> Result<Pending, Failure> {
    let mut forecasts = Vec::new();
    let mut refused = Vec::new();
    for request in requests {
        match foresee(&setting.session, request).await {
            Ok(more) => forecasts.extend(more),
            Err(more) => refused.extend(more.into_iter().map(|refused| refused.failure)),
        }
    }
    let mut shown = Vec::new();
    for forecast in &forecasts {
        match forecast.steps.last().map(|step| &step.step) {
            Some(Step::Refuse(Refusal::BatchSumError(misfit))) => {
                refused.push(outcome::Failure::from(misfit));
            }
            _ => {
                for warning in forecast.prepared.warnings.iter().chain(&forecast.warnings) {
                    ui.warn(warning);
                }
                shown.push(forecast);
                if dry_run == Some(DryRun::Server) {
                    refused.extend(rehearse(&setting.session, forecast).await.err());
                }
            }
        }
    }
    let is_pending = shown.iter().any(|forecast| forecast.is_pending());
    let pending = if is_pending { Pending::Changes } else { Pending::Nothing };
    ui.data(&rendered(&shown, output));
    match refused.as_slice() {
        [] => Ok(pending),
        [first, ..] => {
            let kind = if first.kind == FailureKind::Refused { Kind::Refused } else { Kind::Cluster };
            let reasons: Vec<&str> = refused.iter().map(|failure| failure.reason.as_str()).collect();
            let hints = refused.iter().flat_map(|failure| &failure.hints);
            Err(hints.fold(Failure::message(kind, reasons.join("\n")), |failure, hint| failure.hint(hint)))
        }
    }
}
