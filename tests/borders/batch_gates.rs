//! The gates between batches: results of hooks and metrics, and runs that die at a gate.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use jiff::ToSpan as _;
use rollout::driver::context::{GateTrust, OnFailure};
use rollout::driver::outcome::{ComponentOutcome, FailureKind, GateCause, HoldPoint};
use rollout::probe::ProbeRequest;
use rollout::report::event::EventKind;
use rollout::sandbox::fault::Verb;

use crate::hooks::{HOOKS, calls};
use crate::support::command::Command;
use crate::support::fault::{Fate, PASS};
use crate::support::manifest::{Component, request_for, web};
use crate::support::pod_rules;
use crate::support::probe::{ScriptedProbe, answer, never};
use crate::support::process::{Process, Run};
use crate::support::scenario::IDENTITY;
use crate::support::test_cluster::TestCluster;

pub(crate) const METRIC: &str = "analysis: [{name: errors, interval: 10s, count: 2, successCondition: result < 1, \
     failureCondition: result > 2, provider: {exec: {command: [errors, '{{revision}}', '{{source}}', '{{batch}}']}}}]";

/// Four pods in two batches, with these gates.
pub(crate) fn gated(version: u32, gates: &str) -> Component {
    web(version, 4).batches(&["1", "3"]).rollout(gates)
}

pub(crate) fn process(probe: &Rc<ScriptedProbe>) -> Process {
    let mut process = Process::new(IDENTITY);
    process.probe = probe.clone();
    process
}

/// A probe that returns these values in order, the last one repeatedly.
fn values(values: &'static [&'static str]) -> Rc<ScriptedProbe> {
    let next = Cell::new(0);
    ScriptedProbe::new(move |_| {
        let at = next.replace(next.get() + 1);
        answer(0, values[at.min(values.len() - 1)])
    })
}

pub(crate) fn commands(probe: &ScriptedProbe) -> Vec<Vec<String>> {
    let command = |question| match question {
        ProbeRequest::Exec { command } => Some(command),
        ProbeRequest::Http { .. } => None,
    };
    probe.asked().into_iter().filter_map(command).collect()
}

pub(crate) async fn open() -> TestCluster {
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[web(1, 4)]).await;
    cluster
}

