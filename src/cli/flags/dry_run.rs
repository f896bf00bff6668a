//! `--dry-run`: plans instead of running, on the client or the server, and prints the plan in a format.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::args::RunArgs;
use crate::ops::GateTrust;
use crate::ops::plan::DryRun;
use crate::report::format::Format;

/// A plan instead of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DryRunPlan {
    /// Where it is made.
    pub dry_run: DryRun,
    /// The form of the plan.
    pub output: Format,
    /// What gates may do in the run.
    pub gates: GateTrust,
}

impl RunArgs {
    /// The plan that the flags request; `None` for a run.
    ///
    /// # Errors
    ///
    /// If the output is events, which a plan does not have.
    pub fn dry_run_plan(&self) -> Result<Option<DryRunPlan>, CommandError> {
        let Some(dry_run) = self.dry_run else { return Ok(None) };
        let Some(output) = self.output else {
            let reason = "a dry run has no events for `-o ndjson` to print";
            return Err(CommandError::message(Kind::Usage, reason).hint("print its plan with `-o json`"));
        };
        Ok(Some(DryRunPlan { dry_run, output, gates: self.deadlines.gates.trust() }))
    }
}

impl ValueEnum for DryRun {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Client, Self::Server]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Client => {
                PossibleValue::new("client").help("Read the cluster and plan locally; change nothing")
            }
            Self::Server => {
                PossibleValue::new("server").help("Also send a server-side dry run of every object to create")
            }
        })
    }
}
