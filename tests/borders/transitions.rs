//! Components that gain and lose the `rollout` trait, with changes of image, size and settings.

use std::time::Duration;

use rollout::driver::context::OnFailure;

use crate::support::invariants;
use crate::support::manifest::{Component, request_for, web};
use crate::support::pod_rules;
use crate::support::random::Rng;
use crate::support::rules::{self, Circumstances};
use crate::support::scenario::{allowances, process};
use crate::support::test_cluster::{BYSTANDER, TestCluster};
use crate::support::trial::case;

/// The number of histories, and of manifests in each.
const SEEDS: u64 = 15;
const LENGTH: usize = 6;

/// Which port the component exposes, if any. The Service of a component that is applied as a whole leads to the port of
/// every pod, so only runs in batches change it.
#[derive(Clone, Copy)]
enum Exposure {
    None,
    Port(u16),
}

/// A manifest of a history. It has the image of the previous one, or a new one.
fn manifest(rng: &mut Rng, version: u32, exposure: &mut Exposure) -> Component {
    let size = 1 + rng.below(6);
    let web = web(version, size).unnamed();
    let form = rng.below(3);
    let web = match exposure {
        Exposure::Port(port) => {
            if form == 2 && rng.one_in(2) {
                *port = if *port == 80 { 8080 } else { 80 };
            }
            web.exposing(*port)
        }
        Exposure::None => web,
    };
    match form {
        0 => web.plain(),
        1 => web.plain().storing(&version.to_string()),
        _ => web,
    }
}

/// The objects other than the cluster's own, by kind and name.
fn remaining(cluster: &TestCluster) -> Vec<String> {
    let kinds = ["Deployment", "StatefulSet", "Service", "ConfigMap"];
    let mut names: Vec<String> = kinds
        .into_iter()
        .flat_map(|kind| cluster.objects(kind))
        .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', ""))
        .filter(|name| !name.ends_with(BYSTANDER) && !name.contains("rollout-"))
        .collect();
    names.sort();
    names
}

/// The number of objects of a manifest alone, on a separate cluster.
async fn objects_of(component: &Component) -> usize {
    let cluster = TestCluster::open(pod_rules::ready_after("50ms")).await;
    cluster.apply(std::slice::from_ref(component)).await;
    cluster.settle().await;
    remaining(&cluster).len()
}

async fn play(seed: u64, mut exposure: Exposure) {
    let mut rng = Rng(seed);
    let cluster = TestCluster::open(pod_rules::ready_after("50ms")).await;
    let mut version = 1;
    for step in 0..LENGTH {
        version += u32::from(!rng.one_in(3));
        let component = manifest(&mut rng, version, &mut exposure);
        case(&format!("seed {seed}, step {step}: {}", component.line()));
        let from = cluster.mark().await;
        let manifest = [component];
        let run = cluster.run(&process(), &request_for(&manifest)).await.succeeded();
        cluster.settle().await;
        invariants::check(&cluster.history(), from, &allowances(&manifest));
        let remaining = remaining(&cluster);
        assert_eq!(remaining.len(), objects_of(&manifest[0]).await, "{remaining:?}\n{}", run.transcript());
        let again = cluster.run(&process(), &request_for(&manifest)).await.succeeded();
        assert!(again.writes().is_empty(), "a further run writes: {}", again.transcript());
    }
}

#[tokio::test(start_paused = true)]
async fn deployments_keep_their_pods_and_leave_no_objects() {
    for seed in 0..SEEDS {
        play(seed, Exposure::None).await;
        play(seed, Exposure::Port(80)).await;
    }
}

/// A run in batches after an apply as a whole, with other ports: each ready pod is reachable only on the ports of its
/// revision.
#[tokio::test(start_paused = true)]
async fn a_run_with_other_ports_keeps_whole_components_reachable() {
    let ports = |text: &str| format!("ports: [{text}]");
    let eighty = "{port: 80, expose: true}";
    let cases = [
        ("another number", eighty, "{port: 8080, expose: true}"),
        ("one more", eighty, "{port: 80, expose: true}, {port: 81, expose: true}"),
        ("none", eighty, "{port: 80, name: hidden}"),
        ("one less", "{port: 80, expose: true}, {port: 81, expose: true}", eighty),
        ("another name", "{port: 80, name: http, expose: true}", "{port: 80, name: web, expose: true}"),
        (
            "the name of another",
            "{port: 80, name: http, expose: true}",
            "{port: 81, name: http, expose: true}",
        ),
        ("another protocol", "{port: 53, protocol: UDP, expose: true}", "{port: 53, expose: true}"),
    ];
    for (name, before, after) in cases {
        case(name);
        let cluster = TestCluster::open(pod_rules::ready_after("50ms")).await;
        cluster.apply(&[web(1, 4).plain().property(ports(before))]).await;
        cluster.settle().await;
        let from = cluster.mark().await;
        let manifest = [web(2, 4).property(ports(after)).batches(&["1", "3"])];
        cluster.run(&process(), &request_for(&manifest)).await.succeeded();
        cluster.settle().await;
        invariants::check(&cluster.history(), from, &allowances(&manifest));
    }
}

/// The run that is rolled back has itself recorded the revision that failed as a whole.
#[tokio::test(start_paused = true)]
async fn a_rollback_into_batches_sends_no_traffic_to_missing_ports() {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 2).exposing(80)]).await;
    cluster.set_pod_rules(pod_rules::slow("*:2", "10m"));
    let mut failing = process();
    (failing.limits.batch, failing.limits.on_failure) = (Duration::from_secs(30), OnFailure::Undo);
    let run = cluster.run(&failing, &request_for(&[web(2, 2).exposing(81).plain()])).await;
    cluster.settle().await;
    assert_eq!(cluster.record("web").unwrap()["run"]["spec"]["target"], "web-v1", "{}", run.transcript());
    rules::check(&cluster.history(), Circumstances::default())
        .unwrap_or_else(|violation| panic!("{violation}\n{}", run.transcript()));
}
