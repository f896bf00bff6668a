//! Which cluster: none, one that does not answer, one that is not to be trusted.

use crate::support::child::Child;
use crate::support::{Desk, Ran, transcript};

/// A kubeconfig whose server nobody is.
fn nobody(desk: &Desk) {
    desk.write(
        "config",
        "{apiVersion: v1, kind: Config, current-context: x,
          clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}],
          contexts: [{name: x, context: {cluster: c, user: u}}], users: []}",
    );
}

#[test]
fn no_cluster_names_both_ways_on() {
    let desk = Desk::new();
    insta::assert_snapshot!(transcript(&mut desk.bare("status")), @"
    --- stderr
    error: there is no cluster to talk to
    hint: name a cluster: `--kubeconfig FILE`, the `KUBECONFIG` variable, or `~/.kube/config`
    hint: or try it without one: `--sandbox` runs a Kubernetes API inside this process
    [exit 6]
    ");
    let lines =
        ["apply examples/express-server-v1.yaml", "plan examples/express-server-v1.yaml", "undo", "history"];
    for line in lines {
        let ran = Ran::of(desk.bare(line).output().unwrap());
        assert!(
            ran.code == Some(6) && ran.stderr.contains("`--sandbox` runs a Kubernetes API"),
            "{line}: {ran:?}"
        );
    }
    assert!(!desk.path("box.json").exists(), "the sandbox is never chosen silently");
}

#[test]
fn a_server_that_does_not_answer_is_6() {
    let desk = Desk::new();
    nobody(&desk);
    let lines = ["status", "apply examples/express-server-v1.yaml", "plan examples/express-server-v1.yaml"];
    let started = lines.map(|line| Child::spawn(desk.bare(&format!("{line} --kubeconfig config"))));
    for (line, child) in lines.iter().zip(started) {
        let ran = child.end();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(6), ""), "{line}\n{}", ran.stderr);
        assert!(ran.stderr.contains("Connection refused"), "{line}\n{}", ran.stderr);
    }
}

/// kubectl reads none of our variables, and asks about no namespace here.
#[test]
fn a_hint_tells_kubectl_what_the_environment_told_us() {
    let desk = Desk::new();
    nobody(&desk);
    let mut command = desk.bare("status -n shop");
    command.env("ROLLOUT_KUBECONFIG", "config").env("ROLLOUT_CONTEXT", "x");
    let ran = Child::spawn(command).end();
    assert!(ran.stderr.contains("`kubectl cluster-info --context x --kubeconfig config`"), "{}", ran.stderr);
}

#[test]
fn the_environment_stands_in_for_flags() {
    let desk = Desk::new();
    let mut command = desk.bare("status");
    command.env("ROLLOUT_REQUEST_TIMEOUT", "soon");
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let mut command = desk.bare("status");
    command.env("ROLLOUT_CONTEXT", "shop").env("ROLLOUT_NAMESPACE", "").env("ROLLOUT_KUBECONFIG", "");
    command.env("ROLLOUT_REQUEST_TIMEOUT", "").env("ROLLOUT_SANDBOX", "");
    insta::assert_snapshot!(transcript(&mut command), @"
    --- stderr
    error: there is no kubeconfig to find context `shop` in
    hint: name a cluster: `--kubeconfig FILE`, the `KUBECONFIG` variable, or `~/.kube/config`
    hint: or try it without one: `--sandbox` runs a Kubernetes API inside this process
    [exit 6]
    ");
    let mut command = desk.bare("apply examples/express-server-v1.yaml -o name");
    command.env("ROLLOUT_SANDBOX", "box.json").env("ROLLOUT_SANDBOX_RULES", "rules.yaml");
    command.env("ROLLOUT_NAMESPACE", "shop");
    assert_eq!(Ran::of(command.output().unwrap()).stdout, "rollout/express-server\n");
    assert_eq!(desk.objects("Deployment")[0]["metadata"]["namespace"], "shop");
}

#[test]
fn a_namespace_that_cannot_be_is_refused() {
    let desk = Desk::new();
    let mut command = desk.bare("status --sandbox");
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
    desk.write("config", config);
    insta::assert_snapshot!(transcript(&mut desk.bare("status --kubeconfig config")), @"
    --- stderr
    error: the kubeconfig's context has the namespace `../secrets`: expected a DNS label (lower-case letters, digits and `-`, at most 63 characters)
    hint: `--namespace` names another
    [exit 2]
    ");
}

#[test]
fn an_insecure_kubeconfig_is_warned_about() {
    let desk = Desk::new();
    nobody(&desk);
    let output = desk.bare("status -q --kubeconfig config").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("warning: the kubeconfig turns off the check"), "{text}");
}
