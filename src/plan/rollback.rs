//! Decides the revision and size of a rollback. `undo`, `abort`, `undo --now`, `--on-failure undo`, hints and `plan`
//! all use it (ARCHITECTURE.md, *Rollback*).
//!
//! | what is rolled back | revision | size |
//! |---|---|---|
//! | a run in progress, held, paused, interrupted or failed | the last one that succeeded before it | from before the run |
//! | a run that succeeded | the last other one that succeeded | unchanged; without workloads, from the last run to it |
//!
//! A revision that never succeeded is not a rollback target, unless a user names it.

use crate::oam::revision::StoredRevision;
use crate::plan::record::Record;
use crate::plan::run::{Mode, Outcome, Run};

/// The target of a rollback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rollback<'a> {
    /// The revision.
    pub revision: &'a StoredRevision,
    /// The desired replicas.
    pub size: u32,
}

/// The target of a rollback of the last run; `None` if there is no candidate.
///
/// `live` is the component's observed size; `None` if it has no workload.
#[must_use]
pub fn rollback_target<'a>(
    record: &Record,
    stored: &'a [StoredRevision],
    live: Option<u32>,
) -> Option<Rollback<'a>> {
    let find = |name: &String| stored.iter().find(|one| one.name == *name);
    let succeeded = record.succeeded_revisions();
    let mut candidates = succeeded.iter().filter(|name| is_candidate(record, name)).filter_map(find);
    let revision = candidates.next().or_else(|| unproven(record, stored))?;
    Some(Rollback { revision, size: rollback_size(record, &revision.name, live) })
}

/// Whether the last run is a first release, which cannot be rolled back. A release that replaces objects that were
/// applied as a whole, such as a DaemonSet, can be: they are deleted only after it.
#[must_use]
pub fn is_first_release(record: &Record, stored: &[StoredRevision]) -> bool {
    match record.run.spec.mode {
        Mode::Release => {
            rollback_target(record, stored, None).is_none_or(|rollback| rollback.revision.objects().is_none())
        }
        Mode::Apply => record.succeeded_revisions().is_empty(),
        Mode::Upgrade | Mode::Scale => false,
    }
}

/// The size of this revision after a rollback of the last run.
#[must_use]
pub fn rollback_size(record: &Record, revision: &str, live: Option<u32>) -> u32 {
    let Record { run, past, .. } = record;
    // A component that is applied as a whole may have no workload with a size, such as a DaemonSet.
    let last = || past.iter().find(|run| run.spec.target == revision && run.spec.mode != Mode::Apply);
    let size = || match (run.spec.mode, last()) {
        (Mode::Apply, Some(last)) => last.spec.target_size,
        (Mode::Apply, None) => run.size_before(),
        (Mode::Release | Mode::Upgrade | Mode::Scale, _) => run.spec.target_size,
    };
    match (run.outcome, run.spec.mode) {
        (Outcome::Succeeded, _) => live.unwrap_or_else(size),
        // There was no size before the first release.
        (_, Mode::Release) => run.spec.target_size,
        (_, Mode::Upgrade | Mode::Scale | Mode::Apply) => run.size_before(),
    }
}

/// Whether a rollback may return to a revision that succeeded. An unfinished run to the revision that succeeded last
/// repairs or scales it; rolling that run back must not replace the revision by an older one, so the run's own target
/// is a candidate.
fn is_candidate(record: &Record, name: &str) -> bool {
    let Run { spec, outcome, .. } = &record.run;
    let repairs = *outcome != Outcome::Succeeded && spec.mode != Mode::Release;
    repairs || spec.target != name
}

