//! The scenarios, each with its name: the preceding acts, and the manifest whose run is under test.
//!
//! The suites generate their tests from these lists: one per scenario and kind of fault.

use super::manifest::{Component, component, web};
use super::pod_rules;
use super::scenario::{Act, Scenario, Tried};

use Act::{Apply, ApplyInVain, ApplyUntil, Pods};

const SOAK: &str = "soak: 20s";

const METRIC: &str = "analysis: [{name: errors, interval: 5s, count: 2, metricsRange: {max: 1}, provider: {exec: {command: [errors]}}}]";

const SMOKE_TESTS: &str = "smokeTests: [{name: ping, when: before, spec: {template: {spec: {containers: \
     [{name: ping, image: 'curl:1'}]}}}}]";

const HOOKS: &str = "rolloutWebhooks: [{type: initialize-rollout, name: start, url: 'http://hooks/start'}, \
     {type: pre-batch-rollout, name: before, url: 'http://hooks/before'}, \
     {type: post-batch-rollout, name: after, url: 'http://hooks/after'}, \
     {type: finalize-rollout, name: end, url: 'http://hooks/end'}]";

/// Scenarios of Deployments, one for each revision.
pub(crate) fn of_deployments() -> Vec<Scenario> {
    let exposing = |version, size, ports| web(version, size).property(ports);
    let failing = || Pods(pod_rules::failing("web:2", "ImagePullBackOff"));
    vec![
        scenario("first_release", [], [web(1, 3)]).with_errors().dying_twice(9),
        scenario("upgrade", [Apply(vec![web(1, 5)])], [halves(web(2, 5))]).with_errors(),
        scenario(
            "rollback",
            [Apply(vec![web(1, 5)]), Apply(vec![halves(web(2, 5))])],
            [halves(web(2, 5).target_revision("web-v1"))],
        ),
        scenario("scale_out", [Apply(vec![web(1, 3)])], [web(1, 7).batches(&["1", "3"])]),
        scenario("scale_in", [Apply(vec![web(1, 5)])], [web(1, 3).batches(&["1", "1"])])
            .with_errors()
            .dying_twice(7),
        scenario("decrease_first", [Apply(vec![web(1, 5)])], [halves(web(2, 5)).decrease_first()]),
        scenario("percent_batches", [Apply(vec![web(1, 5)])], [web(2, 5).batches(&["20%", "50%", "30%"])]),
        scenario("gate_opens", [Apply(vec![web(1, 5)]), Apply(vec![thirds().partition(0)])], [thirds()]),
        scenario("gate_closes", [Apply(vec![web(1, 5)])], [thirds().partition(1)]).with_errors(),
        scenario(
            "third_in_mid_rollout",
            [Apply(vec![web(1, 5)]), ApplyUntil(vec![halves(web(2, 5))], 3)],
            [halves(web(3, 5))],
        ),
        scenario("third_after_gate", at_the_gate(), [halves(web(3, 5))]).with_errors(),
        scenario("revert_in_mid_rollout", at_the_gate(), [halves(web(1, 5))]),
        scenario("resize_in_mid_rollout", at_the_gate(), [web(2, 7).batches(&["3", "4"])]),
        scenario(
            "correction",
            [Apply(vec![web(1, 5)]), failing(), ApplyInVain(vec![halves(web(2, 5))])],
            [halves(web(3, 5))],
        ),
        scenario("growth", [Apply(vec![web(1, 3)])], [halves(web(2, 5))]),
        scenario("shrink", [Apply(vec![web(1, 5)])], [web(2, 3).batches(&["1", "2"])]),
        {
            let release = |version| vec![component("db", version, 2), web(version, 2).depends_on("db")];
            scenario("dependent_components", [Apply(release(1))], release(2))
        },
        {
            let release = |version| vec![component("api", version, 2), web(version, 2)];
            scenario("side_by_side", [Apply(release(1))], release(2))
        },
        scenario("exposed", [Apply(vec![web(1, 2)])], [web(2, 2).exposing(80)]),
        scenario("exposed_elsewhere", [Apply(vec![web(1, 2).exposing(80)])], [web(2, 2).exposing(8080)])
            .with_errors(),
        // One name, another number.
        scenario(
            "exposed_under_one_name",
            [Apply(vec![exposing(
                1,
                5,
                "ports: [{port: 80, name: http, expose: true}, {port: 81, expose: true}]",
            )])],
            [halves(exposing(2, 5, "ports: [{port: 8080, name: http, expose: true}]"))],
        ),
        // One number, another name; and one of another protocol.
        scenario(
            "exposed_under_two_names",
            [Apply(vec![
                exposing(
                    1,
                    3,
                    "ports: [{port: 80, name: http, expose: true}, {port: 53, protocol: UDP, expose: true}]",
                )
                .property("exposeType: NodePort"),
            ])],
            [exposing(2, 3, "ports: [{port: 80, name: web, expose: true}, {port: 53, expose: true}]")
                .batches(&["1", "2"])],
        ),
        // Pods of three revisions at a time.
        scenario(
            "exposed_in_mid_rollout",
            [Apply(vec![web(1, 5).exposing(80)]), Apply(vec![halves(web(2, 5).exposing(81)).partition(0)])],
            [halves(web(3, 5).exposing(82))],
        )
        .with_errors(),
        // The next revision's pods never became ready, and it is rolled back.
        scenario(
            "exposed_after_failure",
            [
                Apply(vec![web(1, 5).exposing(80)]),
                failing(),
                ApplyInVain(vec![halves(web(2, 5).exposing(8080))]),
            ],
            [web(1, 5).exposing(80)],
        ),
        scenario("exposed_no_more", [Apply(vec![web(1, 3).exposing(80)])], [web(2, 3).batches(&["1", "2"])])
            .with_errors(),
        // The pods stay, and their port is no longer exposed.
        scenario(
            "hidden",
            [Apply(vec![exposing(1, 2, "ports: [{port: 80, name: hidden, expose: true}]")])],
            [exposing(1, 2, "ports: [{port: 80, name: hidden}]")],
        )
        .with_errors(),
        // The pods stay, and another of their ports is exposed.
        scenario(
            "shown",
            [Apply(vec![exposing(1, 2, "ports: [{port: 80, expose: true}, {port: 81, name: hidden}]")])],
            [exposing(1, 2, "ports: [{port: 80, expose: true}, {port: 81, name: hidden, expose: true}]")],
        )
        .with_errors(),
        // Hooks at every point, a soak time and a metric.
        scenario(
            "gated",
            [Apply(vec![web(1, 5)])],
            [halves(web(2, 5)).rollout(SOAK).rollout(HOOKS).rollout(METRIC)],
        )
        .with_errors()
        .dying_twice(12),
        scenario(
            "smoke_tested",
            [Apply(vec![web(1, 2)])],
            [web(2, 2).batches(&["1", "1"]).rollout(SMOKE_TESTS)],
        )
        .with_errors(),
        scenario("tolerant", [Apply(vec![web(1, 4)])], [web(2, 4).batches(&["2", "2"]).max_unavailable(1)]),
    ]
}

