//! The walk of KubeVela's page on the rollout trait, for any backend: release, canary, upgrade, rollback, scale out and
//! in.

/// An example that is applied, and the expected state.
pub(crate) struct Step {
    /// The example's file.
    pub(crate) example: &'static str,
    /// The component's row in the table of `status`, without its age.
    pub(crate) row: &'static str,
    /// The Deployments with their ready pods.
    pub(crate) deployments: &'static [&'static str],
}

/// The steps of the walk.
pub(crate) const STEPS: [Step; 6] = [
    Step {
        example: "express-server-v1.yaml",
        row: "express-server   5        5          5       batchReady    rolloutSucceed",
        deployments: &["express-server-v1 5/5"],
    },
    Step {
        example: "express-server-v2-canary.yaml",
        row: "express-server   5        2          2       batchReady    rollingInBatches",
        deployments: &["express-server-v1 3/3", "express-server-v2 2/2"],
    },
    Step {
        example: "express-server-v2.yaml",
        row: "express-server   5        5          5       batchReady    rolloutSucceed",
        deployments: &["express-server-v2 5/5"],
    },
    Step {
        example: "express-server-rollback.yaml",
        row: "express-server   5        5          5       batchReady    rolloutSucceed",
        deployments: &["express-server-v1 5/5"],
    },
    Step {
        example: "express-server-scale-out.yaml",
        row: "express-server   7        7          7       batchReady    rolloutSucceed",
        deployments: &["express-server-v1 7/7"],
    },
    Step {
        example: "express-server-scale-in.yaml",
        row: "express-server   3        3          3       batchReady    rolloutSucceed",
        deployments: &["express-server-v1 3/3"],
    },
];

/// The environment of the walk.
pub(crate) trait Walker {
    /// Runs `rollout`, which must succeed, and returns its output.
    fn rollout(&self, arguments: &[&str]) -> String;

    /// The Deployments as `name ready/replicas`, by name.
    fn deployments(&self) -> Vec<String>;
}

/// Runs all steps, and calls `look` after each. `folder` contains the examples.
pub(crate) fn walk(walker: &impl Walker, folder: &str, look: impl Fn(&Step)) {
    for step in &STEPS {
        let example = format!("{folder}/{}", step.example);
        for table in [walker.rollout(&["apply", &example]), walker.rollout(&["status", "express-server"])] {
            let row = table.lines().nth(1).unwrap_or_default();
            assert!(row.starts_with(step.row), "{example}: {table}");
        }
        assert_eq!(walker.deployments(), step.deployments, "{example}");
        look(step);
    }
}
