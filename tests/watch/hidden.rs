//! What no watch has told is seen before a run says that it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rollout::sandbox::fault::{Verb, Verdict, WatchFault};
use serde_json::{Value, json};

use crate::common::fault::{Fate, PASS, page};
use crate::common::hold::Hold;
use crate::common::manifest::request_for;
use crate::common::process::Process;
use crate::common::scenario::IDENTITY;
use crate::common::stage::Stage;
use crate::common::stories;

async fn patch(stage: &Stage, change: Value) {
    let api: Api<Deployment> = Api::default_namespaced(stage.client());
    api.patch("web-v2", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

/// Somebody takes a pod from the target while the last source is being deleted, and no watch works by then.
#[tokio::test(start_paused = true)]
async fn a_size_taken_away_at_the_end_is_given_back() {
    let story = stories::upgrade();
    let scene = story.open().await;
    let stage = &scene.stage;
    let is_blind = Arc::new(AtomicBool::new(false));
    let blind = is_blind.clone();
    let process = Process::with(IDENTITY, move |seen| {
        if seen.verb != Verb::Watch || seen.kind != "deployments" {
            return PASS;
        }
        if blind.load(Ordering::Relaxed) {
            return Fate::Verdict(Verdict::Answer(page(503)));
        }
        Fate::Verdict(Verdict::Watch(WatchFault::CloseAfter(1)))
    });
    let delete = Hold::of_answer(|request| request.method() == "DELETE");
    let manifest = request_for(&story.manifest);
    let (run, ()) = tokio::join!(
        process.apply(stage.held_client(&process, delete.clone()), &stage.clock, &manifest),
        async {
            delete.reached().await;
            is_blind.store(true, Ordering::Relaxed);
            // The one event that an open watch still tells.
            patch(stage, json!({"metadata": {"labels": {"somebody": "was-here"}}})).await;
            stage.clock.pause(Duration::from_millis(10)).await;
            patch(stage, json!({"spec": {"replicas": 4}})).await;
            stage.clock.pause(Duration::from_millis(10)).await;
            delete.let_go();
        }
    );
    is_blind.store(false, Ordering::Relaxed);
    assert!(run.is_well(), "{}", run.story());
    assert_eq!(stage.sizes(), [("web-v2".to_owned(), 5)], "{}", run.story());
}