/// Scenarios of one object for all revisions, of both kinds.
pub(crate) fn in_place() -> Vec<Scenario> {
    let of_any_kind = vec![
        scenario("first_release", [], [web(1, 3).batches(&["1", "2"])]),
        // Other scenarios differ from these two only in the preceding state, which the planner's histories cover.
        scenario("upgrade", [Apply(vec![web(1, 5)])], [halves(web(2, 5))]).with_errors(),
        scenario("scale_in", [Apply(vec![web(1, 5)])], [web(1, 3).batches(&["1", "1"])]).with_errors(),
        scenario("upgrade_and_grow", [Apply(vec![web(1, 5)])], [web(2, 7).batches(&["3", "4"])]),
        scenario("upgrade_and_shrink", [Apply(vec![web(1, 5)])], [web(2, 3).batches(&["1", "2"])]),
        scenario("scale_out", [Apply(vec![web(1, 5)])], [web(1, 7).batches(&["1", "1"])]),
        scenario("gate_closes", [Apply(vec![web(1, 5)])], [halves(web(2, 5)).partition(0)]),
        scenario("gate_opens", at_the_gate(), [halves(web(2, 5))]),
        scenario("revert", at_the_gate(), [halves(web(1, 5))]),
        scenario("third_revision", at_the_gate(), [halves(web(3, 5))]),
        scenario("another_size", at_the_gate(), [web(2, 7).batches(&["3", "4"])]),
    ];
    let of = |version| web(version, 5).exposing(79 + u16::try_from(version).unwrap());
    let of_stateful_sets = vec![
        scenario("another_port", [Apply(vec![of(1)])], [halves(of(2))]),
        scenario(
            "back_at_the_gate",
            [Apply(vec![of(1)]), Apply(vec![halves(of(2)).partition(0)])],
            [halves(of(1))],
        ),
        scenario(
            "a_third_port_at_the_gate",
            [Apply(vec![of(1)]), Apply(vec![halves(of(2)).partition(0)])],
            [halves(of(3))],
        ),
        scenario("no_port_any_more", [Apply(vec![of(1)])], [halves(web(2, 5))]),
    ];
    let clone_sets = of_any_kind.iter().map(|one| one.clone().of("cloneset-service"));
    let stateful_sets = of_any_kind.iter().chain(&of_stateful_sets).map(|one| one.clone().of("statefulset"));
    clone_sets.chain(stateful_sets).collect()
}

