//! Manifests from files, directories and stdin, and rejections before anything is sent.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::manifest::{application, component, shop};
use crate::support::test_env::{CommandOutput, TestEnv, transcript};
use crate::support::{pod_rules, redact};

/// Runs a command line with this on stdin.
fn piped(env: &TestEnv, line: &str, stdin: &str) -> CommandOutput {
    let mut command = env.command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    CommandOutput::of(child.wait_with_output().unwrap())
}

fn small(name: &str) -> String {
    application(&format!("app-{name}"), &[component(name, 1, 1)])
}

#[test]
fn files_directories_and_stdin_are_combined() {
    let env = TestEnv::new();
    fs::create_dir(env.path("deploy")).unwrap();
    env.write("deploy/b.yaml", format!("{}---\n{}", small("b"), small("c")));
    env.write("deploy/a.yml", small("a"));
    env.write("deploy/notes.txt", "no: manifest");
    env.write("d.yaml", small("d"));
    let ran = piped(&env, "apply deploy -f d.yaml - -o name", &small("e"));
    assert_eq!(ran.stdout, "rollout/d\nrollout/a\nrollout/b\nrollout/c\nrollout/e\n", "{}", ran.stderr);
    assert_eq!(env.deployments(), ["a-v1 1/1", "b-v1 1/1", "c-v1 1/1", "d-v1 1/1", "e-v1 1/1"]);
}

#[test]
fn subdirectories_are_read_on_request() {
    let env = TestEnv::new();
    fs::create_dir_all(env.path("deploy/shop")).unwrap();
    env.write("deploy/shop/a.yaml", small("a"));
    env.run_to("apply deploy -o name", 2).says("directory `deploy` has no file that ends in");
    for line in ["plan deploy -R -o name", "apply -R -f deploy -o name"] {
        assert_eq!(env.run_ok(line).stdout, "rollout/a\n", "{line}");
    }
    env.run_ok("rbac deploy --recursive");
    env.run_ok("delete -R -f deploy --yes");
    assert!(env.deployments().is_empty());
}

