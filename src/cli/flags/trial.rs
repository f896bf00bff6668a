//! A run that is only tried: where, and in which form its plan is printed.

use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{DryRun, DryRunArg, Output, RunOutput};

/// A run that is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Where.
    pub place: DryRun,
    /// The form of the plan.
    pub form: Output,
}

impl DryRunArg {
    /// What the flags ask for; nothing where the run is meant.
    ///
    /// # Errors
    ///
    /// Events, as nothing happens that they could tell.
    pub fn trial(&self, output: RunOutput) -> Result<Option<Trial>, Failure> {
        let Some(place) = self.dry_run else { return Ok(None) };
        let form = match output {
            RunOutput::Table => Output::Table,
            RunOutput::Wide => Output::Wide,
            RunOutput::Json => Output::Json,
            RunOutput::Yaml => Output::Yaml,
            RunOutput::Name => Output::Name,
            RunOutput::Ndjson => {
                let reason = "a dry run has no events for `-o ndjson` to print";
                return Err(Failure::message(Kind::Usage, reason).hint("print its plan with `-o json`"));
            }
        };
        Ok(Some(Trial { place, form }))
    }
}
