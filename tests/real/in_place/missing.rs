//! Clusters without working CloneSets.

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::in_place::apply;
use crate::real_env::RealEnv;
use crate::support::manifest::web;

/// Without Kruise, nothing is written; with its definitions but without its controller, the run reports that.
pub(crate) fn without_kruise(plane: &ControlPlane) {
    let env = plane.env("without_kruise");
    let component = web(1, 2).of("cloneset-service").batches(&["2"]);
    let refused = apply(&env, &component, &[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("OpenKruise is not installed"), "{refused:#?}");
    assert!(refused.stderr.contains("helm install kruise"), "{refused:#?}");
    let writes: Vec<_> = env.requests().into_iter().filter(|one| one.is_write()).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    plane.install_kruises_definitions();
    let waiting = apply(&env, &component, &["--batch-timeout", "7s"]);
    assert_eq!(waiting.code, Some(3), "{waiting:#?}");
    assert!(
        waiting.stderr.contains("`web`: not yet observed by its controller (is it running?)"),
        "{waiting:#?}"
    );
    break_the_conversion(&env);
    let refused = apply(&env, &component, &[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("Kruise's conversion webhook fails"), "{refused:#?}");
    assert!(refused.stderr.contains("kubectl get pods -n kruise-system"), "{refused:#?}");
}

/// As in later releases while their manager is down: objects are stored in another version than requested, and the
/// conversion webhook is missing.
fn break_the_conversion(env: &RealEnv) {
    let mut definition = definition(env);
    let versions = definition["spec"]["versions"].as_array_mut().unwrap();
    let mut next = versions[0].clone();
    next["name"] = json!("v1beta1");
    versions[0]["storage"] = json!(false);
    versions.push(next);
    keep(env, &definition);
    env.kubectl(&["annotate", "clonesets.v1beta1.apps.kruise.io", "web", "kept=anew"]);
    let mut definition = self::definition(env);
    definition["spec"]["conversion"] = json!({
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": {"url": "https://127.0.0.1:1/convert"},
            "conversionReviewVersions": ["v1"],
        },
    });
    keep(env, &definition);
}

fn definition(env: &RealEnv) -> Value {
    let text = env.kubectl(&["get", "crd", "clonesets.apps.kruise.io", "-o", "json"]);
    serde_json::from_str(&text).unwrap()
}

fn keep(env: &RealEnv, definition: &Value) {
    let file = env.file("definition.json", &definition.to_string());
    env.kubectl(&["replace", "-f", file.to_str().unwrap()]);
}
