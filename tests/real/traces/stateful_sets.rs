//! StatefulSets under kube-controller-manager.

use serde_json::json;

use super::play::{Step, Write, compare, stateful_set};
use crate::real_env::RealEnv;

fn create(size: i64, management: &str) -> Write {
    Write::Create(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": size,
            "serviceName": "web",
            "podManagementPolicy": management,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }))
}

fn resize(size: i64) -> Write {
    Write::Merge(json!({"spec": {"replicas": size}}))
}

fn partition(partition: i64) -> Write {
    Write::Merge(json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": partition}}}}))
}

/// Template and partition in one write.
fn upgrade(image: &str, partition: i64) -> Write {
    Write::Merge(json!({"spec": {
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        "updateStrategy": {"rollingUpdate": {"partition": partition}},
    }}))
}

/// Template, partition and size in one write.
fn all(image: &str, partition: i64, size: i64) -> Write {
    Write::Merge(json!({"spec": {
        "replicas": size,
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        "updateStrategy": {"rollingUpdate": {"partition": partition}},
    }}))
}

fn play(env: &RealEnv, steps: Vec<(Write, [i64; 3])>) {
    let steps: Vec<Step> = steps.into_iter().map(|(write, until)| Step { write, until }).collect();
    compare(env, &stateful_set(), &steps);
}

fn resizing(env: &RealEnv, management: &str) {
    play(
        env,
        vec![
            (create(3, management), [3, 3, 3]),
            (resize(5), [5, 5, 5]),
            (resize(2), [2, 2, 2]),
            (resize(0), [0, 0, 0]),
        ],
    );
}

pub(crate) fn sizes(env: &RealEnv) {
    resizing(env, "OrderedReady");
}

pub(crate) fn sizes_in_parallel(env: &RealEnv) {
    resizing(env, "Parallel");
}

fn upgrading(env: &RealEnv, management: &str) {
    play(
        env,
        vec![
            (create(5, management), [5, 5, 5]),
            (upgrade("web:2", 3), [5, 5, 2]),
            (partition(1), [5, 5, 4]),
            // A larger partition alone reverts no pods.
            (partition(3), [5, 5, 4]),
            (upgrade("web:1", 3), [5, 5, 3]),
            (partition(0), [5, 5, 5]),
        ],
    );
}

pub(crate) fn upgrades(env: &RealEnv) {
    upgrading(env, "OrderedReady");
}

pub(crate) fn upgrades_in_parallel(env: &RealEnv) {
    upgrading(env, "Parallel");
}

pub(crate) fn broken_and_stuck(env: &RealEnv) {
    play(
        env,
        vec![
            (create(3, "OrderedReady"), [3, 3, 3]),
            (upgrade("web:bad", 0), [3, 2, 1]),
            // The revert is observed, but the broken pod blocks it until it is deleted.
            (upgrade("web:1", 0), [3, 2, 2]),
            (Write::DeletePod("web-2"), [3, 3, 3]),
        ],
    );
}

pub(crate) fn broken_in_parallel(env: &RealEnv) {
    play(
        env,
        vec![
            (create(3, "Parallel"), [3, 3, 3]),
            (upgrade("web:bad", 0), [3, 2, 1]),
            (upgrade("web:1", 0), [3, 3, 3]),
        ],
    );
}

pub(crate) fn all_in_one_write(env: &RealEnv) {
    play(
        env,
        vec![
            (create(3, "OrderedReady"), [3, 3, 3]),
            (all("web:2", 2, 5), [5, 5, 3]),
            (all("web:3", 2, 3), [3, 3, 1]),
            (all("web:4", 0, 4), [4, 4, 4]),
        ],
    );
}

pub(crate) fn replaced_by_hand(env: &RealEnv) {
    let by_hand =
        Write::Merge(json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}));
    let template =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}});
    play(
        env,
        vec![
            (create(3, "OrderedReady"), [3, 3, 3]),
            (by_hand, [3, 3, 3]),
            (Write::Merge(template), [3, 3, 0]),
            (Write::DeletePod("web-1"), [3, 3, 1]),
            (resize(4), [4, 4, 2]),
        ],
    );
}

pub(crate) fn ready_for_a_while(env: &RealEnv) {
    let patient = Write::Merge(json!({"spec": {"minReadySeconds": 2}}));
    play(
        env,
        vec![(create(2, "OrderedReady"), [2, 2, 2]), (patient, [2, 2, 2]), (upgrade("web:2", 1), [2, 2, 1])],
    );
}

pub(crate) fn counted_from_elsewhere(env: &RealEnv) {
    play(
        env,
        vec![
            (create(3, "OrderedReady"), [3, 3, 3]),
            // Pods below the first ordinal are deleted, highest first, once those above exist.
            (Write::Merge(json!({"spec": {"replicas": 2, "ordinals": {"start": 2}}})), [2, 2, 2]),
            (upgrade("web:2", 1), [2, 2, 1]),
            (partition(9), [2, 2, 1]),
            (partition(0), [2, 2, 2]),
        ],
    );
}

pub(crate) fn broken_from_the_start(env: &RealEnv) {
    play(
        env,
        vec![
            (create(0, "OrderedReady"), [0, 0, 0]),
            (all("web:bad", 0, 3), [1, 0, 1]),
            // It stays the only pod, and the fixed template is not applied to it.
            (upgrade("web:2", 0), [1, 0, 0]),
            (Write::DeletePod("web-0"), [3, 3, 3]),
        ],
    );
}
