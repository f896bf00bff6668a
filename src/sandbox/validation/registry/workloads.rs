//! The kinds that run pods, and ControllerRevisions.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};

use super::PLAIN;
use crate::sandbox::object::kind::{
    Definition, Generation, NameRule, Origin, StatusSubresource, UnconditionalUpdate,
};
use crate::sandbox::validation::{
    cron_job, custom, daemon_set, defaulting, deployment, job, simple, stateful_set, typed, workload,
};

pub(super) static TABLE: &[Definition] = &[
    Definition {
        group: "apps",
        plural: "controllerrevisions",
        kind: "ControllerRevision",
        check: typed::check::<ControllerRevision>,
        validate: simple::controller_revision,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "daemonsets",
        kind: "DaemonSet",
        short_names: &["ds"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        check: typed::check_workload::<DaemonSet>,
        default: daemon_set::default,
        derive: daemon_set::derive,
        validate: daemon_set::validate,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "deployments",
        kind: "Deployment",
        short_names: &["deploy"],
        generation: Generation::SpecAndAnnotations,
        status: StatusSubresource::Present,
        check: typed::check_workload::<Deployment>,
        default: defaulting::deployment,
        validate: deployment::deployment,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "replicasets",
        kind: "ReplicaSet",
        short_names: &["rs"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        check: typed::check_workload::<ReplicaSet>,
        default: defaulting::replica_set,
        validate: workload::replica_set,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "statefulsets",
        kind: "StatefulSet",
        short_names: &["sts"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        names: NameRule::Label,
        check: typed::check_workload::<StatefulSet>,
        default: defaulting::stateful_set,
        validate: stateful_set::stateful_set,
        ..PLAIN
    },
    Definition {
        group: "batch",
        plural: "jobs",
        kind: "Job",
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        check: typed::check_workload::<Job>,
        default: job::default,
        allocate: job::select,
        validate: job::validate,
        ..PLAIN
    },
    Definition {
        group: "batch",
        plural: "cronjobs",
        kind: "CronJob",
        short_names: &["cj"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        check: typed::check_workload::<CronJob>,
        default: cron_job::default,
        validate: cron_job::validate,
        ..PLAIN
    },
    Definition {
        group: custom::cloneset::GROUP,
        version: "v1alpha1",
        plural: "clonesets",
        kind: "CloneSet",
        short_names: &["clone"],
        origin: Origin::Custom,
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        unconditional_update: UnconditionalUpdate::Refused,
        check: custom::cloneset::check,
        validate: custom::cloneset::validate,
        ..PLAIN
    },
];
