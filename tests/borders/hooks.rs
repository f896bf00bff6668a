//! The hooks of a run: their order, and runs whose hooks refuse.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollout::driver::outcome::FailureKind;
use rollout::oam::batch_gates::{Header, HeaderValue};
use rollout::probe::ProbeRequest;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::{RequestInfo, Verb};

use crate::batch_gates::{METRIC, commands, gated, open, process, sizes};
use crate::support::command::Command;
use crate::support::fault::{Fate, PASS};
use crate::support::manifest::{request_for, web};
use crate::support::probe::{ScriptedProbe, answer};
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

pub(crate) const HOOKS: &str = "rolloutWebhooks: [{type: initialize-rollout, name: start, url: 'http://hooks/start'}, \
     {type: pre-batch-rollout, name: before, url: 'http://hooks/before'}, \
     {type: post-batch-rollout, name: after, url: 'http://hooks/after'}, \
     {type: finalize-rollout, name: end, url: 'http://hooks/end'}]";

/// The key of a call.
fn key(headers: &[Header]) -> String {
    match &headers[0].value {
        HeaderValue::Text(key) => key.clone(),
        other => panic!("{other:?}"),
    }
}

/// Path and key of each call of a hook.
pub(crate) fn calls(probe: &ScriptedProbe) -> Vec<(String, String)> {
    let call = |question| match question {
        ProbeRequest::Http { url, headers, .. } => {
            Some((url.trim_start_matches("http://hooks/").to_owned(), key(&headers)))
        }
        ProbeRequest::Exec { .. } => None,
    };
    probe.asked().into_iter().filter_map(call).collect()
}

