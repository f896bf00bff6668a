//! Calls hooks at least once, with the same key in every attempt.

use std::time::Duration;

use crate::driver::context::{Context, GateTrust};
use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::batch_gates::{Hook, HookType};
use crate::plan::record::Record;
use crate::probe::Probe;
use crate::probe::hook::{HookAnswer, HookCall};

/// The number of attempts for a hook that cannot be reached, or whose server has an error, and the pause after the
/// first attempt, as in the original. A hook that does not answer in time is not retried here.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const FACTOR: u32 = 5;

/// Replaces the batch in the key of a call about the whole run.
const NO_BATCH: &str = "-";

/// Why a run ends without reaching its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalPhase {
    /// It fails.
    Failing,
    /// Another run replaces it.
    Abandoning,
    /// Its component is deleted.
    Deleting,
}

impl FinalPhase {
    /// The original's name for the state of the run.
    fn phase(self) -> &'static str {
        match self {
            Self::Failing => "rolloutFailing",
            Self::Abandoning => "rolloutAbandoning",
            Self::Deleting => "RolloutDeletingState",
        }
    }
}

/// The content of a call about a run, or about one of its batches (zero-based). All attempts have the same key, even
/// those of a process that resumes the run.
#[must_use]
pub fn call_about<'a>(
    namespace: &'a str,
    record: &'a Record,
    hook: &Hook,
    phase: &'a str,
    batch: Option<usize>,
) -> HookCall<'a> {
    let Record { application, component, run, .. } = record;
    let batch = batch.map_or_else(|| NO_BATCH.to_owned(), |batch| (batch + 1).to_string());
    let key = format!("{application}/{component}/{}/{batch}/{phase}/{}", run.started, hook.name);
    HookCall { component, namespace, phase, key }
}

/// Calls a hook, with retries.
///
/// # Errors
/// [`FailureKind::Interrupted`].
pub async fn call_hook(
    context: &Context,
    probe: &dyn Probe,
    hook: &Hook,
    call: &HookCall<'_>,
) -> Result<HookAnswer, Failure> {
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    loop {
        let answer = tokio::select! {
            biased;
            answer = context.in_time(probe.call_hook(hook, call)) => answer,
            () = context.control.stopped() => {
                return Err(Failure::new(FailureKind::Interrupted, "interrupted"));
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(late) => return Ok(HookAnswer::Unreached(late)),
        };
        tries += 1;
        if tries >= TRIES || !matches!(answer, HookAnswer::Unreached(_) | HookAnswer::Refused(500..)) {
            return Ok(answer);
        }
        context.session.clock().pause(pause).await;
        pause *= FACTOR;
    }
}

/// Calls the `finalize-rollout` hooks of a run that does not reach its target. Each may take as long as a request; a
/// hook that does not accept is a warning.
///
/// They are called before the end is recorded, so that the process that records it after a crash calls them again.
pub async fn call_final_hooks(
    context: &Context,
    namespace: &str,
    record: &Record,
    ending: FinalPhase,
    mut warn: impl FnMut(String),
) {
    let Some(probe) = context.probe.clone() else { return };
    let hooks = record.run.spec.gates.hooks.iter();
    for hook in hooks.filter(|hook| hook.hook_type == HookType::FinalizeRollout) {
        let obstacle = match hook.local_access() {
            Some(access) if context.limits.gates == GateTrust::Untrusted => {
                format!("was not called: it {access}, and gates are not trusted")
            }
            _ => {
                let call = call_about(namespace, record, hook, ending.phase(), None);
                match context.in_time(call_hook(context, &*probe, hook, &call)).await {
                    Ok(Ok(HookAnswer::Accepted)) => continue,
                    Ok(Ok(HookAnswer::Refused(status))) => format!("answered with status {status}"),
                    Ok(Ok(HookAnswer::Unreached(reason))) | Err(reason) => {
                        format!("cannot be reached: {reason}")
                    }
                    Ok(Err(_)) => return,
                }
            }
        };
        warn(format!("hook `{}` {obstacle}", hook.name));
    }
}
