//! Connections: to no cluster, to one that does not answer, and to one that is not trusted.

use crate::support::child::Child;
use crate::support::http_server::HttpServer;
use crate::support::test_env::{CommandOutput, TestEnv, transcript};

/// A kubeconfig whose server does not exist.
fn nobody(env: &TestEnv) {
    env.kubeconfig("server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true", "");
}

#[test]
fn without_a_cluster_hints_name_both_alternatives() {
    let env = TestEnv::new();
    insta::assert_snapshot!(transcript(&mut env.bare("status")), @"
    --- stderr
    error: no cluster is configured
    hint: specify a cluster: `--kubeconfig FILE`, the `KUBECONFIG` variable, or `~/.kube/config`
    hint: or run without one: `--sandbox` runs a Kubernetes API inside this process
    [exit 6]
    ");
    let lines =
        ["apply examples/express-server-v1.yaml", "plan examples/express-server-v1.yaml", "undo", "history"];
    for line in lines {
        let ran = CommandOutput::of(env.bare(line).output().unwrap());
        assert!(
            ran.code == Some(6) && ran.stderr.contains("`--sandbox` runs a Kubernetes API"),
            "{line}: {ran:?}"
        );
    }
    assert!(!env.path("box.json").exists(), "the sandbox is never chosen silently");
}

#[test]
fn an_unreachable_server_is_6() {
    let env = TestEnv::new();
    nobody(&env);
    let lines = ["status", "apply examples/express-server-v1.yaml", "plan examples/express-server-v1.yaml"];
    let started = lines.map(|line| Child::spawn(env.bare(&format!("{line} --kubeconfig config"))));
    for (line, child) in lines.iter().zip(started) {
        let ran = child.end();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{line}\n{}", ran.stderr);
        assert!(ran.stderr.contains("Connection refused"), "{line}\n{}", ran.stderr);
    }
}

/// kubectl reads no variables of `rollout`, and these commands need no namespace.
#[test]
fn hints_repeat_settings_from_the_environment_for_kubectl() {
    let env = TestEnv::new();
    nobody(&env);
    let mut command = env.bare("status -n shop");
    command.env("ROLLOUT_KUBECONFIG", "config").env("ROLLOUT_CONTEXT", "x");
    let ran = Child::spawn(command).end();
    ran.says("`kubectl cluster-info --context x --kubeconfig config`");
}

#[test]
fn environment_variables_replace_flags() {
    let env = TestEnv::new();
    let mut command = env.bare("status");
    command.env("ROLLOUT_REQUEST_TIMEOUT", "soon");
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let mut command = env.bare("status");
    command.env("ROLLOUT_CONTEXT", "shop").env("ROLLOUT_NAMESPACE", "").env("ROLLOUT_KUBECONFIG", "");
    command.env("ROLLOUT_REQUEST_TIMEOUT", "").env("ROLLOUT_SANDBOX", "");
    insta::assert_snapshot!(transcript(&mut command), @"
    --- stderr
    error: context `shop` not found: there is no kubeconfig
    hint: specify a cluster: `--kubeconfig FILE`, the `KUBECONFIG` variable, or `~/.kube/config`
    hint: or run without one: `--sandbox` runs a Kubernetes API inside this process
    [exit 6]
    ");
    let mut command = env.bare("apply examples/express-server-v1.yaml -o name");
    command.env("ROLLOUT_SANDBOX", "box.json").env("ROLLOUT_SANDBOX_RULES", "rules.yaml");
    command.env("ROLLOUT_NAMESPACE", "shop");
    assert_eq!(CommandOutput::of(command.output().unwrap()).stdout, "rollout/express-server\n");
    assert_eq!(env.objects("Deployment")[0]["metadata"]["namespace"], "shop");
    // A value that only `apply` has does not keep the other commands from running.
    for line in ["promote", "resume"] {
        let mut command = env.bare(line);
        command.env("ROLLOUT_SANDBOX", "box.json").env("ROLLOUT_SANDBOX_RULES", "rules.yaml");
        command.env("ROLLOUT_NAMESPACE", "shop").env("ROLLOUT_ON_FAILURE", "undo-wave");
        assert_eq!(command.output().unwrap().status.code(), Some(0), "{line}");
    }
}

#[test]
fn an_invalid_namespace_is_rejected() {
    let env = TestEnv::new();
    let mut command = env.bare("status --sandbox");
    command.args(["-n", "Shop floor"]);
    insta::assert_snapshot!(transcript(&mut command), @"
    --- stderr
    error: invalid value 'Shop floor' for '--namespace <NAME>': expected a DNS label (lower-case letters, digits and `-`, at most 63 characters)

    For more information, try '--help'.
    [exit 2]
    ");
    let config = "{apiVersion: v1, kind: Config, current-context: x,
        clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}],
        contexts: [{name: x, context: {cluster: c, user: u, namespace: ../secrets}}], users: []}";
    env.write("config", config);
    insta::assert_snapshot!(transcript(&mut env.bare("status --kubeconfig config")), @"
    --- stderr
    error: the kubeconfig's context has namespace `../secrets`: expected a DNS label (lower-case letters, digits and `-`, at most 63 characters)
    hint: choose another namespace with `--namespace`
    [exit 2]
    ");
}

#[test]
fn an_insecure_kubeconfig_is_a_warning() {
    let env = TestEnv::new();
    nobody(&env);
    let output = env.bare("status -q --kubeconfig config").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("warning: the kubeconfig disables verification"), "{text}");
}

