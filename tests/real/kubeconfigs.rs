//! The common forms of kubeconfigs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::build::say;
use crate::real_env::{RealEnv, v1};
use crate::support::test_env::CommandOutput;

/// The admin's configuration.
fn admin(env: &RealEnv) -> Value {
    serde_json::from_str(&env.kubectl(&["config", "view", "--raw", "-o", "json"])).unwrap()
}

fn cluster(env: &RealEnv) -> Value {
    admin(env)["clusters"][0]["cluster"].clone()
}

fn token(env: &RealEnv) -> String {
    admin(env)["users"][0]["user"]["token"].as_str().unwrap().to_owned()
}

/// A kubeconfig with one cluster and one user.
fn kubeconfig(cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    })
}

/// Runs `rollout status` with a kubeconfig, which has to work; returns the output.
fn works(env: &RealEnv, name: &str, config: &Value, more: &[&str]) -> String {
    let file = env.file(name, &config.to_string());
    works_by(env, file.to_str().unwrap(), more)
}

fn works_by(env: &RealEnv, kubeconfig: &str, more: &[&str]) -> String {
    let mut command = env.command(&[&["status"], more].concat());
    let done = CommandOutput::of(command.env("KUBECONFIG", kubeconfig).output().unwrap());
    assert_eq!(done.code, Some(0), "{done:#?}");
    assert!(done.stderr.contains("nothing has been rolled out"), "{done:#?}");
    done.stderr
}

pub(crate) fn certificates_tokens_and_files(env: &RealEnv) {
    works_by(env, env.plane.certificate().to_str().unwrap(), &[]);
    works(env, "token", &kubeconfig(&cluster(env), &json!({"token": token(env)})), &[]);
    let file = env.file("secret", &format!("{}\n", token(env)));
    works(env, "token-file", &kubeconfig(&cluster(env), &json!({"tokenFile": file})), &[]);
    let wrong = kubeconfig(&cluster(env), &json!({"token": "nobody's"}));
    let file = env.file("wrong", &wrong.to_string());
    let refused = CommandOutput::of(env.command(&["status"]).env("KUBECONFIG", &file).output().unwrap());
    assert_eq!(refused.code, Some(6), "{refused:#?}");
    assert!(!refused.stderr.contains("nobody's"), "{refused:#?}");
}

pub(crate) fn contexts_and_lists(env: &RealEnv) {
    let mut config = kubeconfig(&cluster(env), &json!({"token": token(env)}));
    let nowhere = json!({"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}});
    config["clusters"].as_array_mut().unwrap().push(nowhere);
    let other = json!({"name": "y", "context": {"cluster": "nowhere", "user": "u"}});
    config["contexts"].as_array_mut().unwrap().push(other);
    config["current-context"] = json!("y");
    works(env, "contexts", &config, &["--context", "x"]);
    works(env, "contexts", &config, &["--cluster", "c"]);
    // The first file names the context, the last one defines it, and one in between does not exist.
    let names = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x"});
    let first = env.file("first", &names.to_string());
    let last = env.file("last", &config.to_string());
    works_by(env, &format!("{}:/nowhere/config:{}", first.display(), last.display()), &[]);
}

pub(crate) fn certificates_that_are_not_checked(env: &RealEnv) {
    let mut cluster = cluster(env);
    let known = cluster.as_object_mut().unwrap();
    known.remove("certificate-authority-data");
    known.remove("certificate-authority");
    let user = json!({"token": token(env)});
    let file = env.file("unknown", &kubeconfig(&cluster, &user).to_string());
    let refused = CommandOutput::of(
        env.command(&["status", "--request-timeout", "10s"]).env("KUBECONFIG", &file).output().unwrap(),
    );
    assert_eq!(refused.code, Some(6), "{refused:#?}");
    cluster["insecure-skip-tls-verify"] = json!(true);
    let said = works(env, "insecure", &kubeconfig(&cluster, &user), &[]);
    assert!(said.contains("insecure-skip-tls-verify"), "{said}");
}

/// A plugin whose tokens expire after a second is called again in mid-run.
pub(crate) fn plugins_whose_tokens_expire(env: &RealEnv) {
    let count = env.file("count", "");
    let script = format!(
        "echo asked >> {}\nuntil=$(date -u -d '+1 second' +%Y-%m-%dT%H:%M:%SZ)\n\
         echo \"{{\\\"apiVersion\\\":\\\"client.authentication.k8s.io/v1\\\",\\\"kind\\\":\\\"ExecCredential\\\",\
         \\\"status\\\":{{\\\"token\\\":\\\"{}\\\",\\\"expirationTimestamp\\\":\\\"$until\\\"}}}}\"\n",
        count.display(),
        token(env)
    );
    let plugin = env.file("plugin", &script);
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/sh",
        "args": [plugin],
        "interactiveMode": "Never",
    });
    let config = env.file("exec", &kubeconfig(&cluster(env), &json!({"exec": exec})).to_string());
    env.script("- {image: '*', readyAfter: 2s}\n");
    let mut command = env.applying(&v1(), &[]);
    command.env("KUBECONFIG", &config).env("PATH", "/usr/bin:/bin");
    let done = CommandOutput::of(command.output().unwrap());
    assert_eq!(done.code, Some(0), "{done:#?}");
    let asked = std::fs::read_to_string(&count).unwrap().lines().count();
    assert!(asked > 1, "it was asked {asked} times: {done:#?}");
}

