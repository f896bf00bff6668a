//! Fields that are removed from the manifest are removed from the cluster, regardless of their manager.

use crate::real_env::RealEnv;
use crate::support::manifest::shop_of_entries;
use crate::support::test_env::CommandOutput;

fn applied(env: &RealEnv, component: &str, more: &[&str]) -> CommandOutput {
    let file = env.file("app.yaml", &shop_of_entries(&[component]));
    let ran = env.rollout(&[&["apply", file.to_str().unwrap()], more].concat());
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran
}

fn field(env: &RealEnv, object: &str, path: &str) -> String {
    env.kubectl(&["get", object, "-o", &format!("jsonpath={{{path}}}")])
}

pub(crate) fn after_a_takeover(env: &RealEnv) {
    let settings = |data: &str| {
        format!(
            "{{name: settings, type: k8s-objects, properties: {{objects: [{{apiVersion: v1, kind: ConfigMap, \
             metadata: {{name: settings}}, data: {data}}}]}}}}"
        )
    };
    env.kubectl(&[
        "create",
        "configmap",
        "settings",
        "--from-literal=a=1",
        "--from-literal=b=2",
        "--from-literal=c=3",
    ]);
    applied(env, &settings("{a: '1', b: '2'}"), &["--take-over"]);
    assert_eq!(
        field(env, "configmap/settings", ".data"),
        r#"{"a":"1","b":"2","c":"3"}"#,
        "nothing is lost by it"
    );
    applied(env, &settings("{a: '1'}"), &[]);
    assert_eq!(field(env, "configmap/settings", ".data"), r#"{"a":"1","c":"3"}"#);
}

pub(crate) fn service_account_and_strategy(env: &RealEnv) {
    let web = |traits: &str| {
        format!("{{name: web, type: webservice, properties: {{image: 'web:1'}}, traits: [{traits}]}}")
    };
    applied(env, &web("{type: service-account, properties: {name: web, create: true}}"), &[]);
    assert_eq!(field(env, "deployment/web", ".spec.template.spec.serviceAccountName"), "web");
    let recreate =
        "{type: k8s-update-strategy, properties: {targetKind: Deployment, strategy: {type: Recreate}}}";
    applied(env, &web(recreate), &[]);
    assert_eq!(field(env, "deployment/web", ".spec.template.spec.serviceAccountName"), "");
    assert_eq!(field(env, "deployment/web", ".spec.strategy"), r#"{"type":"Recreate"}"#);
    let again = applied(env, &web(recreate), &[]);
    assert!(again.stderr.contains("nothing to do") || !again.stderr.contains("configured"), "{again:#?}");
    applied(env, &web(""), &[]);
    assert_eq!(field(env, "deployment/web", ".spec.strategy.type"), "RollingUpdate");
}

/// The kind of an object is defined by another object of the application.
pub(crate) fn a_definition_and_its_object(env: &RealEnv) {
    let group = format!("{}.example.org", env.namespace);
    let definition = format!(
        "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: monitors.{group}}}, \
         spec: {{group: {group}, scope: Namespaced, names: {{kind: Monitor, plural: monitors, singular: monitor}}, \
         versions: [{{name: v1, served: true, storage: true, \
         schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}]}}}}"
    );
    let object =
        format!("{{apiVersion: {group}/v1, kind: Monitor, metadata: {{name: web}}, spec: {{port: 80}}}}");
    let component =
        format!("{{name: monitors, type: k8s-objects, properties: {{objects: [{definition}, {object}]}}}}");
    applied(env, &component, &[]);
    assert_eq!(field(env, &format!("monitors.{group}/web"), ".spec.port"), "80");
    env.kubectl(&["delete", "crd", &format!("monitors.{group}")]);
}
