//! What one reconciliation of a Deployment works on: the Deployment, its ReplicaSets and the bounds of its strategy.

use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::controllers::int_or_percent::resolve;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// A ReplicaSet of the Deployment, as it was when it was last looked at.
#[derive(Clone)]
pub(super) struct Set {
    pub(super) key: Key,
    pub(super) object: Arc<Value>,
}

impl Set {
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

/// A Deployment, its ReplicaSets and what this look has to report.
pub(super) struct Rollout {
    pub(super) key: Key,
    pub(super) deployment: Arc<Value>,
    /// The ReplicaSet with the Deployment's template.
    pub(super) newest: Option<Set>,
    /// All others, oldest first.
    pub(super) others: Vec<Set>,
    pub(super) fence: Fence,
    /// What is to be said about progress, if anything new.
    pub(super) progress: Option<Progress>,
    /// The annotation that this look gives the Deployment.
    pub(super) revision: Option<String>,
    pub(super) collisions: i64,
}

impl Rollout {
    pub(super) fn replicas(&self) -> i64 {
        meta::number(&self.deployment, "/spec/replicas")
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Set> {
        self.others.iter().chain(&self.newest)
    }

    pub(super) fn total(&self) -> i64 {
        self.all().map(Set::replicas).sum()
    }
}

/// What a look has to say about progress.
pub(super) enum Progress {
    /// The ReplicaSet of this name was made.
    Created(String),
    /// The ReplicaSet of this name was found.
    Found(String),
    /// None could be made.
    Failed(String),
}

/// How far the number of pods may stray from the size of the Deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) surge: i64,
    pub(super) unavailable: i64,
    pub(super) rolling: bool,
}

impl Fence {
    /// Reads the fence of a Deployment: surge rounds up, unavailable rounds down, and one of them is not zero.
    pub(super) fn of(deployment: &Value) -> Self {
        let size = meta::number(deployment, "/spec/replicas");
        let strategy = &deployment["spec"]["strategy"];
        if strategy["type"] != "RollingUpdate" {
            return Self { surge: 0, unavailable: 0, rolling: false };
        }
        let rolling = &strategy["rollingUpdate"];
        let surge = resolve(&rolling["maxSurge"], size, |numerator| (numerator + 99) / 100);
        let mut unavailable = resolve(&rolling["maxUnavailable"], size, |numerator| numerator / 100);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { surge, unavailable: unavailable.min(size), rolling: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fence(replicas: i64, surge: &Value, unavailable: &Value) -> (i64, i64) {
        let fence = Fence::of(&json!({"spec": {"replicas": replicas, "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
        }}}));
        (fence.surge, fence.unavailable)
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        assert_eq!(fence(5, &json!("25%"), &json!("25%")), (2, 1));
        assert_eq!(fence(4, &json!("25%"), &json!("25%")), (1, 1));
    }

    #[test]
    fn a_fence_never_blocks_everything() {
        assert_eq!(fence(3, &json!("0%"), &json!("25%")), (0, 1));
        assert_eq!(fence(3, &json!(0), &json!(1)), (0, 1));
    }

    #[test]
    fn no_more_is_unavailable_than_there_is() {
        assert_eq!(fence(2, &json!(1), &json!(5)), (1, 2));
    }
}
