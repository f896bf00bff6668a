//! Objects of `k8s-objects` that are not named after their component.

use crate::support::manifest::shop_of_entries;
use crate::support::test_env::TestEnv;

fn shop(component: &str) -> String {
    shop_of_entries(&[component])
}

/// A component of objects: a Service, and workloads whose names are unrelated to the component's.
fn raw(image: &str) -> String {
    shop(&format!(
        "{{name: raw, type: k8s-objects, properties: {{objects: [\
           {{apiVersion: v1, kind: Service, metadata: {{name: front}}, spec: {{selector: {{app: nginx}}, ports: [{{port: 80}}]}}}}, \
           {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: nginx}}, spec: {{replicas: 2, selector: {{matchLabels: {{app: nginx}}}}, \
             template: {{metadata: {{labels: {{app: nginx}}}}, spec: {{containers: [{{name: nginx, image: '{image}'}}]}}}}}}}}, \
           {{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: store}}, spec: {{serviceName: store, replicas: 1, selector: {{matchLabels: {{app: nginx, part: store}}}}, \
             template: {{metadata: {{labels: {{app: nginx, part: store}}}}, spec: {{containers: [{{name: store, image: '{image}'}}]}}}}}}}}]}}}}"
    ))
}

#[test]
fn workloads_with_any_name_belong_to_the_component_in_later_commands() {
    let env = TestEnv::new();
    env.write("v1.yaml", raw("nginx:1"));
    env.write("v2.yaml", raw("nginx:2"));
    env.run_ok("apply v1.yaml");
    let before = env.bytes();
    let again = env.run_ok("apply v1.yaml");
    assert_eq!((env.bytes(), again.stderr.contains("warning")), (before, false), "{}", again.stderr);
    let updated = env.run_ok("apply v2.yaml");
    assert!(!updated.stderr.contains("warning"), "{}", updated.stderr);
    let back = env.run_ok("undo raw");
    assert!(!back.stderr.contains("warning"), "{}", back.stderr);
    let first = "{name: raw, type: k8s-objects, properties: {objects: [\
           {apiVersion: apps/v1, kind: Deployment, metadata: {name: nginx}, spec: {replicas: 2, selector: {matchLabels: {app: nginx}}, \
             template: {metadata: {labels: {app: nginx}}, spec: {containers: [{name: nginx, image: 'nginx:3'}]}}}}]}}";
    env.write("v3.yaml", shop(first));
    env.run_ok("apply v3.yaml");
    env.run_ok("apply v3.yaml");
    assert_eq!(env.deployments(), ["nginx 2/2"]);
}

#[test]
fn an_immutable_field_is_rejected_without_printing_its_value() {
    let env = TestEnv::new();
    let task = "{name: mig, type: task, properties: {image: 'a:1', env: [{name: KEY, value: hidden}]}}";
    env.write("app.yaml", shop(task));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", shop(&task.replace("a:1", "a:2")));
    let ran = env.run_to("apply app.yaml", 4);
    ran.says("is invalid: spec.template: field is immutable")
        .says("let a `resource-update` policy recreate it");
    assert!(!ran.stderr.contains("hidden"), "{}", ran.stderr);
    let bind = |role: &str| {
        format!(
            "{{name: rights, type: k8s-objects, properties: {{objects: [{{apiVersion: rbac.authorization.k8s.io/v1, \
             kind: RoleBinding, metadata: {{name: rights}}, roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, \
             name: {role}}}}}]}}}}"
        )
    };
    env.write("app.yaml", shop(&bind("one")));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", shop(&bind("two")));
    env.run_to("apply app.yaml", 4)
        .says("roleRef: cannot change roleRef")
        .says("an immutable field can change only in a new object");
}

#[test]
fn a_plan_warns_about_changes_of_immutable_fields() {
    let env = TestEnv::new();
    let task = |image: &str, policies: &str| {
        let component = format!("{{name: migrate, type: task, properties: {{image: '{image}'}}}}");
        shop(&component).replace("  components:", &format!("{policies}  components:"))
    };
    env.write("app.yaml", task("migrate:1", ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", task("migrate:2", ""));
    let warning = "warning: job.batch/shop-migrate: `spec.template` changes, which the API server refuses: delete the \
         object first with `kubectl delete job.batch/shop-migrate -n default`, or let a `resource-update` policy \
         recreate it";
    env.run_ok("plan app.yaml").says(warning);
    let policy = "  policies: [{name: again, type: resource-update, properties: {rules: [{selector: \
         {resourceTypes: [Job]}, strategy: {recreateFields: [spec.template]}}]}}]\n";
    env.write("app.yaml", task("migrate:2", policy));
    let planned = env.run_ok("plan app.yaml");
    assert!(!planned.stderr.contains("warning"), "{}", planned.stderr);
    let rows: Vec<Vec<&str>> = planned.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["job.batch/shop-migrate", "recreate"]), "{}", planned.stdout);
    let applied = env.run_ok("apply app.yaml");
    applied.says("migrate: job.batch/shop-migrate deleted").says("migrate: job.batch/shop-migrate created");
    assert!(!applied.stderr.contains("retrying"), "{}", applied.stderr);
    env.run_to("plan app.yaml --detailed-exitcode", 0);
}

/// If `clusterIP: None` is removed, the API server silently keeps the Service headless.
#[test]
fn a_headless_service_gets_an_address_only_as_a_new_object() {
    let env = TestEnv::new();
    let service = |spec: &str, policies: &str| {
        let component = format!(
            "{{name: raw, type: k8s-objects, properties: {{objects: [{{apiVersion: v1, kind: Service, metadata: {{name: \
             db}}, spec: {{selector: {{app: db}}, ports: [{{port: 1}}]{spec}}}}}]}}}}"
        );
        shop(&component).replace("  components:", &format!("{policies}  components:"))
    };
    env.write("app.yaml", service(", clusterIP: None", ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", service("", ""));
    env.run_to("apply app.yaml", 4)
        .says("service/db: `spec.clusterIP` is immutable, and the Service is headless")
        .says("let a `resource-update` policy with `recreateFields: [spec.clusterIP]` recreate it");
    let policy = "  policies: [{name: again, type: resource-update, properties: {rules: [{selector: \
         {resourceTypes: [Service]}, strategy: {recreateFields: [spec.clusterIP]}}]}}]\n";
    let uid = || env.objects("Service")[0]["metadata"]["uid"].clone();
    let before = uid();
    env.write("app.yaml", service("", policy));
    env.run_ok("apply app.yaml");
    assert_ne!(uid(), before, "it is recreated");
    assert_ne!(env.objects("Service")[0]["spec"]["clusterIP"], "None");
    let (bytes, again) = (env.bytes(), env.run_ok("apply app.yaml"));
    assert_eq!(env.bytes(), bytes, "{}", again.transcript());
}

/// Also of a built-in group: a server serves only some versions of it.
#[test]
fn a_kind_that_the_server_does_not_serve_is_refused() {
    let env = TestEnv::new();
    for (api_version, kind) in
        [("autoscaling/v2beta2", "HorizontalPodAutoscaler"), ("apps/v1beta2", "Deployment"), ("v1", "Sevice")]
    {
        let object = format!("{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: web}}}}");
        let component = format!("{{name: raw, type: k8s-objects, properties: {{objects: [{object}]}}}}");
        env.write("app.yaml", shop(&component));
        for command in ["plan app.yaml", "apply app.yaml"] {
            env.run_to(command, 4).says(&format!("the cluster has no kind `{kind}` in `{api_version}`"));
        }
    }
}
