//! Smoke tests: Jobs that must succeed before a run continues.
//!
//! The manifest has the spec of the Job. A run adds variables that describe the batch (`ROLLOUT_…`) to each container,
//! and defaults for tests: a single attempt, and removal an hour after its end.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::oam::hash::fnv1a;

/// A Job that must succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmokeTest {
    /// Its name.
    pub name: String,
    /// Whether it runs before or after a batch.
    #[serde(default)]
    pub when: BatchSide,
    /// The spec of the Job, as in the manifest.
    pub spec: Value,
}

/// A side of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BatchSide {
    /// Before its first write.
    Before,
    /// When it is ready.
    #[default]
    After,
}

/// The environment variables that describe the batch to a test.
pub type SmokeVariables = Vec<(&'static str, String)>;

/// The maximum length of a Job's name, which is a label of its pods.
const MAX_CHARACTERS: usize = 63;

/// Digits of the hash at the end of a Job's name.
const DIGITS: usize = 10;

/// Seconds after which the cluster removes a Job that has ended.
const TTL_SECONDS: u32 = 3600;

/// The name of a test's Job. The same key yields the same name, so that a rerun finds the Job of the first run.
#[must_use]
pub fn smoke_job_name(component: &str, test: &str, key: &str) -> String {
    let hash = format!("{:016x}", fnv1a(key));
    let prefix = format!("{component}-{test}");
    let most = MAX_CHARACTERS - DIGITS - 1;
    let prefix: String = prefix.chars().take(most).collect();
    format!("{}-{}", prefix.trim_end_matches(['-', '.']), &hash[..DIGITS])
}

/// The spec of a test's Job.
#[must_use]
pub fn smoke_job_spec(test: &SmokeTest, variables: &SmokeVariables) -> Value {
    let mut spec = test.spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        fields.entry("backoffLimit").or_insert_with(|| json!(0));
        fields.entry("ttlSecondsAfterFinished").or_insert_with(|| json!(TTL_SECONDS));
    }
    if let Some(pod) = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut) {
        pod.entry("restartPolicy").or_insert_with(|| json!("Never"));
        for list in ["initContainers", "containers"] {
            let containers = pod.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
                add_variables(container, variables);
            }
        }
    }
    spec
}

/// Adds the variables that a container does not set itself.
fn add_variables(container: &mut Map<String, Value>, variables: &SmokeVariables) {
    let list = container.entry("env").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    for (name, value) in variables {
        if !list.iter().any(|known| known["name"] == *name) {
            list.push(json!({"name": name, "value": value}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_gets_variables_and_defaults() {
        let container =
            json!({"name": "t", "image": "curl", "env": [{"name": "ROLLOUT_BATCH", "value": "9"}]});
        let test = SmokeTest {
            name: "ping".to_owned(),
            when: BatchSide::After,
            spec: json!({"backoffLimit": 2, "template": {"spec": {"containers": [container]}}}),
        };
        let variables = vec![("ROLLOUT_REVISION", "web-v2".to_owned()), ("ROLLOUT_BATCH", "1".to_owned())];
        let spec = smoke_job_spec(&test, &variables);
        let wanted = json!({
            "backoffLimit": 2,
            "ttlSecondsAfterFinished": 3600,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "t", "image": "curl", "env": [
                    {"name": "ROLLOUT_BATCH", "value": "9"},
                    {"name": "ROLLOUT_REVISION", "value": "web-v2"},
                ]}],
            }},
        });
        assert_eq!(spec, wanted);
    }

    #[test]
    fn names_of_jobs_are_short_and_unique() {
        let name = smoke_job_name("web", "ping", "shop/web/1");
        assert!(name.starts_with("web-ping-") && name.len() == "web-ping-".len() + DIGITS, "{name}");
        assert_ne!(name, smoke_job_name("web", "ping", "shop/web/2"));
        let long = "x".repeat(60);
        assert_eq!(smoke_job_name(&long, "ping", "key").len(), MAX_CHARACTERS);
    }
}