#[test]
fn all_unreadable_files_are_named() {
    let env = TestEnv::new();
    fs::create_dir(env.path("empty")).unwrap();
    insta::assert_snapshot!(env.run("apply a.yaml -f b.yaml empty").transcript(), @"
    --- stderr
    error: file `b.yaml` cannot be opened: No such file or directory (os error 2)
      file `a.yaml` cannot be opened: No such file or directory (os error 2)
      directory `empty` has no file that ends in .yaml, .yml or .json
    [exit 2]
    ");
    insta::assert_snapshot!(env.run("plan - -").transcript(), @"
    --- stderr
    error: stdin, `-`, can be read only once
    [exit 2]
    ");
    insta::assert_snapshot!(env.run("apply -").transcript(), @"
    --- stderr
    error: <stdin>:1:1: found no document, expected an Application manifest
    [exit 2]
    ");
}

#[test]
fn all_problems_are_reported_at_once_and_nothing_is_sent() {
    let env = TestEnv::new();
    let wrong =
        shop("v1", "web:1").replace("targetSize", "targetsize").replace("replicas: 2", "replicas: -2");
    env.write("good.yaml", small("good"));
    env.write("wrong.yaml", format!("{wrong}---\n{}", small("x").replace("webservice", "webservise")));
    env.write("more.yaml", application("app-y", &[component("y", 1, 1).property("cpu: lots")]));
    insta::assert_snapshot!(env.run("apply good.yaml wrong.yaml more.yaml").transcript(), @r#"
    --- stderr
    error: wrong.yaml:15:13: spec.components[0].traits[0].properties.targetsize: unknown field
        did you mean `targetSize`?
    wrong.yaml:15:13: spec.components[0].traits[0].properties.targetSize: missing, expected an integer from 0 to 2147483647
    wrong.yaml:18:27: spec.components[0].traits[0].properties.rolloutBatches[1].replicas: found -2, expected an integer of 0 or more, or a percentage from "0%" to "100%"
    wrong.yaml:27:13: spec.components[0].type: found `webservise`, expected one of `webservice`, `worker`, `cloneset-service`, `statefulset`, `daemon`, `task`, `cron-task`, `k8s-objects`, `raw`, `ref-objects`
        did you mean `webservice`? if not, what a custom definition renders goes into a `k8s-objects` component
    more.yaml:7:13: spec.components[0].name: found the boolean `y`, expected a DNS label of at most 52 characters (lower-case letters, digits and `-`), to leave room for a suffix such as `-v1`
        did you mean "y", in quotes?
    more.yaml:12:14: spec.components[0].properties.cpu: found `lots`, expected a quantity of 0 or more such as `500m` or `0.5`
    [exit 2]
    "#);
    assert!(!env.path("box.json").exists(), "the sandbox is not even opened");
    assert_eq!(env.run("plan wrong.yaml").code, Some(2));
    assert_eq!(env.run("apply wrong.yaml --dry-run=client").code, Some(2));
    // No cluster is needed to report it.
    assert_eq!(env.bare("apply wrong.yaml").output().unwrap().status.code(), Some(2));
}

#[test]
fn a_rejected_manifest_does_not_change_the_sandbox() {
    let env = crate::support::shop::open_shop();
    env.write("wrong.yaml", shop("v2", "web:2").replace("kind: Application", "kind: Aplication"));
    let before = env.bytes();
    insta::assert_snapshot!(env.run("apply v2.yaml wrong.yaml").transcript(), @"
    --- stderr
    error: wrong.yaml:2:7: kind: found `Aplication`, expected `Application`
        did you mean `Application`?
    wrong.yaml:4:9: metadata.name: application `shop` appears twice, first at v2.yaml:4:9
    wrong.yaml:7:13: spec.components[0].name: component `web` appears twice, first at v2.yaml:7:13
        components share selectors and revisions by name within a namespace
    wrong.yaml:9:25: spec.components[0].externalRevision: revision `web-v2` appears twice, first at v2.yaml:9:25
        a revision belongs to one component
    [exit 2]
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn stdin_has_a_name_in_messages() {
    let ran = piped(&TestEnv::new(), "apply -", "a: b: c\n");
    insta::assert_snapshot!(ran.transcript(), @"
    --- stderr
    error: <stdin>:1:5: not valid YAML: mapping values are not allowed in this context
        check the indentation, and quote text that contains `: `
    [exit 2]
    ");
}

#[test]
fn binary_input_is_rejected() {
    let env = TestEnv::new();
    env.write("binary.yaml", [&b"kind: Application\nmetadata: "[..], &[0xff, 0xfe, 0, 1, 2]].concat());
    insta::assert_snapshot!(env.run("apply binary.yaml").transcript(), @"
    --- stderr
    error: binary.yaml:2:1: found a NUL byte, expected UTF-8 text
        is this a binary file?
    [exit 2]
    ");
    env.write("elf.yaml", fs::read(env!("CARGO_BIN_EXE_rollout")).unwrap());
    assert_eq!(env.run("apply elf.yaml").code, Some(2));
    assert!(!env.path("box.json").exists());
}

#[test]
fn input_that_is_too_large_is_rejected() {
    let env = TestEnv::new();
    // A sparse file of a hundred mebibytes.
    fs::File::create(env.path("large.yaml")).unwrap().set_len(100 << 20).unwrap();
    insta::assert_snapshot!(env.run("apply large.yaml").transcript(), @"
    --- stderr
    error: large.yaml:1:1: larger than 3 MiB, expected an Application manifest
        is this the right file?
    [exit 2]
    ");
    insta::assert_snapshot!(env.run("apply /dev/zero").transcript(), @"
    --- stderr
    error: /dev/zero:1:1: larger than 3 MiB, expected an Application manifest
        is this the right file?
    [exit 2]
    ");
}

#[test]
fn exponential_aliases_are_rejected() {
    let env = TestEnv::new();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..=9 {
        let last = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![last; 9].join(", ")));
    }
    env.write("bomb.yaml", bomb);
    insta::assert_snapshot!(env.run("apply bomb.yaml").transcript(), @"
    --- stderr
    error: bomb.yaml:6:10: aliases expand to too much
        write out the repeated parts
    [exit 2]
    ");
}

#[test]
fn one_component_in_two_applications_of_a_namespace_is_rejected() {
    let env = TestEnv::new();
    let there = small("b").replace("app-b\n", "app-b\n  namespace: there\n");
    env.write("two.yaml", format!("{}---\n{}", small("b"), there.replace("app-b", "app-c")));
    env.run_ok("plan two.yaml");
    insta::assert_snapshot!(env.run("apply two.yaml -n here").transcript(), @"
    --- stderr
    error: component `b` appears twice in namespace `here`
    hint: `--namespace` puts every application into one namespace; apply them one by one
    [exit 2]
    ");
}

#[test]
fn applications_with_one_name_are_distinguished_by_namespace() {
    let env = TestEnv::new();
    env.pods(pod_rules::failing("bad:*", "ImagePullBackOff"));
    let there = |namespace: &str, version: &str, image: &str| {
        shop(version, image).replacen("name: shop\n", &format!("name: shop\n  namespace: {namespace}\n"), 1)
    };
    env.write("prod.yaml", there("prod", "v1", "good:1"));
    env.write("staging.yaml", there("staging", "v1", "good:1"));
    env.run_ok("apply prod.yaml staging.yaml").says("prod/web: done").says("staging/web: done");
    env.write("prod.yaml", there("prod", "v2", "bad:1"));
    let ran = env.run_to("apply prod.yaml staging.yaml --fail-fast", 3);
    ran.says("staging/web: nothing to do").says("prod/web: failed");
    assert!(ran.stderr.contains(" -n prod") && !ran.stderr.contains(" -n staging"), "{}", ran.stderr);
    insta::assert_snapshot!(redact::data(&ran.stdout), @"
    NAMESPACE   NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE    AGE
    prod        web    3        1          0       batchVerifyFailed   rolloutFailed    0s
    staging     web    3        3          3       batchReady          rolloutSucceed   0s
    ");
    let events = env.run_to("apply prod.yaml staging.yaml --fail-fast -o ndjson", 3).stdout;
    assert!(events.contains(r#""namespace":"prod","application":"shop""#), "{events}");
    assert_eq!(
        env.run_to("apply prod.yaml staging.yaml --fail-fast -o name", 3).stdout,
        "prod rollout/web\nstaging rollout/web\n"
    );
    // In a single namespace, events do not name it.
    env.run_ok("apply staging.yaml").says("web: nothing to do");
}

#[test]
fn a_rejected_application_does_not_suppress_the_table() {
    let env = TestEnv::new();
    env.run_ok("apply examples/express-server-v1.yaml");
    env.write("web.yaml", small("web"));
    env.write("stranger.yaml", small("express-server"));
    let ran = env.run_to("apply web.yaml stranger.yaml", 4);
    ran.says("component `express-server` belongs to application `rollout-trait-test`");
    assert!(ran.stdout.contains("web "), "{}", ran.transcript());
}

#[test]
fn invalid_rules_are_rejected() {
    let env = TestEnv::new();
    env.pods("- {image: '*', fail: Sometimes}");
    insta::assert_snapshot!(env.run("status").transcript(), @"
    --- stderr
    error: rules.yaml:1:22: `fail` is `Sometimes`, expected one of `Unschedulable`, `FailedMount`, `InvalidImageName`, `ErrImagePull`, `ImagePullBackOff`, `CreateContainerConfigError`, `InitCrashLoopBackOff`, `CrashLoopBackOff`, `OOMKilled`, `NeverReady`
    [exit 2]
    ");
    insta::assert_snapshot!(transcript(&mut env.bare("status --sandbox --sandbox-rules gone.yaml")), @"
    --- stderr
    error: rules file `gone.yaml` cannot be read
    caused by: No such file or directory (os error 2)
    [exit 2]
    ");
}

#[test]
fn a_broken_sandbox_file_is_reported_and_kept() {
    let env = TestEnv::new();
    env.write("box.json", "{\"objects\": [");
    insta::assert_snapshot!(env.run("status").transcript(), @"
    --- stderr
    error: the sandbox file `box.json` is broken: EOF while parsing a list at line 1 column 13
    [exit 6]
    ");
    assert_eq!(env.bytes(), "{\"objects\": [");
}

#[test]
fn a_sandbox_file_given_as_a_manifest_gets_a_hint() {
    let env = TestEnv::new();
    let line = "plan examples/express-server-v1.yaml --sandbox box.json";
    insta::assert_snapshot!(transcript(&mut env.bare(line)), @"
    --- stderr
    error: file `box.json` cannot be opened: No such file or directory (os error 2)
    hint: specify the sandbox's file as `--sandbox=box.json`
    [exit 2]
    ");
    env.run_ok("apply examples/express-server-v1.yaml");
    let hint = "hint: specify the sandbox's file as `--sandbox=box.json`\n";
    for line in [line, "status --sandbox box.json"] {
        let told = transcript(&mut env.bare(line));
        assert!(told.contains(hint), "{line}: {told}");
    }
    env.write("wrong.yaml", "kind: Deployment\n");
    assert!(!transcript(&mut env.bare("plan --sandbox wrong.yaml")).contains(hint));
}

/// A conflict with another component's revision is detected before anything is written.
#[test]
fn an_automatic_revision_gets_the_next_free_name() {
    let env = TestEnv::new();
    env.write("api.yaml", application("shop", &[component("api", 1, 1)]).replace("api-v1", "web-v1"));
    env.run_ok("apply api.yaml");
    let text = application("shop", &[component("web", 1, 1)]);
    let automatic = |image: &str| {
        let text = text.replace("web:1", image);
        text.lines()
            .filter(|line| !line.contains("externalRevision"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    env.write("web.yaml", automatic("web:1"));
    let plan = env.run_ok("plan web.yaml").stdout;
    assert!(plan.contains("revision `web-v2` is new, number 2"), "{plan}");
    let ran = env.run_ok("apply web.yaml");
    assert_eq!(ran.stderr.matches("first release of").count(), 1, "{}", ran.stderr);
    assert_eq!(env.deployments(), ["web-v1 1/1", "web-v2 1/1"]);
    env.write("web.yaml", automatic("web:2"));
    env.run_ok("apply web.yaml");
    assert_eq!(env.deployments(), ["web-v1 1/1", "web-v3 1/1"]);
}
