//! The context of one reconciliation of a Deployment: the Deployment, its ReplicaSets and the bounds of its strategy.

use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::controllers::int_or_percent::{Rounding, resolve};
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// A ReplicaSet of the Deployment, as it was last read or written.
#[derive(Clone)]
pub(super) struct OwnedReplicaSet {
    pub(super) key: Key,
    pub(super) object: Arc<Value>,
}

impl OwnedReplicaSet {
    /// How many pods it should have.
    pub(super) fn replicas(&self) -> i64 {
        meta::number(&self.object, "/spec/replicas")
    }

    pub(super) fn status(&self, field: &str) -> i64 {
        self.object["status"][field].as_i64().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        meta::uid(&self.object)
    }

    pub(super) fn revision(&self) -> i64 {
        meta::annotation(&self.object, REVISION).and_then(|r| r.parse().ok()).unwrap_or_default()
    }
}

/// A Deployment, its ReplicaSets and what this sync will report.
pub(super) struct SyncContext {
    pub(super) key: Key,
    pub(super) deployment: Arc<Value>,
    /// The ReplicaSet with the Deployment's template.
    pub(super) newest: Option<OwnedReplicaSet>,
    /// All others, oldest first.
    pub(super) others: Vec<OwnedReplicaSet>,
    pub(super) bounds: RollingBounds,
    /// An update for the condition Progressing.
    pub(super) progress: Option<Progress>,
    /// The Deployment's revision annotation, if this sync sets it.
    pub(super) revision: Option<String>,
    pub(super) collisions: i64,
}

impl SyncContext {
    pub(super) fn replicas(&self) -> i64 {
        meta::number(&self.deployment, "/spec/replicas")
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &OwnedReplicaSet> {
        self.others.iter().chain(&self.newest)
    }

    pub(super) fn total(&self) -> i64 {
        self.all().map(OwnedReplicaSet::replicas).sum()
    }
}

/// What happened to the newest ReplicaSet.
pub(super) enum Progress {
    /// The ReplicaSet with this name was created.
    Created(String),
    /// The ReplicaSet with this name was found.
    Found(String),
    /// None could be created.
    Failed(String),
}

/// How far the number of pods may deviate from `spec.replicas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RollingBounds {
    pub(super) max_surge: i64,
    pub(super) max_unavailable: i64,
    pub(super) rolling: bool,
}

impl RollingBounds {
    /// Resolves `maxSurge` and `maxUnavailable`. Both can round to zero, which validation does not see; then one pod
    /// may be unavailable, because a quota might reject a surge (`ResolveFenceposts` of Kubernetes).
    pub(super) fn of(deployment: &Value) -> Self {
        let size = meta::number(deployment, "/spec/replicas");
        let strategy = &deployment["spec"]["strategy"];
        if strategy["type"] != "RollingUpdate" {
            return Self { max_surge: 0, max_unavailable: 0, rolling: false };
        }
        let rolling = &strategy["rollingUpdate"];
        let max_surge = resolve(&rolling["maxSurge"], size, Rounding::Up);
        let mut max_unavailable = resolve(&rolling["maxUnavailable"], size, Rounding::Down);
        if max_surge == 0 && max_unavailable == 0 {
            max_unavailable = 1;
        }
        Self { max_surge, max_unavailable: max_unavailable.min(size), rolling: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bounds(replicas: i64, max_surge: &Value, max_unavailable: &Value) -> (i64, i64) {
        let bounds = RollingBounds::of(&json!({"spec": {"replicas": replicas, "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": max_surge, "maxUnavailable": max_unavailable},
        }}}));
        (bounds.max_surge, bounds.max_unavailable)
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        assert_eq!(bounds(5, &json!("25%"), &json!("25%")), (2, 1));
        assert_eq!(bounds(4, &json!("25%"), &json!("25%")), (1, 1));
    }

    #[test]
    fn bounds_never_block_the_update() {
        assert_eq!(bounds(3, &json!("0%"), &json!("25%")), (0, 1));
        assert_eq!(bounds(3, &json!(0), &json!(1)), (0, 1));
    }

    #[test]
    fn max_unavailable_is_at_most_replicas() {
        assert_eq!(bounds(2, &json!(1), &json!(5)), (1, 2));
    }
}
