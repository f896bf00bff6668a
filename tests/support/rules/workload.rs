//! Workloads: which claim changes them, and how many pods remain.

use jiff::SignedDuration;
use rollout::plan::gate_point::{GatePoint, gates_at, points_from};
use rollout::plan::run::Mode;
use rollout::sandbox::Change;
use rollout::sandbox::fault::Verb;
use serde_json::Value;

use super::claim::Claim;
use super::world::{self, WORKLOADS, component, epoch, is_effect, is_foreign, is_in_list, size};
use super::{Author, Broken, Judge, Memory};

/// How long after a pause earlier writes may arrive: their delay and the watch's, with a margin. A process that was
/// stopped just before a write sends it when it is continued.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(20);

impl Memory {
    /// Records another party's change of a workload.
    fn note_edit(&mut self, change: &Change) {
        self.edited.insert(change.name.clone());
        let is_of_all_revisions = ["clonesets", "statefulsets"].contains(&change.kind.as_str());
        let (Some(before), Some(after)) = (change.before.as_deref(), change.after.as_deref()) else { return };
        // A run overwrites changes from before it first observed the workload.
        if let Some(stamp) = epoch(before).filter(|_| is_of_all_revisions && before["spec"] != after["spec"])
        {
            self.respecified.entry(change.name.clone()).or_insert(stamp);
        }
    }
}

impl Judge {
    pub(super) fn look_at_workload(&mut self, change: &Change, author: Author<'_>) -> Result<(), Broken> {
        if !WORKLOADS.contains(&change.kind.as_str()) {
            return Ok(());
        }
        let either = change.after.as_deref().or(change.before.as_deref());
        let Some(name) = either.filter(|object| !is_foreign(object)).and_then(component) else {
            return Ok(());
        };
        let name = name.to_owned();
        match author {
            Author::Controller => return Ok(()),
            Author::Other => {
                let memory = self.components.entry(name).or_default();
                memory.note_edit(change);
                return Ok(());
            }
            Author::Process(_) => {}
        }
        let mut memory = self.components.remove(&name).unwrap_or_default();
        let judged = self.judge_write(change, author, &name, &mut memory);
        self.components.insert(name, memory);
        judged
    }

    fn judge_write(
        &self,
        change: &Change,
        author: Author<'_>,
        component: &str,
        memory: &mut Memory,
    ) -> Result<(), Broken> {
        let before = change.before.as_deref().and_then(epoch);
        let after = change.after.as_deref().and_then(epoch);
        if change.after.is_some() && after.is_none() {
            return Err(("epochs", "a workload lost its stamp or never had one".to_owned()));
        }
        if after.is_some() && before > after {
            return Err(("epochs", format!("the stamp went down from {before:?} to {after:?}")));
        }
        let recorded = self.world.record(component).map(|record| record.epoch.0);
        if after.or(before) > recorded && !self.circumstances.others_edit {
            return Err(("epochs", format!("epoch {after:?} acts, and the record is at {recorded:?}")));
        }
        if !is_effect(change) {
            return Ok(());
        }
        // A removal stamps nothing, and also deletes workloads that a dead run has not stamped.
        let removal = memory.claim.as_ref().filter(|claim| claim.removes && change.after.is_none());
        if let (Some(claim), Author::Process(by)) = (removal, author) {
            return match by == claim.by {
                true => Ok(()),
                false => Err(("single writer", format!("`{by}` acts under the claim of `{}`", claim.by))),
            };
        }
        // What other types have left behind is not stamped: the rule `handover` judges its deletion.
        let deletes = |claim: &&Claim| change.verb == Verb::Delete && before < Some(claim.epoch);
        if let (Some(claim), Author::Process(by)) = (memory.claim.as_ref().filter(deletes), author)
            && claim.by == by
        {
            return Ok(());
        }
        let acting = after.or(before).unwrap_or(0);
        // A creation by an apply has no version as a precondition (ARCHITECTURE.md, *Fencing*).
        if acting < memory.acted && change.before.is_none() && change.verb == Verb::Patch {
            return Ok(());
        }
        if acting < memory.acted {
            let acted = memory.acted;
            return Err(("single writer", format!("epoch {acting} acted after {acted}")));
        }
        memory.acted = acting;
        // The workload of another type, which the run deletes at the end, is not stamped.
        let is_behind = |one: &&Value| size(one) > 0 && epoch(one).unwrap_or(0) < acting && !is_in_list(one);
        if let Some(behind) = self.world.of(&change.kind, component).find(is_behind) {
            let name = &behind["metadata"]["name"];
            return Err(("single writer", format!("epoch {acting} acts, and {name} is not stamped")));
        }
        // Late writes of an earlier run lower the floor, since the claim has not observed them.
        if let Some(claim) = memory.claim.as_mut().filter(|claim| acting < claim.epoch) {
            claim.floor = claim.floor.min(self.world.kept_ready(component));
        }
        let Some(claim) = memory.claim.as_mut().filter(|claim| claim.epoch == acting) else { return Ok(()) };
        if let Author::Process(by) = author
            && by != claim.by
        {
            return Err(("single writer", format!("`{by}` acts under the claim of `{}`", claim.by)));
        }
        if claim.removes {
            return Ok(());
        }
        if let Some(since) = claim.paused
            && change.at.duration_since(since) > ON_ITS_WAY
            && std::mem::replace(&mut claim.has_written_late, true)
        {
            return Err(("pause", format!("it acts, and is paused since {since}")));
        }
        if claim.spec.mode != Mode::Apply && memory.respecified.get(&change.name) == Some(&acting) {
            return Err(("external change", "somebody else has changed it since the claim".to_owned()));
        }
        memory.respecified.remove(&change.name);
        let claim = claim.clone();
        self.check_direction(change, acting, memory)?;
        if claim.spec.mode == Mode::Apply || !memory.edited.is_empty() {
            return Ok(());
        }
        // A run that started before the record was created, and claims after it was deleted, cannot know the run in
        // between.
        let wanted = self.world.wanted(component);
        if wanted > claim.ceiling && !memory.has_lost_record {
            return Err(("ceiling", format!("{wanted} pods are wanted, more than {}", claim.ceiling)));
        }
        let kept = self.world.kept_ready(component);
        let is_harmed = self.circumstances.pods_are_harmed || self.circumstances.sizes_are_lowered;
        if kept < claim.floor && !is_harmed && !memory.has_lost_record {
            return Err(("floor", format!("{kept} ready pods are left, fewer than {}", claim.floor)));
        }
        Self::check_gate(change, &claim)?;
        self.check_batch_gates(change, &claim, component)
    }

