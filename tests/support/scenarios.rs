//! The stories that are put to the test.

use super::manifest::{component, web};
use super::scenario::{Act, Scenario};

const FAST: &str = "- {image: '*', readyAfter: 50ms}";

macro_rules! all {
    ($($name:ident),* $(,)?) => {
        /// Every story by its name.
        pub(crate) const ALL: &[(&str, fn() -> Scenario)] = &[$((stringify!($name), $name)),*];
    };
}

all!(
    first_release,
    upgrade,
    rollback,
    scale_out,
    scale_in,
    decrease_first,
    percent_batches,
    gate_opens,
    gate_closes,
    third_in_mid_rollout,
    third_after_gate,
    revert_in_mid_rollout,
    resize_in_mid_rollout,
    correction,
    growth,
    shrink,
    dependent_components,
    side_by_side,
    exposed,
    exposed_elsewhere,
    exposed_under_one_name,
    exposed_under_two_names,
    exposed_in_mid_rollout,
    exposed_after_failure,
    exposed_no_more,
    hidden,
    shown,
    tolerant,
);

fn scenario(before: Vec<Act>, manifest: Vec<super::manifest::Component>) -> Scenario {
    Scenario { rules: FAST, before, manifest }
}

pub(crate) fn first_release() -> Scenario {
    scenario(vec![], vec![web(1, 3)])
}

pub(crate) fn upgrade() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 5)])], vec![web(2, 5).batches(&["2", "3"])])
}

pub(crate) fn rollback() -> Scenario {
    let before = vec![Act::Apply(vec![web(1, 5)]), Act::Apply(vec![web(2, 5).batches(&["2", "3"])])];
    scenario(before, vec![web(2, 5).target_revision("web-v1").batches(&["2", "3"])])
}

pub(crate) fn scale_out() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 3)])], vec![web(1, 7).batches(&["1", "3"])])
}

pub(crate) fn scale_in() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 5)])], vec![web(1, 3).batches(&["1", "1"])])
}

pub(crate) fn decrease_first() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 5)])], vec![web(2, 5).batches(&["2", "3"]).decrease_first()])
}

pub(crate) fn percent_batches() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 5)])], vec![web(2, 5).batches(&["20%", "50%", "30%"])])
}

pub(crate) fn gate_opens() -> Scenario {
    let before =
        vec![Act::Apply(vec![web(1, 5)]), Act::Apply(vec![web(2, 5).batches(&["2", "2", "1"]).partition(0)])];
    scenario(before, vec![web(2, 5).batches(&["2", "2", "1"])])
}

pub(crate) fn gate_closes() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 5)])], vec![web(2, 5).batches(&["2", "2", "1"]).partition(1)])
}

pub(crate) fn third_in_mid_rollout() -> Scenario {
    let before = vec![Act::Apply(vec![web(1, 5)]), Act::ApplyUntil(vec![web(2, 5).batches(&["2", "3"])], 3)];
    scenario(before, vec![web(3, 5).batches(&["2", "3"])])
}

pub(crate) fn third_after_gate() -> Scenario {
    let before =
        vec![Act::Apply(vec![web(1, 5)]), Act::Apply(vec![web(2, 5).batches(&["2", "3"]).partition(0)])];
    scenario(before, vec![web(3, 5).batches(&["2", "3"])])
}

pub(crate) fn revert_in_mid_rollout() -> Scenario {
    let before =
        vec![Act::Apply(vec![web(1, 5)]), Act::Apply(vec![web(2, 5).batches(&["2", "3"]).partition(0)])];
    scenario(before, vec![web(1, 5).batches(&["2", "3"])])
}

pub(crate) fn resize_in_mid_rollout() -> Scenario {
    let before =
        vec![Act::Apply(vec![web(1, 5)]), Act::Apply(vec![web(2, 5).batches(&["2", "3"]).partition(0)])];
    scenario(before, vec![web(2, 7).batches(&["3", "4"])])
}

