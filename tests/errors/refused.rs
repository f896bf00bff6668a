//! What the server refuses for good: the failure says so, nothing is half done, and it can be taken up again.

use bytes::Bytes;
use http::Response;
use rollout::driver::outcome::FailureKind;
use rollout::sandbox::fault::{Seen, Verb, Verdict};

use crate::common::fault::{Fate, PASS, status};
use crate::common::process::Process;
use crate::common::scenario::{IDENTITY, Story};
use crate::common::stories;

fn forbidden() -> Response<Bytes> {
    status(403, "Forbidden", "deployments.apps is forbidden: User \"ci\" cannot do that")
}

fn invalid() -> Response<Bytes> {
    status(422, "Invalid", "Deployment.apps \"web-v2\" is invalid: spec.template: Invalid value")
}

fn refusing(answer: fn() -> Response<Bytes>, is_such: fn(&Seen) -> bool) -> Process {
    Process::with(
        IDENTITY,
        move |seen| {
            if is_such(seen) { Fate::Verdict(Verdict::Answer(answer())) } else { PASS }
        },
    )
}

async fn fails(story: Story, answer: fn() -> Response<Bytes>, is_such: fn(&Seen) -> bool, kind: FailureKind) {
    let reference = story.reference().await;
    let scene = story.open().await;
    let sizes = scene.stage.sizes();
    let run = story.run(&scene, &refusing(answer, is_such)).await;
    let failures = run.failures();
    assert_eq!(failures.iter().map(|one| one.kind).collect::<Vec<_>>(), [kind], "{}", run.story());
    let said = String::from_utf8(answer().into_body().to_vec()).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(failures[0].reason.contains(message), "{}", run.story());
    assert_eq!(scene.stage.sizes(), sizes, "sizes have changed\n{}", run.story());
    let refused = run.requests.iter().filter(|request| is_such(&request.seen)).count();
    assert_eq!(refused, 1, "it was asked again\n{}", run.story());
    story.complete(&scene, &[&run], &reference).await;
}

fn makes(kind: &str, seen: &Seen) -> bool {
    seen.verb == Verb::Create && seen.kind == kind
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_may_not_be_made() {
    fails(stories::first_release(), forbidden, |seen| makes("leases", seen), FailureKind::Refused).await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_may_not_be_recorded() {
    fails(stories::upgrade(), forbidden, |seen| makes("controllerrevisions", seen), FailureKind::Denied)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_may_not_be_made() {
    fails(stories::first_release(), forbidden, |seen| makes("configmaps", seen), FailureKind::Refused).await;
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_may_not_be_made() {
    fails(stories::upgrade(), forbidden, |seen| makes("deployments", seen), FailureKind::Denied).await;
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_the_server_finds_wrong() {
    fails(stories::upgrade(), invalid, |seen| makes("deployments", seen), FailureKind::Denied).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_may_not_be_made() {
    fails(stories::exposed(), forbidden, |seen| makes("services", seen), FailureKind::Denied).await;
}
