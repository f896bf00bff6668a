//! Workflows whose steps form a graph: each step waits for those that it depends on, and for no others.

use rollout::oam::workflow::gates_before;

use crate::around::{order, shop, warnings};
use crate::parsing::{one, refused};

/// Adds the dependency of a component on another one to an application.
fn depending(text: &str, component: &str, on: &str) -> String {
    let entry = format!("    - name: {component}\n");
    text.replace(&entry, &format!("{entry}      dependsOn: [{on}]\n"))
}

#[test]
fn steps_of_a_graph_follow_their_dependencies() {
    let text = shop(
        "  workflow:
    mode: {steps: DAG}
    steps:
      - {name: a, type: apply-component, dependsOn: [c], properties: {component: web}}
      - {name: b, type: apply-component, properties: {component: api}}
      - {name: c, type: apply-component, properties: {component: db}}
",
    );
    assert_eq!(order(&one(&text)), [("web", vec!["db"]), ("api", vec![]), ("db", vec![])]);
}

/// Nor does a branch wait for what another branch waits for.
#[test]
fn branches_of_a_graph_do_not_wait_for_each_other() {
    let graph = |depends_on: &str| {
        let text = shop(
            "  workflow:
    mode: {steps: DAG}
    steps:
      - {name: a, type: apply-component, dependsOn: [look], properties: {component: web}}
      - {name: look, type: suspend}
      - name: both
        type: step-group
        dependsOn: [wait]
        mode: StepByStep
        subSteps:
          - {name: b, type: apply-component, properties: {component: api}}
          - {name: c, type: apply-component, properties: {component: db}}
      - {name: wait, type: depends-on-app, properties: {name: bank, namespace: prod}}
      - {name: idle, type: suspend, dependsOn: [both]}
",
        );
        depending(&text, "web", depends_on)
    };
    let application = one(&graph(""));
    assert_eq!(order(&application), [("web", vec![]), ("api", vec![]), ("db", vec!["api"])]);
    let gates = |component: &str| -> Vec<String> {
        gates_before(&application.steps, component).into_iter().map(|gate| gate.step).collect()
    };
    assert_eq!([gates("web"), gates("api"), gates("db")], [["look"], ["wait"], ["wait"]]);
    assert_eq!(
        warnings(&application),
        ["spec.workflow.steps[4].type: step `idle` is ignored: no component comes after it"]
    );
    assert_eq!(order(&one(&graph("db")))[0], ("web", vec!["db"]));
}

#[test]
fn components_of_two_branches_cannot_wait_for_each_other() {
    let text = shop(
        "  workflow:
    mode: {steps: DAG}
    steps:
      - {name: a, type: apply-component, properties: {component: web}}
      - {name: b, type: apply-component, dependsOn: [a], properties: {component: api}}
      - {name: c, type: apply-component, properties: {component: db}}
",
    );
    let text = depending(&text, "web", "db");
    assert_eq!(order(&one(&text))[0], ("web", vec!["db"]));
    let said = refused(&depending(&text, "db", "api"));
    assert!(said.contains("component `api` waits for this one, by steps of the workflow"), "{said}");
}