#[tokio::test(start_paused = true)]
async fn hooks_are_called_in_order_and_retried_if_they_refuse() {
    let cluster = open().await;
    let tries = Cell::new(0);
    let probe = ScriptedProbe::new(move |question| match question {
        ProbeRequest::Http { url, .. } if url.ends_with("before") && tries.replace(tries.get() + 1) < 2 => {
            answer(409, "")
        }
        _ => answer(200, ""),
    });
    let began = cluster.clock.elapsed();
    let run = cluster.run(&process(&probe), &request_for(&[gated(2, HOOKS)])).await.succeeded();
    let calls = calls(&probe);
    let paths: Vec<&str> = calls.iter().map(|(path, _)| path.as_str()).collect();
    let wanted = ["start", "before", "before", "before", "after", "before", "after", "end"];
    assert_eq!(paths, wanted, "{}", run.transcript());
    // The attempts of a call share its key, and different calls have different keys.
    let keys: BTreeSet<&String> = calls.iter().map(|(_, key)| key).collect();
    assert_eq!((keys.len(), &calls[1].1), (6, &calls[3].1));
    assert!((cluster.clock.elapsed() - began).unsigned_abs() >= Duration::from_secs(10));
    let waits = run.events.iter().filter(|event| {
        matches!(&event.what, EventKind::Waiting { on, .. } if on.contains("answers with status 409"))
    });
    assert_eq!(waits.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_always_refuses_fails_the_run_and_the_final_hook_is_called() {
    let cluster = open().await;
    for (refusal, words) in [(answer(409, ""), "status 409"), (answer(503, ""), "status 503")] {
        let probe = ScriptedProbe::new(move |question| match question {
            ProbeRequest::Http { url, .. } if url.ends_with("start") => refusal.clone(),
            _ => answer(200, ""),
        });
        let run = cluster.run(&process(&probe), &request_for(&[gated(2, HOOKS)])).await;
        let failures = run.failures();
        assert_eq!(failures[0].kind, FailureKind::GateFailed, "{}", run.transcript());
        assert!(failures[0].reason.contains(words), "{}", failures[0].reason);
        assert!(failures[0].reason.contains("(`--batch-timeout`)"), "{}", failures[0].reason);
        assert_eq!(cluster.sizes(), sizes(&[("web-v1", 4)]), "nothing has changed");
        let last = probe.asked().pop().unwrap();
        let ProbeRequest::Http { url, body: Some(body), .. } = last else { panic!("{last:?}") };
        assert!(url.ends_with("end") && body.contains("rolloutFailing"), "{url} {body}");
    }
}

/// The phases of the final hook's calls, each with the start of the run from its key.
fn ends(probe: &ScriptedProbe) -> Vec<(String, String)> {
    let call = |question| match question {
        ProbeRequest::Http { url, headers, body: Some(body), .. } if url.ends_with("end") => {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            Some((
                body["phase"].as_str().unwrap().to_owned(),
                key(&headers).split('/').nth(2).unwrap().to_owned(),
            ))
        }
        ProbeRequest::Http { .. } | ProbeRequest::Exec { .. } => None,
    };
    probe.asked().into_iter().filter_map(call).collect()
}

/// A run that is held after its first batch, and when it started.
async fn held(cluster: &TestCluster) -> String {
    let component = gated(2, HOOKS).partition(0);
    cluster.run(&process(&ScriptedProbe::good()), &request_for(&[component])).await;
    assert_eq!(cluster.sizes(), sizes(&[("web-v1", 3), ("web-v2", 1)]));
    cluster.record("web").unwrap()["run"]["started"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_final_hook_is_called_for_a_replaced_run() {
    for command in [Command::Abort, Command::Undo, Command::Delete] {
        let cluster = open().await;
        let started = held(&cluster).await;
        let probe = ScriptedProbe::good();
        let run = command.run(&cluster, &process(&probe)).await.succeeded();
        let phase = match command {
            Command::Delete => "RolloutDeletingState",
            _ => "rolloutAbandoning",
        };
        assert_eq!(ends(&probe), [(phase.to_owned(), started)], "{command:?}\n{}", run.transcript());
    }
    let cluster = open().await;
    let started = held(&cluster).await;
    let probe = ScriptedProbe::good();
    cluster.run(&process(&probe), &request_for(&[gated(3, HOOKS)])).await.succeeded();
    let ends = ends(&probe);
    assert_eq!(ends[0], ("rolloutAbandoning".to_owned(), started));
    assert_eq!((ends.len(), ends[1].0.as_str()), (2, "finalising"));
}

#[tokio::test(start_paused = true)]
async fn the_final_hook_is_called_once_for_a_resumed_run() {
    let cluster = open().await;
    held(&cluster).await;
    let probe = ScriptedProbe::good();
    cluster.run(&process(&probe), &request_for(&[gated(2, HOOKS)])).await.succeeded();
    cluster.run(&process(&probe), &request_for(&[web(3, 4)])).await.succeeded();
    let phases: Vec<String> = ends(&probe).into_iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, ["finalising"]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_does_not_answer_delays_no_rollback() {
    let cluster = open().await;
    held(&cluster).await;
    let began = cluster.clock.elapsed();
    let process = process(&ScriptedProbe::new(|_| answer(503, "")));
    let run = Command::Abort.run(&cluster, &process).await.succeeded();
    assert_eq!(cluster.sizes(), sizes(&[("web-v1", 4)]));
    assert!((cluster.clock.elapsed() - began).unsigned_abs() < Duration::from_secs(60));
    let is_warning = |what: &EventKind| {
        matches!(what, EventKind::Warned { message }
            if message == "hook `end` answered with status 503")
    };
    assert!(run.events.iter().any(|event| is_warning(&event.what)), "{}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn the_final_hook_is_called_again_after_a_death_before_the_record() {
    let cluster = open().await;
    let started = held(&cluster).await;
    let probe = ScriptedProbe::good();
    let claims = |seen: &RequestInfo| seen.verb == Verb::Patch && seen.name.as_deref() == Some("rollout-web");
    let mut first = Process::with(IDENTITY, move |seen| if claims(seen) { Fate::DeathBefore } else { PASS });
    first.probe = probe.clone();
    let run = Command::Abort.run(&cluster, &first).await;
    assert!(run.ends.is_none(), "it did not die\n{}", run.transcript());
    Command::Abort.run(&cluster, &process(&probe)).await.succeeded();
    let call = ("rolloutAbandoning".to_owned(), started);
    assert_eq!(ends(&probe), [call.clone(), call]);
}

#[tokio::test(start_paused = true)]
async fn passed_gates_are_not_called_again_after_a_death() {
    let cluster = open().await;
    let is_second_batch = |seen: &RequestInfo| {
        seen.verb == Verb::Patch && seen.name.as_deref() == Some("web-v2") && seen.kind == "deployments"
    };
    let probe = ScriptedProbe::good();
    let scalings = AtomicUsize::new(0);
    let mut first = Process::with(IDENTITY, move |seen| {
        let count = usize::from(is_second_batch(seen));
        let before = scalings.fetch_add(count, Ordering::Relaxed);
        // The target is stamped or scaled for the first batch, then for the second.
        if count == 1 && before == 1 { Fate::DeathBefore } else { PASS }
    });
    first.probe = probe.clone();
    let component = || web(2, 4).batches(&["1", "3"]).rollout(HOOKS).rollout(METRIC);
    let run = cluster.run(&first, &request_for(&[component()])).await;
    assert!(run.ends.is_none(), "it did not die\n{}", run.transcript());
    assert_eq!(commands(&probe).len(), 2);
    cluster.run(&process(&probe), &request_for(&[component()])).await.succeeded();
    assert_eq!(commands(&probe).len(), 4);
    let paths: Vec<String> = calls(&probe).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["start", "before", "after", "before", "after", "end"]);
}