/// As in kubectl: a host, with TLS if the kubeconfig has settings for it.
#[test]
fn a_server_without_a_scheme_is_a_host() {
    let http_server = HttpServer::open("", |_| None);
    let insecure = ", insecure-skip-tls-verify: true";
    let env = TestEnv::new();
    env.kubeconfig(&format!("server: '127.0.0.1:{}'", http_server.port), "");
    let ran = CommandOutput::of(env.bare("status --kubeconfig config").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let cases = [
        ("127.0.0.1:1", "", "no connection to the API server at `http://127.0.0.1:1`"),
        ("127.0.0.1:1", insecure, "no connection to the API server at `https://127.0.0.1:1`"),
        ("localhost:1", "", "no connection to the API server at `http://localhost:1`"),
        ("garbage.invalid", "", "the host of the API server at `http://garbage.invalid` cannot be found"),
        ("", "", "cluster `c` of the kubeconfig has no `server`"),
        (
            "ftp://k8s",
            "",
            "`server` of cluster `c` of the kubeconfig is not usable: its scheme is neither `http` nor `https`",
        ),
    ];
    let started = cases.map(|(server, more, said)| {
        let env = TestEnv::new();
        env.kubeconfig(&format!("server: '{server}'{more}"), "");
        let child = Child::spawn(env.bare("status --kubeconfig config"));
        (env, child, said)
    });
    for (_desk, child, said) in started {
        let ran = child.end_with(6);
        assert!(ran.stderr.contains(said) && ran.stderr.contains("hint: "), "{}\n{said}", ran.stderr);
    }
}

/// Every command reports the failure, the address and a hint.
#[test]
fn unexpected_responses_are_reported_with_the_address() {
    let refused = r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "message": "nope", "code": 401}"#;
    let cases: [(u16, &str, &str, &str, &str); 5] = [
        (
            401,
            "application/json",
            refused,
            "the API server at `ADDRESS` does not accept the credentials: nope",
            "check the credentials in the kubeconfig: `kubectl auth whoami",
        ),
        (
            404,
            "text/plain",
            "404 page not found\n",
            "the server at `ADDRESS` is not an API server: HTTP 404: 404 page not found",
            "check the address in the kubeconfig: `kubectl cluster-info",
        ),
        (
            200,
            "text/html",
            "<html>hello",
            "the server at `ADDRESS` is not an API server: HTTP 200",
            "check the address in the kubeconfig",
        ),
        (
            302,
            "text/plain",
            "",
            "the server at `ADDRESS` is not an API server: HTTP 302",
            "check the address in the kubeconfig",
        ),
        (
            400,
            "text/plain",
            "Client sent an HTTP request to an HTTPS server.\n",
            "HTTP 400: Client sent an HTTP request to an HTTPS server.",
            "check the address in the kubeconfig",
        ),
    ];
    for (code, kind, body, said, hint) in cases {
        let http_server = HttpServer::open("", move |_| Some((code, kind, body.to_owned())));
        let env = TestEnv::new();
        env.kubeconfig(&format!("server: '{}'", http_server.address()), "");
        let said = said.replace("ADDRESS", &http_server.address());
        for line in [
            "status",
            "history",
            "apply examples/express-server-v1.yaml",
            "plan examples/express-server-v1.yaml",
            "delete shop --yes",
        ] {
            let ran = CommandOutput::of(env.bare(&format!("{line} --kubeconfig config")).output().unwrap());
            assert_eq!(ran.code, Some(6), "{line}\n{}", ran.stderr);
            assert!(
                ran.stderr.contains(&said) && ran.stderr.contains(hint),
                "{line}\n{}\n{said}",
                ran.stderr
            );
        }
    }
}

