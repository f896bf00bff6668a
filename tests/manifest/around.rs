//! Parts of a manifest besides components: policies and the workflow.

use rollout::oam::application::Application;
use rollout::oam::manifest::{Source, parse_manifest};
use rollout::oam::policies::{ApplyOnceRule, GarbageStrategy, ObjectSelector};
use rollout::oam::render::render_objects;
use rollout::oam::workflow::StepAction;

use crate::parsing::{one, refused};

/// The application `shop` with three workers and more lines in its spec.
pub(crate) fn shop(more: &str) -> String {
    let component = |name: &str| {
        format!(
            "    - name: {name}\n      type: worker\n      properties: {{image: '{name}:1', cpu: 100m}}\n"
        )
    };
    let components: String = ["web", "api", "db"].into_iter().map(component).collect();
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n{components}{more}"
    )
}

fn policies(policies: &str) -> String {
    shop(&format!("  policies:\n{policies}"))
}

fn workflow(steps: &str) -> String {
    shop(&format!("  workflow:\n    steps:\n{steps}"))
}

/// The components and what each depends on.
pub(crate) fn order(application: &Application) -> Vec<(&str, Vec<&str>)> {
    application
        .components
        .iter()
        .map(|one| (one.name.as_str(), one.depends_on.iter().map(String::as_str).collect()))
        .collect()
}

fn images(application: &Application) -> Vec<(&str, &str)> {
    application
        .components
        .iter()
        .map(|one| (one.name.as_str(), one.properties().unwrap().image.as_str()))
        .collect()
}

pub(crate) fn warnings(application: &Application) -> Vec<String> {
    application.warnings.iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
}

