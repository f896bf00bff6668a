//! The binary against a real control plane: etcd, kube-apiserver, kube-controller-manager and kubectl, with a kubelet
//! that follows rules. See `tests/control-plane/README.md`.
//!
//! With `CI=true` or `ROLLOUT_TEST_CLUSTER=build`, the program is built first; otherwise it is used if it has been
//! built, and if not, these tests are skipped with a notice. With `ROLLOUT_TEST_CLUSTER=KUBECONFIG`, the tests that can
//! run on that cluster do. With `CI=true` a skip is a failure.
//!
//! `soak` describes how to play large numbers of races, kills and outages instead.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod admission;
mod backend;
mod borders;
mod build;
mod conformance;
mod control;
mod control_plane;
mod diagnosis;
mod engine;
mod field_changes;
mod fleet;
mod gates;
mod in_place;
mod kills;
mod kubeconfigs;
mod least_privilege;
mod outages;
mod paired_sandbox;
mod policies;
mod prometheus;
mod random;
mod real_env;
mod seed;
mod services;
mod sharded_job;
mod soak;
mod traces;
mod whole_components;
mod write_counts;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use build::Cluster;
use control_plane::{ControlPlane, Need};
use real_env::RealEnv;
use support::scenarios;

/// A test with its own namespace.
type TestFn = fn(&RealEnv);

const PODS: &[Need] = &[Need::Pods];
const PODS_AND_AUDIT: &[Need] = &[Need::Pods, Need::Audit];
const PODS_AND_PROGRAMS: &[Need] = &[Need::Pods, Need::Programs];
/// Every cluster creates endpoint slices; this only names the subject of the tests.
const SLICES: &[Need] = PODS;
const PODS_AND_DEFINITIONS: &[Need] = &[Need::Pods, Need::Definitions];

