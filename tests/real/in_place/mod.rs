//! CloneSets under Kruise's controller and StatefulSets under Kubernetes', driven by the binary.

mod clone_sets;
mod kills;
mod missing;
mod stateful_sets;

use crate::control_plane::ControlPlane;
use crate::real_env::RealEnv;
use crate::support::manifest::{Component, application, web};
use crate::support::test_env::CommandOutput;

pub(crate) use missing::without_kruise;

type TestFn = fn(&RealEnv);
type OwnStory = fn(&ControlPlane);

pub(crate) const TESTS: [(&str, TestFn); 11] = [
    ("cloneset_seed_walk_prints_the_pages_tables", clone_sets::seed_walk),
    ("cloneset_pods_are_updated_in_place", clone_sets::pods_keep_their_identity),
    ("cloneset_turns_in_mid_rollout", clone_sets::turns),
    ("cloneset_upgrades_are_frugal", clone_sets::an_upgrade_is_frugal),
    ("cloneset_killed_at_random_moments_and_run_again", kills::clone_sets),
    ("statefulset_turns_in_mid_rollout", stateful_sets::turns),
    ("statefulset_says_which_pod_blocks_the_rollback", stateful_sets::a_broken_pod_blocks),
    ("statefulset_says_what_forbids_its_pods", stateful_sets::a_quota_is_reported),
    ("statefulset_keeps_what_cannot_change", stateful_sets::fixed_fields),
    ("statefulset_killed_at_random_moments_and_run_again", kills::stateful_sets),
    ("all_types_side_by_side", stateful_sets::side_by_side),
];

/// Tests with their own control planes.
pub(crate) const OWN: [(&str, OwnStory); 1] = [("cloneset_without_kruise", without_kruise)];

/// Applies the application `shop` with this component.
fn apply(env: &RealEnv, component: &Component, more: &[&str]) -> CommandOutput {
    let file = env.file("web.yaml", &application("shop", std::slice::from_ref(component)));
    let arguments = [&["apply", file.to_str().unwrap()], more].concat();
    env.rollout(&arguments)
}

/// Applies it and expects this row of the final table: TARGET, UPGRADED, READY and the rolling state.
fn applied(env: &RealEnv, component: &Component, row: &str) -> CommandOutput {
    let output = apply(env, component, &[]);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(rows(&output.stdout), [row], "{output:#?}");
    output
}

/// The rows of a status table: TARGET, UPGRADED, READY and the rolling state.
fn rows(table: &str) -> Vec<String> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {} {}", cells[1], cells[2], cells[3], cells[5])
    };
    table.lines().skip(1).map(row).collect()
}

/// The value at a JSONPath of the object.
fn field(env: &RealEnv, kind: &str, path: &str) -> String {
    env.kubectl(&["get", kind, "web", "-o", &format!("jsonpath={{{path}}}")])
}

/// The images of the pods, sorted, with the number of pods for each.
fn images(env: &RealEnv) -> Vec<(String, usize)> {
    let path = "jsonpath={range .items[*]}{.spec.containers[0].image}{\"\\n\"}{end}";
    let pods = env.kubectl(&["get", "pods", "-l", "app.oam.dev/component=web", "-o", path]);
    let mut counts = std::collections::BTreeMap::new();
    for image in pods.lines() {
        *counts.entry(image.to_owned()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// The steps for both kinds: gate and continue, rollback, another size, revert and a third revision in mid-rollout,
/// growth and shrinking with an upgrade.
fn turns(env: &RealEnv, kind: &'static str, resource: &str) {
    let at = |version, size, batches: &[&str]| web(version, size).of(kind).batches(batches);
    let gate = |component: Component| component.partition(0);
    let shape = || (field(env, resource, ".spec.replicas"), images(env));
    let all = |version: u32, size: usize| (size.to_string(), vec![(format!("web:{version}"), size)]);
    applied(env, &at(1, 5, &["2", "3"]), "5 5 5 rolloutSucceed");
    let uid = field(env, resource, ".metadata.uid");
    applied(env, &gate(at(2, 5, &["2", "3"])), "5 2 2 rollingInBatches");
    assert_eq!(images(env), [("web:1".to_owned(), 3), ("web:2".to_owned(), 2)]);
    applied(env, &at(2, 5, &["2", "3"]), "5 5 5 rolloutSucceed");
    assert_eq!(shape(), all(2, 5));
    // A rollback, and another one in mid-rollout.
    applied(env, &at(2, 5, &["2", "3"]).rollout("targetRevision: web-v1"), "5 5 5 rolloutSucceed");
    assert_eq!(shape(), all(1, 5));
    applied(env, &gate(at(2, 5, &["2", "3"])), "5 2 2 rollingInBatches");
    applied(env, &at(1, 5, &["2", "3"]), "5 5 5 rolloutSucceed");
    assert_eq!(shape(), all(1, 5));
    // A third revision in mid-rollout.
    applied(env, &gate(at(2, 5, &["2", "3"])), "5 2 2 rollingInBatches");
    applied(env, &at(3, 5, &["1", "4"]), "5 5 5 rolloutSucceed");
    assert_eq!(shape(), all(3, 5));
    // Sizes, alone and with an upgrade.
    applied(env, &at(3, 7, &["1", "1"]), "7 7 7 rolloutSucceed");
    applied(env, &at(3, 3, &["1", "3"]), "3 3 3 rolloutSucceed");
    applied(env, &at(4, 6, &["2", "4"]), "6 6 6 rolloutSucceed");
    applied(env, &at(5, 2, &["1", "1"]), "2 2 2 rolloutSucceed");
    assert_eq!(shape(), all(5, 2));
    let undone = env.rollout(&["undo", "web", "--to-revision", "v4"]);
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert_eq!(shape(), all(4, 2));
    assert_eq!(field(env, resource, ".metadata.uid"), uid, "one object from first to last");
    no_controller_adopts_a_revision(env);
    let again = apply(env, &at(5, 2, &["1", "1"]).rollout("targetRevision: web-v4"), &[]);
    assert!(again.stderr.contains("nothing to do"), "{again:#?}");
}

/// The controllers treat ControllerRevisions that match a selector as their own history, and remove them.
fn no_controller_adopts_a_revision(env: &RealEnv) {
    let path = "jsonpath={range .items[*]}{.metadata.name} {.metadata.ownerReferences[*].kind}{\"\\n\"}{end}";
    let found =
        env.kubectl(&["get", "controllerrevisions", "-l", "controller.oam.dev/component=web", "-o", path]);
    for line in found.lines() {
        assert!(!line.contains("Set"), "{line}");
    }
    assert!(found.lines().count() >= 5, "{found}");
}
