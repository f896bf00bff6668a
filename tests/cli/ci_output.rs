//! Output for GitHub Actions and GitLab.

use std::fs;

use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::{CommandOutput, TestEnv};

fn in_actions(env: &TestEnv, line: &str) -> CommandOutput {
    let mut command = env.command(line);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", env.path("summary.md"));
    CommandOutput::of(command.output().unwrap())
}

fn commands(ran: &CommandOutput) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.starts_with("::")).collect()
}

fn annotations(ran: &CommandOutput) -> Vec<&str> {
    commands(ran).into_iter().filter(|line| !line.contains("group::")).collect()
}

#[test]
fn failures_are_annotations_and_the_table_is_the_summary() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let ran = in_actions(&env, "apply v2.yaml --batch-timeout 500ms");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let [annotation] = annotations(&ran)[..] else { panic!("{}", ran.stderr) };
    assert!(
        annotation.starts_with("::error title=web::not ready after 500ms (`--batch-timeout`)"),
        "{annotation}"
    );
    assert!(annotation.contains("%0Arunning now: `web-v1` 3/3 ready, `web-v2` 0/1 ready"), "{annotation}");
    let summary = fs::read_to_string(env.path("summary.md")).unwrap();
    assert!(summary.starts_with("### rollout\n\n    NAME   TARGET"), "{summary}");
    assert!(summary.contains("rolloutFailed"), "{summary}");
}

#[test]
fn problems_of_a_manifest_are_annotated_at_their_lines() {
    let env = open_shop();
    let broken =
        fs::read_to_string(env.path("v2.yaml")).unwrap().replace("targetSize: 3", "targetSize: many");
    env.write("v2.yaml", broken);
    let ran = in_actions(&env, "apply v2.yaml");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let [annotation] = annotations(&ran)[..] else { panic!("{}", ran.stderr) };
    assert!(annotation.starts_with("::error file=v2.yaml,line=15,col="), "{annotation}");
    let mut command = env.command("apply v2.yaml");
    let folder = env.path("v2.yaml").canonicalize().unwrap();
    let repository = folder.parent().unwrap().parent().unwrap();
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", repository);
    let ran = CommandOutput::of(command.output().unwrap());
    let name = folder.parent().unwrap().file_name().unwrap().to_string_lossy();
    let [annotation] = annotations(&ran)[..] else { panic!("{}", ran.stderr) };
    assert!(annotation.starts_with(&format!("::error file={name}/v2.yaml,line=15")), "{annotation}");
}

#[test]
fn warnings_about_a_manifest_are_annotated_at_their_lines() {
    let env = open_shop();
    let deprecated = fs::read_to_string(env.path("v1.yaml")).unwrap().replacen(
        "type: w",
        "scopes: {a: b}\n      type: w",
        1,
    );
    env.write("v1.yaml", deprecated);
    let ran = in_actions(&env, "apply v1.yaml");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let [annotation] = annotations(&ran)[..] else { panic!("{}", ran.stderr) };
    assert_eq!(
        annotation,
        "::warning file=v1.yaml,line=8,col=15,title=rollout::spec.components[0].scopes: deprecated, and ignored as in \
         KubeVela since 1.9"
    );
    ran.says("warning: v1.yaml:8:15: spec.components[0].scopes: deprecated");
}

#[test]
fn without_a_ci_system_there_are_no_commands() {
    let env = open_shop();
    let ran = env.run("apply nothing.yaml");
    assert!(commands(&ran).is_empty(), "{}", ran.stderr);
}

#[test]
fn progress_is_in_sections_and_warnings_are_not() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let ran = in_actions(&env, "apply v2.yaml --batch-timeout 500ms");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let at = |wanted: &str| lines.iter().position(|line| line.contains(wanted)).expect(wanted);
    assert_eq!(at("::group::rollout"), 0, "{}", ran.stderr);
    assert_eq!(at("::endgroup::") + 1, at("web: failed in batch 1 of 2"), "{}", ran.stderr);
    assert!(annotations(&in_actions(&env, "status")).is_empty());
}

#[test]
fn gitlab_has_sections() {
    let env = TestEnv::new();
    let mut command = env.command("apply examples/express-server-v1.yaml");
    let ran = CommandOutput::of(command.env("GITLAB_CI", "true").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (first, last) = (ran.stderr.lines().next().unwrap(), ran.stderr.lines().last().unwrap());
    assert!(
        first.starts_with("section_start:") && first.ends_with(":rollout_1\r\u{1b}[0Krollout"),
        "{first:?}"
    );
    assert!(last.starts_with("section_end:") && last.ends_with(":rollout_1\r\u{1b}[0K"), "{last:?}");
}