const TESTS: [(&str, &[Need], TestFn); 76] = [
    ("seed_walk_prints_the_pages_tables_with_kubectl", PODS_AND_DEFINITIONS, seed::walk),
    ("without_the_definitions_everything_else_is_the_same", PODS, seed::walk_without_views),
    ("a_field_of_an_object_that_was_taken_over_can_go", PODS, field_changes::after_a_takeover),
    ("a_service_account_and_a_strategy_can_go", PODS, field_changes::service_account_and_strategy),
    ("a_definition_comes_with_its_object", PODS_AND_DEFINITIONS, field_changes::a_definition_and_its_object),
    ("revisions_outlive_the_views", PODS_AND_DEFINITIONS, seed::revisions_outlive_the_views),
    ("components_without_the_trait_have_views", PODS_AND_DEFINITIONS, seed::views_of_whole_components),
    ("an_upgrade_writes_no_more_than_it_has_to", PODS_AND_AUDIT, write_counts::an_upgrade_is_frugal),
    ("waiting_makes_no_request", PODS_AND_AUDIT, write_counts::waiting_is_free),
    ("applying_twice_writes_nothing", PODS_AND_AUDIT, write_counts::twice_is_nothing),
    ("killed_at_random_moments_and_run_again", PODS, kills::upgrades_and_rollbacks),
    ("killed_in_first_releases_and_scales", PODS, kills::releases_and_scales),
    ("an_image_that_cannot_be_pulled_is_named", PODS, diagnosis::image_pull),
    ("a_crashing_container_is_named", PODS, diagnosis::crash_loop),
    ("a_pod_that_cannot_be_scheduled_is_named", PODS, diagnosis::unschedulable),
    ("a_quota_is_named_and_the_corrected_manifest_goes_through", PODS, diagnosis::quota),
    ("a_probe_that_fails_is_named", PODS, diagnosis::never_ready),
    ("a_pull_that_failed_just_now_is_named", PODS, diagnosis::failed_pull),
    ("an_image_name_that_is_none_is_named", PODS, diagnosis::invalid_image_name),
    ("an_environment_that_is_missing_is_named", PODS, diagnosis::missing_environment),
    ("a_volume_that_is_missing_is_named", PODS, diagnosis::missing_volume),
    ("a_container_out_of_memory_is_named", PODS, diagnosis::out_of_memory),
    ("an_init_container_that_crashes_is_named", PODS, admission::init_container_that_crashes),
    ("a_limit_that_denies_pods_refuses_before_any_write", PODS, admission::limit_that_denies_pods),
    ("a_policy_on_pods_refuses_before_any_write", PODS, admission::security_that_denies_pods),
    ("a_policy_that_denies_pods_is_quoted", PODS, admission::policy_that_denies_pods),
    ("a_policy_that_changes_services_is_reported", PODS, admission::a_policy_changes_services),
    ("a_policy_that_changes_images_is_not_an_edit", PODS, admission::a_policy_changes_images),
    ("a_policy_that_changes_sizes_ends_the_run", PODS, admission::a_policy_changes_sizes),
    ("what_waiting_will_not_cure_ends_the_run_when_asked", PODS, diagnosis::fail_fast),
    ("a_quota_ends_the_run_when_asked", PODS, diagnosis::quota_fails_fast),
    ("the_log_of_a_crash_is_shown", PODS, diagnosis::log_of_a_crash),
    ("a_run_is_paused_and_resumed_from_beside_it", PODS, control::pause_and_resume),
    ("a_run_is_aborted_from_beside_it_and_a_canary_promoted", PODS, control::abort_and_promote),
    ("a_component_is_scaled_undone_at_once_and_deleted", PODS, control::scale_undo_and_delete),
    ("workloads_of_others_survive_every_command", PODS, borders::foreign_workloads),
    ("an_abort_leaves_the_siblings_to_the_process_that_drives", PODS, borders::abort_beside_a_sibling),
    ("a_rollback_returns_to_the_size_from_before", PODS, borders::rollback_to_the_size_from_before),
    ("a_stateful_sets_copy_and_edits_are_distinguished", PODS, borders::stateful_sets),
    ("a_service_follows_the_pods_of_deployments", SLICES, services::of_deployments),
    ("a_service_follows_the_pods_of_a_stateful_set", SLICES, services::of_a_stateful_set),
    ("a_service_stays_with_the_pods_that_serve", SLICES, services::of_pods_that_never_get_ready),
    ("a_service_is_part_of_a_dry_run_on_the_server", PODS, services::a_dry_run_asks_about_services),
    ("a_user_without_rights_is_refused_before_any_write", &[Need::User], access::no_rights),
    ("exactly_the_documented_rights_suffice", &[Need::Pods, Need::User], access::documented_rights),
    (
        "what_may_not_be_asked_is_reported_once_and_stops_nothing",
        &[Need::Pods, Need::User],
        access::rights_without_guards,
    ),
    (
        "rights_on_views_are_missed_once",
        &[Need::Pods, Need::User, Need::Definitions],
        access::rights_on_views,
    ),
    ("a_namespace_that_does_not_exist_is_refused_by_a_plan_too", &[], policies::missing_namespace),
    ("each_command_needs_what_its_role_has", &[Need::Pods, Need::User], least_privilege::every_command),
    (
        "a_manifest_may_grant_rights",
        &[Need::Pods, Need::User],
        least_privilege::a_manifest_that_grants_rights,
    ),
    (
        "a_removal_without_rights_removes_nothing",
        &[Need::Pods, Need::User, Need::Definitions],
        access::rights_to_remove,
    ),
    ("an_autoscaled_workload_is_refused", PODS, access::autoscaler),
    ("a_workload_of_kubevelas_controller_is_refused", PODS_AND_DEFINITIONS, access::foreign_controller),
    ("warnings_of_the_server_are_shown_once", PODS, policies::warnings),
    ("a_policy_that_denies_the_first_write_is_quoted", PODS, policies::policy_at_the_first_write),
    ("a_policy_that_comes_in_mid_run_is_quoted", PODS, policies::policy_in_mid_run),
    ("a_namespace_on_its_way_out_is_refused", &[], policies::namespace_on_its_way_out),
    ("a_namespace_deleted_in_mid_run_is_reported", PODS, policies::namespace_deleted_in_mid_run),
    ("a_quota_of_records_refuses_before_any_effect", PODS, policies::quota_of_records),
    ("a_quota_of_workloads_is_named_and_can_be_lifted", PODS, policies::quota_of_workloads),
    ("a_dry_run_on_the_server_keeps_nothing", PODS, policies::dry_run),
    ("an_object_too_large_for_etcd_ends_the_run_at_once", PODS, policies::too_large),
    ("certificates_tokens_and_token_files_work", PODS_AND_AUDIT, kubeconfigs::certificates_tokens_and_files),
    ("contexts_and_lists_of_kubeconfigs_work", PODS_AND_AUDIT, kubeconfigs::contexts_and_lists),
    ("an_unchecked_certificate_is_warned_of", PODS_AND_AUDIT, kubeconfigs::certificates_that_are_not_checked),
    ("a_plugins_token_is_renewed_in_mid_run", PODS_AND_AUDIT, kubeconfigs::plugins_whose_tokens_expire),
    ("proxies_are_used", PODS_AND_AUDIT, kubeconfigs::proxies),
    ("a_pods_own_configuration_works", PODS_AND_AUDIT, kubeconfigs::within_the_cluster),
    ("the_pods_of_a_job_take_their_shares", PODS, sharded_job::pods_take_their_shares),
    ("whole_components_are_applied_kept_and_deleted", PODS_AND_AUDIT, whole_components::walk),
    ("gates_of_a_real_prometheus", PODS_AND_PROGRAMS, gates::of_a_prometheus),
    ("gates_of_a_server_over_tls", PODS_AND_PROGRAMS, gates::of_a_server_over_tls),
    ("what_is_read_is_waited_for", PODS_AND_AUDIT, whole_components::what_is_read_is_waited_for),
    ("a_workflow_is_held_until_it_is_promoted", PODS_AND_AUDIT, whole_components::workflow),
    (
        "whole_components_drop_what_batches_had",
        &[Need::Pods, Need::CloneSets],
        whole_components::batches_become_whole,
    ),
    ("whole_objects_of_every_type_and_trait_are_valid", PODS_AND_DEFINITIONS, whole_components::golden),
];

