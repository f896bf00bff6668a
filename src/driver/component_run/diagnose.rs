//! Finds out why a batch does not progress, by checking its pods while there is still time to act.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt as _;
use kube::api::DynamicObject;

use crate::cluster::clock::Moment;
use crate::cluster::events;
use crate::cluster::pods::baseline::{Age, Baseline};
use crate::cluster::pods::owner::{PodOwner, PodOwnerKind};
use crate::cluster::pods::{self, Findings};
use crate::driver::component_run::ComponentRun;
use crate::driver::context::{FailFast, NextChecks};
use crate::driver::evidence;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::prepare::PreparedComponent;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::plan::action::{Action, Waiting};
use crate::plan::desired::Desired;
use crate::plan::next_action::next_action;
use crate::plan::observed::Observed;
use crate::plan::phrase::format_duration;
use crate::report::event::EventKind;

/// When a wait first checks pods. By then, permanent problems such as a wrong image name show.
pub(super) const FIRST_CHECK: Duration = Duration::from_secs(3);
/// How long after the first check the second follows. By then, pods that are only slow to start are ready.
pub(super) const SECOND_CHECK: Duration = Duration::from_secs(10);
/// The interval of further checks while nothing changes.
pub(super) const RECHECK_INTERVAL: Duration = Duration::from_secs(60);
/// The same with `--fail-fast`, where a permanent problem ends the run, so that it does not wait up to a minute in
/// vain.
pub(super) const RECHECK_INTERVAL_FAIL_FAST: Duration = Duration::from_secs(10);
/// The minimum time between first checks of a process.
const BETWEEN_FIRST_CHECKS: Duration = Duration::from_millis(250);
/// The minimum time between repeated checks of a process.
const BETWEEN_CHECKS: Duration = Duration::from_secs(10);
/// The same with `--fail-fast`, so that components that fail together are reported within seconds.
const BETWEEN_CHECKS_FAIL_FAST: Duration = Duration::from_secs(1);

/// The maximum delay of a write for recording which warnings existed before it.
const WARNINGS_WITHIN: Duration = Duration::from_secs(3);

/// What is known about the pods that the run waits for.
#[derive(Debug, Default)]
pub(in crate::driver) struct Diagnosis {
    /// The problems that the last check found, as they were reported.
    pub(in crate::driver) lines: Vec<String>,
    /// The object that the run waits for, if the component is applied as a whole.
    pub(in crate::driver) awaited: Option<ObjectRef>,
    /// The symptoms that existed before the last write to the target.
    pub(in crate::driver) baseline: Option<Baseline>,
    /// The number of ready pods of a StatefulSet's newest revision, counted at this resource version of the
    /// StatefulSet.
    pub(super) counted: Option<(String, u32)>,
}

/// Which check of a wait is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PodCheck {
    /// The first: many pods take longer than this to start, so only permanent problems are reported.
    First,
    /// A later one: every problem is reported.
    Repeat,
}

/// The result of counting ready pods that the status does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadyCount {
    /// The count is the same as before, or the status is exact.
    Unchanged,
    /// The count is new: plan again.
    Updated,
}

impl PodCheck {
    /// When the process may next make such a check.
    pub(super) fn next(self, checks: &NextChecks) -> &Cell<Option<Moment>> {
        match self {
            Self::First => &checks.first,
            Self::Repeat => &checks.repeat,
        }
    }
}

