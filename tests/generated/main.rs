//! Checked-in files that are generated from the code: completion scripts, manual pages, every message, the README's
//! picture.
//!
//! `ROLLOUT_REGENERATE=1 cargo test --test generated` rewrites them.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

#[path = "../support/events.rs"]
mod events;
mod literals;
mod messages;
mod picture;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rollout::cli::commands::{completions, man};
// The types that `events` uses.
use rollout::plan::action::Side;
use rollout::plan::gate_place::Phase;
use rollout::plan::run::{Mode, Purpose};
use rollout::report::event;

#[test]
fn completions_are_fresh() {
    check("completions", &completions::scripts());
}

#[test]
fn man_pages_are_fresh() {
    check("man", &man::pages());
}

#[test]
fn every_command_has_a_page() {
    let pages: BTreeSet<String> = man::pages().into_iter().map(|(name, _)| name).collect();
    for command in rollout::cli::command().get_subcommands() {
        assert!(pages.contains(&format!("rollout-{}.1", command.get_name())), "{}", command.get_name());
    }
}

fn check(folder: &str, generated: &[(String, String)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if regenerates() {
        rewrite(&folder, generated);
    }
    let found: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let wanted: BTreeSet<String> = generated.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(found, wanted, "{HOW}");
    for (name, text) in generated {
        let checked_in = fs::read_to_string(folder.join(name)).unwrap();
        assert!(checked_in == *text, "{}/{name} is stale; {HOW}", folder.display());
    }
}

const HOW: &str = "`ROLLOUT_REGENERATE=1 cargo test --test generated` rewrites it";

#[expect(clippy::disallowed_methods, reason = "the switch of this test, and of nothing else")]
fn regenerates() -> bool {
    std::env::var_os("ROLLOUT_REGENERATE").is_some_and(|value| value == "1")
}

/// Checks that a checked-in file has this text.
fn check_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if regenerates() {
        fs::write(&path, text).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    let differs = checked_in.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(checked_in == text, "{name} is stale from {differs:?} on; {HOW}");
}

fn rewrite(folder: &Path, generated: &[(String, String)]) {
    for entry in fs::read_dir(folder).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, text) in generated {
        fs::write(folder.join(name), text).unwrap();
    }
}
