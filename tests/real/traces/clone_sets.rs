//! CloneSets under OpenKruise's controller.

use serde_json::{Value, json};

use super::play::{Step, Write, clone_set, compare};
use crate::real_env::RealEnv;

fn create(size: i64, strategy: &Value) -> Write {
    Write::Create(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": size,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
            "updateStrategy": strategy,
        },
    }))
}

fn resize(size: i64) -> Write {
    Write::Merge(json!({"spec": {"replicas": size}}))
}

fn partition(partition: i64) -> Write {
    Write::Merge(json!({"spec": {"updateStrategy": {"partition": partition}}}))
}

/// Template and partition in one write.
fn upgrade(image: &str, partition: i64) -> Write {
    Write::Merge(json!({"spec": {
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        "updateStrategy": {"partition": partition},
    }}))
}

/// Template, partition and size in one write.
fn all(image: &str, partition: i64, size: i64) -> Write {
    Write::Merge(json!({"spec": {
        "replicas": size,
        "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
        "updateStrategy": {"partition": partition},
    }}))
}

fn play(env: &RealEnv, steps: Vec<(Write, [i64; 3])>) {
    let steps: Vec<Step> = steps.into_iter().map(|(write, until)| Step { write, until }).collect();
    compare(env, &clone_set(), &steps);
}

pub(crate) fn sizes(env: &RealEnv) {
    play(
        env,
        vec![
            (create(3, &json!({})), [3, 3, 3]),
            (resize(5), [5, 5, 5]),
            (resize(2), [2, 2, 2]),
            (resize(0), [0, 0, 0]),
            (resize(1), [1, 1, 1]),
        ],
    );
}

fn upgrades(env: &RealEnv, strategy: &Value) {
    play(
        env,
        vec![
            (create(5, strategy), [5, 5, 5]),
            (upgrade("web:2", 3), [5, 5, 2]),
            (partition(1), [5, 5, 4]),
            (partition(0), [5, 5, 5]),
        ],
    );
}

pub(crate) fn replacing_all_at_once(env: &RealEnv) {
    upgrades(env, &json!({"type": "ReCreate", "maxUnavailable": "100%"}));
}

pub(crate) fn replacing_as_usual(env: &RealEnv) {
    upgrades(env, &json!({"type": "ReCreate"}));
}

pub(crate) fn in_place_all_at_once(env: &RealEnv) {
    upgrades(env, &json!({"type": "InPlaceIfPossible", "maxUnavailable": "100%"}));
}

pub(crate) fn in_place_as_usual(env: &RealEnv) {
    upgrades(env, &json!({"type": "InPlaceIfPossible"}));
}

pub(crate) fn reverted_midway(env: &RealEnv) {
    play(
        env,
        vec![
            (create(5, &json!({"type": "InPlaceIfPossible", "maxUnavailable": "100%"})), [5, 5, 5]),
            (upgrade("web:2", 3), [5, 5, 2]),
            // A larger partition alone reverts no pods.
            (partition(5), [5, 5, 2]),
            (upgrade("web:1", 2), [5, 5, 3]),
            (partition(0), [5, 5, 5]),
        ],
    );
}

pub(crate) fn superseded_midway(env: &RealEnv) {
    play(
        env,
        vec![
            (create(5, &json!({"type": "ReCreate", "maxUnavailable": "100%"})), [5, 5, 5]),
            (upgrade("web:2", 3), [5, 5, 2]),
            (upgrade("web:3", 4), [5, 5, 1]),
            (partition(0), [5, 5, 5]),
        ],
    );
}

fn broken(env: &RealEnv, strategy: &Value) {
    play(
        env,
        vec![
            (create(5, strategy), [5, 5, 5]),
            // A fifth may be unavailable, so one pod of a batch of two is updated.
            (upgrade("web:bad", 3), [5, 4, 1]),
            (upgrade("web:1", 0), [5, 5, 5]),
            (upgrade("web:bad", 3), [5, 4, 1]),
            (upgrade("web:3", 0), [5, 5, 5]),
        ],
    );
}

