//! No secret is printed: a word in every place for credentials appears in no output, regardless of failures.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use rustix::process::Signal;

use crate::support::child::Child;
use crate::support::http_server::{Answer, HttpServer, ReceivedRequest};
use crate::support::manifest::shop;
use crate::support::pod_rules;
use crate::support::test_env::{CommandOutput, TestEnv};

/// The word in every secret of these tests.
const CANARY: &str = "canary";
/// The word in base64, and a part of the key below.
const OTHER_FORMS: [&str; 2] = ["Y2FuYXJ5", "nV+941ohWi3Tzw3r"];

/// A key that is used nowhere else.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnV+941ohWi3Tzw3r
UG6HO41UWyhgX6o6r1/4V3P0PAOhRANCAARLGltckyj4rV9jeJQiR7x6U2ZEtlAK
ylYWbdr1+no7KCtVU9ePMmlgTvp+hkz2zX9DaWcJSVgi+iGuM92DdSus
-----END PRIVATE KEY-----
";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUOcWKlqd8XpkMr1Rw4iZHgWMApiMwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGdGVzdGVyMCAXDTI2MTEyODE4MzA1MloYDzIxMjYxMTA0MTgz
MDUyWjARMQ8wDQYDVQQDDAZ0ZXN0ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARLGltckyj4rV9jeJQiR7x6U2ZEtlAKylYWbdr1+no7KCtVU9ePMmlgTvp+hkz2
zX9DaWcJSVgi+iGuM92DdSuso1MwUTAdBgNVHQ4EFgQURt7aC/0DaXKs0Nig0OA5
gl84CBkwHwYDVR0jBBgwFoAURt7aC/0DaXKs0Nig0OA5gl84CBkwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiALMK9gMIk/VDxzbloA4paZCpsbDy+F
mUe6oZP87BoN1wIhAMJcsCuVDHAWmNuoXPh5x59GDCKOd1Mf1EVlzjr8IX+j
-----END CERTIFICATE-----
";

/// A credential plugin that gets and prints secrets; `end` is the end of its script. Its program is a link to the
/// shell, because a program that was just written cannot be executed while a child of another test holds it open.
fn plugin(env: &TestEnv, end: &str) -> String {
    let script = env.path("script");
    fs::write(&script, format!("echo canary-stderr >&2\n{end}\n")).unwrap();
    symlink("/bin/sh", env.path("plugin")).unwrap();
    format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [{}, canary-arg],
       env: [{{name: KEY, value: canary-env}}], interactiveMode: IfAvailable}}",
        script.display()
    )
}

/// Prints a token that is valid for ever or, with a time, until then.
fn token(expires: &str) -> String {
    format!(
        r#"echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "canary-token"{expires}}}}}'"#
    )
}

/// A directory with a kubeconfig and two manifests.
fn env(cluster: &str, user: impl FnOnce(&TestEnv) -> String) -> TestEnv {
    let env = TestEnv::new();
    env.write("key.pem", KEY);
    env.write("cert.pem", CERTIFICATE);
    env.write("token", "canary-token\n");
    let user = user(&env);
    env.kubeconfig(cluster, &user);
    for (file, image) in [("v1", "registry.example/web:1"), ("v2", "registry.example/web:2")] {
        env.write(&format!("{file}.yaml"), shop(file, image));
    }
    env
}

fn assert_silent(line: &str, ran: &CommandOutput) {
    for text in [&ran.stdout, &ran.stderr] {
        for form in OTHER_FORMS.into_iter().chain([CANARY]) {
            assert!(!text.contains(form), "rollout {line}\n{text}");
        }
        assert!(!text.contains("defect"), "rollout {line}\n{text}");
    }
}

fn run(env: &TestEnv, line: &str) -> CommandOutput {
    let ran = Child::spawn(env.bare(&format!("{line} --kubeconfig config"))).end();
    assert_silent(line, &ran);
    ran
}

