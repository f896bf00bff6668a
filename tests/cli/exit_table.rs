//! The table of exit codes: the binary exits with each of them.

use rustix::process::Signal;

use crate::support::child::Child;
use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::{CommandOutput, TestEnv};

/// A way to end with each code, in the table's order.
const ENDS: [(i32, fn() -> CommandOutput); 10] = [
    (0, || open_shop().run("status")),
    (1, || open_shop().run("man --dir v1.yaml")),
    (2, || TestEnv::new().run("apply --batches none app.yaml")),
    (3, || waiting("apply v2.yaml --batch-timeout 200ms").1.end()),
    (4, || open_shop().run("undo --to-revision v7")),
    (5, || {
        let (env, _driver) = waiting("apply v2.yaml");
        env.start_as("second", "apply v1.yaml --lock-timeout 100ms").end()
    }),
    (6, || CommandOutput::of(TestEnv::new().bare("status").output().unwrap())),
    (8, || open_shop().run("plan v2.yaml --detailed-exitcode")),
    (130, || stopped(Signal::INT)),
    (143, || stopped(Signal::TERM)),
];

/// A run that waits for a pod that does not become ready.
fn waiting(line: &str) -> (TestEnv, Child) {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let mut driver = env.start(line);
    driver.until("waiting for `web-v2`");
    (env, driver)
}

fn stopped(signal: Signal) -> CommandOutput {
    let (_desk, mut driver) = waiting("apply v2.yaml");
    driver.signal(signal);
    driver.end()
}

#[test]
fn the_binary_exits_with_every_code_of_the_table() {
    let readme = include_str!("../../README.md");
    let section = readme.split_once("## Exit codes\n").unwrap().1.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.parse().ok());
    let rows: Vec<i32> = rows.collect();
    assert_eq!(rows, ENDS.map(|(code, _)| code));
    for (code, end) in ENDS {
        let ran = end();
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
        assert!(code == 0 || code == 8 || !ran.stderr.is_empty(), "{code} ends without a word");
    }
}
