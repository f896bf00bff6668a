//! Values of flags that operations and reports define.

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::ops::OnFailure;
use crate::ops::fleet::FleetFailure;
use crate::ops::wait_for::Until;
use crate::report::format::Format;

impl ValueEnum for OnFailure {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Hold, Self::Undo]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Hold => hold(),
            // `ROLLOUT_ON_FAILURE` may have a value that only `apply` has. Of one cluster, they all mean the same.
            Self::Undo => undo().aliases(["undo-wave", "undo-all"]),
        })
    }
}

fn hold() -> PossibleValue {
    PossibleValue::new("hold").help("Keep it as it is, to inspect and resume")
}

fn undo() -> PossibleValue {
    PossibleValue::new("undo").help(
        "Roll back to the previous revision and size, as `rollout abort` does; the exit code is still 3",
    )
}

impl ValueEnum for FleetFailure {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Hold, Self::UndoComponent, Self::UndoWave, Self::UndoAll]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Hold => Some(hold()),
            Self::UndoComponent => Some(undo()),
            Self::UndoWave => Some(
                PossibleValue::new("undo-wave")
                    .help("Also roll back what this command has changed in the clusters of the same wave"),
            ),
            Self::UndoAll => Some(
                PossibleValue::new("undo-all")
                    .help("Also roll back what this command has changed in all clusters"),
            ),
        }
    }
}

impl ValueEnum for Until {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Ready, Self::Gate, Self::Done]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Ready => PossibleValue::new("ready").help("The pods of the current batch are ready"),
            Self::Gate => PossibleValue::new("gate").help("The run is held at its gate, or complete"),
            Self::Done => PossibleValue::new("done").help("The rollout is complete"),
        })
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Table, Self::Wide, Self::Json, Self::Yaml, Self::Name]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Table => PossibleValue::new("table").help("A table"),
            Self::Wide => PossibleValue::new("wide").help("The table with more columns"),
            Self::Json => PossibleValue::new("json").help("One JSON document"),
            Self::Yaml => PossibleValue::new("yaml").help("One YAML document"),
            Self::Name => PossibleValue::new("name").help("Names, one per line"),
        })
    }
}

/// The format of the final state; `None` prints events instead, which include it. An alias, since clap takes an
/// `Option` for a flag without a value.
pub type RunOutput = Option<Format>;

/// The formats of what a run prints: those of its final state, and that of its events.
pub fn run_output() -> impl TypedValueParser<Value = RunOutput> {
    let events = PossibleValue::new("ndjson").help("Every event as it happens, one JSON object per line");
    let formats = Format::value_variants().iter().filter_map(Format::to_possible_value);
    PossibleValuesParser::new(formats.chain([events])).map(|name| Format::from_str(&name, false).ok())
}
