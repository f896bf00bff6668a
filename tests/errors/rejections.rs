//! Permanent rejections by the server: the failure reports them, nothing is left half done, and the run can be resumed.

use bytes::Bytes;
use http::Response;
use rollout::driver::outcome::FailureKind::{self, Denied, Refused};
use rollout::sandbox::fault::{RequestInfo, Verb, Verdict};

use crate::support::fault::{Fate, PASS, status};
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;
use crate::support::scenarios;

fn forbidden() -> Response<Bytes> {
    status(403, "Forbidden", "deployments.apps is forbidden: User \"ci\" cannot do that")
}

fn invalid() -> Response<Bytes> {
    status(422, "Invalid", "Deployment.apps \"web-v2\" is invalid: spec.template: Invalid value")
}

/// etcd's size limit, as returned by the API server.
fn too_large() -> Response<Bytes> {
    status(500, "", "etcdserver: request is too large")
}

/// The API server's own limit.
fn too_long() -> Response<Bytes> {
    status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
}

/// A message longer than a page, as if every field of a large object were invalid.
fn invalid_at_length() -> Response<Bytes> {
    status(
        422,
        "Invalid",
        &format!("Deployment.apps \"web-v2\" is invalid: {}", "spec: wrong; ".repeat(10_000)),
    )
}

fn not_implemented() -> Response<Bytes> {
    status(501, "", "the storage takes no such object")
}

fn refusing(answer: fn() -> Response<Bytes>, is_such: fn(&RequestInfo) -> bool) -> Process {
    Process::with(
        IDENTITY,
        move |seen| {
            if is_such(seen) { Fate::Verdict(Verdict::Answer(answer())) } else { PASS }
        },
    )
}

async fn fails(
    scenario: &str,
    answer: fn() -> Response<Bytes>,
    is_such: fn(&RequestInfo) -> bool,
    kind: FailureKind,
) {
    let scenario = scenarios::named(scenario);
    let reference = scenario.reference().await;
    let scene = scenario.open().await;
    let sizes = scene.cluster.sizes();
    let run = scenario.run(&scene, &refusing(answer, is_such)).await;
    let failures = run.failures();
    assert_eq!(failures.iter().map(|one| one.kind).collect::<Vec<_>>(), [kind], "{}", run.transcript());
    let said = String::from_utf8(answer().into_body().to_vec()).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(failures[0].reason.contains(message), "{}", run.transcript());
    assert_eq!(scene.cluster.sizes(), sizes, "sizes have changed\n{}", run.transcript());
    let refused = run.requests.iter().filter(|request| is_such(&request.seen)).count();
    assert_eq!(refused, 1, "it was asked again\n{}", run.transcript());
    if kind == Denied {
        assert_eq!(scene.cluster.record("web").unwrap()["run"]["outcome"], "Failed", "{}", run.transcript());
    }
    scenario.complete(&scene, &[&run], &reference).await;
}

fn makes(kind: &str, seen: &RequestInfo) -> bool {
    seen.verb == Verb::Create && seen.kind == kind
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_may_not_be_created() {
    fails("first_release", forbidden, |seen| makes("leases", seen), Refused).await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_may_not_be_recorded() {
    fails("upgrade", forbidden, |seen| makes("controllerrevisions", seen), Denied).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_may_not_be_created() {
    fails("first_release", forbidden, |seen| makes("configmaps", seen), Refused).await;
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_may_not_be_created() {
    fails("upgrade", forbidden, |seen| makes("deployments", seen), Denied).await;
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_the_server_finds_invalid() {
    for answer in [invalid, invalid_at_length] {
        fails("upgrade", answer, |seen| makes("deployments", seen), Denied).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_may_not_be_created() {
    fails("exposed", forbidden, |seen| makes("services", seen), Refused).await;
}

/// A server error that a retry cannot fix is not an outage.
#[tokio::test(start_paused = true)]
async fn an_object_that_the_server_never_accepts() {
    for answer in [too_large, too_long, not_implemented] {
        for kind in ["controllerrevisions", "deployments"] {
            let is_such = match kind {
                "deployments" => |seen: &RequestInfo| makes("deployments", seen),
                _ => |seen: &RequestInfo| makes("controllerrevisions", seen),
            };
            fails("upgrade", answer, is_such, Denied).await;
        }
    }
}
