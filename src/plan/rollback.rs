//! Where the way back leads: the revision that worked before, in the size that it had.
//!
//! A revision counts as one that worked when a run to it succeeded. One that was only tried is no place to go back to
//! without being named.

use crate::oam::revision::StoredRevision;
use crate::plan::record::{Mode, Outcome, Record, Run};

/// The revision before the one that the last run is about: the last other one to which a run succeeded. Where none is on
/// record, the source of an unfinished run, what ran before, or the next lower number, unless it was tried in vain.
#[must_use]
pub fn previous<'a>(record: &Record, stored: &'a [StoredRevision]) -> Option<&'a StoredRevision> {
    let Record { run, past, .. } = record;
    let target = &run.spec.target;
    let find = |name: &String| stored.iter().find(|one| one.name == *name);
    let others = || past.iter().filter(|run| run.spec.target != *target);
    if let Some(found) = others().filter(|run| has_succeeded(run)).find_map(|run| find(&run.spec.target)) {
        return Some(found);
    }
    let is_in_vain = |one: &&StoredRevision| {
        let mut tries = past.iter().filter(|run| run.spec.target == one.name).peekable();
        tries.peek().is_some() && !tries.any(has_succeeded)
    };
    let untried = || stored.iter().filter(|one| !is_in_vain(one));
    let is_source =
        |one: &&StoredRevision| run.outcome.is_resumable() && run.spec.sources.contains(&one.name);
    let number = find(target).map(|one| one.revision);
    let is_lower = |one: &&StoredRevision| number.is_some_and(|number| one.revision < number);
    let newest_source = untried().filter(is_source).max_by_key(|one| one.revision);
    newest_source.or_else(|| untried().filter(is_lower).max_by_key(|one| one.revision))
}

/// Where the run that is under way began: the revision of its sources that worked last, else the newest, and the size.
/// `None` where no source is recorded.
#[must_use]
pub fn beginning<'a>(record: &Record, stored: &'a [StoredRevision]) -> Option<(&'a StoredRevision, u32)> {
    let Record { run: Run { spec, .. }, past, .. } = record;
    if spec.mode != Mode::Upgrade {
        let target = stored.iter().find(|one| one.name == spec.target)?;
        return Some((target, spec.original_size));
    }
    let sources = || stored.iter().filter(|one| spec.sources.contains(&one.name));
    let worked = past.iter().filter(|run| has_succeeded(run));
    let source = worked.filter_map(|run| sources().find(|one| one.name == run.spec.target)).next();
    let source = source.or_else(|| sources().max_by_key(|one| one.revision))?;
    // A run that began in the midst of another found more pods than anybody had asked for.
    let is_amid = past.first().is_some_and(|before| !has_succeeded(before));
    let asked_for = past.iter().find(|run| run.spec.target == source.name).map(|run| run.spec.target_size);
    let size = asked_for.filter(|_| is_amid).unwrap_or_else(|| spec.size_before());
    Some((source, size))
}

fn has_succeeded(run: &Run) -> bool {
    run.outcome == Outcome::Succeeded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oam::kind::WorkloadKind;
    use crate::plan::observed::Epoch;
    use crate::plan::record::{FrozenBatch, FrozenStrategy, Purpose, RunSpec};

    /// A run to `v<target>` from `v<source>`s, of four replicas at its end, with as many before.
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
        };
        let started = jiff::Timestamp::UNIX_EPOCH;
        let (by, purpose) = ("tester".to_owned(), Purpose::Forward);
        Run { spec, purpose, outcome, paused: None, by, started, finished: None, message: None }
    }

    /// The last run first.
    fn record(runs: &[Run]) -> Record {
        let (run, past) = runs.split_first().unwrap();
        let (application, component) = ("shop".to_owned(), "web".to_owned());
        Record { application, component, epoch: Epoch(1), run: run.clone(), past: past.to_vec() }
    }

    fn stored(count: u32) -> Vec<StoredRevision> {
        let object =
            |number: u32| json!({"metadata": {"name": format!("web-v{number}")}, "revision": number});
        (1..=count).map(|number| StoredRevision::from_object(&object(number)).unwrap()).collect()
    }

    #[test]
    fn the_revision_before_is_the_last_that_worked() {
        use Outcome::{Failed, Held, Interrupted, Running, Succeeded, Superseded};
        let first = |outcome| run(1, &[], outcome);
        let cases = [
            ("an upgrade", vec![run(2, &[1], Succeeded), first(Succeeded)], Some(1)),
            ("under way", vec![run(2, &[1], Running), first(Succeeded)], Some(1)),
            (
                "there and back",
                vec![run(1, &[2], Succeeded), run(2, &[1], Succeeded), first(Succeeded)],
                Some(2),
            ),
            (
                "one tried in vain",
                vec![run(3, &[1], Succeeded), run(2, &[1], Failed), first(Succeeded)],
                Some(1),
            ),
            ("two in vain", vec![run(3, &[1, 2], Failed), run(2, &[1], Failed), first(Succeeded)], Some(1)),
            (
                "a canary given up",
                vec![run(3, &[1, 2], Held), run(2, &[1], Superseded), first(Succeeded)],
                Some(1),
            ),
            ("after a broken first", vec![run(2, &[1], Succeeded), first(Failed)], None),
            ("a forgotten past, under way", vec![run(3, &[2], Interrupted)], Some(2)),
            ("a forgotten past", vec![run(3, &[2], Succeeded)], Some(2)),
            ("nothing before", vec![first(Succeeded)], None),
        ];
        let revisions = stored(3);
        for (what, runs, number) in cases {
            let found = previous(&record(&runs), &revisions).map(|one| one.revision);
            assert_eq!(found, number, "{what}");
        }
    }

    #[test]
    fn a_run_began_with_what_worked_in_the_size_that_was_asked_for() {
        use Outcome::{Failed, Running, Succeeded};
        let revisions = stored(3);
        let plain = record(&[run(2, &[1], Running), run(1, &[], Succeeded)]);
        let grown = {
            let mut record = plain.clone();
            record.run.spec.original_size = 9;
            record
        };
        // Of the second revision a pod was left, besides all of the first.
        let amid = record(&[run(3, &[1, 2], Running), run(2, &[1], Failed), run(1, &[], Succeeded)]);
        let none = record(&[run(3, &[1, 2], Running)]);
        for (record, wanted) in [(plain, (1, 4)), (grown, (1, 9)), (amid, (1, 4)), (none, (2, 5))] {
            let (source, size) = beginning(&record, &revisions).unwrap();
            assert_eq!((source.revision, size), wanted, "{record:?}");
        }
        let mut scale = run(3, &[], Running);
        scale.spec = RunSpec { mode: Mode::Scale, original_size: 2, ..scale.spec };
        assert_eq!(beginning(&record(&[scale]), &revisions).unwrap().1, 2);
        assert_eq!(beginning(&record(&[run(3, &[1], Running)]), &[]), None);
    }
}
