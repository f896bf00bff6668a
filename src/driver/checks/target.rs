//! Checks whether a component can become its resolved target, and warns about oddities of the target.

use crate::driver::outcome::Failure;
use crate::driver::resolve::ResolvedTarget;
use crate::oam::revision::StoredRevision;
use crate::plan::desired::Desired;
use crate::plan::observed::Workload;
use crate::plan::record::Record;
use crate::plan::run::{Mode, RunSpec};
use crate::report::text::plural;

/// Refuses a change of kind if either side is rolled out in batches: two kinds of workload cannot replace each other in
/// batches. A component without a workload of its own, such as a `daemon`, counts as a Deployment: its objects are
/// deleted once a first release that runs in addition to them is complete.
pub(in crate::driver) fn refuse_other_kind(
    resolved: &ResolvedTarget,
    record: Option<&Record>,
    stored: &[StoredRevision],
    component: &str,
) -> Result<(), Failure> {
    let wanted = resolved.desired.kind;
    let is_whole = resolved.target.objects().is_some();
    let run = record.map(|record| &record.run.spec);
    let is_changed = |run: &&RunSpec| run.kind != wanted && !(is_whole && run.mode == Mode::Apply);
    if let Some(run) = run.filter(is_changed) {
        let current = stored.iter().find(|one| one.name == run.target);
        let running = current.and_then(whole_noun).unwrap_or_else(|| run.kind.noun().to_owned());
        let wanted = whole_noun(&resolved.target).unwrap_or_else(|| wanted.noun().to_owned());
        let reason = format!("component `{component}` runs as a {running} and cannot become a {wanted}");
        return Err(Failure::refused(reason).hint("give the component of the new type another name"));
    }
    if is_whole {
        return Ok(());
    }
    match resolved.target.kind() {
        Some(kind) if kind == wanted => Ok(()),
        Some(kind) => {
            let (name, kind, wanted) = (&resolved.target.name, kind.noun(), wanted.noun());
            let reason =
                format!("revision `{name}` is a {kind}, and component `{component}` is a {wanted} now");
            Err(Failure::refused(reason).hint(format!("see `rollout history {component}`")))
        }
        None => Err(Failure::refused(format!(
            "revision `{}` contains no workload that can be rolled out",
            resolved.target.name
        ))),
    }
}

/// The kind of the first object of a revision that is applied as a whole, as printed in messages.
fn whole_noun(revision: &StoredRevision) -> Option<String> {
    revision.objects()?.first()?["kind"].as_str().map(str::to_lowercase)
}

/// Warns that another client has changed the image of the target's Deployment. `rollout` writes the template of a
/// Deployment once, so no later step detects this.
pub(in crate::driver) fn image_drift(
    desired: &Desired,
    target: &StoredRevision,
    workloads: &[Workload],
) -> Option<String> {
    let live = workloads.iter().find(|one| one.name == desired.workload && !desired.kind.is_in_place())?;
    let recorded = target.images();
    let (container, image) = live
        .images
        .iter()
        .find(|(name, image)| recorded.get(*name).is_some_and(|recorded| recorded != *image))?;
    let wanted = &recorded[container];
    Some(format!(
        "{} `{}` runs image `{image}`, but its revision has `{wanted}`: restore it with `kubectl set image {}/{} \
         {container}={wanted}`",
        desired.kind.noun(),
        live.name,
        desired.kind.noun(),
        live.name
    ))
}

/// Warns that a gate is beyond the last batch, which suggests that batches were counted from one. The last batch has no
/// gate: naming it means running all batches.
pub(in crate::driver) fn partition_out_of_range(desired: &Desired) -> Option<String> {
    let batches = desired.batches.as_ref().map_or(1, Vec::len);
    let partition = desired.partition.filter(|partition| *partition as usize >= batches)?;
    let there_are = plural(batches, "batch", "batches");
    Some(format!(
        "the run will not be held: `batchPartition` {partition} is beyond the last of {there_are} (counted from 0)"
    ))
}