pub(crate) fn correction() -> Scenario {
    let before = vec![
        Act::Apply(vec![web(1, 5)]),
        Act::Pods("- {image: 'web:2', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 50ms}"),
        Act::ApplyInVain(vec![web(2, 5).batches(&["2", "3"])]),
    ];
    scenario(before, vec![web(3, 5).batches(&["2", "3"])])
}

pub(crate) fn growth() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 3)])], vec![web(2, 5).batches(&["2", "3"])])
}

pub(crate) fn shrink() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 5)])], vec![web(2, 3).batches(&["1", "2"])])
}

pub(crate) fn dependent_components() -> Scenario {
    let release = |version| vec![component("db", version, 2), web(version, 2).depends_on("db")];
    scenario(vec![Act::Apply(release(1))], release(2))
}

pub(crate) fn side_by_side() -> Scenario {
    let release = |version| vec![component("api", version, 2), web(version, 2)];
    scenario(vec![Act::Apply(release(1))], release(2))
}

pub(crate) fn exposed() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 2)])], vec![web(2, 2).exposing(80)])
}

pub(crate) fn exposed_elsewhere() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 2).exposing(80)])], vec![web(2, 2).exposing(8080)])
}

/// One name, another number.
pub(crate) fn exposed_under_one_name() -> Scenario {
    let before =
        web(1, 5).property("ports: [{port: 80, name: http, expose: true}, {port: 81, expose: true}]");
    let after = web(2, 5).property("ports: [{port: 8080, name: http, expose: true}]");
    scenario(vec![Act::Apply(vec![before])], vec![after.batches(&["2", "3"])])
}

/// One number, another name; and one of another protocol.
pub(crate) fn exposed_under_two_names() -> Scenario {
    let before = web(1, 3)
        .property("ports: [{port: 80, name: http, expose: true}, {port: 53, protocol: UDP, expose: true}]")
        .property("exposeType: NodePort");
    let after = web(2, 3).property("ports: [{port: 80, name: web, expose: true}, {port: 53, expose: true}]");
    scenario(vec![Act::Apply(vec![before])], vec![after.batches(&["1", "2"])])
}

/// Pods of three revisions at a time.
pub(crate) fn exposed_in_mid_rollout() -> Scenario {
    let before = vec![
        Act::Apply(vec![web(1, 5).exposing(80)]),
        Act::Apply(vec![web(2, 5).exposing(81).batches(&["2", "3"]).partition(0)]),
    ];
    scenario(before, vec![web(3, 5).exposing(82).batches(&["2", "3"])])
}

/// The next one's pods never got ready, and it goes back.
pub(crate) fn exposed_after_failure() -> Scenario {
    let before = vec![
        Act::Apply(vec![web(1, 5).exposing(80)]),
        Act::Pods("- {image: 'web:2', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 50ms}"),
        Act::ApplyInVain(vec![web(2, 5).exposing(8080).batches(&["2", "3"])]),
    ];
    scenario(before, vec![web(1, 5).exposing(80)])
}

pub(crate) fn exposed_no_more() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 3).exposing(80)])], vec![web(2, 3).batches(&["1", "2"])])
}

/// The pods stay, and the port that they have is no longer offered.
pub(crate) fn hidden() -> Scenario {
    let before = web(1, 2).property("ports: [{port: 80, name: hidden, expose: true}]");
    let after = web(1, 2).property("ports: [{port: 80, name: hidden}]");
    scenario(vec![Act::Apply(vec![before])], vec![after])
}

/// The pods stay, and one more port that they have is offered.
pub(crate) fn shown() -> Scenario {
    let before = web(1, 2).property("ports: [{port: 80, expose: true}, {port: 81, name: hidden}]");
    let after =
        web(1, 2).property("ports: [{port: 80, expose: true}, {port: 81, name: hidden, expose: true}]");
    scenario(vec![Act::Apply(vec![before])], vec![after])
}

