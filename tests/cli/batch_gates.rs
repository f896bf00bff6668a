//! Gates between batches, over real HTTP and with real commands.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::support::test_env::TestEnv;

/// A received request: its head, and its body.
type Arrived = (String, String);

/// A server that responds to each request by its path, for the duration of the test.
fn serve(answer: fn(&str) -> (u16, String)) -> (String, Arc<Mutex<Vec<Arrived>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&arrived);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ").map(|length| length.parse().unwrap())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let (status, text) = answer(head.split(' ').nth(1).unwrap_or_default());
            kept.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
            let length = text.len();
            // The client may close the connection before reading the whole response.
            drop(write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
            ));
        }
    });
    (address, arrived)
}

/// `web` in a version, with three pods in two batches and these gates.
fn gated(version: u32, gates: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n    - name: web\n      \
         type: webservice\n      properties: {{image: 'web:{version}'}}\n      traits:\n        - type: rollout\n          \
         properties:\n            targetSize: 3\n            rolloutBatches: [{{replicas: 1}}, {{replicas: 2}}]\n            {gates}\n"
    )
}

const ERRORS: &str = "analysis: [{name: errors, successCondition: result < 1, failureCondition: result > 2, \
     provider: {exec: {command: [cat, errors.json]}}}]";

/// The sizes of the workloads, by name.
fn sizes(env: &TestEnv) -> Vec<(String, u64)> {
    let size = |one: &Value| {
        (one["metadata"]["name"].as_str().unwrap().to_owned(), one["spec"]["replicas"].as_u64().unwrap())
    };
    env.objects("Deployment").iter().map(size).collect()
}

#[test]
fn a_value_that_turns_bad_is_rolled_back() {
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ERRORS));
    env.run_to("apply app.yaml", 4).says("`--trust-gates`");
    env.write("errors.json", "0.5");
    env.run_ok("apply app.yaml --trust-gates")
        .says("metric `errors` after batch 1 of 2: 0.5, 1 of 1: Successful");

    env.write("app.yaml", gated(2, ERRORS));
    let planned = env.run_ok("plan app.yaml");
    assert_eq!(planned.stdout.matches("measure `errors`").count(), 2, "{}", planned.stdout);
    planned.says("`apply` needs `--trust-gates`");
    for trusting in ["plan app.yaml --trust-gates", "apply app.yaml --trust-gates --dry-run=client"] {
        let ran = env.run_ok(trusting);
        assert!(!ran.stderr.contains("--trust-gates"), "{trusting}\n{}", ran.stderr);
    }
    env.write("errors.json", "2.5");
    env.run_to("apply app.yaml --trust-gates --on-failure undo", 3)
        .says(
            "failed: after batch 1 of 2, metric `errors` was 2.5, expected `result < 1` and not `result > 2`",
        )
        .says("rollback to `web-v1`");
    assert_eq!(sizes(&env), [("web-v1".to_owned(), 3)]);
}

#[test]
fn an_inconclusive_value_holds_the_run_for_a_user() {
    let env = TestEnv::new();
    env.write("errors.json", "0");
    env.write("app.yaml", gated(1, ERRORS));
    env.run_ok("apply app.yaml --trust-gates");
    env.write("errors.json", "1.5");
    env.write("app.yaml", gated(2, ERRORS));
    env.run_ok("apply app.yaml --trust-gates")
        .says("held: after batch 1 of 2, metric `errors` was inconclusive: 1.5")
        .says("rollout promote web --sandbox=box.json --trust-gates`");
    assert_eq!(sizes(&env), [("web-v1".to_owned(), 2), ("web-v2".to_owned(), 1)]);
    env.write("errors.json", "0");
    env.run_ok("promote web --trust-gates").says("web: done: 3 of 3 upgraded, 3 ready");
    assert_eq!(sizes(&env), [("web-v2".to_owned(), 3)]);
}