pub(crate) fn broken_replacements(env: &RealEnv) {
    broken(env, &json!({"type": "ReCreate"}));
}

pub(crate) fn broken_in_place(env: &RealEnv) {
    broken(env, &json!({"type": "InPlaceIfPossible"}));
}

pub(crate) fn all_in_one_write(env: &RealEnv) {
    play(
        env,
        vec![
            (create(3, &json!({"type": "ReCreate", "maxUnavailable": "100%"})), [3, 3, 3]),
            (all("web:2", 2, 5), [5, 5, 3]),
            (all("web:3", 2, 3), [3, 3, 1]),
            (all("web:4", 0, 4), [4, 4, 4]),
        ],
    );
}

pub(crate) fn paused(env: &RealEnv) {
    let pause = |paused: bool| Write::Merge(json!({"spec": {"updateStrategy": {"paused": paused}}}));
    play(
        env,
        vec![
            (create(3, &json!({"maxUnavailable": "100%"})), [3, 3, 3]),
            (pause(true), [3, 3, 3]),
            (upgrade("web:2", 1), [3, 3, 0]),
            // The size is still adjusted, and new pods beyond the partition have the new revision.
            (resize(5), [5, 5, 2]),
            (pause(false), [5, 5, 4]),
        ],
    );
}

pub(crate) fn surging(env: &RealEnv) {
    play(
        env,
        vec![
            (create(4, &json!({"maxSurge": 1, "maxUnavailable": 0})), [4, 4, 4]),
            (upgrade("web:2", 2), [4, 4, 2]),
            (partition(0), [4, 4, 4]),
        ],
    );
}

pub(crate) fn ready_for_a_while(env: &RealEnv) {
    let patient = Write::Merge(json!({"spec": {"minReadySeconds": 2}}));
    play(
        env,
        vec![
            (create(3, &json!({"maxUnavailable": 1})), [3, 3, 3]),
            (patient, [3, 3, 3]),
            (upgrade("web:2", 1), [3, 3, 2]),
        ],
    );
}

pub(crate) fn not_in_place(env: &RealEnv) {
    let labelled = Write::Merge(json!({"spec": {"template": {"metadata": {"labels": {"more": "yes"}}}}}));
    let command = json!([{"name": "web", "image": "web:1", "command": ["run"]}]);
    let commanded = || Write::Merge(json!({"spec": {"template": {"spec": {"containers": command}}}}));
    let only = Write::Merge(json!({"spec": {"updateStrategy": {"type": "InPlaceOnly"}}}));
    play(
        env,
        vec![
            (create(3, &json!({"type": "InPlaceIfPossible", "maxUnavailable": "100%"})), [3, 3, 3]),
            // Labels are changed in place, without a restart; a command is not.
            (labelled, [3, 3, 3]),
            (commanded(), [3, 3, 3]),
            (only, [3, 3, 3]),
            (upgrade("web:2", 1), [3, 3, 0]),
        ],
    );
}

pub(crate) fn shares(env: &RealEnv) {
    let share = |text: &str| Write::Merge(json!({"spec": {"updateStrategy": {"partition": text}}}));
    play(
        env,
        vec![
            (create(5, &json!({"partition": "50%", "maxUnavailable": "50%"})), [5, 5, 5]),
            (
                Write::Merge(json!({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})),
                [5, 5, 2],
            ),
            (share("1%"), [5, 5, 4]),
            (share("0%"), [5, 5, 5]),
        ],
    );
}

pub(crate) fn without_image(env: &RealEnv) {
    play(
        env,
        vec![
            (create(4, &json!({})), [4, 4, 4]),
            // One pod is removed for another that cannot be created.
            (upgrade("", 2), [3, 3, 0]),
            (upgrade("web:2", 2), [4, 4, 2]),
        ],
    );
}
