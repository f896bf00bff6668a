//! The end of what serves: it is deleted only once what replaces it serves.

use rollout::plan::run::Mode;
use rollout::sandbox::Change;
use rollout::sandbox::fault::Verb;
use serde_json::Value;

use super::claim::Claim;
use super::world::{component, epoch, is_foreign, is_in_list, size};
use super::{Author, Broken, Judge};

/// The kinds whose pods serve.
const SERVING: [&str; 4] = ["clonesets", "daemonsets", "deployments", "statefulsets"];

fn saturated(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Judge {
    pub(super) fn look_at_handover(&self, change: &Change, author: Author<'_>) -> Result<(), Broken> {
        let is_calm = !self.circumstances.pods_are_harmed && !self.circumstances.others_edit;
        let (Author::Process(_), Verb::Delete, Some(before), true) =
            (author, change.verb, &change.before, is_calm)
        else {
            return Ok(());
        };
        let Some(name) =
            component(before).filter(|_| SERVING.contains(&&*change.kind) && !is_foreign(before))
        else {
            return Ok(());
        };
        let claim = self.components.get(name).and_then(|memory| memory.claim.as_ref());
        let Some(claim) = claim.filter(|claim| !claim.removes) else { return Ok(()) };
        let serving = self.world.ready_of_kind(&change.kind, name, &change.name);
        if serving == 0 || self.is_replaced(claim, name) {
            return Ok(());
        }
        Err(("handover", format!("it has {serving} ready pods, and what replaces it is not ready")))
    }

    /// Whether every object that serves and that this claim has applied is ready.
    fn is_replaced(&self, claim: &Claim, component: &str) -> bool {
        let kinds = SERVING.into_iter().chain(["jobs", "cronjobs"]);
        let all = kinds.flat_map(|kind| self.world.of(kind, component).map(move |object| (kind, object)));
        let is_it = |(_, object): &(&str, &Value)| {
            let is_target =
                claim.spec.mode == Mode::Apply || object["metadata"]["name"] == *claim.spec.target;
            epoch(object) == Some(claim.epoch) && is_target
        };
        let mut replacing = all.filter(is_it).peekable();
        replacing.peek().is_some()
            && replacing.all(|(kind, object)| {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let shown = object["status"]["readyReplicas"].as_u64().filter(|_| is_in_list(object));
                let ready = shown.map_or_else(|| self.world.ready_of_kind(kind, component, name), saturated);
                match kind {
                    "jobs" | "cronjobs" => true,
                    "daemonsets" => object["status"]["desiredNumberScheduled"].as_u64() == Some(ready.into()),
                    _ => ready >= size(object).saturating_sub(claim.spec.tolerated_at_end()),
                }
            })
    }
}
