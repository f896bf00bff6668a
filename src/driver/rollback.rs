//! `--on-failure undo`: the rollback of a component whose pods did not become ready.
//!
//! It happens at once, under the Lease of the failed run and bound to its claim, while the other components are driven on.
//! Whoever has claimed the component since keeps it.

use crate::cluster::record;
use crate::driver::aim;
use crate::driver::context::{Context, Ground, Limits, OnFailure, OnTrouble};
use crate::driver::drive::{Drive, Lead};
use crate::driver::exposing::{Exposing, Known};
use crate::driver::outcome::{End, Failure, FailureKind};
use crate::driver::prepare::{Job, check_bound, foreseen_services};
use crate::driver::wish::Intent;
use crate::plan::observed::{Epoch, Observed};
use crate::plan::record::Mode;

/// A run that ended, and its claim.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// How it ended.
    pub end: &'a End,
    /// Its claim.
    pub epoch: Epoch,
}

/// Rolls a failed run back where that is asked for. How the rollback ends is reported; the failed run stays failed.
pub async fn after_failure(
    context: &Context,
    ground: &Ground,
    lead: &Lead<'_>,
    failed_job: &Job,
    failed: Failed<'_>,
) {
    let is_late = match failed.end {
        End::Failed(failure) => matches!(failure.kind, FailureKind::NotReady | FailureKind::Denied),
        End::Succeeded { .. } | End::Held { .. } | End::Skipped { .. } => false,
    };
    if !is_late || context.limits.on_failure != OnFailure::Undo || context.control.is_stopped() {
        return;
    }
    match job(context, ground, failed_job, failed.epoch).await {
        Ok(Some(job)) => {
            let limits =
                Limits { on_trouble: OnTrouble::Wait, on_failure: OnFailure::Hold, ..context.limits };
            let context = Context { limits, ..context.clone() };
            Drive::new(&context, ground, Some(lead), &job).run().await;
        }
        Ok(None) => {}
        Err(failure) => {
            context.emit(&failed_job.application, Some(&failed_job.component), failure.event(None));
        }
    }
}

/// The rollback of a run; `None` where it was a first release, which has nothing to return to.
async fn job(context: &Context, ground: &Ground, failed: &Job, epoch: Epoch) -> Result<Option<Job>, Failure> {
    let Job { namespace, component, .. } = failed;
    let Some(stored) = record::load(&context.session, namespace, component).await? else {
        return Ok(None);
    };
    check_bound(Some(epoch), Some(&stored.record), component)?;
    if stored.record.run.spec.mode == Mode::Release {
        return Ok(None);
    }
    let ownership = failed.ownership.with_record(Some(&stored.record));
    let present = aim::Present {
        component,
        record: Some(&stored),
        stored: &failed.stored,
        workloads: ground.view.workloads(&ownership),
    };
    let aim = aim::at_beginning(&present)?;
    let kind = aim.desired.kind;
    let known = Known {
        application: &failed.application,
        component,
        namespace,
        kind,
        target: &aim.target,
        stored: &failed.stored,
        record: Some(&stored.record),
    };
    let exposing = Exposing::look(&context.session, known, None).await?;
    let observed =
        Observed { workloads: present.workloads.clone(), record: Some(stored.record.clone()), held: None };
    let services = foreseen_services(&exposing, &observed, &aim.desired, &Intent::Abort { kind })?;
    Ok(Some(Job {
        ownership,
        desired: aim.desired,
        exposing,
        services,
        relabels: None,
        inheriting: None,
        new_revision: None,
        target: aim.target,
        manifest_revision: failed.manifest_revision.clone(),
        record: Some(stored),
        warnings: Vec::new(),
        purpose: aim.purpose,
        bound_to: Some(epoch),
        respects_a_pause: false,
        ..failed.clone()
    }))
}