    fn check_direction(&self, change: &Change, acting: u64, memory: &mut Memory) -> Result<(), Broken> {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(()) };
        let is_own = !memory.edited.contains(&change.name) && !self.circumstances.sizes_are_lowered;
        if size(before) == size(after) || !is_own {
            return Ok(());
        }
        let grows = size(after) > size(before);
        let known = memory.directions.insert((acting, change.name.clone()), grows);
        match known.is_some_and(|known| known != grows) {
            true => Err(("direction", "a workload grew and shrank within one claim".to_owned())),
            false => Ok(()),
        }
    }

    /// Checks that the target grows into a batch only once the gates before it are passed.
    fn check_batch_gates(&self, change: &Change, claim: &Claim, component: &str) -> Result<(), Broken> {
        let spec = &claim.spec;
        let of_target = |object: &Value| match spec.kind.is_in_place() {
            true => world::moved(object),
            false => size(object),
        };
        let after = change.after.as_deref().filter(|_| spec.kind.is_in_place() || change.name == spec.target);
        let moved = after.map_or(0, of_target);
        let Some(record) = self.world.record(component).filter(|record| record.epoch.0 == claim.epoch) else {
            return Ok(());
        };
        if moved <= change.before.as_deref().map_or(0, of_target) {
            return Ok(());
        }
        let goals = spec.effective_goals();
        let Some(batch) = goals.iter().position(|goal| *goal >= moved) else { return Ok(()) };
        let passed = record.run.gates.passed;
        let due = points_from(spec, passed)
            .take_while(|point| point.ordinal(spec) <= GatePoint::Before(batch).ordinal(spec))
            .find(|point| !gates_at(&spec.gates, *point).is_empty());
        match due {
            Some(point) => {
                Err(("batch gates", format!("{moved} pods are of the target, and {point:?} is due")))
            }
            None => Ok(()),
        }
    }

    /// Checks that the target of an upgrade stays within the batches up to its gate.
    fn check_gate(change: &Change, claim: &Claim) -> Result<(), Broken> {
        let spec = &claim.spec;
        let (Mode::Upgrade, Some(partition), Some(after)) = (spec.mode, spec.partition, &change.after) else {
            return Ok(());
        };
        let goals = spec.effective_goals();
        let Some(most) = goals.get(partition as usize).copied() else { return Ok(()) };
        let has_moved = match spec.kind.is_in_place() {
            true => world::moved(after),
            false if change.name == spec.target => size(after),
            false => return Ok(()),
        };
        let before = change.before.as_deref().map_or(0, world::moved);
        match has_moved > most.max(before) {
            true => Err(("gate", format!("{has_moved} pods are of the target, and the gate allows {most}"))),
            false => Ok(()),
        }
    }
}
