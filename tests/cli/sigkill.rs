//! `kill -9` anywhere in an upgrade: a rerun completes it.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::support::child::Child;
use crate::support::manifest::{application, component};
use crate::support::shop::open_shop;
use crate::support::test_env::{FILE, TestEnv};

/// An upgrade with the default identity, so that it is not mistaken for the previous process.
fn upgrade(env: &TestEnv) -> Child {
    let mut command = env.command("apply v2.yaml");
    command.env_remove("ROLLOUT_IDENTITY");
    Child::spawn(command)
}

fn is_right(env: &TestEnv, moment: usize) {
    upgrade(env).end_with(0);
    assert_eq!(env.deployments(), ["web-v2 3/3"], "killed after line {moment}");
    let revisions: Vec<_> = env.objects("ControllerRevision");
    assert_eq!(revisions.len(), 2, "killed after line {moment}");
    env.settle();
    let before = env.bytes();
    assert_eq!(upgrade(env).end().code, Some(0));
    assert!(env.bytes() == before, "killed after line {moment}: a run more changes nothing");
}

#[test]
fn a_run_killed_after_any_line_is_completed_by_the_next() {
    let mut moments = 0;
    for lines in 0.. {
        let env = open_shop();
        let mut child = upgrade(&env);
        let has_gone_on = child.lines(lines);
        child.signal(Signal::KILL);
        drop(child);
        is_right(&env, lines);
        if !has_gone_on {
            break;
        }
        moments += 1;
    }
    assert!(moments >= 10, "killed at {moments} moments only");
}

#[test]
fn a_run_killed_repeatedly_completes() {
    let env = open_shop();
    for _ in 0..10 {
        let mut child = upgrade(&env);
        child.lines(3);
        child.signal(Signal::KILL);
    }
    is_right(&env, 3);
}

/// Freezes a command between its requests: while it holds the lock of the sandbox's file, other commands are blocked as
/// well.
fn freeze(env: &TestEnv, child: &mut Child) {
    let lock = File::open(env.path(&format!("{FILE}.lock"))).unwrap();
    while child.stop() {
        let is_between = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !is_between {
            child.signal(Signal::CONT);
            flock(&lock, FlockOperation::LockExclusive).unwrap();
        }
        flock(&lock, FlockOperation::Unlock).unwrap();
        if is_between {
            break;
        }
    }
}

/// The run that took over may have recreated what a removal is about to delete, under the same name. A removal that
/// is frozen after its last read and before the delete still sends that one delete.
#[test]
fn a_superseded_removal_deletes_nothing_more() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let texts = names.map(|name| application("shop", &[component(name, 1, 1).image("web:1")]));
    let components = texts.iter().map(|text| text.split_once("components:\n").unwrap().1);
    let (head, _) = texts[0].split_once("    - name").unwrap();
    let manifest = components.fold(head.to_owned(), |all, one| all + one);
    let is_caught = (0..20).any(|_| {
        let env = TestEnv::new();
        env.write("app.yaml", &manifest);
        env.run_ok("apply app.yaml");
        let mut removal = env.start("delete shop --yes");
        freeze(&env, removal.until_data("deployment.apps/a-v1 deleted"));
        env.run_ok("apply app.yaml");
        let there = || env.deployments().len();
        let before = there();
        removal.signal(Signal::CONT);
        let ran = removal.end();
        // It may have completed before it was stopped.
        if ran.code == Some(0) {
            return false;
        }
        assert_eq!(ran.code, Some(5), "{}", ran.stderr);
        // It reads the component's record, then the Lease; the other run claims both.
        let is_named = ["was taken over by", "was claimed by"].iter().any(|said| ran.stderr.contains(said));
        assert!(is_named, "{}", ran.stderr);
        assert_eq!(before, names.len(), "{}", ran.stdout);
        assert!(there() + 1 >= before, "{} of {before} are left\n{}", there(), ran.stdout);
        true
    });
    assert!(is_caught, "no removal was ever stopped midway");
}
