//! Traits besides `rollout`: changes of pods create revisions, and fields that the driver relies on cannot change.

use rollout::oam::application::Application;
use rollout::oam::labels;
use rollout::oam::render::{Inherited, render_trait_outputs, render_workload};
use rollout::oam::revision::{Decision, decide_revision};
use serde_json::{Value, json};

use crate::parsing::one;

/// An application with a component of this type that is rolled out in batches and has these traits, one per line.
fn application(kind: &str, properties: &str, traits: &[&str]) -> Application {
    let traits: String = traits.iter().map(|one| format!("        - {one}\n")).collect();
    one(&format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\n\
         metadata: {{name: shop, namespace: prod, labels: {{team: a}}}}\nspec:\n  components:\n    \
         - name: web\n      type: {kind}\n      properties: {{image: shop/web:1{properties}}}\n      traits:\n        \
         - {{type: rollout, properties: {{targetSize: 3}}}}\n{traits}"
    ))
}

fn workload(application: &Application) -> Value {
    render_workload(application, &application.components[0], "prod", "web-v1")
}

/// The changes of the traits to the workload, by JSON pointer.
fn changed(kind: &str, traits: &[&str]) -> Vec<String> {
    let (plain, traited) = (workload(&application(kind, "", &[])), workload(&application(kind, "", traits)));
    let mut changed = Vec::new();
    differences(&plain, &traited, "", &mut changed);
    changed
}

fn differences(one: &Value, other: &Value, path: &str, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let (one, other) = (one.get(key), other.get(key));
                differences(
                    one.unwrap_or(&Value::Null),
                    other.unwrap_or(&Value::Null),
                    &format!("{path}/{key}"),
                    found,
                );
            }
        }
        (one, other) if one == other => {}
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn traits_change_the_workload_of_every_kind() {
    let traits = [
        "{type: sidecar, properties: {name: logger, image: shop/logger:1}}",
        "{type: podsecuritycontext, properties: {runAsUser: 1}}",
        "{type: labels, properties: {tier: front}}",
        "{type: annotations, properties: {note: kept}}",
    ];
    for kind in ["webservice", "worker", "statefulset", "cloneset-service"] {
        let expected = [
            "/metadata/annotations",
            "/metadata/labels/tier",
            "/spec/template/metadata/annotations",
            "/spec/template/metadata/labels/tier",
            "/spec/template/spec/containers",
            "/spec/template/spec/securityContext",
        ];
        assert_eq!(changed(kind, &traits), expected, "{kind}");
    }
}

#[test]
fn labels_of_the_application_and_of_traits_are_both_set() {
    let labels = ["{type: labels, properties: {tier: front, team: b, app.oam.dev/name: null}}"];
    let application = application("webservice", "", &labels);
    let workload = workload(&application);
    let labels = &workload["metadata"]["labels"];
    // A trait's label takes precedence over the application's; identifying labels take precedence over both.
    assert_eq!(
        (&labels["tier"], &labels["team"], &labels[labels::NAME]),
        (&json!("front"), &json!("b"), &json!("shop"))
    );
    let inherited = Inherited::of_workload(&application, &application.components[0], "prod");
    let expected = [("team", "b"), ("tier", "front")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(inherited.labels, expected.into());
    assert_eq!(Inherited::of(&application).labels.len(), 1);
}

#[test]
fn only_traits_that_change_the_workload_create_a_revision() {
    let revision = |traits: &[&str], stored: &[_]| {
        let application = application("webservice", "", traits);
        decide_revision(stored, &application, &application.components[0], "prod")
    };
    let Ok(Decision::Create(new)) = revision(&[], &[]) else { panic!("no first revision") };
    let mut object = new.object();
    object["metadata"]["uid"] = json!("uid");
    object["metadata"]["resourceVersion"] = json!("1");
    let stored = [rollout::oam::revision::StoredRevision::from_object(&object).unwrap()];
    let env = ["{type: env, properties: {env: {A: b}}}"];
    assert!(matches!(revision(&env, &stored), Ok(Decision::Create(_))));
    let gateway = ["{type: gateway, properties: {http: {/: 80}}}"];
    assert!(!matches!(revision(&gateway, &stored), Ok(Decision::Create(_))));
}

#[test]
fn objects_of_traits_are_separate_from_the_components_own() {
    let names = |properties: &str, traits: &[&str]| -> Vec<String> {
        let application = application("webservice", properties, traits);
        let outputs = render_trait_outputs(&application, &application.components[0], "prod");
        let name =
            |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
        outputs.iter().map(|output| name(&output.object)).collect()
    };
    let gateway = "{type: gateway, properties: {http: {/: 80}}}";
    let expose = "{type: expose, properties: {ports: [{port: 80}]}}";
    let storage = "{type: storage, properties: {configMap: [{name: c, mountPath: /c, data: {a: b}}]}}";
    assert_eq!(names("", &[gateway, storage]), ["Service web", "Ingress web", "ConfigMap c"]);
    assert_eq!(names("", &[expose]), ["Service web"]);
    // The Service of exposed ports follows the pods of all revisions, and serves the paths as well.
    let exposed = ", ports: [{port: 80, expose: true}]";
    assert_eq!(names(exposed, &[gateway]), ["Ingress web"]);
    assert_eq!(names(exposed, &[expose]), [""; 0]);
}
