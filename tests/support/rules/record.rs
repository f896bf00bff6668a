//! The run record: who writes it, and what it contains.

use jiff::Timestamp;
use rollout::plan::record::Record;
use rollout::plan::run::{FrozenStrategy, Mode, Outcome, Purpose};
use rollout::sandbox::Change;

use super::claim::Claim;
use super::world::{self, size};
use super::{Author, Broken, Judge, Memory, runs};

impl Judge {
    pub(super) fn look_at_record(&mut self, change: &Change, author: Author<'_>) -> Result<(), Broken> {
        if change.kind != "configmaps" {
            return Ok(());
        }
        let Some(component) = change.name.strip_prefix("rollout-") else { return Ok(()) };
        let before = change.before.as_deref().and_then(world::record);
        let after = change.after.as_deref().and_then(world::record);
        let Author::Process(by) = author else {
            // Without a record, the claims are lost: the next one starts from the stamps.
            let known = self.components.remove(component).unwrap_or_default();
            let is_whole = known.claim.is_some_and(|claim| claim.spec.mode == Mode::Apply);
            let memory = Memory {
                has_lost_whole: is_whole || known.has_lost_whole,
                has_lost_record: true,
                ..Memory::default()
            };
            self.components.insert(component.to_owned(), memory);
            return Ok(());
        };
        // An apply, such as the next pipeline's, is paused as well; only commands about the run end its pause.
        if let (Some(before), Some(after)) = (&before, &after)
            && before.run.paused.is_some()
            && after.run.paused.is_none()
            // A removal starts no run.
            && after.run.outcome == Outcome::Running
            && !by.is_empty()
            && runs(by, &["apply", "prune"])
        {
            return Err(("pause", format!("`{by}` ends the pause of `{component}`")));
        }
        match (before, after) {
            // This includes records that cannot be parsed.
            (_, None) if runs(by, &["delete", "prune"]) => {
                self.components.remove(component);
                Ok(())
            }
            (_, None) => Err(("removal", format!("the record of `{component}` was deleted by no deletion"))),
            (None, Some(after)) => {
                self.claimed(&after, by);
                Ok(())
            }
            (Some(before), Some(after)) if after.epoch > before.epoch => {
                let memory = self.components.entry(component.to_owned()).or_default();
                memory.has_lost_record = false;
                // For components that are applied as a whole, the same second and mode do not identify a run.
                let is_same = before.run.started == after.run.started
                    && before.run.spec.mode == after.run.spec.mode
                    && [Mode::Release, Mode::Upgrade].contains(&after.run.spec.mode);
                if is_same
                    && before.run.outcome == Outcome::Succeeded
                    && after.run.outcome == Outcome::Running
                {
                    return Err(("record", "a run that had ended is resumed".to_owned()));
                }
                let is_own = memory.claim.as_ref().is_none_or(|claim| claim.by == by);
                // A removal claims the component but starts no run.
                let rolls_back = runs(by, &["apply", "prune"])
                    && after.run.purpose != Purpose::Forward
                    && after.run.outcome == Outcome::Running;
                if rolls_back && !is_own && !by.is_empty() {
                    return Err(("decision", format!("`{by}` rolls back a run that is not its own")));
                }
                self.claimed(&after, by);
                Ok(())
            }
            (Some(before), Some(after)) if after.epoch < before.epoch => {
                Err(("epochs", format!("the record went from {:?} to {:?}", before.epoch, after.epoch)))
            }
            (Some(before), Some(after)) => self.amended(&before, &after, by, change.at),
        }
    }

    fn claimed(&mut self, record: &Record, by: &str) {
        let claim = Claim::new(record, by, &self.world);
        let memory = self.components.entry(record.component.clone()).or_default();
        memory.claim = Some(claim);
        memory.edited.clear();
    }

