//! The streams: colour, closed pipes, full disks, `--quiet`, and control characters.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::manifest::shop;
use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::{CommandOutput, TestEnv};

#[test]
fn colour_can_be_enabled_and_disabled() {
    let env = TestEnv::new();
    let coloured = |command: &mut Command| command.output().unwrap().stderr.contains(&b'\x1b');
    assert!(!coloured(&mut env.bare("status")), "a pipe has none");
    assert!(coloured(&mut env.bare("status --color always")));
    assert!(coloured(env.bare("status").env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(env.bare("status").env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")));
    assert!(!coloured(env.bare("status --color=never").env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(env.bare("status").env("ROLLOUT_COLOR", "always").env("ROLLOUT_COLOR", "never")));
    assert!(coloured(&mut env.bare("--color=always frob")), "usage errors follow the flag");
    assert!(!coloured(env.bare("--color=never frob").env("CLICOLOR_FORCE", "1")));
}

#[test]
fn only_diffs_in_data_are_coloured() {
    let env = open_shop();
    for line in ["status", "plan v1.yaml", "history", "history --revision v1"] {
        let stdout = env.run_ok(&format!("{line} --color always")).stdout;
        assert!(!stdout.contains('\x1b'), "{stdout}");
    }
    assert!(env.run_ok("plan v2.yaml --color always").stdout.contains("\x1b[36m@@ "));
    assert!(!env.run_ok("plan v2.yaml").stdout.contains('\x1b'), "a pipe has none");
    let no_color = env.command("plan v2.yaml").env("NO_COLOR", "1").output().unwrap().stdout;
    assert!(!no_color.contains(&b'\x1b'));
}

#[test]
fn a_log_has_no_control_characters() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "CrashLoopBackOff"));
    let mut ran = env.run("apply v2.yaml --batch-timeout 50ms");
    ran.stderr.push_str(&env.run("apply nothing.yaml").stderr);
    ran.stderr.push_str(
        &CommandOutput::of(env.command("apply v1.yaml").env("NO_COLOR", "1").output().unwrap()).stderr,
    );
    assert!(ran.stderr.lines().count() > 10);
    assert!(
        !ran.stderr.chars().any(|character| character.is_control() && character != '\n'),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let env = open_shop();
    for line in
        ["completions bash", "status", "status --watch", "history", "plan v2.yaml", "apply v2.yaml -o ndjson"]
    {
        let mut child = env.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = CommandOutput::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
    }
    assert_eq!(env.deployments(), ["web-v2 3/3"], "the rollout went on without its reader");
}

#[test]
fn a_closed_stderr_does_not_stop_a_rollout() {
    let env = open_shop();
    let mut child =
        env.command("apply v2.yaml").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

#[test]
fn a_full_disk_is_1() {
    let env = open_shop();
    for line in ["man", "status", "history -o json", "plan v2.yaml", "apply v2.yaml"] {
        let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else { return };
        let ran = CommandOutput::of(env.command(line).stdout(full).stderr(Stdio::piped()).output().unwrap());
        assert_eq!(ran.code, Some(1), "{line}\n{}", ran.stderr);
        assert!(ran.stderr.contains("error: standard output cannot be written"), "{line}\n{}", ran.stderr);
    }
    assert_eq!(env.deployments(), ["web-v2 3/3"], "the rollout itself went on");
}

#[test]
fn quiet_keeps_data_warnings_and_failures() {
    let env = open_shop();
    insta::assert_snapshot!(env.run("apply v2.yaml -q").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    [exit 0]
    ");
    insta::assert_snapshot!(env.run("apply v1.yaml -q --batches 1").transcript(), @"
    --- stderr
    web: failed: `rolloutBatches` do not fit: 1, but the rollout of 3 replicas needs a sum of 3
      hint: make the batches add up to 3 (first release, upgrade and rollback: the target size; scaling: the difference), use percentages, or omit `rolloutBatches` for a single batch
    [exit 4]
    ");
}

#[test]
fn control_characters_are_escaped() {
    let env = open_shop();
    // In the manifest, whose problem is reported.
    env.write("name.yaml", shop("v2", "registry.example/web:2").replace("shop", "\"sh\\x1b[2Jop\""));
    insta::assert_snapshot!(env.run("apply name.yaml").transcript(), @r"
    --- stderr
    error: name.yaml:4:9: metadata.name: found `sh\x1b[2Jop`, expected a DNS name (lower-case letters, digits, `-` and `.`, at most 63 characters)
    [exit 2]
    ");
    // In an image, which a cluster accepts unchanged.
    env.write("image.yaml", shop("v2", "\"web:\\x1b]0;owned\\x07\\u202e2\""));
    let ran = env.run("plan image.yaml");
    let text = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    // In words of the command line.
    insta::assert_snapshot!(env.run("status a\x1b[31mb").transcript(), @r"
    --- stderr
    error: nothing named `a\x1b[31mb` has been rolled out in namespace `default`
    hint: the namespace has `web`
    [exit 4]
    ");
}