/// A window on the day that is `days` days from now, in UTC. `when_closed` sets what a run does while it is closed.
fn window(days: i64, when_closed: &str) -> String {
    let now = rollout::cluster::clock::Clock::system().now();
    let day = (now + jiff::SignedDuration::from_hours(24 * days)).strftime("%a");
    format!("window: {{days: [{day}], from: \"00:00\", to: \"24:00\", zone: UTC, whenClosed: {when_closed}}}")
}

#[test]
fn a_plan_ends_where_a_closed_window_holds_the_run() {
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", gated(2, &window(3, "hold")));
    let plan = env.run_ok("plan app.yaml").stdout;
    let (_, steps) = plan.split_once("BATCH ").unwrap();
    let words: Vec<&str> = steps.split_whitespace().collect();
    let rows = "STEP TARGET SOURCE TOTAL 1/2 create `web-v2` 0 3 3 1/2 hold 0 3 3 held before batch 1 of 2, the window \
                is closed until";
    assert!(words.join(" ").starts_with(rows), "{plan}");
    assert!(plan.ends_with("UTC; at most 3 replicas at a time\n\n"), "{plan}");
    env.run_ok("apply app.yaml").says("held: before batch 1 of 2, the window is closed until");
    // After the promotion, the run is held before the next batch.
    let promoted = env.run_ok("promote web --dry-run=client").stdout;
    assert!(promoted.contains("\n  held before batch 2 of 2, the window is closed until"), "{promoted}");
    env.run_ok("promote web").says("held: before batch 2 of 2, the window is closed until");
    env.write("app.yaml", gated(2, &window(3, "wait")));
    assert!(env.run_ok("plan app.yaml").stdout.contains("runs to completion, deleting `web-v1`"));
}

#[test]
fn a_run_that_waits_too_long_for_its_window_says_when_it_opens() {
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", gated(2, &window(3, "wait")));
    let ran = env.run_to("apply app.yaml --timeout 1s", 3);
    ran.says("not passed after 1s (`--timeout`): the window, which opens at ")
        .says(" UTC, before batch 1 of 2");
    assert!(!ran.stderr.contains("kubectl"), "{}", ran.stderr);
    // It is not a gate that a user passes.
    env.run_to("promote web --full --timeout 1s", 3).says("the window, which opens at ");
}

#[test]
fn a_plan_shows_the_pods_at_a_gate_as_they_are_then() {
    let env = TestEnv::new();
    let in_place =
        |version: u32, gates: &str| gated(version, gates).replace("webservice", "cloneset-service");
    env.write("app.yaml", in_place(1, ""));
    env.run_ok("apply app.yaml");
    let hooks = "rolloutWebhooks: [{type: pre-batch-rollout, name: check, url: 'http://hooks.invalid/'}]";
    env.write("app.yaml", in_place(2, hooks));
    let plan = env.run_ok("plan app.yaml").stdout;
    let rows: Vec<String> =
        plan.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in ["1/2 call hook `check` 0 3 3", "2/2 call hook `check` 1 2 3"] {
        assert!(rows.iter().any(|one| one == row), "{row}\n{plan}");
    }
    assert!(plan.contains("\n  runs to completion; at most 3 replicas at a time\n"), "{plan}");
}

#[test]
fn what_gates_need_on_this_machine_is_looked_up_before_the_run() {
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    let rate = |provider: &str| {
        format!("analysis: [{{name: rate, successCondition: result < 1, provider: {{{provider}}}}}]")
    };
    let header = |source: &str| {
        rate(&format!(
            "web: {{url: 'http://x.invalid/', headers: [{{key: X-Key, valueFrom: {{{source}}}}}]}}"
        ))
    };
    let hook = "rolloutWebhooks: [{type: pre-batch-rollout, name: check, url: 'http://x.invalid/', \
                headers: [{key: X-Key, valueFrom: {env: ROLLOUT_UNSET}}]}]";
    let unset = "header `X-Key`: variable `ROLLOUT_UNSET` is not set";
    let cases = [
        (header("env: ROLLOUT_UNSET"), format!("metric `rate`: {unset}")),
        (hook.to_owned(), format!("hook `check`: {unset}")),
        (header("file: absent"), "metric `rate`: header `X-Key`: `absent` cannot be read: ".to_owned()),
        (
            rate("exec: {command: [./absent]}"),
            "metric `rate`: `./absent` is not an executable file".to_owned(),
        ),
    ];
    for (gates, reason) in cases {
        env.write("app.yaml", gated(2, &gates));
        let before = env.bytes();
        for command in ["plan", "apply", "apply --dry-run=client"] {
            env.run_to(&format!("{command} app.yaml --trust-gates"), 4).says(&reason);
        }
        env.run_to("plan app.yaml --trust-gates", 4).says(&format!("component `web`: {reason}"));
        assert_eq!(env.bytes(), before);
        assert!(!env.run_ok("plan app.yaml").stderr.contains(&reason));
    }
}