/// If the server responds, the address is correct.
#[test]
fn a_failing_server_gets_no_hint_about_its_address() {
    let failed = r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError", "message": "no leader", "code": 500}"#;
    let http_server = HttpServer::open("", move |_| Some((500, "application/json", failed.to_owned())));
    let env = TestEnv::new();
    env.kubeconfig(&format!("server: '{}'", http_server.address()), "");
    let ran = CommandOutput::of(env.bare("status --kubeconfig config").output().unwrap());
    assert!(ran.code == Some(6) && ran.stderr.contains("no leader (HTTP 500)"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("cluster-info"), "{}", ran.stderr);
}

#[test]
fn a_kubeconfig_without_a_current_context_is_an_error() {
    let env = TestEnv::new();
    let contexts = "contexts: [{name: a, context: {cluster: c}}, {name: b, context: {cluster: c}}]";
    let file = |more: &str| {
        env.write(
            "config",
            format!("{{apiVersion: v1, kind: Config, {contexts}, clusters: [], users: []{more}}}"),
        );
    };
    // As in a pod, whose service account could be a fallback.
    let status = |flags: &str| {
        let mut command = env.bare(&format!("status {flags}"));
        command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
        command
    };
    file("");
    insta::assert_snapshot!(transcript(&mut status("--kubeconfig config")), @"
    --- stderr
    error: kubeconfig `config` has no current-context
    hint: choose one with `--context`: its contexts are `a` and `b`
    [exit 6]
    ");
    file(", current-context: ''");
    insta::assert_snapshot!(transcript(status("").env("ROLLOUT_KUBECONFIG", "config")), @"
    --- stderr
    error: kubeconfig `config` has no current-context
    hint: choose one with `--context`: its contexts are `a` and `b`
    [exit 6]
    ");
    file(", current-context: c");
    insta::assert_snapshot!(transcript(&mut status("--kubeconfig config")), @"
    --- stderr
    error: kubeconfig has no context `c`
    hint: its contexts are `a` and `b`
    [exit 6]
    ");
    insta::assert_snapshot!(transcript(&mut status("--kubeconfig config --context a")), @"
    --- stderr
    error: kubeconfig has no cluster `c`
    hint: it has no clusters
    [exit 6]
    ");
    insta::assert_snapshot!(transcript(&mut status("--kubeconfig config --context a --user nobody")), @"
    --- stderr
    error: kubeconfig has no user `nobody`
    hint: it has no users
    [exit 6]
    ");
    env.write("config", "users: [{name: x, user: {token: secret, exec: []}}]");
    insta::assert_snapshot!(transcript(&mut status("--kubeconfig config")), @"
    --- stderr
    error: file `config` is not a kubeconfig, from line 1 column 47 on
    hint: see `kubectl config view --kubeconfig config`
    [exit 6]
    ");
}

/// As in kubectl: the first file of the list with a current context determines it.
#[test]
fn an_empty_current_context_is_ignored_in_a_list_of_files() {
    let http_server = HttpServer::open("", |_| None);
    let env = TestEnv::new();
    env.kubeconfig(&format!("server: '{}'", http_server.address()), "");
    env.write("first", "{apiVersion: v1, kind: Config, current-context: ''}");
    let mut command = env.bare("status");
    // As in a pod, whose service account could be a fallback.
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
    let ran = CommandOutput::of(command.env("KUBECONFIG", "first:config").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!http_server.asked().is_empty());
}

/// As in kubectl: this is the namespace `default`.
#[test]
fn an_empty_namespace_of_a_context_is_ignored() {
    let http_server = HttpServer::open("", |_| None);
    let env = TestEnv::new();
    env.kubeconfig(&format!("server: '{}'", http_server.address()), "");
    let config = std::fs::read_to_string(env.path("config")).unwrap();
    env.write("config", config.replace("user: u}", "user: u, namespace: ''}"));
    let ran = CommandOutput::of(env.bare("status --kubeconfig config").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.says("namespace `default`");
    let job = "job examples/express-server-v1.yaml --image rollout:1 --kubeconfig config";
    let ran = CommandOutput::of(env.bare(job).output().unwrap());
    assert!(ran.code == Some(0) && ran.stdout.contains("namespace: default"), "{ran:?}");
}

type Variables = &'static [(&'static str, &'static str)];

/// As in kubectl: `NO_PROXY` is matched against the server and affects only the environment's proxy, not a
/// kubeconfig's.
#[test]
fn proxies_of_the_environment_are_used_for_matching_servers() {
    let http_server = HttpServer::open("", |_| None);
    let (here, elsewhere) = (http_server.address(), "https://k8s.invalid:6443".to_owned());
    let proxied = "no connection to the API server at `ADDRESS` through the proxy `http://127.0.0.1:1`: ";
    let direct = "the host of the API server at `ADDRESS` cannot be found";
    let cases: [(&str, &str, Variables, &str); 6] = [
        (&here, "", &[("HTTP_PROXY", "http://127.0.0.1:1")], ""),
        (&elsewhere, "", &[("HTTPS_PROXY", "127.0.0.1:1")], proxied),
        (&elsewhere, "", &[("HTTPS_PROXY", "127.0.0.1:1"), ("NO_PROXY", "127.0.0.1,10.0.0.0/8,")], proxied),
        (&elsewhere, "", &[("HTTPS_PROXY", "127.0.0.1:1"), ("NO_PROXY", "10.0.0.0/8,.invalid,")], direct),
        (&elsewhere, "", &[("https_proxy", "127.0.0.1:1"), ("no_proxy", "*")], direct),
        (&here, "http://127.0.0.1:1", &[("NO_PROXY", "*")], proxied),
    ];
    let started: Vec<_> = cases
        .into_iter()
        .map(|(server, proxy, variables, said)| {
            let env = TestEnv::new();
            env.kubeconfig(&format!("server: '{server}', proxy-url: '{proxy}'"), "");
            let mut command = env.bare("status --kubeconfig config");
            command.envs(variables.iter().copied());
            let child = Child::spawn(command);
            (env, child, said.replace("ADDRESS", server), variables)
        })
        .collect();
    for (_env, child, said, variables) in started {
        let ran = child.end();
        let code = if said.is_empty() { 0 } else { 6 };
        assert!(ran.code == Some(code) && ran.stderr.contains(&said), "{variables:?}\n{said}\n{ran:?}");
    }
}

#[test]
fn an_invalid_variable_is_reported_by_name() {
    let env = TestEnv::new();
    let with = |name: &str, value: &str, flags: &str| {
        let mut command = env.command(&format!("apply examples/express-server-v1.yaml --dry-run {flags}"));
        transcript(command.env(name, value))
    };
    insta::assert_snapshot!(with("ROLLOUT_BATCH_TIMEOUT", "soon", ""), @"
    --- stderr
    error: invalid value 'soon' for 'ROLLOUT_BATCH_TIMEOUT': expected a duration such as `90s`, `10m` or `1h30m`

    For more information, try '--help'.
    [exit 2]
    ");
    insta::assert_snapshot!(with("ROLLOUT_COLOR", "blue", ""), @"
    --- stderr
    error: invalid value 'blue' for 'ROLLOUT_COLOR'
      [possible values: auto, always, never]

    For more information, try '--help'.
    [exit 2]
    ");
    insta::assert_snapshot!(with("ROLLOUT_FAIL_FAST", "maybe", ""), @"
    --- stderr
    error: invalid value 'maybe' for 'ROLLOUT_FAIL_FAST': expected `1`, `true`, `yes` or `on`, or `0`, `false`, `no` or `off`

    For more information, try '--help'.
    [exit 2]
    ");
    insta::assert_snapshot!(with("ROLLOUT_BATCH_TIMEOUT", "soon", "--batch-timeout later"), @"
    --- stderr
    error: invalid value 'later' for '--batch-timeout <DURATION>': expected a duration such as `90s`, `10m` or `1h30m`

    For more information, try '--help'.
    [exit 2]
    ");
    for value in ["0", "1", "true", "false", "yes", "no", "on", "off"] {
        let said = with("ROLLOUT_FAIL_FAST", value, "");
        assert!(said.ends_with("[exit 0]"), "{value}: {said}");
    }
}