#[test]
fn policies_about_single_objects_are_parsed() {
    let application = one(&policies(
        "    - {type: garbage-collect, properties: {rules: [{selector: {resourceTypes: [Secret]}, strategy: never}]}}
    - {name: once, type: apply-once, properties: {enable: true, rules: [{selector: {componentNames: [web]}, strategy: {path: [spec.replicas]}}]}}
    - {name: idle, type: apply-once, properties: {rules: [{strategy: {path: ['*']}}]}}
    - {name: look, type: read-only, properties: {rules: [{selector: {componentNames: [db]}}]}}
    - {name: take, type: take-over, properties: {rules: [{selector: {componentTypes: [worker]}}]}}
    - {name: share, type: shared-resource, properties: {rules: [{selector: {resourceTypes: [Namespace]}}]}}
    - {name: old, type: health}
    - {name: more, type: garbage-collect, properties: {keepLegacyResource: true, rules: [{selector: {componentNames: [api]}}]}}
    - {name: again, type: resource-update, properties: {rules: [{selector: {resourceTypes: [Secret]}, strategy: {recreateFields: [data.key]}}, {selector: {resourceTypes: [Job]}, strategy: {op: replace}}]}}
",
    ));
    let found = &application.policies;
    let garbage = found.garbage_collect.as_ref().unwrap();
    let strategies: Vec<GarbageStrategy> = garbage.rules.iter().map(|rule| rule.strategy).collect();
    assert_eq!(strategies, [GarbageStrategy::Never, GarbageStrategy::OnAppUpdate]);
    assert!(garbage.keep_legacy_resource);
    assert_eq!(
        (found.recreate.len(), found.recreate[0].fields.as_slice()),
        (1, ["data.key".to_owned()].as_slice())
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    assert_eq!(
        found.apply_once,
        [ApplyOnceRule {
            selector: ObjectSelector { component_names: names(&["web"]), ..ObjectSelector::default() },
            paths: names(&["spec.replicas"]),
        }]
    );
    assert_eq!(found.read_only[0].component_names, ["db"]);
    assert_eq!(found.take_over[0].component_types, ["worker"]);
    assert_eq!(found.shared_resource[0].resource_types, ["Namespace"]);
    assert_eq!(
        warnings(&application),
        [
            "spec.policies[6].type: policy `health` is ignored: `apply` waits for healthy components anyway",
            "spec.policies[8].properties: `replace` is ignored: fields that others have set stay",
        ]
    );
}

#[test]
fn an_override_changes_components_before_they_are_read() {
    let application = one(&policies(
        "    - name: new
      type: override
      properties:
        components:
          - {name: web, properties: {image: 'web:2'}}
          - {type: worker, properties: {env: [{name: A, value: b}]}}
          - {name: extra, type: worker, properties: {image: 'extra:1'}}
          - {name: api, type: webservice, properties: {image: 'api:2'}}
",
    ));
    assert_eq!(
        images(&application),
        [("web", "web:2"), ("api", "api:2"), ("db", "db:1"), ("extra", "extra:1")]
    );
    let [web, api, ..] = application.components.as_slice() else { panic!("several components") };
    assert_eq!(web.properties().unwrap().env.len(), 1);
    assert_eq!(web.properties().unwrap().cpu.as_deref(), Some("100m"));
    // Another type replaces the properties.
    assert_eq!((api.kind.as_str(), &api.properties().unwrap().cpu), ("webservice", &None));
}

#[test]
fn an_override_with_another_type_replaces_the_component() {
    let text = policies(
        "    - name: new
      type: override
      properties:
        components:
          - {name: web, type: daemon, properties: {image: 'web:2'}}
",
    );
    let own = "      dependsOn: [api]\n      traits: [{type: scaler, properties: {replicas: 3}}]\n";
    let text = text.replacen("    - name: api\n", &format!("{own}    - name: api\n"), 1);
    let web = &one(&text).components[0];
    assert_eq!((web.name.as_str(), web.kind.as_str()), ("web", "daemon"));
    assert_eq!((web.traits.len(), web.depends_on.len()), (0, 0));
}

#[test]
fn an_override_can_set_a_revision_and_an_exact_name() {
    let text = policies(
        "    - name: new
      type: override
      properties:
        components:
          - {name: ^web$, externalRevision: web-two}
          - {name: ^b$, type: worker, properties: {image: 'b:1'}}
",
    );
    let application = one(&text);
    let revision = application.components[0].external_revision.as_deref();
    assert_eq!((revision, application.components[3].name.as_str()), (Some("web-two"), "b"));
}

#[test]
fn an_override_merges_and_removes_traits_by_type() {
    let text = policies(
        "    - name: new
      type: override
      properties:
        components:
          - name: web
            traits:
              - {type: rollout, properties: {targetSize: 5}}
          - name: web
            traits:
              - {type: rollout, properties: {batchPartition: 0}}
          - name: db
            traits:
              - {type: rollout, properties: {targetSize: 1}}
          - name: db
            traits:
              - {type: rollout, disable: true}
",
    );
    let application = one(&text);
    let rollout = application.components[0].rollout.as_ref().unwrap();
    assert_eq!((rollout.target_size, rollout.batch_partition), (5, Some(0)));
    assert!(application.components[2].rollout.is_none());
}

#[test]
fn problems_of_an_override_are_reported_at_the_override() {
    let said = refused(&policies(
        "    - {name: new, type: override, properties: {components: [{name: web, properties: {cpu: fast}}]}}\n",
    ));
    assert_eq!(
        said,
        "app.yaml:16:91: spec.components[0].properties.cpu: found `fast`, expected a quantity of 0 or more such as `500m` or `0.5`"
    );
}

/// KubeVela reads names as regular expressions.
#[test]
fn an_override_that_matches_no_component_is_rejected() {
    let said = refused(&policies(
        "    - {name: new, type: override, properties: {components: [{name: we.*, properties: {cpu: '1'}}]}}\n",
    ));
    assert_eq!(
        said,
        "app.yaml:16:68: spec.policies[0].properties.components[0].name: `we.*` matches no component\n    \
         `*` stands for any text, and `.` for itself"
    );
}

#[test]
fn a_topology_of_the_local_cluster_moves_the_application() {
    for clusters in ["", "clusters: [local], "] {
        let text = policies(&format!(
            "    - {{name: to, type: topology, properties: {{{clusters}namespace: prod}}}}\n"
        ));
        assert_eq!(one(&text).namespace.as_deref(), Some("prod"));
    }
    let both = "    - {name: a, type: topology, properties: {namespace: prod}}
    - {name: b, type: topology, properties: {namespace: test}}
";
    let said = refused(&policies(both));
    assert!(said.contains("components go to namespace `prod` and to namespace `test`"), "{said}");
}

#[test]
fn names_of_components_clash_in_the_namespace_to_which_they_are_moved() {
    let moved = |name: &str, namespace: &str| {
        let topology = "    - {name: to, type: topology, properties: {namespace: NAMESPACE}}\n";
        policies(&topology.replace("NAMESPACE", namespace)).replace("name: shop", &format!("name: {name}"))
    };
    let said = |one: &str, other: &str| {
        let text = format!("{}---\n{}", moved("shop", one), moved("bank", other));
        let source = Source { name: "app.yaml".to_owned(), bytes: text.into_bytes() };
        parse_manifest(&[source]).map_or_else(|errors| errors.problems.len(), |_| 0)
    };
    assert_eq!([said("test", "prod"), said("prod", "prod")], [0, 3]);
}

#[test]
fn unsupported_policies_are_rejected_by_name() {
    for (policy, reason) in [
        (
            "{type: topology, properties: {clusters: [eu]}}",
            "use `--context` once for each cluster, or a `--fleet` file",
        ),
        (
            "{type: topology, properties: {clusterLabelSelector: {a: b}}}",
            "clusters are not selected by labels",
        ),
        ("{type: replication, properties: {keys: [a]}}", "write the component once for each key"),
        ("{type: custom, properties: {}}", "policy `custom` is not supported"),
        ("{type: garbage-colect, properties: {}}", "did you mean `garbage-collect`?"),
        ("{type: read-only}", "properties: missing, expected a mapping"),
        ("{type: read-only, properties: {rules: [{selector: {names: [a]}}]}}", "names: unknown field"),
        ("{type: apply-once, properties: {enable: 'yes'}}", "expected true or false"),
        ("{type: topology, properties: {cluster: local}}", "cluster: unknown field"),
    ] {
        let said = refused(&policies(&format!("    - {policy}\n")));
        assert!(said.contains(reason), "{policy}: {said}");
    }
}

#[test]
fn steps_follow_each_other() {
    let application = one(&workflow(
        "      - {name: first, type: apply-component, properties: {component: db}}
      - {name: look, type: suspend, properties: {message: well?, duration: 1h30m}}
      - name: both
        type: step-group
        subSteps:
          - {name: web, type: apply-component, properties: {component: web}}
          - {name: api, type: apply-component, properties: {component: api}}
      - {name: other, type: depends-on-app, properties: {name: bank, namespace: prod}}
",
    ));
    assert_eq!(order(&application), [("web", vec!["db"]), ("api", vec!["db"]), ("db", vec![])]);
    let actions: Vec<&StepAction> = application.steps.iter().map(|step| &step.action).collect();
    let apply = |names: &[&str]| StepAction::Apply {
        components: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(
        actions,
        [
            &apply(&["db"]),
            &StepAction::Suspend { message: Some("well?".to_owned()), duration_seconds: Some(5400) },
            &apply(&["web"]),
            &apply(&["api"]),
            &StepAction::DependsOnApp { name: "bank".to_owned(), namespace: "prod".to_owned() },
        ]
    );
}

#[test]
fn unnamed_steps_are_named_by_their_position() {
    let application = one(&workflow(
        "      - {type: apply-component, properties: {component: db}}
      - type: step-group
        subSteps:
          - {type: apply-component, properties: {component: web}}
          - {type: suspend}
      - {name: last, type: apply-component, properties: {component: api}}
",
    ));
    let names: Vec<&str> = application.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["step-0", "step-1-0", "step-1-1", "last"]);
}

#[test]
fn a_component_that_no_step_applies_is_not_applied() {
    let application =
        one(&workflow("      - {name: a, type: apply-component, properties: {component: web}}\n"));
    assert_eq!(order(&application), [("web", vec![])]);
    assert_eq!(
        warnings(&application),
        [
            "spec.components[1]: not applied: no step of the workflow applies this component",
            "spec.components[2]: not applied: no step of the workflow applies this component",
        ]
    );
}

#[test]
fn a_deploy_step_applies_all_components_with_its_overrides() {
    let text = shop(
        "  policies:
    - {name: here, type: topology, properties: {clusters: [local], namespace: prod}}
    - {name: only, type: override, properties: {selector: [web, db], components: [{name: web, properties: {image: 'web:2'}}]}}
    - {name: unused, type: override, properties: {components: [{name: db, properties: {image: 'db:9'}}]}}
  workflow:
    steps:
      - {name: deploy, type: deploy, properties: {policies: [here, only], auto: false, parallelism: 2}}
",
    );
    let application = one(&text);
    assert_eq!(images(&application), [("web", "web:2"), ("db", "db:1")]);
    assert_eq!(application.namespace.as_deref(), Some("prod"));
    let kinds: Vec<&str> = application.steps.iter().map(|step| step.action.as_str()).collect();
    assert_eq!(kinds, ["suspend", "apply-component"]);
    assert_eq!(application.steps[0].name, "deploy-suspend");
}

#[test]
fn a_workflow_without_steps_applies_one_component_after_the_other() {
    let application = one(&shop("  workflow: {}\n"));
    assert_eq!(order(&application), [("web", vec![]), ("api", vec!["web"]), ("db", vec!["api"])]);
    assert!(one(&shop("")).steps.is_empty());
}

#[test]
fn unsupported_steps_are_rejected_by_name() {
    for (steps, reason) in [
        ("{name: a, type: notification}", "notify from the script that runs `rollout`"),
        ("{name: a, type: apply-componnt}", "did you mean `apply-component`?"),
        ("{name: a, type: apply-component, properties: {component: wbe}}", "did you mean `web`?"),
        ("{name: a, type: apply-component, properties: {component: web, cluster: eu}}", "expected `local`"),
        ("{name: a, type: apply-component, if: always, properties: {component: web}}", "if: not supported"),
        (
            "{name: a, type: apply-component, inputs: [{from: x}], properties: {component: web}}",
            "inputs: not supported",
        ),
        (
            "{name: a, type: deploy, properties: {policies: [nowhere]}}",
            "no policy `nowhere` of type `override`",
        ),
        ("{name: a, type: step-group}", "subSteps: missing, expected a list of steps"),
        ("{name: a, type: suspend, properties: {duration: soon}}", "expected a duration such as `30s`"),
        ("{name: a, type: suspend}", "no step of the workflow applies a component"),
        ("{name: a, type: suspend, dependsOn: [b]}", "no step `b` beside this one"),
    ] {
        let said = refused(&workflow(&format!("      - {steps}\n")));
        assert!(said.contains(reason), "{steps}: {said}");
    }
    let said = refused(&shop("  workflow: {ref: other}\n"));
    assert!(said.contains("a Workflow object is not read"), "{said}");
}

#[test]
fn a_component_is_applied_once_and_depends_on_no_later_step() {
    let twice = shop(
        "  policies:
    - {name: new, type: override, properties: {components: [{name: web, properties: {image: 'web:2'}}]}}
  workflow:
    steps:
      - {name: a, type: apply-component, properties: {component: web}}
      - {name: b, type: deploy, properties: {policies: [new]}}
",
    );
    let said = refused(&twice);
    assert!(said.contains("component `web` is applied a second time in another form"), "{said}");
    let again = twice.replace("policies: [new]", "policies: []");
    assert_eq!(one(&again).components.len(), 3);

    let backwards = workflow(
        "      - {name: a, type: apply-component, properties: {component: web}}
      - {name: b, type: apply-component, properties: {component: api}}
",
    )
    .replacen("      type: worker", "      type: worker\n      dependsOn: [api]", 1);
    let said = refused(&backwards);
    assert!(said.contains("a later step of the workflow applies component `api`"), "{said}");
}

#[test]
fn the_rest_is_checked_if_a_policy_is_invalid() {
    let text = policies("    - {type: nothing}\n").replace("cpu: 100m", "cpu: slow");
    let source = Source { name: "app.yaml".to_owned(), bytes: text.into_bytes() };
    let problems = parse_manifest(&[source]).unwrap_err().problems;
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.components[0].properties.cpu",
            "spec.components[1].properties.cpu",
            "spec.components[2].properties.cpu",
            "spec.policies[0].type",
        ]
    );
}

