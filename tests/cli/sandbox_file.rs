//! A sandbox whose file cannot be saved: the command ends at once and reports the cause.

use std::fs::File;
use std::process::Command;

use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::{CommandOutput, FILE, TestEnv};

/// A command that cannot write files beyond this many blocks, as on a nearly full disk.
fn with_room(env: &TestEnv, line: &str, blocks: usize) -> CommandOutput {
    let rollout = env.command(line);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""));
    shell.arg(rollout.get_program()).args(rollout.get_args());
    shell.env_clear().envs(rollout.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(rollout.get_current_dir().unwrap());
    CommandOutput::of(shell.output().unwrap())
}

#[test]
fn a_full_disk_ends_the_run_at_once() {
    let mut ended_midway = 0;
    for more in [4, 8, 12, 16] {
        let env = open_shop();
        let blocks = env.bytes().len() / 512 + more;
        let ran = with_room(&env, "apply v2.yaml", blocks);
        match ran.code {
            Some(0) => continue,
            Some(4 | 6) => {}
            code => panic!("{code:?}\n{}", ran.stderr),
        }
        ran.says("cannot write the sandbox file `box.json`: File too large");
        assert!(!ran.stderr.contains("retrying") && !ran.stderr.contains("address"), "{}", ran.stderr);
        ended_midway += usize::from(ran.code == Some(6));
        assert!(!env.path("box.json.tmp").exists());
        // With room again it works.
        env.run_ok("apply v2.yaml");
        assert_eq!(env.deployments(), ["web-v2 3/3"]);
    }
    assert!(ended_midway > 0, "none of them filled up in mid-run");
}

#[test]
fn a_dry_run_reports_a_full_disk() {
    let env = open_shop();
    let ran = with_room(&env, "apply v2.yaml --dry-run=server", 1);
    assert!(matches!(ran.code, Some(0 | 4 | 6)), "{}", ran.stderr);
    assert!(!ran.stderr.contains("retrying"), "{}", ran.stderr);
}

#[test]
fn a_file_corrupted_during_a_run_ends_the_run_at_once() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let mut driver = env.start("apply v2.yaml");
    driver.until(": waiting for `web-v2`");
    // Under its lock, because a concurrent write of the driver would replace it.
    let lock = File::open(env.path("box.json.lock")).unwrap();
    lock.lock().unwrap();
    env.write(FILE, "{broken");
    drop(lock);
    let ran = driver.end_with(6);
    ran.says("failed in batch 1 of 2: the sandbox file `box.json` is broken");
    assert!(!ran.stderr.contains("retrying") && !ran.stderr.contains("address"), "{}", ran.stderr);
}