/// A test that breaks its control plane.
type Outage = fn(&ControlPlane);

/// Tests that each have their own control plane.
const OUTAGES: [(&str, Outage); 5] = [
    ("the_server_is_away_for_one_and_for_ten_seconds", outages::one_and_ten_seconds),
    ("the_server_is_away_for_forty_seconds", outages::forty_seconds),
    ("the_server_is_frozen_and_etcd_compacted", outages::frozen),
    ("without_controllers_the_deadline_speaks", outages::no_controllers),
    ("a_fleet_of_three_clusters", fleet::three_clusters),
];

/// Tests wait for the cluster most of the time, so there may be more of them than processors.
const THREADS: usize = 6;

/// Trials of one kind share a control plane.
type Shared = Arc<OnceLock<ControlPlane>>;

/// The trials, and the skipped tests.
struct Trials {
    cluster: Option<Cluster>,
    trials: Vec<Trial>,
    /// The number of skipped tests by reason.
    skipped: BTreeMap<String, usize>,
}

impl Trials {
    fn add(
        &mut self,
        name: &str,
        needs: &[Need],
        shared: &Shared,
        story: impl FnOnce(&ControlPlane) + Send + 'static,
    ) {
        let (shared, cluster) = (shared.clone(), self.cluster.clone());
        let is_skipped = self.is_skipped(needs);
        let run = move || {
            story(shared.get_or_init(|| open(cluster.as_ref().expect("it is skipped otherwise"))));
            Ok(())
        };
        self.trials.push(Trial::test(name, run).with_ignored_flag(is_skipped));
    }

    /// Adds a test with its own control plane, on which only Kubernetes runs.
    fn add_alone(&mut self, name: &str, story: Outage) {
        let cluster = self.cluster.clone();
        let is_skipped = self.is_skipped(&[Need::Pods, Need::Parts]);
        let run = move || {
            let Some(Cluster::Own(program)) = cluster else { panic!("it is skipped otherwise") };
            story(&ControlPlane::start(&program));
            Ok(())
        };
        self.trials.push(Trial::test(name, run).with_ignored_flag(is_skipped));
    }

    fn is_skipped(&mut self, needs: &[Need]) -> bool {
        let reason = match &self.cluster {
            None => Some("there is no control plane"),
            Some(Cluster::Own(_)) => None,
            Some(cluster @ Cluster::Somebodys(..)) => open(cluster).lacks(needs),
        };
        reason.is_some_and(|reason| {
            *self.skipped.entry(reason.to_owned()).or_default() += 1;
            true
        })
    }
}

fn open(cluster: &Cluster) -> ControlPlane {
    match cluster {
        Cluster::Own(program) => ControlPlane::start_with_kruise(program),
        Cluster::Somebodys(kubeconfig, program) => ControlPlane::of_somebody(kubeconfig, program.clone()),
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let cluster = if arguments.list { Err(String::new()) } else { build::cluster() };
    if let Some(asked) = soak::Asked::by_environment() {
        return soak::run(&cluster.unwrap_or_else(|why| panic!("{why}")), asked);
    }
    let why = cluster.as_ref().err().cloned();
    let mut all = Trials { cluster: cluster.ok(), trials: Vec::new(), skipped: BTreeMap::new() };
    let (users, engine) = (Shared::default(), Shared::default());
    for (name, needs, story) in TESTS {
        all.add(name, needs, &users, move |plane| story(&plane.env(name)));
    }
    for (name, story) in in_place::TESTS.into_iter().chain(conformance::SUBJECTS) {
        all.add(name, &[Need::Pods, Need::CloneSets], &users, move |plane| story(&plane.env(name)));
    }
    for (name, story) in traces::TESTS {
        all.add(name, &[Need::Pods, Need::CloneSets], &users, move |plane| {
            traces::compare(name, story, plane);
        });
    }
    for scenario in scenarios::of_deployments() {
        let name = format!("engine_{}", scenario.name);
        all.add(&name, PODS, &engine, move |plane| engine::play(plane, &scenario));
    }
    for (name, part) in random::PARTS {
        all.add(name, PODS, &engine, move |plane| random::play(plane, part));
    }
    let alone = OUTAGES.into_iter().chain(in_place::OWN).chain(conformance::FORGETTING);
    for (name, outage) in alone {
        all.add_alone(name, outage);
    }
    let conclusion = libtest_mimic::run(&arguments, all.trials);
    for plane in [users, engine] {
        drop(Arc::try_unwrap(plane).ok().and_then(OnceLock::into_inner));
    }
    if arguments.list {
        return conclusion.exit_code();
    }
    for (reason, count) in &all.skipped {
        let how = why.as_deref().unwrap_or("see CONTRIBUTING.md");
        build::say(&format!("SKIPPED: {count} tests against a real control plane, because {reason}: {how}"));
    }
    if build::is_ci() && !all.skipped.is_empty() {
        build::say("in CI nothing is skipped");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