pub(crate) fn sizes(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bad_value_stops_the_run_between_batches_and_a_rerun_measures_again() {
    let cluster = open().await;
    let probe = values(&["0", "3"]);
    let run = cluster.run(&process(&probe), &request_for(&[gated(2, METRIC)])).await;
    let failures = run.failures();
    assert_eq!(failures[0].kind, FailureKind::GateFailed, "{}", run.transcript());
    assert!(
        failures[0].reason.starts_with("after batch 1 of 2, metric `errors` was 3"),
        "{}",
        failures[0].reason
    );
    assert_eq!(cluster.sizes(), sizes(&[("web-v1", 3), ("web-v2", 1)]));
    assert_eq!(commands(&probe)[0], ["errors", "web-v2", "web-v1", "1"]);
    let record = cluster.record("web").unwrap();
    assert_eq!(record["run"]["outcome"], "Failed");
    assert_eq!(record["run"]["gates"]["results"][0]["phase"], "Failed");
    assert_eq!(record["run"]["gates"]["results"][0]["values"], serde_json::json!(["0", "3"]));

    let probe = ScriptedProbe::good();
    cluster.run(&process(&probe), &request_for(&[gated(2, METRIC)])).await.succeeded();
    assert_eq!(cluster.sizes(), sizes(&[("web-v2", 4)]));
    assert_eq!(commands(&probe).len(), 4);
    // If there is nothing to do, no gate is called.
    cluster.run(&process(&probe), &request_for(&[gated(2, METRIC)])).await.succeeded();
    assert_eq!(commands(&probe).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_bad_value_rolls_the_run_back_if_requested() {
    let cluster = open().await;
    let probe = values(&["3"]);
    let mut process = process(&probe);
    process.limits.on_failure = OnFailure::Undo;
    let run = cluster.run(&process, &request_for(&[gated(2, METRIC)])).await;
    assert_eq!(run.failures()[0].kind, FailureKind::GateFailed, "{}", run.transcript());
    assert_eq!(cluster.sizes(), sizes(&[("web-v1", 4)]));
    // The rollback is not measured.
    assert_eq!(commands(&probe).len(), 1);
    assert_eq!(cluster.record("web").unwrap()["run"]["purpose"], "Abort");
}

#[tokio::test(start_paused = true)]
async fn an_inconclusive_value_holds_the_run_until_it_is_promoted() {
    let cluster = open().await;
    let held = |run: &Run| {
        let ends = run.ends.as_ref().unwrap();
        matches!(&ends[0].1, ComponentOutcome::Held { at: HoldPoint::Gate { cause: GateCause::Inconclusive { metric }, .. } } if metric == "errors")
    };
    // A rerun measures again.
    for _ in 0..2 {
        let run = cluster.run(&process(&values(&["1.5"])), &request_for(&[gated(2, METRIC)])).await;
        assert!(held(&run), "{}", run.transcript());
        assert_eq!(cluster.sizes(), sizes(&[("web-v1", 3), ("web-v2", 1)]));
        assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], "Held");
    }
    let probe = ScriptedProbe::good();
    let promoted = cluster
        .perform(&process(&probe), async |context| Command::Promote.perform_all(context).await)
        .await
        .succeeded();
    assert_eq!(cluster.sizes(), sizes(&[("web-v2", 4)]), "{}", promoted.transcript());
    // Only the later batch is measured.
    let batches: Vec<String> = commands(&probe).into_iter().map(|command| command[3].clone()).collect();
    assert_eq!(batches, ["2", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_past_a_metric_still_calls_the_later_hooks() {
    let cluster = open().await;
    let component = || gated(2, METRIC).rollout(HOOKS);
    cluster.run(&process(&values(&["1.5"])), &request_for(&[component()])).await;
    let probe = ScriptedProbe::good();
    let promote = async |context: &_| Command::Promote.perform_all(context).await;
    // The promotion dies before it calls a hook; the gate that it passed stays passed.
    let mut first = Process::with(IDENTITY, |seen| {
        let is_scaling = seen.verb == Verb::Patch && seen.name.as_deref() == Some("web-v2");
        if is_scaling && seen.kind == "deployments" { Fate::DeathBefore } else { PASS }
    });
    first.probe = probe.clone();
    let died = cluster.perform(&first, promote).await;
    assert!(died.ends.is_none(), "it did not die\n{}", died.transcript());
    cluster.perform(&process(&probe), promote).await.succeeded();
    let paths: Vec<String> = calls(&probe).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["after", "before", "after", "end"]);
    let batches: Vec<String> = commands(&probe).into_iter().map(|command| command[3].clone()).collect();
    assert_eq!(batches, ["2", "2"], "the metric is measured again");
}

#[tokio::test(start_paused = true)]
async fn a_closed_window_holds_the_run_if_requested() {
    let cluster = open().await;
    let in_two_days = cluster.clock.now() + 48.hours();
    let day = in_two_days.strftime("%a");
    let window =
        format!("window: {{days: [{day}], from: \"00:00\", to: \"24:00\", zone: UTC, whenClosed: hold}}");
    let component = || gated(2, HOOKS).rollout(&window);
    let probe = ScriptedProbe::good();
    let run = cluster.run(&process(&probe), &request_for(&[component()])).await;
    let held = run.ends.as_ref().map(|ends| ends[0].1.clone());
    let Some(ComponentOutcome::Held { at: HoldPoint::Gate { cause: GateCause::Closed, reason } }) = held
    else {
        panic!("{}", run.transcript())
    };
    assert!(reason.starts_with("before batch 1 of 2, the window is closed until "), "{reason}");
    assert_eq!((calls(&probe).len(), cluster.sizes()), (1, sizes(&[("web-v1", 4), ("web-v2", 0)])));
    // A promotion passes the window of one batch, and the later hooks are called.
    let promote = async |context: &_| Command::Promote.perform_all(context).await;
    let promoted = cluster.perform(&process(&probe), promote).await;
    assert_eq!(cluster.sizes(), sizes(&[("web-v1", 3), ("web-v2", 1)]), "{}", promoted.transcript());
    cluster.clock.pause(Duration::from_secs(48 * 3600)).await;
    cluster.run(&process(&probe), &request_for(&[component()])).await.succeeded();
    let paths: Vec<String> = calls(&probe).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["start", "before", "after", "before", "after", "end"]);
}

/// A run that ends at its first gate, before the target has a pod, is continued without its manifest.
#[tokio::test(start_paused = true)]
async fn a_run_that_ends_at_its_first_gate_can_be_continued() {
    for kind in ["webservice", "statefulset", "cloneset-service"] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 4).of(kind)]).await;
        let in_two_days = cluster.clock.now() + 48.hours();
        let day = in_two_days.strftime("%a");
        let window =
            format!("window: {{days: [{day}], from: \"00:00\", to: \"24:00\", zone: UTC, whenClosed: hold}}");
        let closed = gated(2, &window).of(kind);
        let run = cluster.run(&Process::new(IDENTITY), &request_for(&[closed])).await;
        assert!(matches!(gate_of(&run), HoldPoint::Gate { .. }), "{}", run.transcript());
        let run = Command::Promote.run(&cluster, &Process::new(IDENTITY)).await.succeeded();
        let words = "before batch 2 of 2, the window is closed";
        let is_next =
            |at: HoldPoint| matches!(at, HoldPoint::Gate { reason, .. } if reason.starts_with(words));
        assert!(is_next(gate_of(&run)), "{}", run.transcript());

        let refused = ScriptedProbe::new(|_| answer(409, ""));
        let run = cluster.run(&process(&refused), &request_for(&[gated(3, HOOKS).of(kind)])).await;
        assert_eq!(run.failures()[0].kind, FailureKind::GateFailed, "{}", run.transcript());
        Command::Resume.run(&cluster, &Process::new(IDENTITY)).await.succeeded();
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_is_compared_with_its_source() {
    const COMPARED: &str = "analysis: [{name: errors, baselineRange: {max: 2}, provider: {exec: {command: [errors, \
         '{{revision}}']}}}]";
    let cluster = open().await;
    let probe = |of_target: &'static str| {
        ScriptedProbe::new(move |question| match question {
            ProbeRequest::Exec { command } if command[1] == "web-v1" => answer(0, "0.1"),
            _ => answer(0, of_target),
        })
    };
    let bad = probe("0.21");
    let run = cluster.run(&process(&bad), &request_for(&[gated(2, COMPARED)])).await;
    let reason = &run.failures()[0].reason;
    assert_eq!(
        reason,
        "after batch 1 of 2, metric `errors` was 0.21 (2.1 × source), expected at most 2 × source"
    );
    let good = probe("0.2");
    cluster.run(&process(&good), &request_for(&[gated(2, COMPARED)])).await.succeeded();
    let asked: Vec<String> = commands(&good).into_iter().map(|command| command[1].clone()).collect();
    // After the last batch, there is no source to compare with.
    assert_eq!(asked, ["web-v2", "web-v1", "web-v2"]);
}