impl ComponentRun<'_> {
    /// The owner of the pods that the run waits for; `None` if it waits for an object without pods.
    pub(in crate::driver) fn pod_owner(&self) -> Option<PodOwner<'_>> {
        let PreparedComponent { namespace, desired, objects, .. } = self.prepared;
        match objects {
            None => {
                let kind = PodOwnerKind::Workload(desired.kind);
                Some(PodOwner { namespace, kind, name: &desired.workload })
            }
            Some(_) => PodOwner::of(self.diagnosis.awaited.as_ref()?, namespace),
        }
    }

    /// Records the symptoms that a workload shows at the time of a write: they predate what follows.
    pub(super) fn note_signs(&mut self, written: &DynamicObject, events: &[Event]) {
        if written.name_any() == self.prepared.desired.workload {
            self.diagnosis.baseline = Some(Baseline::of(written).with_events(events));
        }
    }

    /// Records the symptoms if nothing was written: only later ones count as new.
    async fn note_signs_unwritten(&mut self) {
        let Some(PodOwner { namespace, kind, name }) = self.pod_owner() else { return };
        let session = &self.context.session;
        let api = session.dynamic(namespace, &kind.resource());
        let found = session.clock().within(WARNINGS_WITHIN, session.request_untracked(api.get(name))).await;
        if let Some(Ok(object)) = found {
            let events = self.warnings_so_far().await;
            self.diagnosis.baseline = Some(Baseline::of(&object).with_events(&events));
        }
    }

    /// The warning events of a StatefulSet, whose status does not show what is wrong.
    pub(super) async fn warnings_so_far(&self) -> Vec<Event> {
        let is_silent =
            |owner: &PodOwner<'_>| owner.kind == PodOwnerKind::Workload(WorkloadKind::StatefulSet);
        let Some(owner) = self.pod_owner().filter(is_silent) else { return Vec::new() };
        let warnings = pods::list_warning_events(&self.context.session, owner);
        self.context.session.clock().within(WARNINGS_WITHIN, warnings).await.unwrap_or_default()
    }

    /// Describes what the current batch waits for, and how long it has waited.
    pub(in crate::driver) fn wanted(&self) -> Option<String> {
        let since = self.deadlines.time_in_batch()?;
        let record = self.recorded()?;
        let workloads = self.workloads_seen();
        let waiting = match next_action(&record.run.spec, &workloads) {
            Action::Wait { waiting, .. } => waiting,
            Action::Create
            | Action::Scale { .. }
            | Action::Roll { .. }
            | Action::Hold { .. }
            | Action::Delete { .. }
            | Action::Finish => return None,
        };
        let since = format_duration(SignedDuration::from_secs(since.as_secs()));
        Some(format!("waited {since} for {}", waiting.phrase()))
    }

    /// The resource version of the component's StatefulSet, if its ready pods have not been counted at that version.
    pub(super) fn uncounted_version(&self, observed: &Observed) -> Option<String> {
        let Desired { kind: WorkloadKind::StatefulSet, workload, .. } = &self.prepared.desired else {
            return None;
        };
        let version = &observed.workload(workload)?.resource_version;
        let is_counted = self.diagnosis.counted.as_ref().is_some_and(|(counted, _)| counted == version);
        (!is_counted).then(|| version.clone())
    }

    /// Checks the pods that the run waits for, and reports new problems. `pace` decides when the process may make its
    /// next check.
    pub(super) async fn check_pods(
        &mut self,
        waiting: &Waiting,
        look: PodCheck,
        pace: PodCheck,
    ) -> Result<ReadyCount, Failure> {
        let is_about_pods = match waiting {
            Waiting::Ready { .. } | Waiting::Object { has_pods: true, .. } => true,
            Waiting::Generation { .. }
            | Waiting::Drained { .. }
            | Waiting::Deletion { .. }
            | Waiting::Object { has_pods: false, .. } => false,
        };
        if !is_about_pods {
            return Ok(ReadyCount::Unchanged);
        }
        let between = match (pace, self.context.limits.fail_fast) {
            (PodCheck::First, _) => BETWEEN_FIRST_CHECKS,
            (PodCheck::Repeat, FailFast::On) => BETWEEN_CHECKS_FAIL_FAST,
            (PodCheck::Repeat, FailFast::Off) => BETWEEN_CHECKS,
        };
        if self.diagnosis.baseline.is_none() {
            self.note_signs_unwritten().await;
        }
        let clock = self.context.session.clock();
        pace.next(&self.context.next_checks).set(Some(clock.moment().plus(between)));
        // A check that fails or takes too long is dropped.
        let found = tokio::select! {
            biased;
            found = clock.within(evidence::WITHIN, self.findings(look)) => found.flatten(),
            () = self.context.control.stopped() => None,
            () = self.deadlines.passed() => None,
        };
        let Some(findings) = found else {
            return Ok(ReadyCount::Unchanged);
        };
        let permanent = findings.permanent_problem();
        let is_news = look == PodCheck::Repeat || permanent.is_some();
        let lines = self.pod_owner().map(|owner| evidence::causes(owner, &findings)).unwrap_or_default();
        if let Some(reason) = permanent.filter(|_| self.context.limits.fail_fast == FailFast::On) {
            self.diagnosis.lines = lines;
            let reason = format!("cannot become ready (`--fail-fast`): {reason}");
            return Err(Failure::new(FailureKind::NotReady, reason));
        }
        if is_news && !lines.is_empty() && lines != self.diagnosis.lines {
            self.emit(EventKind::Diagnosed { evidence: lines.clone() });
            self.diagnosis.lines = lines;
        }
        if self.prepared.desired.kind != WorkloadKind::StatefulSet {
            return Ok(ReadyCount::Unchanged);
        }
        // The status of a StatefulSet does not count the ready pods of the newest revision.
        let counted = Some((findings.resource_version, findings.ready));
        if counted == self.diagnosis.counted {
            return Ok(ReadyCount::Unchanged);
        }
        self.diagnosis.counted = counted;
        Ok(ReadyCount::Updated)
    }

    /// The findings that are worth reporting. A pod that is only starting is reported only if a warning event shows
    /// what it waits for.
    async fn findings(&self, look: PodCheck) -> Option<Findings> {
        let (owner, session) = (self.pod_owner()?, &self.context.session);
        let baseline = self.diagnosis.baseline.clone().unwrap_or_default();
        let mut findings = pods::inspect_workload(session, owner, &baseline).await.ok()?;
        // Skip old conditions at first: a controller may not have removed them yet.
        findings.complaints.retain(|complaint| look == PodCheck::Repeat || complaint.age == Age::New);
        let is_due = look == PodCheck::Repeat
            && findings.problems.iter().any(pods::diagnosis::PodProblem::is_starting);
        let unrelated =
            if is_due { events::list_pod_warnings(session, owner.namespace).await } else { BTreeMap::new() };
        findings.problems.retain_mut(|trouble| {
            if !trouble.is_starting() {
                return true;
            }
            let Some(warning) = unrelated.get(&trouble.pod) else { return false };
            trouble.reason = format!("{}, {warning}", trouble.reason);
            true
        });
        Some(findings)
    }
}