/// All requests go through the proxy from the kubeconfig or the environment.
pub(crate) fn proxies(env: &RealEnv) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = tunnels.clone();
    let server = cluster(env)["server"].as_str().unwrap().trim_start_matches("https://").to_owned();
    let (host, port) = server.rsplit_once(':').unwrap();
    let target = server.clone();
    thread::spawn(move || {
        for client in proxy.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            let target = target.clone();
            thread::spawn(move || tunnel(client, &target));
        }
    });
    let user = json!({"token": token(env)});
    let mut through = cluster(env);
    through["proxy-url"] = json!(address);
    works(env, "proxy", &kubeconfig(&through, &user), &[]);
    let by_file = tunnels.load(Ordering::SeqCst);
    assert!(by_file > 0, "the kubeconfig's proxy was passed by");
    // Proxies from the environment are not used for this machine, so the server gets a name that only the proxy knows.
    let mut named = cluster(env);
    named["server"] = json!(format!("https://k8s.invalid:{port}"));
    named["tls-server-name"] = json!(host);
    let file = env.file("named", &kubeconfig(&named, &user).to_string());
    let mut command = env.command(&["status"]);
    let done =
        CommandOutput::of(command.env("KUBECONFIG", &file).env("HTTPS_PROXY", &address).output().unwrap());
    assert_eq!(done.code, Some(0), "{done:#?}");
    assert!(tunnels.load(Ordering::SeqCst) > by_file, "the environment's proxy was passed by");
}

/// Answers one CONNECT, for any address, and forwards the connection to `target`.
fn tunnel(mut client: TcpStream, target: &str) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    if !text.starts_with("CONNECT ") {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target) else { return };
    if client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
        return;
    }
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    drop(std::io::copy(&mut server, &mut client));
}

/// The configuration within a pod: a service account's files, and the server's address in the environment.
pub(crate) fn within_the_cluster(env: &RealEnv) {
    let folder = "/run/secrets/kubernetes.io/serviceaccount";
    let server = cluster(env)["server"].as_str().unwrap().to_owned();
    let (host, port) = server.trim_start_matches("https://").rsplit_once(':').unwrap();
    let token = env.file("sa-token", &token(env));
    let binary = env.command(&[]).get_program().to_owned();
    // A private mount hides the machine's `/run` from this process.
    let script = format!(
        "set -e; mount -t tmpfs tmpfs /run; \
         mkdir -p {folder}; cp {token} {folder}/token; cp {ca} {folder}/ca.crt; \
         printf %s {namespace} > {folder}/namespace; exec {binary} status",
        binary = binary.to_str().unwrap(),
        token = token.display(),
        ca = env.plane.ca().display(),
        namespace = env.namespace,
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", Path::new("/nowhere"));
    command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
    let done = match command.output() {
        Ok(output) => CommandOutput::of(output),
        Err(error) => return say(&format!("SKIPPED: a pod's own configuration: `unshare`: {error}")),
    };
    if done.stderr.contains("unshare: unshare failed") {
        return say(&format!("SKIPPED: a pod's own configuration: {}", done.stderr.trim_end()));
    }
    assert_eq!(done.code, Some(0), "{done:#?}");
    let said = format!("nothing has been rolled out in namespace `{}`", env.namespace);
    assert!(done.stderr.contains(&said), "{done:#?}");
}
