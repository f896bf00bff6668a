//! What GitHub Actions gets to see.

use std::fs;

use crate::exit_codes::open_shop;
use crate::support::{Desk, Ran};

fn in_actions(desk: &Desk, line: &str) -> Ran {
    let mut command = desk.command(line);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", desk.path("summary.md"));
    Ran::of(command.output().unwrap())
}

fn commands(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.starts_with("::")).collect()
}

#[test]
fn a_failure_is_an_annotation_and_the_table_a_summary() {
    let desk = open_shop();
    desk.pods("- {image: '*:2', fail: NeverReady}\n- {image: '*', readyAfter: 20ms}");
    let ran = in_actions(&desk, "apply v2.yaml --batch-timeout 500ms");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let [annotation] = commands(&ran)[..] else { panic!("{}", ran.stderr) };
    assert!(
        annotation.starts_with("::error title=web::not ready after 500ms (`--batch-timeout`)"),
        "{annotation}"
    );
    assert!(annotation.contains("%0Arunning now: `web-v1` 3/3 ready, `web-v2` 0/1 ready"), "{annotation}");
    let summary = fs::read_to_string(desk.path("summary.md")).unwrap();
    assert!(summary.starts_with("### rollout\n\n    NAME   TARGET"), "{summary}");
    assert!(summary.contains("rolloutFailed"), "{summary}");
}

#[test]
fn a_manifests_problem_is_shown_at_its_line() {
    let desk = open_shop();
    let broken =
        fs::read_to_string(desk.path("v2.yaml")).unwrap().replace("targetSize: 3", "targetSize: many");
    desk.write("v2.yaml", broken);
    let ran = in_actions(&desk, "apply v2.yaml");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let [annotation] = commands(&ran)[..] else { panic!("{}", ran.stderr) };
    assert!(annotation.starts_with("::error file=v2.yaml,line=15,col="), "{annotation}");
}

#[test]
fn elsewhere_there_is_none_of_it() {
    let desk = open_shop();
    let ran = desk.run("apply nothing.yaml");
    assert!(commands(&ran).is_empty(), "{}", ran.stderr);
}