pub(crate) fn tolerant() -> Scenario {
    scenario(vec![Act::Apply(vec![web(1, 4)])], vec![web(2, 4).batches(&["2", "2"]).max_unavailable(1)])
}

/// A story by itself.
type Named = fn() -> Scenario;

/// A story of a component of this type.
type OfType = fn(&'static str) -> Scenario;

/// Stories of one object for all revisions, by name; the controllers of both are the sandbox's here.
pub(crate) const IN_PLACE: &[(&str, OfType)] = &[
    ("first release", |kind| scenario(vec![], vec![web(1, 3).batches(&["1", "2"]).of(kind)])),
    ("upgrade", |kind| scenario(released(kind), vec![web(2, 5).batches(&["2", "3"]).of(kind)])),
    ("upgrade and grow", |kind| scenario(released(kind), vec![web(2, 7).batches(&["3", "4"]).of(kind)])),
    ("upgrade and shrink", |kind| scenario(released(kind), vec![web(2, 3).batches(&["1", "2"]).of(kind)])),
    ("scale out", |kind| scenario(released(kind), vec![web(1, 7).batches(&["1", "1"]).of(kind)])),
    ("scale in", |kind| scenario(released(kind), vec![web(1, 3).batches(&["1", "1"]).of(kind)])),
    ("gate closes", |kind| scenario(released(kind), vec![canary(kind)])),
    ("gate opens", |kind| scenario(at_the_gate(kind), vec![web(2, 5).batches(&["2", "3"]).of(kind)])),
    ("revert", |kind| scenario(at_the_gate(kind), vec![web(1, 5).batches(&["2", "3"]).of(kind)])),
    ("third revision", |kind| scenario(at_the_gate(kind), vec![web(3, 5).batches(&["2", "3"]).of(kind)])),
    ("another size", |kind| scenario(at_the_gate(kind), vec![web(2, 7).batches(&["3", "4"]).of(kind)])),
];

/// Stories of a StatefulSet whose revisions expose different ports, by name.
pub(crate) const EXPOSED_IN_PLACE: &[(&str, Named)] = &[
    ("another port", || {
        let before = Act::Apply(vec![of_port_80(1)]);
        scenario(vec![before], vec![of_port_81(2).batches(&["2", "3"])])
    }),
    ("back at the gate", || {
        let before = [
            Act::Apply(vec![of_port_80(1)]),
            Act::Apply(vec![of_port_81(2).batches(&["2", "3"]).partition(0)]),
        ];
        scenario(before.into(), vec![of_port_80(1).batches(&["2", "3"])])
    }),
    ("a third port at the gate", || {
        let before = [
            Act::Apply(vec![of_port_80(1)]),
            Act::Apply(vec![of_port_81(2).batches(&["2", "3"]).partition(0)]),
        ];
        scenario(before.into(), vec![web(3, 5).exposing(82).of("statefulset").batches(&["2", "3"])])
    }),
    ("no port any more", || {
        scenario(
            vec![Act::Apply(vec![of_port_80(1)])],
            vec![web(2, 5).of("statefulset").batches(&["2", "3"])],
        )
    }),
];

fn of_port_80(version: u32) -> super::manifest::Component {
    web(version, 5).exposing(80).of("statefulset")
}

fn of_port_81(version: u32) -> super::manifest::Component {
    web(version, 5).exposing(81).of("statefulset")
}

fn canary(kind: &'static str) -> super::manifest::Component {
    web(2, 5).batches(&["2", "3"]).partition(0).of(kind)
}

fn released(kind: &'static str) -> Vec<Act> {
    vec![Act::Apply(vec![web(1, 5).of(kind)])]
}

fn at_the_gate(kind: &'static str) -> Vec<Act> {
    let mut before = released(kind);
    before.push(Act::Apply(vec![canary(kind)]));
    before
}
