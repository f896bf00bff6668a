//! The binary against a real control plane: etcd, kube-apiserver, kube-controller-manager and kubectl, with a
//! kubelet that does what rules say. See `tests/control-plane/README.md`.
//!
//! The program is built first where `CI=true` or `ROLLOUT_TEST_CLUSTER=build` asks for it, used where it has
//! been built, and otherwise these tests are skipped, loudly. With `CI=true` nothing is skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod build;
mod conformance;
mod engine;
mod ground;
mod in_place;
mod kills;
mod outages;
mod plane;
mod seed;
mod site;
mod stuck;
mod traces;
mod wire;
mod writes;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use common::stories;
use plane::Plane;
use site::Site;

/// A story, told on a namespace of its own.
type Story = fn(&Site);

const STORIES: [(&str, Story); 23] = [
    ("seed_walk_prints_the_pages_tables_with_kubectl", seed::walk),
    ("without_the_definitions_everything_else_is_the_same", seed::walk_without_views),
    ("revisions_outlive_the_views", seed::revisions_outlive_the_views),
    ("an_upgrade_writes_no_more_than_it_has_to", writes::an_upgrade_is_frugal),
    ("waiting_makes_no_request", writes::waiting_is_free),
    ("applying_twice_writes_nothing", writes::twice_is_nothing),
    ("killed_at_random_moments_and_run_again", kills::upgrades_and_rollbacks),
    ("killed_in_first_releases_and_scales", kills::releases_and_scales),
    ("an_image_that_cannot_be_pulled_is_named", stuck::image_pull),
    ("a_crashing_container_is_named", stuck::crash_loop),
    ("a_pod_that_cannot_be_scheduled_is_named", stuck::unschedulable),
    ("a_quota_is_named_and_the_corrected_manifest_goes_through", stuck::quota),
    ("a_user_without_rights_is_refused_before_any_write", access::no_rights),
    ("exactly_the_documented_rights_suffice", access::documented_rights),
    ("an_autoscaled_workload_is_refused", access::autoscaler),
    ("a_workload_of_kubevelas_controller_is_refused", access::foreign_controller),
    ("warnings_of_the_server_are_shown", access::warnings),
    ("certificates_tokens_and_token_files_work", wire::certificates_tokens_and_files),
    ("contexts_and_lists_of_kubeconfigs_work", wire::contexts_and_lists),
    ("an_unchecked_certificate_is_warned_of", wire::certificates_that_are_not_checked),
    ("a_plugins_token_is_renewed_in_mid_run", wire::plugins_whose_tokens_expire),
    ("proxies_are_used", wire::proxies),
    ("a_pods_own_configuration_works", wire::within_the_cluster),
];

/// A story that breaks its control plane.
type Outage = fn(&Plane);

/// Each of these has a control plane of its own.
const OUTAGES: [(&str, Outage); 4] = [
    ("the_server_is_away_for_a_second", outages::one_second),
    ("the_server_is_away_for_ten_seconds", outages::ten_seconds),
    ("the_server_is_frozen_and_etcd_compacted", outages::frozen_and_compacted),
    ("without_controllers_the_deadline_speaks", outages::no_controllers),
];

/// Stories wait for the cluster most of the time, so there may be more of them than processors.
const THREADS: usize = 6;

/// Trials of one kind share a control plane.
type Shared = Arc<OnceLock<Plane>>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let program = match (arguments.list, build::program()) {
        (false, Ok(program)) => Some(program),
        (false, Err(reason)) => {
            build::say(&format!("SKIPPED: every test against a real control plane: {reason}"));
            None
        }
        (true, _) => None,
    };
    let shared: Shared = Arc::default();
    let is_skipped = program.is_none() && !arguments.list;
    let mut trials = Vec::new();
    let told =
        STORIES.into_iter().chain(traces::STORIES).chain(in_place::STORIES).chain(conformance::SUBJECTS);
    for (name, story) in told {
        let (shared, program) = (shared.clone(), program.clone());
        let run = move || {
            let plane = shared.get_or_init(|| Plane::start_with_kruise(program.as_deref().unwrap()));
            story(&plane.site(name));
            Ok(())
        };
        trials.push(Trial::test(name, run).with_ignored_flag(is_skipped));
    }
    let engine: Shared = Arc::default();
    for (name, story) in stories::ALL {
        let (shared, program) = (engine.clone(), program.clone());
        let run = move || {
            let plane = shared.get_or_init(|| Plane::start(program.as_deref().unwrap()));
            engine::play(plane, name, &story());
            Ok(())
        };
        trials.push(Trial::test(format!("engine_{name}"), run).with_ignored_flag(is_skipped));
    }
    for (name, story) in OUTAGES.into_iter().chain(in_place::OWN).chain(conformance::FORGETTING) {
        let program = program.clone();
        let run = move || {
            story(&Plane::start(program.as_deref().unwrap()));
            Ok(())
        };
        trials.push(Trial::test(name, run).with_ignored_flag(is_skipped));
    }
    let count = trials.len();
    let conclusion = libtest_mimic::run(&arguments, trials);
    for plane in [shared, engine] {
        drop(Arc::try_unwrap(plane).ok().and_then(OnceLock::into_inner));
    }
    if is_skipped {
        build::say(&format!("SKIPPED: {count} tests; {}", build::HOW));
    }
    conclusion.exit_code()
}