#[test]
fn a_promotion_looks_up_what_the_gates_to_come_need() {
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    let gates = "batchPartition: 0\n            \
        rolloutWebhooks: [{type: finalize-rollout, name: end, url: 'http://x.invalid/', \
        headers: [{key: X-Key, valueFrom: {file: token}}]}]";
    env.write("app.yaml", gated(2, gates));
    // The hook is called after the batch that holds the run, perhaps on another machine.
    env.run_ok("apply app.yaml --trust-gates").says("web: held after batch 1 of 2");
    for command in ["promote web", "promote web --full", "promote web --dry-run=client"] {
        env.run_to(&format!("{command} --trust-gates"), 4)
            .says("hook `end`: header `X-Key`: `token` cannot be read");
    }
    env.run_ok("pause web");
    env.run_ok("resume web --trust-gates").says("held after batch 1 of 2");
    assert_eq!(sizes(&env), [("web-v1".to_owned(), 2), ("web-v2".to_owned(), 1)]);
}

#[test]
fn a_plan_shows_the_pods_before_the_first_step() {
    let hooks = "rolloutWebhooks: [{type: initialize-rollout, name: check, url: 'http://hooks.invalid/'}]";
    let row = |env: &TestEnv| {
        let plan = env.run_ok("plan app.yaml").stdout;
        let row =
            plan.lines().find(|line| line.contains("call hook `check`")).unwrap_or_else(|| panic!("{plan}"));
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let in_place =
        |version: u32, gates: &str| gated(version, gates).replace("webservice", "cloneset-service");
    let env = TestEnv::new();
    env.write("app.yaml", in_place(1, ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", in_place(2, hooks));
    assert_eq!(row(&env), "1/2 call hook `check` 0 3 3");
    // A canary whose size changes is a new run.
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", gated(2, "batchPartition: 0"));
    env.run_ok("apply app.yaml");
    let smaller = gated(2, hooks).replace("targetSize: 3", "targetSize: 2");
    env.write(
        "app.yaml",
        smaller.replace("[{replicas: 1}, {replicas: 2}]", "[{replicas: 1}, {replicas: 1}]"),
    );
    assert_eq!(row(&env), "1/2 call hook `check` 1 2 3");
}

#[test]
fn an_invalid_query_is_rejected_before_the_run() {
    let (address, _) = serve(|path| {
        let error = "1:17: parse error: unclosed left parenthesis";
        let malformed = json!({"status": "error", "errorType": "bad_data", "error": error});
        let is_asked = path == "/api/v1/format_query?query=sum%28rate%28x%5B1m%5D%29";
        if is_asked { (400, malformed.to_string()) } else { (204, String::new()) }
    });
    let env = TestEnv::new();
    let gates = |address: &str| {
        let provider = format!("{{prometheus: {{address: '{address}', query: 'sum(rate(x[1m])'}}}}");
        format!("analysis: [{{name: errors, successCondition: 'result[0] < 1', provider: {provider}}}]")
    };
    env.write("app.yaml", gated(1, &gates(&address)));
    let reason =
        "the query of metric `errors` cannot be parsed: 1:17: parse error: unclosed left parenthesis";
    env.run_to("plan app.yaml", 4).says(reason);
    env.run_to("apply app.yaml", 4).says(reason);
    env.run_to("status web", 4);
    env.write("app.yaml", gated(1, &gates("http://127.0.0.1:1")));
    env.run_ok("plan app.yaml").says("component `web`: the query of metric `errors` is not checked: ");
}

#[test]
fn hooks_and_prometheus_are_called_over_http() {
    let (address, arrived) = serve(|path| {
        let result = json!({"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.25"]}]});
        let body = json!({"status": "success", "data": result}).to_string();
        if path.starts_with("/api/v1/query") { (200, body) } else { (204, String::new()) }
    });
    let env = TestEnv::new();
    let hook = format!(
        "{{type: pre-batch-rollout, name: check, url: '{address}/check?a=b', expectedStatus: [204], metadata: {{team: tea}}}}"
    );
    let metric = format!(
        "{{name: rate, metricsRange: {{min: 0.2, max: 0.3}}, provider: {{prometheus: {{address: '{address}', query: 'rate(x{{r=\"{{{{revision}}}}\"}}[1m])'}}}}}}"
    );
    env.write("app.yaml", gated(1, &format!("rolloutWebhooks: [{hook}]\n            analysis: [{metric}]")));
    env.run_ok("apply app.yaml").says("metric `rate` after batch 2 of 2: 0.25, 1 of 1: Successful");
    let arrived = arrived.lock().unwrap();
    let firsts: Vec<&str> = arrived.iter().map(|(head, _)| head.lines().next().unwrap()).collect();
    let query = "GET /api/v1/query?query=rate%28x%7Br%3D%22web%2Dv1%22%7D%5B1m%5D%29 HTTP/1.1";
    let call = "POST /check?a=b HTTP/1.1";
    let parse = "GET /api/v1/format_query?query=rate%28x%7Br%3D%22x%22%7D%5B1m%5D%29 HTTP/1.1";
    assert_eq!(firsts, [parse, call, query, call, query]);
    let (head, body) = &arrived[1];
    assert!(head.to_lowercase().contains("\r\nidempotency-key: shop/web/"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let wanted = json!({"name": "web", "namespace": "default", "phase": "batchInitializing", "metadata": {"team": "tea"}});
    assert_eq!(body, wanted);
}

#[test]
fn a_secret_is_read_from_the_environment_and_never_printed() {
    let (address, arrived) = serve(|_| (200, "7".to_owned()));
    let env = TestEnv::new();
    let header = "headers: [{key: Authorization, valueFrom: {file: token}}]";
    let metric = format!(
        "{{name: rate, successCondition: result == 7, provider: {{web: {{url: '{address}/', {header}}}}}}}"
    );
    env.write("app.yaml", gated(1, &format!("analysis: [{metric}]")));
    env.write("token", "Bearer hush-hush\n");
    let output = env.run_ok("apply app.yaml --trust-gates -o ndjson");
    assert!(arrived.lock().unwrap()[0].0.contains("Bearer hush-hush\r\n"));
    let kept = env.bytes();
    assert!(!output.stdout.contains("hush") && !output.stderr.contains("hush") && !kept.contains("hush"));
    let measured = output.stdout.lines().filter(|line| line.contains("\"event\":\"measured\""));
    assert_eq!(measured.count(), 2);
}

#[test]
fn a_deletion_sends_headers_from_variables_only_if_gates_are_trusted() {
    let (address, arrived) = serve(|_| (200, String::new()));
    let hooks = format!(
        "rolloutWebhooks: [{{type: finalize-rollout, name: end, url: '{address}/end', \
         headers: [{{key: X-Home, valueFrom: {{env: HOME}}}}]}}]"
    );
    for (flag, calls) in [("", 0), (" --trust-gates", 1)] {
        let env = TestEnv::new();
        env.write("app.yaml", gated(1, ""));
        env.run_ok("apply app.yaml");
        env.write("app.yaml", gated(2, &format!("batchPartition: 0\n            {hooks}")));
        env.run_ok("apply app.yaml --trust-gates");
        let deleted = env.run_ok(&format!("delete shop --yes{flag}"));
        assert_eq!(arrived.lock().unwrap().len(), calls, "{flag}");
        if calls == 0 {
            deleted
                .says("hook `end` was not called: it sends the variable `HOME`, and gates are not trusted");
        }
    }
    let arrived = arrived.lock().unwrap();
    assert!(arrived[0].0.to_lowercase().contains("x-home: "), "{}", arrived[0].0);
}

#[test]
fn a_gate_after_a_batch_is_reported_in_that_batch() {
    let (address, _) = serve(|_| (403, String::new()));
    let hooks = format!("rolloutWebhooks: [{{type: post-batch-rollout, name: post, url: '{address}/'}}]");
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", gated(2, &hooks));
    env.run_to("apply app.yaml --batch-timeout 1s", 3).says("failed in batch 1 of 2: not passed after 1s");
    let status: Value = serde_json::from_str(&env.run_ok("status web -o json").stdout).unwrap();
    assert_eq!(status["items"][0]["currentBatch"], 0, "{status}");
}

/// Four attempts, as in the original.
#[test]
fn a_failing_hook_is_called_four_times() {
    let (address, arrived) = serve(|_| (503, String::new()));
    let hooks = format!("rolloutWebhooks: [{{type: finalize-rollout, name: end, url: '{address}/end'}}]");
    let env = TestEnv::new();
    env.write("app.yaml", gated(1, ""));
    env.run_ok("apply app.yaml");
    env.write("app.yaml", gated(2, &format!("batchPartition: 0\n            {hooks}")));
    env.run_ok("apply app.yaml");
    env.run_ok("delete shop --yes").says("hook `end` answered with status 503");
    assert_eq!(arrived.lock().unwrap().len(), 4);
}

#[test]
fn large_responses_are_accepted_from_hooks_only() {
    let (address, _) = serve(|_| (200, "1".repeat(2 * 1024 * 1024)));
    let env = TestEnv::new();
    let hook = format!("rolloutWebhooks: [{{type: initialize-rollout, name: check, url: '{address}/'}}]");
    env.write("app.yaml", gated(1, &hook));
    env.run_ok("apply app.yaml");
    let metric = format!(
        "{{name: rate, successCondition: result == 7, consecutiveErrorLimit: 0, provider: {{web: {{url: '{address}/'}}}}}}"
    );
    env.write("app.yaml", gated(2, &format!("analysis: [{metric}]")));
    env.run_to("apply app.yaml", 3).says("its answer is larger than 1 MiB");
}

#[test]
fn a_rehearsal_uses_injected_answers() {
    let env = TestEnv::new();
    env.write("errors.json", "0");
    let gates = format!(
        "soak: 1h\n            rolloutWebhooks: [{{type: pre-batch-rollout, name: check, url: 'http://hooks.invalid/'}}]\n            {}",
        ERRORS.replace("name: errors", "name: errors, interval: 1h, count: 2")
    );
    env.write("app.yaml", gated(1, ERRORS));
    env.run_ok("apply app.yaml --trust-gates");
    env.write("app.yaml", gated(2, &gates));
    let before = env.bytes();
    let rehearsal = "rehearse app.yaml --inject metric/errors=0.5,0.5,0.5,2.5 --inject hook/check=200";
    env.run_to(&format!("{rehearsal} --on-failure undo"), 3)
        .says("of the gates of component `web`, these are not rehearsed: soak times;")
        .says("metric `errors` after batch 1 of 2: 0.5, 2 of 2: Successful")
        .says("failed: after batch 2 of 2, metric `errors` was 2.5")
        .says("rollback to `web-v1`");
    env.run_ok("rehearse app.yaml --inject metric/errors=0,1.5 --inject hook/check=200")
        .says("held: after batch 1 of 2, metric `errors` was inconclusive: 1.5");
    env.run_to("rehearse app.yaml --inject hook/check=403 --batch-timeout 1s", 3)
        .says("hook `check`, which answers with status 403, before batch 1 of 2");
    env.run_to("rehearse app.yaml --inject metric/error=1", 2)
        .says("`--inject metric/error=…`: there is no metric `error`: expected `errors`");
    assert_eq!(env.bytes(), before);
}
