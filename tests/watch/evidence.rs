//! The evidence of a stuck batch, while it waits and at its end, and the time that it takes.

use std::time::Duration;

use rollout::driver::context::FailFast;
use rollout::driver::outcome::FailureKind;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};
use serde_json::json;

use crate::support::fault::{Fate, PASS, answer};
use crate::support::manifest::{Component, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

const MINUTE: Duration = Duration::from_secs(60);
/// How long gathering the evidence may take.
const GATHERING: Duration = Duration::from_secs(10);

/// Releases a component whose pods fail, with a minute for its batch.
async fn released(fail: &str, component: Component, process: &mut Process) -> (Run, Duration) {
    let cluster = TestCluster::open(format!("- {{image: '*', fail: {fail}, log: 'the last words'}}")).await;
    process.limits.batch = MINUTE;
    let begun = cluster.clock.elapsed().unsigned_abs();
    let run = cluster.run(process, &request_for(&[component])).await;
    (run, cluster.clock.elapsed().unsigned_abs() - begun)
}

fn evidence(run: &Run) -> String {
    let failures = run.failures();
    assert_eq!(failures[0].kind, FailureKind::NotReady, "{}", run.transcript());
    failures[0].evidence.join("\n")
}

/// The evidence printed before the end.
fn diagnoses(run: &Run) -> Vec<String> {
    let told = run.events.iter().filter_map(|event| match &event.what {
        EventKind::Diagnosed { evidence } => Some(evidence.join("\n")),
        _ => None,
    });
    told.collect()
}

fn with_environment() -> Component {
    web(1, 1).property("env: [{name: MODE, valueFrom: {configMapKeyRef: {name: modes, key: mode}}}]")
}

fn with_volume() -> Component {
    web(1, 1).property("volumeMounts: {configMap: [{name: config, mountPath: /config, cmName: app}]}")
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_reported_with_evidence() {
    for (fail, component, words) in [
        ("ErrImagePull", web(1, 1), &["ErrImagePull: failed to pull and unpack image \"web:1\""][..]),
        ("InvalidImageName", web(1, 1), &["InvalidImageName: Failed to apply default image tag \"web:1\""]),
        (
            "CreateContainerConfigError",
            with_environment(),
            &["CreateContainerConfigError: configmap \"modes\" not found"],
        ),
        (
            "OOMKilled",
            web(1, 1),
            &["CrashLoopBackOff: back-off", "last ended: OOMKilled, exit code 137)", "the last words"],
        ),
        (
            "FailedMount",
            with_volume(),
            &["FailedMount: MountVolume.SetUp failed for volume \"config\" : configmap \"app\" not found"],
        ),
    ] {
        let (run, _) = released(fail, component, &mut Process::new(IDENTITY)).await;
        let evidence = evidence(&run);
        for word in words {
            assert!(evidence.contains(word), "{fail}: {evidence}");
        }
        assert_eq!(
            evidence.contains("log of pod"),
            fail == "OOMKilled",
            "only what ran has a log: {evidence}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_need_a_user_end_the_run_at_once() {
    for (fail, component) in [
        ("ErrImagePull", web(1, 1)),
        ("InvalidImageName", web(1, 1)),
        ("CreateContainerConfigError", with_environment()),
    ] {
        let mut process = Process::new(IDENTITY);
        process.limits.fail_fast = FailFast::On;
        let (run, lasted) = released(fail, component, &mut process).await;
        let reason = &run.failures()[0].reason;
        assert_eq!(*reason, format!("cannot become ready (`--fail-fast`): {fail}"));
        assert!(lasted < Duration::from_secs(10), "{fail} took {lasted:?}");
    }
}

/// Also for several components at once, whose diagnoses overlap.
#[tokio::test(start_paused = true)]
async fn a_crash_loop_ends_the_run_seconds_after_the_third_restart() {
    let cluster = TestCluster::open(pod_rules::failing("*", "CrashLoopBackOff")).await;
    let mut process = Process::new(IDENTITY);
    process.limits.fail_fast = FailFast::On;
    let components: Vec<Component> = (0..4).map(|number| component(&format!("c{number}"), 1, 1)).collect();
    let run = cluster.run(&process, &request_for(&components)).await;
    let reasons: Vec<String> = run.failures().iter().map(|failure| failure.reason.clone()).collect();
    assert_eq!(
        reasons,
        vec!["cannot become ready (`--fail-fast`): CrashLoopBackOff"; 4],
        "{}",
        run.transcript()
    );
    // The kubelet has restarted each three times after 30 seconds.
    let lasted = cluster.clock.elapsed().unsigned_abs();
    assert!(lasted < Duration::from_secs(45), "it took {lasted:?}");
}

/// Their names have a common prefix.
#[tokio::test(start_paused = true)]
async fn warnings_about_other_workloads_are_ignored() {
    let warning = |kind: &str, name: &str, reason: &str| {
        json!({"metadata": {"name": name}, "involvedObject": {"kind": kind, "name": name}, "type": "Warning",
               "reason": reason, "message": "it failed", "lastTimestamp": "2026-03-01T12:00:00Z"})
    };
    let events = json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [
        warning("Pod", "web-v1-gateway-7c9-x2x4x", "Foreign"),
        warning("ReplicaSet", "web-v1-gateway-7c9", "Foreign"),
        warning("Deployment", "web-v1-gateway", "Foreign"),
        warning("ReplicaSet", "web-v1-7c9", "FailedCreate"),
    ]});
    let mut process = Process::with(IDENTITY, move |seen| match seen.kind.as_str() {
        "events" => Fate::Verdict(Verdict::Answer(answer(200, "application/json", &events.to_string()))),
        _ => PASS,
    });
    let (run, _) = released("CrashLoopBackOff", web(1, 1), &mut process).await;
    let evidence = evidence(&run);
    assert!(evidence.contains("warning event: FailedCreate") && !evidence.contains("Foreign"), "{evidence}");
}

/// Only an event reports it, which may be outdated, so it is printed and does not fail the run.
#[tokio::test(start_paused = true)]
async fn a_failing_mount_is_reported_and_does_not_end_the_run() {
    let mut process = Process::new(IDENTITY);
    process.limits.fail_fast = FailFast::On;
    let (run, lasted) = released("FailedMount", with_volume(), &mut process).await;
    assert!(lasted >= MINUTE, "it took {lasted:?}");
    let told = diagnoses(&run);
    let mount = "ContainerCreating, FailedMount: MountVolume.SetUp failed for volume \"config\" : configmap \"app\" not found";
    assert!(told.len() == 1 && told[0].contains(mount), "{told:?}");
    let first_event_list = run.requests.iter().find(|one| one.seen.kind == "events").unwrap();
    assert!(first_event_list.at > Duration::from_secs(10), "{}", run.transcript());
}

/// Whether a request only gathers evidence.
fn is_look(seen: &RequestInfo) -> bool {
    let is_read = matches!(seen.verb, Verb::Get | Verb::List);
    is_read && ["pods", "pods/log", "events"].contains(&seen.kind.as_str())
}

#[tokio::test(start_paused = true)]
async fn unanswered_reads_do_not_delay_the_outcome() {
    let mut process =
        Process::with(IDENTITY, |seen| if is_look(seen) { Fate::Verdict(Verdict::Hang) } else { PASS });
    let (run, lasted) = released("CrashLoopBackOff", web(1, 1), &mut process).await;
    assert!(
        evidence(&run).contains("the API server did not answer every request within 10s"),
        "{}",
        run.transcript()
    );
    assert!(lasted < MINUTE + GATHERING + Duration::from_secs(1), "it took {lasted:?}");
}

/// Evidence that arrived in time is printed.
#[tokio::test(start_paused = true)]
async fn available_evidence_is_printed_if_requests_hang() {
    let mut process = Process::with(IDENTITY, |seen| {
        if seen.kind == "events" || seen.kind == "pods/log" { Fate::Verdict(Verdict::Hang) } else { PASS }
    });
    let (run, lasted) = released("CrashLoopBackOff", web(1, 1), &mut process).await;
    assert!(evidence(&run).contains("last ended: Error, exit code 1"), "{}", run.transcript());
    assert!(lasted < MINUTE + GATHERING, "it took {lasted:?}");
}
