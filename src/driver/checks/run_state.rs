//! Whether the recorded run is still the one that a decision is about, and may be changed.

use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;

/// A decision about a run is no decision about the run after it.
pub(crate) fn check_bound(
    bound_to: Option<Epoch>,
    record: Option<&Record>,
    component: &str,
) -> Result<(), Failure> {
    let Some((bound_to, record)) = bound_to.zip(record).filter(|(epoch, record)| record.epoch != *epoch)
    else {
        return Ok(());
    };
    let by = &record.run.by;
    let reason = if record.epoch > bound_to {
        format!("component `{component}` was taken over by `{by}` in the meantime")
    } else {
        format!("the run record of component `{component}` was recreated by `{by}` in the meantime")
    };
    let failure = Failure::new(FailureKind::Superseded, reason);
    Err(failure.hint(format!("see `rollout status {component}`, and rerun the command if it still applies")))
}

/// A pause holds what the next pipeline applies as well; what a person asks for by name ends it.
pub(in crate::driver) fn refuse_paused(record: &Record) -> Result<(), Failure> {
    let Some(pause) = &record.run.paused else { return Ok(()) };
    let component = &record.component;
    Err(Failure::refused(format!("component `{component}` is paused by `{}`", pause.by))
        .hint(format!("resume it with `rollout resume {component}`")))
}
