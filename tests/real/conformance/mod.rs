//! The sandbox answers as the API server does: both get the same raw requests, and every answer is compared.
//!
//! A script is code that sends requests to one ground. It runs once on the control plane and once on a sandbox, in a
//! namespace of the same name, and the answers are compared request by request, without other expectations: the control
//! plane is always right. `normal` first equalizes the arbitrary parts of answers. Scripts leave out features that the
//! sandbox does not serve (see its module documentation).

mod ground;
mod normal;
mod talk;

mod applies;
mod configurations;
mod creations;
mod defaults;
mod deletions;
mod discovery;
mod dry_runs;
mod forgotten;
mod generations;
mod lists;
mod patches;
mod plain_kinds;
mod refusals;
mod replacements;
mod rollouts;
mod strictness;
mod watches;

use std::sync::Mutex;

use similar::TextDiff;

use crate::build;
use crate::real_env::RealEnv;
use crate::{Outage, TestFn};
use ground::Ground;
use talk::{Exchange, Talk};

/// Requests to a ground.
type Script = fn(&mut Talk);

/// All subjects, by the names of their tests.
pub(crate) const SUBJECTS: [(&str, TestFn); 15] = [
    ("conformance_of_applies", |site| agree(site, "applies", applies::script)),
    ("conformance_of_creations", |site| agree(site, "creations", creations::script)),
    ("conformance_of_defaults", |site| agree(site, "defaults", defaults::script)),
    ("conformance_of_deletions", |site| agree(site, "deletions", deletions::script)),
    ("conformance_of_discovery", |site| agree(site, "discovery", discovery::script)),
    ("conformance_of_dry_runs", |site| agree(site, "dry_runs", dry_runs::script)),
    ("conformance_of_generations", |site| agree(site, "generations", generations::script)),
    ("conformance_of_lists", |site| agree(site, "lists", lists::script)),
    ("conformance_of_patches", |site| agree(site, "patches", patches::script)),
    ("conformance_of_plain_kinds", |site| agree(site, "plain_kinds", plain_kinds::script)),
    ("conformance_of_refusals", |site| agree(site, "refusals", refusals::script)),
    ("conformance_of_replacements", |site| agree(site, "replacements", replacements::script)),
    ("conformance_of_rollouts", |site| agree(site, "rollouts", rollouts::script)),
    ("conformance_of_strictness", |site| agree(site, "strictness", strictness::script)),
    ("conformance_of_watches", |site| agree(site, "watches", watches::script)),
];

/// Subjects that need their own control plane, since they compact its history.
pub(crate) const FORGETTING: [(&str, Outage); 1] = [("conformance_of_a_forgotten_past", |plane| {
    agree(&plane.env("conformance_of_a_forgotten_past"), "forgotten", forgotten::script);
})];

/// Fewer requests than this mean that scripts have become incomplete.
const LEAST: usize = 600;

/// The subjects that agreed, and how many requests they made.
static AGREED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Runs a script on both grounds and compares.
fn agree(site: &RealEnv, subject: &str, script: Script) {
    let [real, sandbox] = [Ground::real(site), Ground::sandbox(site)].map(|ground| {
        let mut talk = Talk::new(ground);
        script(&mut talk);
        talk
    });
    let count = real.requests();
    let [real, sandbox] = normal::alike(real.exchanges(), sandbox.exchanges());
    let complaints = differences(&real, &sandbox);
    assert!(
        complaints.is_empty(),
        "{subject}: of {count} requests, {} things are otherwise in the sandbox\n\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    build::say(&format!("{subject}: {count} requests are answered alike"));
    let mut agreed = AGREED.lock().unwrap();
    agreed.push(count);
    if agreed.len() == SUBJECTS.len() + FORGETTING.len() {
        let total: usize = agreed.iter().sum();
        build::say(&format!("conformance: {total} requests are answered alike"));
        assert!(total >= LEAST, "only {total} requests were compared");
    }
}

/// The differences, with `-` for the control plane and `+` for the sandbox.
fn differences(real: &[Exchange], sandbox: &[Exchange]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, exchange) in real.iter().enumerate() {
        let Some(other) = sandbox.get(at) else {
            complaints.push(format!("{}: not asked of the sandbox\n", exchange.request));
            break;
        };
        let (left, right) = (exchange.text(), other.text());
        if left != right {
            let diff = TextDiff::from_lines(&left, &right).unified_diff().context_radius(3).to_string();
            complaints.push(format!("#{at} {}\n{diff}", exchange.request));
        }
    }
    if sandbox.len() > real.len() {
        complaints.push(format!("{}: asked of the sandbox alone\n", sandbox[real.len()].request));
    }
    complaints
}
