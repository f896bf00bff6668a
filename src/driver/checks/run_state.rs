//! Checks that the recorded run is still the one that a command was decided for, and that it may be changed.

use crate::driver::outcome::{Failure, FailureKind};
use crate::plan::epoch::Epoch;
use crate::plan::record::Record;

/// Refuses a decision about a run if a later run has claimed the component.
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

/// Refuses to change a paused run: a pause also holds what a pipeline applies next; a command such as `promote` or
/// `undo` ends it.
pub(in crate::driver) fn refuse_paused(record: &Record) -> Result<(), Failure> {
    let Some(pause) = &record.run.paused else { return Ok(()) };
    let component = &record.component;
    Err(Failure::refused(format!("component `{component}` is paused by `{}`", pause.by))
        .hint(format!("resume it with `rollout resume {component}`")))
}