/// The target of a rollback if no success is recorded, because the record was lost or begins with the run that is
/// rolled back.
///
/// | order | revision | because |
/// |---|---|---|
/// | 1 | the newest source of an unfinished run | it ran before, and still may |
/// | 2 | the highest number below the target's | it is the last one that was recorded before |
///
/// The run's own target is not a candidate, nor is a revision with recorded runs none of which succeeded.
fn unproven<'a>(record: &Record, stored: &'a [StoredRevision]) -> Option<&'a StoredRevision> {
    let Record { run, past, .. } = record;
    let target = &run.spec.target;
    let is_in_vain = |one: &&StoredRevision| {
        let mut tries = past.iter().filter(|run| run.spec.target == one.name).peekable();
        tries.peek().is_some() && !tries.any(|run| run.outcome == Outcome::Succeeded)
    };
    let untried = || stored.iter().filter(|one| one.name != *target && !is_in_vain(one));
    let is_source =
        |one: &&StoredRevision| run.outcome.is_resumable() && run.spec.sources.contains(&one.name);
    let number = stored.iter().find(|one| one.name == *target).map(|one| one.revision);
    let is_lower = |one: &&StoredRevision| number.is_some_and(|number| one.revision < number);
    let newest_source = untried().filter(is_source).max_by_key(|one| one.revision);
    newest_source.or_else(|| untried().filter(is_lower).max_by_key(|one| one.revision))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::oam::batch_gates::BatchGates;
    use crate::oam::kind::WorkloadKind;
    use crate::oam::policies::Policies;
    use crate::plan::epoch::Epoch;
    use crate::plan::gate_place::GatePlace;
    use crate::plan::record::{Claim, PAST_RUNS};
    use crate::plan::run::{FrozenBatch, FrozenStrategy, LeaseScope, Purpose, RunSpec};

    /// A run to `v<target>` from `v<source>`s, with four replicas before and after.
    fn run(target: u32, sources: &[u32], outcome: Outcome) -> Run {
        let name = |number: &u32| format!("web-v{number}");
        let spec = RunSpec {
            mode: if sources.is_empty() { Mode::Release } else { Mode::Upgrade },
            kind: WorkloadKind::Deployment,
            target: name(&target),
            sources: sources.iter().map(name).collect(),
            original_size: u32::try_from(3 + sources.len()).unwrap(),
            target_start: 0,
            target_size: 4,
            batches: vec![FrozenBatch { size: 4, max_unavailable: 0 }],
            partition: None,
            strategy: FrozenStrategy::IncreaseFirst,
            is_return: false,
            gates: BatchGates::default(),
            objects: Vec::new(),
        };
        let started = jiff::Timestamp::UNIX_EPOCH;
        let (by, purpose) = ("tester".to_owned(), Purpose::Forward);
        let (size_before, lease) = (None, LeaseScope::default());
        Run {
            spec,
            purpose,
            outcome,
            paused: None,
            workflow: None,
            gates: GatePlace::default(),
            size_before,
            lease,
            by,
            started,
            finished: None,
            message: None,
        }
    }

    /// A record of these runs, the last first, each claimed after the earlier ones.
    fn record(runs: &[Run]) -> Record {
        let mut runs = runs.iter().rev();
        let first = runs.next().unwrap();
        let (application, component) = ("shop".to_owned(), "web".to_owned());
        let (past, succeeded, exposes, outputs) = (Vec::new(), Vec::new(), BTreeMap::new(), BTreeMap::new());
        let first = Record {
            application,
            component,
            epoch: Epoch(1),
            run: first.clone(),
            past,
            succeeded,
            exposes,
            outputs,
            policies: Policies::default(),
        };
        runs.fold(first, |record, run| {
            let claim = Claim {
                by: run.by.clone(),
                at: run.started,
                newest_stamp: Epoch(0),
                resumes: false,
                purpose: run.purpose,
                lease: run.lease,
                workflow: None,
                gates: run.gates.clone(),
            };
            let mut next = Record::claim(Some(&record), "shop", "web", run.spec.clone(), claim);
            next.run.outcome = run.outcome;
            next
        })
    }

    fn stored(count: u32) -> Vec<StoredRevision> {
        let object =
            |number: u32| json!({"metadata": {"name": format!("web-v{number}")}, "revision": number});
        (1..=count).map(|number| StoredRevision::from_object(&object(number)).unwrap()).collect()
    }

    /// The revision number and the size after a rollback of a component that has seven replicas now.
    fn rolled_back(record: &Record) -> Option<(i64, u32)> {
        let revisions = stored(3);
        rollback_target(record, &revisions, Some(7))
            .map(|rollback| (rollback.revision.revision, rollback.size))
    }

    #[test]
    fn a_rollback_returns_to_the_last_success_and_the_size_before_the_run() {
        use Outcome::{Failed, Held, Interrupted, Running, Succeeded, Superseded};
        let first = |outcome| run(1, &[], outcome);
        let cases = [
            ("an upgrade", vec![run(2, &[1], Succeeded), first(Succeeded)], Some((1, 7))),
            ("under way", vec![run(2, &[1], Running), first(Succeeded)], Some((1, 4))),
            (
                "there and back",
                vec![run(1, &[2], Succeeded), run(2, &[1], Succeeded), first(Succeeded)],
                Some((2, 7)),
            ),
            (
                "one tried in vain",
                vec![run(3, &[1], Succeeded), run(2, &[1], Failed), first(Succeeded)],
                Some((1, 7)),
            ),
            (
                "two in vain",
                vec![run(3, &[1, 2], Failed), run(2, &[1], Failed), first(Succeeded)],
                Some((1, 4)),
            ),
            (
                "a canary given up",
                vec![run(3, &[1, 2], Held), run(2, &[1], Superseded), first(Succeeded)],
                Some((1, 4)),
            ),
            ("after a broken first", vec![run(2, &[1], Succeeded), first(Failed)], None),
            ("under way after a broken first", vec![run(2, &[1], Running), first(Failed)], None),
            ("no record before, under way", vec![run(3, &[2], Interrupted)], Some((2, 4))),
            ("no record before", vec![run(3, &[2], Succeeded)], Some((2, 7))),
            ("nothing before", vec![first(Succeeded)], None),
            (
                "a repair of what worked",
                vec![run(2, &[2], Running), run(2, &[1], Succeeded), first(Succeeded)],
                Some((2, 4)),
            ),
        ];
        for (what, runs, wanted) in cases {
            assert_eq!(rolled_back(&record(&runs)), wanted, "{what}");
        }
    }

    #[test]
    fn without_workloads_the_size_is_that_of_the_last_run_in_batches() {
        use Outcome::Succeeded;
        let whole = |target, size_before| {
            let mut run = run(target, &[], Succeeded);
            run.spec = RunSpec { mode: Mode::Apply, original_size: size_before, target_size: 0, ..run.spec };
            run
        };
        let replaced = record(&[whole(3, 0), whole(2, 4), run(1, &[], Succeeded)]);
        assert_eq!(rollback_size(&replaced, "web-v1", None), 4);
        assert_eq!(rollback_size(&replaced, "web-v1", Some(7)), 7);
        assert_eq!(rollback_size(&record(&[whole(2, 5)]), "web-v1", None), 5, "no run to it is recorded");
    }

    #[test]
    fn a_release_that_replaces_whole_objects_is_not_a_first_release() {
        use Outcome::{Failed, Succeeded};
        let mut whole = run(1, &[], Succeeded);
        whole.spec.mode = Mode::Apply;
        let beside = record(&[run(2, &[], Failed), whole]);
        let of_objects = json!({
            "metadata": {"name": "web-v1"}, "revision": 1,
            "data": {"spec": {"objects": [{"kind": "DaemonSet"}]}},
        });
        assert!(!is_first_release(&beside, &[StoredRevision::from_object(&of_objects).unwrap()]));
        assert!(is_first_release(&beside, &stored(2)), "its workload was deleted by hand");
        assert!(is_first_release(&record(&[run(1, &[], Failed)]), &stored(1)));
    }

    #[test]
    fn successful_revisions_are_remembered_after_many_scales() {
        use Outcome::{Failed, Succeeded};
        let mut runs = vec![run(3, &[1], Succeeded), run(2, &[1], Failed), run(1, &[], Succeeded)];
        for _ in 0..2 * PAST_RUNS {
            let mut scale = run(3, &[], Succeeded);
            scale.spec.mode = Mode::Scale;
            runs.insert(0, scale);
        }
        assert_eq!(rolled_back(&record(&runs)), Some((1, 7)));
    }

    #[test]
    fn rolling_back_a_run_started_amid_another_restores_the_size_before_both() {
        use Outcome::{Failed, Running, Succeeded};
        let grown = |mut run: Run, size| {
            run.spec.original_size = size;
            run
        };
        let plain = record(&[grown(run(2, &[1], Running), 9), run(1, &[], Succeeded)]);
        assert_eq!(rolled_back(&plain), Some((1, 9)), "a size that somebody changed in between is kept");
        let amid =
            [grown(run(3, &[1, 2], Running), 30), grown(run(2, &[1], Failed), 3), run(1, &[], Succeeded)];
        assert_eq!(rolled_back(&record(&amid)), Some((1, 3)));
        let mut scale = run(1, &[], Running);
        scale.spec = RunSpec { mode: Mode::Scale, original_size: 2, target_size: 9, ..scale.spec };
        assert_eq!(rolled_back(&record(&[scale, run(1, &[], Succeeded)])), Some((1, 2)));
    }
}