#[tokio::test(start_paused = true)]
async fn a_metric_without_values_fails_the_run_after_its_limit() {
    let cluster = open().await;
    let probe = ScriptedProbe::new(|_| answer(1, ""));
    let run = cluster.run(&process(&probe), &request_for(&[gated(2, METRIC)])).await;
    let failures = run.failures();
    assert_eq!(failures[0].kind, FailureKind::GateFailed, "{}", run.transcript());
    assert!(failures[0].reason.contains("metric `errors` could not be measured"), "{}", failures[0].reason);
    assert_eq!(commands(&probe).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_to_stay_ready_for_its_soak_time() {
    let cluster = open().await;
    let began = cluster.clock.elapsed();
    let run = cluster.run(&Process::new(IDENTITY), &request_for(&[gated(2, "soak: 15m")])).await.succeeded();
    let took = (cluster.clock.elapsed() - began).unsigned_abs();
    assert!(took >= Duration::from_secs(30 * 60), "{took:?}: {}", run.transcript());
    assert_eq!(cluster.sizes(), sizes(&[("web-v2", 4)]));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_becomes_unready_restarts_the_soak_time() {
    let cluster = open().await;
    let process = Process::new(IDENTITY);
    let request = request_for(&[gated(2, "soak: 10m")]);
    let began = cluster.clock.elapsed();
    let disturb = async {
        process.heard(1, |what| matches!(what, EventKind::Waiting { on, .. } if on.contains("soak"))).await;
        cluster.clock.pause(Duration::from_secs(9 * 60)).await;
        cluster.set_pod_rules(pod_rules::failing("web:2", "CrashLoopBackOff"));
        cluster.clock.pause(Duration::from_secs(60)).await;
        cluster.set_pod_rules(pod_rules::READY);
    };
    let (run, ()) = tokio::join!(cluster.run(&process, &request), disturb);
    let took = (cluster.clock.elapsed() - began).unsigned_abs();
    assert!(run.is_success(), "{}", run.transcript());
    assert!(took >= Duration::from_secs((9 + 10 + 10) * 60), "{took:?}: {}", run.transcript());
}

#[tokio::test(start_paused = true)]
async fn a_rollback_calls_no_gates() {
    let cluster = open().await;
    let probe = ScriptedProbe::good();
    cluster.run(&process(&probe), &request_for(&[gated(2, METRIC)])).await.succeeded();
    let asked = probe.asked().len();
    cluster
        .perform(&process(&probe), async |context| Command::Undo.perform_all(context).await)
        .await
        .succeeded();
    assert_eq!((probe.asked().len(), cluster.sizes()), (asked, sizes(&[("web-v1", 4)])));
}

#[tokio::test(start_paused = true)]
async fn gates_with_local_access_are_rejected_unless_trusted() {
    let cluster = open().await;
    let secret = "rolloutWebhooks: [{type: pre-batch-rollout, name: before, url: 'http://hooks/before', \
         headers: [{key: Authorization, valueFrom: {env: TOKEN}}]}]";
    for (gates, words) in [
        (METRIC, "metric `errors` runs the command `errors` on this machine"),
        (secret, "hook `before` sends the variable `TOKEN` on this machine"),
    ] {
        let probe = ScriptedProbe::good();
        let mut process = process(&probe);
        process.limits.gates = GateTrust::Untrusted;
        let run = cluster.run(&process, &request_for(&[gated(2, gates)])).await;
        let failures = run.failures();
        assert_eq!(failures[0].kind, FailureKind::Refused, "{}", run.transcript());
        assert_eq!(failures[0].reason, words);
        assert!(run.effects().is_empty() && probe.asked().is_empty(), "{}", run.transcript());
    }
}

/// A failed gate stays due, regardless of the batches of the rerun.
#[tokio::test(start_paused = true)]
async fn other_batches_do_not_pass_a_gate() {
    const WINDOW: &str =
        "window: {days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun], from: '00:00', to: '24:00', zone: UTC}";
    let cluster = open().await;
    let gated = |batches: &[&str]| web(2, 4).batches(batches).rollout(METRIC).rollout(WINDOW);
    let bad = values(&["3"]);
    assert!(!cluster.run(&process(&bad), &request_for(&[gated(&["1", "3"])])).await.is_success());
    let run = cluster.run(&process(&bad), &request_for(&[gated(&["1", "1", "2"])])).await;
    assert!(!run.is_success(), "{}", run.transcript());
    assert_eq!(cluster.sizes(), sizes(&[("web-v1", 3), ("web-v2", 1)]));
    cluster.run(&process(&values(&["0"])), &request_for(&[gated(&["1", "1", "2"])])).await.succeeded();
    assert_eq!(cluster.sizes(), sizes(&[("web-v2", 4)]));
}

/// Nothing is observed during a pause, so the soak time restarts after it.
#[tokio::test(start_paused = true)]
async fn a_pause_does_not_count_at_a_gate() {
    let cluster = open().await;
    let (process, jane) = (Process::new(IDENTITY), Process::new("jane"));
    let request = request_for(&[gated(2, "soak: 10m")]);
    let began = cluster.clock.elapsed();
    let pause = async {
        process.heard(1, |what| matches!(what, EventKind::Waiting { on, .. } if on.contains("soak"))).await;
        Command::Pause.run(&cluster, &jane).await.succeeded();
        cluster.clock.pause(Duration::from_secs(9 * 60)).await;
        Command::Resume.run(&cluster, &jane).await
    };
    let (run, _) = tokio::join!(cluster.run(&process, &request), pause);
    let took = (cluster.clock.elapsed() - began).unsigned_abs();
    assert!(took >= Duration::from_secs((9 + 10 + 10) * 60), "{took:?}: {}", run.transcript());
}

/// A user with write access to the run record adds a gate that runs a command.
#[tokio::test(start_paused = true)]
async fn a_gate_that_is_added_to_the_record_is_not_trusted() {
    let cluster = open().await;
    let probe = ScriptedProbe::good();
    let mut process = process(&probe);
    process.limits.gates = GateTrust::Untrusted;
    let tamper = async {
        process.heard(1, |what| matches!(what, EventKind::Waiting { on, .. } if on.contains("soak"))).await;
        let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
            kube::Api::default_namespaced(cluster.client());
        let mut map = maps.get("rollout-web").await.unwrap();
        let mut record = cluster.record("web").unwrap();
        record["run"]["spec"]["gates"]["metrics"] = serde_json::json!([{
            "name": "errors", "intervalSeconds": 1, "count": 1, "consecutiveErrorLimit": 4,
            "provider": {"exec": {"command": ["errors"]}},
        }]);
        map.data.as_mut().unwrap().insert("record".to_owned(), record.to_string());
        maps.replace("rollout-web", &kube::api::PostParams::default(), &map).await.unwrap();
    };
    let request = request_for(&[gated(2, "soak: 10m")]);
    let (run, ()) = tokio::join!(cluster.run(&process, &request), tamper);
    assert_eq!(run.failures()[0].kind, FailureKind::GateFailed, "{}", run.transcript());
    let wanted = "metric `errors` runs the command `errors` on this machine, as the run record asks since it was changed";
    assert_eq!(run.failures()[0].reason, wanted);
    assert!(probe.asked().is_empty());
}

/// An inconclusive value is measured again, even if the run would be held after the batch.
#[tokio::test(start_paused = true)]
async fn an_inconclusive_value_before_a_partition_is_measured_again() {
    let cluster = open().await;
    let component = || gated(2, METRIC).partition(0);
    let run = cluster.run(&process(&values(&["1.5"])), &request_for(&[component()])).await.succeeded();
    assert!(matches!(gate_of(&run), HoldPoint::Gate { .. }), "{}", run.transcript());
    let probe = values(&["0"]);
    let run = cluster.run(&process(&probe), &request_for(&[component()])).await.succeeded();
    assert_eq!(commands(&probe).len(), 2, "{}", run.transcript());
    assert!(matches!(gate_of(&run), HoldPoint::Batch(0)), "{}", run.transcript());
    let run = cluster.run(&process(&probe), &request_for(&[component()])).await.succeeded();
    assert!(run.writes().is_empty(), "{}", run.transcript());
}

fn gate_of(run: &Run) -> HoldPoint {
    match run.ends.as_deref() {
        Some([(_, ComponentOutcome::Held { at })]) => at.clone(),
        other => panic!("{other:?}"),
    }
}

/// A hook or provider that does not answer delays no deadline, and is reported as the cause.
#[tokio::test(start_paused = true)]
async fn a_gate_that_does_not_answer_delays_no_deadline() {
    let hook = "rolloutWebhooks: [{type: post-batch-rollout, name: slow, url: 'http://hooks/slow'}]";
    let (run_limit, batch_limit) = (Duration::from_secs(12), Duration::from_secs(14));
    for (gates, [run, batch], wanted) in [
        (hook, [run_limit, Duration::ZERO], "not passed after 12s (`--timeout`): hook `slow`"),
        (METRIC, [run_limit, Duration::ZERO], "not passed after 12s (`--timeout`): measurements of `errors`"),
        (
            hook,
            [Duration::ZERO, batch_limit],
            "not passed after 14s (`--batch-timeout`): hook `slow`, which cannot be reached (no answer after 10s),",
        ),
        (
            hook,
            [Duration::ZERO, Duration::from_secs(9)],
            "not passed after 9s (`--batch-timeout`): hook `slow`, which does not answer,",
        ),
    ] {
        let cluster = open().await;
        let mut process = process(&ScriptedProbe::new(|_| never()));
        (process.limits.run, process.limits.batch) = (run, batch);
        let began = cluster.clock.elapsed();
        let run = cluster.run(&process, &request_for(&[gated(2, gates)])).await;
        let took = (cluster.clock.elapsed() - began).unsigned_abs();
        let reason = &run.failures()[0].reason;
        assert!(reason.starts_with(wanted) && reason.ends_with(" after batch 1 of 2"), "{reason}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        let is_notice = |what: &EventKind| matches!(what, EventKind::Waiting { on, .. } if on.ends_with(" after batch 1 of 2"));
        assert!(run.events.iter().any(|event| is_notice(&event.what)), "it waits in silence: {wanted}");
        let is_of_first = |what: &EventKind| matches!(what, EventKind::Failed { progress: Some(progress), .. } if progress.batch == 0);
        assert!(run.events.iter().any(|event| is_of_first(&event.what)), "{}", run.transcript());
    }
}

/// A pause or another run does not wait for the response to a call.
#[tokio::test(start_paused = true)]
async fn a_gate_that_does_not_answer_delays_no_other_command() {
    const SLOW: &str = "rolloutWebhooks: [{type: post-batch-rollout, name: slow, url: 'http://hooks/slow'}]";
    for gates in [SLOW, METRIC] {
        for command in [Command::Pause, Command::Abort] {
            let cluster = open().await;
            let (process, jane) = (process(&ScriptedProbe::new(|_| never())), Process::new("jane"));
            let request = request_for(&[gated(2, gates)]);
            let interfere = async {
                process.heard(1, |what| matches!(what, EventKind::BatchReady { .. })).await;
                cluster.clock.pause(Duration::from_secs(1)).await;
                let began = cluster.clock.elapsed();
                command.run(&cluster, &jane).await.succeeded();
                if command == Command::Pause {
                    assert_eq!(cluster.record("web").unwrap()["run"]["outcome"], "Paused");
                    assert!((cluster.clock.elapsed() - began).unsigned_abs() < Duration::from_secs(2));
                    process
                        .heard(
                            1,
                            |what| matches!(what, EventKind::Paused { progress, .. } if progress.batch == 0),
                        )
                        .await;
                    process.stopper.stop();
                }
                began
            };
            let work = async {
                let run = cluster.run(&process, &request).await;
                (run, cluster.clock.elapsed())
            };
            let ((run, ended), began) = tokio::join!(work, interfere);
            let kind =
                if command == Command::Pause { FailureKind::Interrupted } else { FailureKind::Superseded };
            assert_eq!(run.failures()[0].kind, kind, "{}", run.transcript());
            assert!((ended - began).unsigned_abs() < Duration::from_secs(5), "{}", run.transcript());
        }
    }
}