#[test]
fn a_generated_component_name_becomes_one_that_revisions_can_have() {
    let text = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: web.Deployment.web
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: Web}}]}
    - name: after
      type: worker
      dependsOn: [web.Deployment.web]
      properties: {image: 'a:1'}
  policies:
    - {type: read-only, properties: {rules: [{selector: {componentNames: [web.Deployment.web, after]}}]}}
  workflow:
    steps:
      - {name: a, type: apply-component, properties: {component: web.Deployment.web}}
      - {name: b, type: apply-component, properties: {component: after}}
";
    let application = one(text);
    assert_eq!(order(&application), [("web-deployment-web", vec![]), ("after", vec!["web-deployment-web"])]);
    assert_eq!(application.policies.read_only[0].component_names, ["web-deployment-web", "after"]);
    assert_eq!(
        application.steps[0].action,
        StepAction::Apply { components: vec!["web-deployment-web".to_owned()] }
    );
    assert_eq!(
        warnings(&application),
        [
            "spec.components[0].name: the component is called `web-deployment-web` here, which its revisions can be named like"
        ]
    );
    let said = refused(
        &text
            .replace("type: worker", "type: worker\n      externalRevision: a")
            .replace("name: after", "name: After.It"),
    );
    assert!(said.contains("spec.components[1].name: found `After.It`, expected a DNS label"), "{said}");
}

/// As deep as the schemas of common definitions that describe whole pods.
#[test]
fn an_object_can_be_deeply_nested() {
    let levels = 38;
    let schema = format!("{}1{}", "{a: ".repeat(levels), "}".repeat(levels));
    let text = format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop}}
spec:
  components:
    - name: definitions
      type: k8s-objects
      properties: {{objects: [{{apiVersion: v1, kind: Deep, metadata: {{name: a}}, spec: {schema}}}]}}
"
    );
    let application = one(&text);
    let rendered = render_objects(&application, &application.components[0], "prod", "");
    let pointer = format!("/spec{}", "/a".repeat(levels));
    assert_eq!(rendered[0].pointer(&pointer), Some(&serde_json::json!(1)));
}