/// A user, and the credentials that the server receives.
type User = (&'static str, fn(&TestEnv) -> String);

#[test]
fn secrets_in_inputs_are_not_printed() {
    let users: [User; 6] = [
        ("Bearer canary-token", |_| "token: canary-token".to_owned()),
        ("Bearer canary-token", |_| "tokenFile: token".to_owned()),
        ("Bearer canary-token", |env| plugin(env, &token(""))),
        ("Bearer canary-token", |env| {
            plugin(env, &token(r#", "expirationTimestamp": "2020-01-01T00:00:00Z""#))
        }),
        ("Basic amFuZTpjYW5hcnktcGFzc3dvcmQ=", |_| "username: jane, password: canary-password".to_owned()),
        ("", |_| "client-certificate: cert.pem, client-key: key.pem".to_owned()),
    ];
    let in_address = ("Basic amFuZTpjYW5hcnktcGFzc3dvcmQ=", "jane:canary-password@");
    thread::scope(|scope| {
        for (sent, user) in users {
            scope.spawn(move || lives("", sent, user));
        }
        scope.spawn(move || lives(in_address.1, in_address.0, |_| String::new()));
    });
}

/// Runs every command with `--verbose`.
fn lives(login: &str, sent: &str, user: fn(&TestEnv) -> String) {
    let http_server = HttpServer::open(pod_rules::READY, |_| None);
    let env = env(&format!("server: 'http://{login}127.0.0.1:{}'", http_server.port), user);
    let lines = [
        "apply v1.yaml -v",
        "apply v2.yaml --partition 0 -vv -o ndjson",
        "status -v",
        "status -o json -v",
        "history web -v",
        "plan v1.yaml -v",
        "rehearse v2.yaml -v",
        "promote web --full -v",
        "scale web --replicas 2 -v",
        "undo web -v",
        "delete web --yes -v",
    ];
    for line in lines {
        let ran = run(&env, line);
        assert_eq!(ran.code, Some(0), "rollout {line}\n{}", ran.stderr);
        assert!(ran.stderr.contains(" 200 after "), "rollout {line}\n{}", ran.stderr);
    }
    let authorization = |asked: &ReceivedRequest| {
        asked.headers.get("authorization").map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    let asked = http_server.asked();
    assert!(asked.iter().all(|asked| authorization(asked) == sent), "{sent}");
    assert!(asked.iter().all(|asked| !asked.uri.path().contains("/secrets")), "nobody's secrets are read");
}

/// A server that always sends this response.
fn answering(code: u16, kind: &'static str, text: &'static str) -> String {
    let http_server = HttpServer::open(pod_rules::READY, move |_| -> Option<Answer> {
        Some((code, kind, text.to_owned()))
    });
    http_server.address()
}

const REFUSED: &str = r#"{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "message": "nope", "code": 401}"#;

#[test]
fn secrets_in_errors_are_not_printed() {
    let nobody = || "http://127.0.0.1:1".to_owned();
    let server = |address: String| format!("server: '{address}'");
    let sends = |_: &TestEnv| "token: canary-token".to_owned();
    type Case<'a> = (&'a str, String, Box<dyn FnOnce(&TestEnv) -> String + Send>);
    let cases: Vec<Case<'_>> = vec![
        (
            "credential plugin `plugin` failed with exit status: 7",
            server(nobody()),
            Box::new(|env| plugin(env, "echo canary-stdout; exit 7")),
        ),
        (
            "credential plugin `plugin` returned an unusable response",
            server(nobody()),
            Box::new(|env| plugin(env, "echo 'status: [canary-stdout'")),
        ),
        (
            "credential plugin `plugin` returned an unusable response",
            server(nobody()),
            Box::new(|env| plugin(env, &token(r#", "expirationTimestamp": "canary""#))),
        ),
        (
            "credential plugin `no-such-plugin` cannot be run",
            server(nobody()),
            Box::new(|_| "exec: {command: no-such-plugin, args: [canary]}".to_owned()),
        ),
        (
            "does not accept the credentials: nope",
            server(answering(401, "application/json", REFUSED)),
            Box::new(sends),
        ),
        ("HTTP 200", server(answering(200, "text/html", "<html>canary")), Box::new(sends)),
        ("an HTML page (HTTP 502)", server(answering(502, "text/html", "<html>canary")), Box::new(sends)),
        ("Connection refused", server(nobody()), Box::new(sends)),
        (
            "Connection refused",
            server("http://jane:canary-password@127.0.0.1:1".to_owned()),
            Box::new(|_| String::new()),
        ),
        (
            "no.such.host.invalid` cannot be found",
            server("http://no.such.host.invalid".to_owned()),
            Box::new(sends),
        ),
        (
            "no connection to the API server at `https://127.0.0.1:",
            server(answering(200, "text/plain", "").replace("http:", "https:")),
            Box::new(sends),
        ),
        (
            "`token` of the kubeconfig contains invalid characters",
            server(nobody()),
            Box::new(|_| r#"token: "canary-token\n""#.to_owned()),
        ),
        (
            "the client certificate of the kubeconfig, or its key, is not valid PEM",
            server(nobody()),
            Box::new(|_| {
                // The line break is missing.
                let key = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tY2FuYXJ5";
                format!("client-certificate: cert.pem, client-key-data: {key}")
            }),
        ),
        (
            "`client-key-data` of the kubeconfig is not base64",
            server(nobody()),
            Box::new(|_| "client-certificate: cert.pem, client-key-data: '%canary'".to_owned()),
        ),
        (
            "no connection to the API server at `http://10.0.0.1`",
            "server: 'http://10.0.0.1', proxy-url: 'http://jane:canary-password@127.0.0.1:1'".to_owned(),
            Box::new(sends),
        ),
        (
            "`proxy-url` of the kubeconfig is not usable",
            "server: 'http://10.0.0.1', proxy-url: 'ftp://jane:canary-password@127.0.0.1:1'".to_owned(),
            Box::new(sends),
        ),
        (
            "`server` of cluster `c` of the kubeconfig is not usable: its scheme is neither `http` nor `https`",
            server("ftp://jane:canary-password@127.0.0.1".to_owned()),
            Box::new(sends),
        ),
        (
            "config` is not a kubeconfig",
            server(nobody()),
            Box::new(|_| "token: canary-token, exec: canary".to_owned()),
        ),
        (
            "config` is not a kubeconfig",
            server(nobody()),
            Box::new(|_| "token: \"canary-token\n\" : [".to_owned()),
        ),
    ];
    thread::scope(|scope| {
        for (said, cluster, user) in cases {
            scope.spawn(move || {
                let env = env(&cluster, user);
                for line in
                    ["status", "status -v", "apply v1.yaml -v", "plan v1.yaml", "delete shop --yes -vv"]
                {
                    let ran = run(&env, line);
                    assert_eq!(ran.code, Some(6), "rollout {line}\n{}", ran.stderr);
                    assert!(ran.stderr.contains(said), "rollout {line}\n{}\n{said}", ran.stderr);
                }
            });
        }
    });
}

/// The common case: a single sign-on session that expires during a run.
#[test]
fn credentials_that_expire_during_a_run_are_reported() {
    let http_server = HttpServer::open(&pod_rules::ready_after("1h"), |_| None);
    let until = r#", "expirationTimestamp": "2020-01-01T00:00:00Z""#;
    for (number, flags) in ["", "-v"].into_iter().enumerate() {
        let env = env(&format!("server: 'http://127.0.0.1:{}'", http_server.port), |env| {
            // Valid until the file exists.
            plugin(env, &format!("test -e expired && echo canary-stdout && exit 7\n{}", token(until)))
        });
        let line = format!("apply v1.yaml -n shop{number} --kubeconfig config {flags}");
        let mut child = Child::spawn(env.bare(&line));
        child.until("batch 1 of 2");
        env.write("expired", "");
        child.until("credential plugin `plugin` failed with exit status: 7").signal(Signal::INT);
        let ran = child.end();
        assert_silent(&line, &ran);
    }
}

/// The log of a program may contain values from a Secret.
#[test]
fn logs_can_be_omitted() {
    let env = TestEnv::new();
    let manifest = shop("v1", "registry.example/web:1").replace(
        "image: registry.example/web:1",
        "image: registry.example/web:1\n        env: [{name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}]",
    );
    assert!(manifest.contains("secretKeyRef"));
    env.write("v1.yaml", manifest);
    let log: Vec<String> = (0..300).map(|line| format!("{line} canary-log")).collect();
    env.pods(format!("- {{image: '*', fail: CrashLoopBackOff, log: \"{}\"}}", log.join("\\n")));
    let shown = |flags: &str| {
        let ran = env.run_to(&format!("apply v1.yaml --fail-fast --timeout 5s {flags}"), 3);
        ran.stderr.matches("canary-log").count()
    };
    assert_eq!((shown(""), shown("--logs=3"), shown("--logs=100"), shown("--logs=0")), (8, 3, 100, 0));
    let mut command = env.command("apply v1.yaml --fail-fast --timeout 5s -v");
    let ran = CommandOutput::of(command.env("ROLLOUT_LOGS", "0").output().unwrap());
    assert_silent("ROLLOUT_LOGS=0", &ran);
}