/// Scenarios of components that are applied as a whole, and of objects of traits in batch rollouts.
pub(crate) fn whole() -> Vec<Scenario> {
    let shown = |version, size| web(version, size).plain().exposing(80).storing("info");
    let sized = |version, size| web(version, size).of_any_size();
    let beside = |version| vec![component("api", version, 2).plain(), halves(web(version, 5))];
    let full = |version: u32| {
        halves(web(version, 5))
            .property("ports: [{port: 80, name: hidden}]")
            .storing(&version.to_string())
            .with_trait("{type: expose, properties: {port: [80]}}")
    };
    let gateway = "{type: gateway, properties: {domain: shop.example.com, http: {/: 80}}}";
    let claiming = "{type: storage, properties: {pvc: [{name: data, mountPath: /data}]}}";
    vec![
        scenario("whole_first_release", [], [shown(1, 2)]).with_errors().dying_twice(7),
        scenario("whole_image", [Apply(vec![shown(1, 4)])], [shown(2, 4)]).with_errors(),
        scenario("whole_image_and_size", [Apply(vec![shown(1, 2)])], [shown(2, 4)]),
        scenario(
            "whole_settings",
            [Apply(vec![shown(1, 2)])],
            [web(1, 2).plain().exposing(80).storing("debug")],
        ),
        scenario("whole_exposed_no_more", [Apply(vec![shown(1, 2)])], [web(2, 2).plain().storing("info")])
            .with_errors(),
        scenario("whole_stores_no_more", [Apply(vec![shown(1, 2)])], [web(1, 2).plain().exposing(80)]),
        // A claim is kept even if its component is deleted.
        scenario(
            "whole_claim_is_kept",
            [Apply(vec![web(1, 2).plain().with_trait(claiming)])],
            [web(2, 2).plain()],
        ),
        scenario("whole_beside_batches", [Apply(beside(1))], beside(2)),
        scenario("whole_takes_over_from_batches", [Apply(vec![web(1, 4)])], [sized(2, 4)])
            .with_errors()
            .dying_twice(7),
        scenario(
            "whole_takes_over_in_mid_rollout",
            [Apply(vec![web(1, 4)]), ApplyUntil(vec![web(2, 4).batches(&["1", "3"])], 3)],
            [sized(3, 4)],
        ),
        scenario("whole_takes_over_what_is_exposed", [Apply(vec![web(1, 3).exposing(80)])], [sized(2, 3)]),
        scenario(
            "batches_take_over_from_whole",
            [Apply(vec![web(1, 4).plain()])],
            [web(2, 4).batches(&["1", "3"])],
        )
        .with_errors(),
        scenario("traits_first_release", [], [full(1).with_trait(gateway)]).with_errors(),
        scenario("traits_change", [Apply(vec![full(1).with_trait(gateway)])], [full(2)]).with_errors(),
        scenario("traits_alone_change", [Apply(vec![full(1)])], [full(1).with_trait(gateway)]),
        scenario("workflow_release", [], workflow(1)).with_errors().dying_twice(41),
        scenario("workflow_upgrade", [Apply(without_gates(1).into())], workflow(2)),
        scenario(
            "workflow_changes_while_held",
            [Apply(without_gates(1).into()), Apply(workflow(2))],
            workflow(3),
        ),
        scenario("workflow_loses_its_gate", [Apply(workflow(1))], without_gates(1)),
        scenario(
            "workflow_goes_on_by_itself",
            [Apply(without_gates(1).into())],
            [component("api", 2, 2).plain(), halves(web(2, 5)).behind(TIMED)],
        ),
        scenario("traits_alone_go", [Apply(vec![full(1).with_trait(gateway)])], [full(1)]).with_errors(),
    ]
}

const TIMED: &str = "{name: pause, type: suspend, properties: {duration: 5s}}";

/// Three components, of which the second is behind a gate and the third behind the second.
pub(crate) fn workflow(version: u32) -> Vec<Component> {
    let [api, web, job] = without_gates(version);
    vec![api, web.behind("{name: approve, type: suspend}"), job]
}

fn without_gates(version: u32) -> [Component; 3] {
    [
        component("api", version, 2).plain(),
        halves(web(version, 5)).exposing(80),
        component("job", version, 1).plain(),
    ]
}

pub(crate) fn all() -> Vec<Scenario> {
    [of_deployments(), in_place(), whole()].concat()
}

pub(crate) fn named(name: &str) -> Scenario {
    of_deployments()
        .into_iter()
        .find(|one| one.name == name)
        .unwrap_or_else(|| panic!("no scenario `{name}`"))
}

/// A scenario whose pods become ready soon.
pub(crate) fn scenario(
    name: &str,
    before: impl Into<Vec<Act>>,
    manifest: impl Into<Vec<Component>>,
) -> Scenario {
    Scenario {
        name: name.to_owned(),
        rules: pod_rules::ready_after("50ms"),
        before: before.into(),
        manifest: manifest.into(),
        command: None,
        tried: Tried { errors: false, two_deaths: None },
    }
}

fn halves(component: Component) -> Component {
    component.batches(&["2", "3"])
}

fn thirds() -> Component {
    web(2, 5).batches(&["2", "2", "1"])
}

/// A canary is held after its first batch.
fn at_the_gate() -> [Act; 2] {
    [Apply(vec![web(1, 5)]), Apply(vec![halves(web(2, 5)).partition(0)])]
}
