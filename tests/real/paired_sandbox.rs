//! A sandbox that gets the same requests as the control plane.

use std::sync::Arc;

use jiff::Timestamp;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Now, Options, RulesSource, Sandbox};

/// Opens a sandbox whose kubelet follows the rules, given as YAML. Time passes in it only while it exists.
pub(crate) fn open(rules: &str) -> Sandbox {
    let rules = RulesSource::Given(parse_rules("rules", rules).unwrap());
    Sandbox::open(Options { file: None, rules, now: clock(), record_history: false }).unwrap()
}

/// The wall clock, which the control plane uses too.
#[expect(clippy::disallowed_methods, reason = "nothing is timed; the sandbox needs some clock")]
fn clock() -> Now {
    Arc::new(Timestamp::now)
}
