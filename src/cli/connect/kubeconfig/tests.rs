//! Any kubeconfig yields a client or an error: no panic, and no credentials in the error.

use std::fs;

use clap::Parser as _;
use http::Request;
use kube::client::Body;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::cli::Cli;
use crate::cli::connect::client::{self, Access};
use crate::cli::flags::args::Color;
use crate::cli::terminal::ui::Ui;
use crate::cluster::clock::Clock;
use crate::report::lines::Verbosity;

/// Some of these fields, each with one of its values.
fn fields(all: Vec<(&'static str, Vec<Value>)>) -> impl Strategy<Value = Value> {
    let field = |(name, values): (&'static str, Vec<Value>)| {
        proptest::option::weighted(0.3, select(values))
            .prop_map(move |value| value.map(|value| (name, value)))
    };
    all.into_iter().map(field).collect::<Vec<_>>().prop_map(|fields| {
        let fields = fields.into_iter().flatten();
        Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
    })
}

fn values<const N: usize>(texts: [&str; N]) -> Vec<Value> {
    texts.into_iter().map(Value::from).collect()
}

/// Base64 that is no certificate, invalid base64, and incomplete PEM blocks.
fn data() -> Vec<Value> {
    values([
        "",
        "Y2FuYXJ5",
        "%canary%",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmNhbmFyeQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==",
        "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tY2FuYXJ5",
    ])
}

/// Paths of missing files, of directories, and of other files.
fn paths() -> Vec<Value> {
    values(["", "nowhere", "/", "/etc/hostname", "../..", "config"])
}

fn cluster() -> impl Strategy<Value = Value> {
    let servers = values([
        "https://127.0.0.1:1",
        "127.0.0.1:1",
        "localhost:1",
        "http://jane:canary@127.0.0.1:1/a/b",
        "http://127.0.0.1:1?canary#canary",
        "garbage:99999",
        "",
        "://",
        "https://",
        "unix:///canary",
        "http://[::1",
        "127.0.0.1:1/canary",
        " ",
        "\u{e9}",
    ]);
    fields(vec![
        ("server", servers.clone()),
        ("server", servers),
        ("certificate-authority", paths()),
        ("certificate-authority-data", data()),
        ("insecure-skip-tls-verify", vec![json!(true), json!(false), json!("canary")]),
        (
            "proxy-url",
            values([
                "",
                "canary",
                "http://jane:canary@127.0.0.1:1",
                "ftp://canary",
                "socks5://127.0.0.1:1",
                "http://",
                "http:// canary",
            ]),
        ),
        ("tls-server-name", values(["", "a b", "k8s.example", "[::1]", "\u{e9}", "-"])),
        ("disable-compression", vec![json!(true), json!(3)]),
        ("unknown", values(["canary"])),
    ])
}

fn user() -> impl Strategy<Value = Value> {
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "args": ["canary"],
        "env": [{"name": "KEY", "value": "canary"}], "interactiveMode": "Never"});
    let changed = |pointer: &str, value: Value| {
        let mut exec = exec.clone();
        exec[pointer] = value;
        exec
    };
    let plugins = vec![
        exec.clone(),
        changed("command", json!("no-such-plugin")),
        changed("command", Value::Null),
        changed("command", json!("true")),
        changed("command", json!("echo")),
        changed("interactiveMode", json!("Always")),
        changed("interactiveMode", json!("canary")),
        changed("env", json!(["canary"])),
        changed("provideClusterInfo", json!(true)),
        json!("canary"),
        json!({}),
    ];
    fields(vec![
        ("token", values(["", "canary", "canary\n", "can\u{1}ary", "\u{e9}canary"])),
        ("tokenFile", paths()),
        ("username", values(["", "jane", "ja\nne"])),
        ("password", values(["", "canary", "can\nary"])),
        ("client-certificate", paths()),
        ("client-certificate-data", data()),
        ("client-key", paths()),
        ("client-key-data", data()),
        ("exec", plugins),
        (
            "auth-provider",
            vec![
                json!({"name": "oidc", "config": {}}),
                json!({"name": "gcp", "config": {"cmd-path": "false", "cmd-args": "canary"}}),
                json!({"name": "azure"}),
                json!({"name": "other", "config": {"key": "canary"}}),
            ],
        ),
        ("as", values(["", "jane", "ja\nne"])),
        ("as-groups", vec![json!(["a", "b\n"]), json!("canary")]),
    ])
}

fn kubeconfig() -> impl Strategy<Value = Value> {
    let top = fields(vec![
        ("current-context", values(["x", "x", "x", "", "nowhere"])),
        ("preferences", vec![json!({}), json!("canary")]),
        ("extensions", vec![json!([]), json!("canary")]),
    ]);
    (top, cluster(), user(), select(values(["c", "nowhere"])), select(values(["u", "nowhere", ""]))).prop_map(
        |(mut top, cluster, user, of_cluster, of_user)| {
            top["apiVersion"] = json!("v1");
            top["kind"] = json!("Config");
            top["clusters"] = json!([{"name": "c", "cluster": cluster}]);
            top["users"] = json!([{"name": "u", "user": user}]);
            top["contexts"] = json!([{"name": "x", "context": {"cluster": of_cluster, "user": of_user}}]);
            top
        },
    )
}

/// Builds a client from a kubeconfig and sends a request; returns the error's text.
fn tried(text: &[u8], flags: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let line = ["rollout", "status", "--kubeconfig", &file];
    let cli = Cli::try_parse_from(line.iter().chain(flags)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(async {
        let mut ui = Ui::new(Color::Never, Verbosity::Quiet);
        let connected = client::connect(&cli.global, Access::Read, &Clock::system(), &mut ui).await;
        let connection = match connected {
            Ok(connection) => connection,
            Err(failure) => return format!("{failure:?} {:?}", failure.lines()),
        };
        if !connection.server.to_string().contains("127.0.0.1:1") {
            return String::new();
        }
        let request = Request::get("/api/v1/namespaces/x/configmaps").body(Body::empty()).unwrap();
        let error = connection.client.send(request).await.map(|_| ()).unwrap_err();
        format!("{error:?} {}", crate::cluster::classify::classify_error(&error, &connection.server))
    });
    runtime.shutdown_background();
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn errors_about_a_kubeconfig_contain_no_credentials(kubeconfig in kubeconfig(), forced in any::<bool>()) {
        let flags: &[&str] = if forced { &["--context", "x", "--cluster", "c", "--user", "u"] } else { &[] };
        let said = tried(kubeconfig.to_string().as_bytes(), flags);
        prop_assert!(!said.contains("canary") && !said.contains("Y2FuYXJ5"), "{said}");
    }

    /// Truncated, or with one byte replaced.
    #[test]
    fn errors_about_a_corrupt_file_contain_no_credentials(
        kubeconfig in kubeconfig(), at in any::<Index>(), byte in proptest::option::of(any::<u8>()),
    ) {
        let mut text = kubeconfig.to_string().into_bytes();
        let at = at.index(text.len());
        match byte {
            Some(byte) => text[at] = byte,
            None => text.truncate(at),
        }
        let said = tried(&text, &[]);
        prop_assert!(!said.contains("canary"), "{said}");
    }
}