    fn amended(&mut self, before: &Record, after: &Record, by: &str, at: Timestamp) -> Result<(), Broken> {
        let component = &after.component;
        let Some(claim) = self.components.get_mut(component).and_then(|memory| memory.claim.as_mut()) else {
            return Ok(());
        };
        claim.paused = match (&claim.paused, &after.run.paused) {
            (Some(since), Some(_)) => Some(*since),
            (None, Some(_)) => Some(at),
            (_, None) => None,
        };
        // A record that was deleted and recreated may have the epoch of an older claim.
        if claim.epoch != after.epoch.0 || claim.by.is_empty() {
            return Ok(());
        }
        let only_pause = {
            let mut amended = before.clone();
            amended.run.paused.clone_from(&after.run.paused);
            // A promotion records the workflow step that it passes, and reopens the run that ended there.
            if runs(by, &["promote"]) && before.run.workflow != after.run.workflow {
                amended.run.workflow.clone_from(&after.run.workflow);
                if before.run.outcome.is_resumable() {
                    (amended.run.outcome, amended.run.finished) = (Outcome::Running, None);
                }
            }
            // If no process is left to stop, a pause records the outcome.
            if after.run.outcome == Outcome::Paused {
                amended.run.outcome = Outcome::Paused;
            }
            amended == *after
        };
        let may_pause = runs(by, &["pause", "resume", "promote"]) && only_pause;
        if by != claim.by && !may_pause {
            return Err(("record", format!("`{by}` amends the record that `{}` claimed", claim.by)));
        }
        if before.run.outcome == after.run.outcome
            || self.circumstances.pods_are_harmed
            || self.circumstances.others_edit
        {
            return Ok(());
        }
        match after.run.outcome {
            Outcome::Succeeded => self.check_success(after),
            Outcome::Held => self.check_hold(after),
            Outcome::Running
            | Outcome::Paused
            | Outcome::Failed
            | Outcome::Interrupted
            | Outcome::Superseded => Ok(()),
        }
    }

    /// Checks that an upgrade that is held at its partition has completed the batches up to it and, if the target grows
    /// first, has no more pods than at the end.
    fn check_hold(&self, record: &Record) -> Result<(), Broken> {
        let (component, spec) = (&record.component, &record.run.spec);
        let is_elsewhere = record.run.workflow.as_ref().is_some_and(|place| place.is_waiting)
            || record.run.gates.held_at.is_some();
        let (Mode::Upgrade, Some(partition), false) = (spec.mode, spec.partition, is_elsewhere) else {
            return Ok(());
        };
        let due = &spec.batches[..spec.batches.len().min(partition as usize + 1)];
        let tolerated = due.last().map_or(0, |batch| batch.max_unavailable);
        let goal = due.iter().map(|batch| batch.size).sum::<u32>().min(spec.target_size);
        let is_in_place = spec.kind.is_in_place();
        let (mut wanted, mut of_target) = (0, 0);
        for workload in self.world.workloads(component) {
            let name = workload["metadata"]["name"].as_str().unwrap();
            wanted += size(workload);
            let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
            let ready = match is_in_place {
                true => self.world.moved_ready(component, image),
                false if name == spec.target => self.world.ready_of(component, name),
                false => continue,
            };
            of_target = world::moved(workload);
            if of_target < goal || ready < goal.saturating_sub(tolerated) {
                return Err((
                    "hold",
                    format!("`{name}` has {ready} of {of_target} pods, and {goal} are due"),
                ));
            }
        }
        let most = spec.target_size.max(of_target);
        if spec.strategy == FrozenStrategy::IncreaseFirst && !is_in_place && wanted > most {
            return Err(("hold", format!("{wanted} pods are wanted, more than {most}")));
        }
        Ok(())
    }

    fn check_success(&self, record: &Record) -> Result<(), Broken> {
        let (component, spec) = (&record.component, &record.run.spec);
        if spec.mode == Mode::Apply {
            return Ok(());
        }
        for workload in self.world.workloads(component) {
            let name = workload["metadata"]["name"].as_str().unwrap();
            let is_target = spec.kind.is_in_place() || name == spec.target;
            let (size, ready) = (size(workload), self.world.ready_of(component, name));
            // A scale-in does not wait for the remaining pods.
            let unready = if spec.is_shrink() { size } else { spec.tolerated_at_end() };
            if is_target && (size != spec.target_size || ready < size.saturating_sub(unready)) {
                let of = spec.target_size;
                return Err(("success", format!("`{name}` has {ready} of {size} pods, and {of} are wanted")));
            }
            if !is_target && size > 0 {
                return Err(("success", format!("`{name}` still has {size} pods")));
            }
        }
        Ok(())
    }
}
