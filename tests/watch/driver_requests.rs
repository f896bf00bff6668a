//! The requests of waiting.

use std::time::Duration;

use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::fault::{Fate, PASS, Request};
use crate::support::manifest::{Component, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

/// While waiting ten minutes for a pod, the only requests renew watches and the Lease, and diagnose once a minute.
#[tokio::test(start_paused = true)]
async fn few_requests_are_sent_while_waiting() {
    let cluster = TestCluster::open(pod_rules::ready_after("10m")).await;
    let mut process = Process::new(IDENTITY);
    process.limits.batch = Duration::from_secs(3_600);
    let run = cluster.run(&process, &request_for(&[web(1, 2)])).await.succeeded();
    let scaled =
        run.requests.iter().rposition(|one| one.seen.verb == Verb::Patch && one.seen.kind == "deployments");
    let since: Vec<&Request> = run.requests[scaled.unwrap() + 1..].iter().collect();
    let waiting = since.iter().filter(|request| request.at < Duration::from_secs(590));
    let (watches, others): (Vec<&&Request>, Vec<&&Request>) =
        waiting.partition(|request| request.seen.verb == Verb::Watch);
    let is_renewal = |request: &&&&Request| request.seen.kind == "leases" && request.seen.verb == Verb::Patch;
    let is_look = |request: &&&&Request| {
        let Request { seen, .. } = request;
        matches!((seen.verb, seen.kind.as_str()), (Verb::List, "pods") | (Verb::Get, "deployments"))
    };
    let renewals = others.iter().filter(is_renewal).count();
    let looks = others.iter().filter(is_look).count();
    assert_eq!(renewals + looks, others.len(), "{}", run.transcript());
    assert!((2..=22).contains(&looks), "{looks} looks\n{}", run.transcript());
    // One watches the workloads, one the run records.
    assert!((40..=60).contains(&watches.len()), "{} watches\n{}", watches.len(), run.transcript());
    assert!((130..=160).contains(&renewals), "{renewals} renewals\n{}", run.transcript());
}

/// A silent server must not delay the command after the outcome.
#[tokio::test(start_paused = true)]
async fn nothing_is_awaited_after_the_outcome() {
    let cluster = TestCluster::open(pod_rules::ready_after("1s")).await;
    let is_courtesy = |seen: &RequestInfo| seen.kind == "leases" && seen.verb == Verb::Patch;
    let process = Process::with(IDENTITY, move |seen| match is_courtesy(seen) {
        true => Fate::Verdict(Verdict::Hang),
        false => PASS,
    });
    let run = cluster.run(&process, &request_for(&[web(1, 2)])).await.succeeded();
    assert!(run.requests.iter().any(|request| is_courtesy(&request.seen)), "{}", run.transcript());
    let waited = cluster.clock.elapsed() - run.events.last().unwrap().elapsed;
    assert!(waited.as_secs() <= 3, "{waited}\n{}", run.transcript());
}

/// A silent server does not delay the report of a failure much either.
#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_even_if_it_cannot_be_recorded() {
    let cluster = TestCluster::open(pod_rules::failing("*", "NeverReady")).await;
    let is_record = |seen: &RequestInfo| seen.kind == "configmaps" && seen.verb == Verb::Patch;
    let mut process = Process::with(IDENTITY, move |seen| match is_record(seen) {
        true => Fate::Verdict(Verdict::Hang),
        false => PASS,
    });
    process.limits.batch = Duration::from_secs(100);
    let run = cluster.run(&process, &request_for(&[web(1, 2)])).await;
    let scenario = run.transcript();
    assert!(scenario.contains("the outcome could not be recorded: no answer after 30s"), "{scenario}");
    assert!(scenario.contains("not ready after 1m40s"), "{scenario}");
    let last = run.events.last().unwrap().elapsed.as_secs();
    assert!((100..150).contains(&last), "{last}s\n{scenario}");
}

/// Simultaneous reads of many components are one request, so the reads do not grow with the application. Only the
/// events before a rollout's first write, and a drained source before its deletion, are read for each component.
#[tokio::test(start_paused = true)]
async fn the_reads_of_an_application_do_not_grow_with_its_components() {
    type Shape = fn(Component) -> Component;
    let cases: [(&str, usize, Shape); 2] =
        [("in batches", 2, |one| one.batches(&["1", "1"])), ("as a whole", 0, Component::plain)];
    for (how, of_each, shape) in cases {
        let mut counts = Vec::new();
        for many in [10, 30] {
            let cluster = TestCluster::open(pod_rules::READY).await;
            let names: Vec<String> = (0..many).map(|index| format!("web-{index}")).collect();
            let release = |version| {
                let components = names.iter().map(|name| shape(component(name, version, 2)));
                request_for(&components.collect::<Vec<_>>())
            };
            let process = Process::new(IDENTITY);
            cluster.run(&process, &release(1)).await.succeeded();
            let run = cluster.run(&process, &release(2)).await.succeeded();
            let is_read =
                |request: &&Request| matches!(request.seen.verb, Verb::Get | Verb::List | Verb::Watch);
            counts.push(run.requests.iter().filter(is_read).count() - of_each * many);
        }
        assert!(counts[1] <= counts[0] + 10, "{how}: {counts:?}");
    }
}
