//! The registry of kinds: what the sandbox serves.
//!
//! A further kind is one more row here, and a controller if something should act on it. This module must not know how
//! objects are stored or changed.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, LimitRange, Namespace, Pod, ResourceQuota, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::sandbox::object::kind::{
    CreateOnUpdate, Definition, DeleteResponse, Generation, Kind, NameRule, Origin, Persistence, Scope,
    StatusSubresource, UnconditionalUpdate,
};
use crate::sandbox::validation::{
    custom, defaulting, deployment, pod_spec, service, simple, stateful_set, typed, workload,
};

pub(crate) fn find_resource(group: &str, version: &str, plural: &str) -> Option<Kind> {
    all_kinds().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

/// The kind called `kind` in `apiVersion`.
pub(crate) fn find_kind(api_version: &str, kind: &str) -> Option<Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    all_kinds().find(|known| known.group == group && known.version == version && known.kind == kind)
}

pub(crate) fn all_kinds() -> impl Iterator<Item = Kind> {
    TABLE.iter().map(Kind::of)
}

/// The kind with a plural name that the code knows.
pub(crate) fn kind(plural: &'static str) -> Kind {
    all_kinds().find(|kind| kind.plural == plural).expect("controllers name kinds of the table")
}

/// What most rows have in common.
const PLAIN: Definition = Definition {
    group: "",
    version: "v1",
    plural: "",
    kind: "",
    short_names: &[],
    origin: Origin::BuiltIn,
    scope: Scope::Namespaced,
    persistence: Persistence::Stored,
    generation: Generation::None,
    status: StatusSubresource::Absent,
    names: NameRule::Subdomain,
    unconditional_update: UnconditionalUpdate::Allowed,
    create_on_update: CreateOnUpdate::Refused,
    delete_response: DeleteResponse::Status,
    check: typed::anything,
    default: |_| (),
    validate: |_, _| Vec::new(),
};

static TABLE: &[Definition] = &[
    Definition {
        plural: "configmaps",
        kind: "ConfigMap",
        short_names: &["cm"],
        check: typed::check::<ConfigMap>,
        validate: simple::config_map,
        ..PLAIN
    },
    Definition {
        plural: "events",
        kind: "Event",
        short_names: &["ev"],
        create_on_update: CreateOnUpdate::Allowed,
        check: typed::check::<Event>,
        ..PLAIN
    },
    Definition {
        plural: "namespaces",
        kind: "Namespace",
        short_names: &["ns"],
        scope: Scope::Cluster,
        status: StatusSubresource::Present,
        names: NameRule::Label,
        delete_response: DeleteResponse::Object,
        check: typed::check::<Namespace>,
        default: defaulting::namespace,
        ..PLAIN
    },
    Definition {
        plural: "pods",
        kind: "Pod",
        short_names: &["po"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        delete_response: DeleteResponse::Object,
        check: typed::check_workload::<Pod>,
        default: defaulting::pod,
        validate: pod_spec::pod,
        ..PLAIN
    },
    Definition {
        plural: "limitranges",
        kind: "LimitRange",
        short_names: &["limits"],
        check: typed::check::<LimitRange>,
        ..PLAIN
    },
    Definition {
        plural: "resourcequotas",
        kind: "ResourceQuota",
        short_names: &["quota"],
        status: StatusSubresource::Present,
        delete_response: DeleteResponse::Object,
        check: typed::check::<ResourceQuota>,
        ..PLAIN
    },
    Definition {
        plural: "services",
        kind: "Service",
        short_names: &["svc"],
        status: StatusSubresource::Present,
        names: NameRule::UndottedLabel,
        create_on_update: CreateOnUpdate::Allowed,
        delete_response: DeleteResponse::Object,
        check: typed::check::<Service>,
        default: defaulting::service,
        validate: service::service,
        ..PLAIN
    },
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
        group: "autoscaling",
        version: "v2",
        plural: "horizontalpodautoscalers",
        kind: "HorizontalPodAutoscaler",
        short_names: &["hpa"],
        status: StatusSubresource::Present,
        check: typed::check::<HorizontalPodAutoscaler>,
        ..PLAIN
    },
    Definition {
        group: "policy",
        plural: "poddisruptionbudgets",
        kind: "PodDisruptionBudget",
        short_names: &["pdb"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        check: typed::check::<PodDisruptionBudget>,
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
    Definition {
        group: "authorization.k8s.io",
        plural: "selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        scope: Scope::Cluster,
        persistence: Persistence::Virtual,
        check: typed::check::<SelfSubjectAccessReview>,
        default: defaulting::access_review,
        ..PLAIN
    },
    Definition {
        group: "authorization.k8s.io",
        plural: "selfsubjectrulesreviews",
        kind: "SelfSubjectRulesReview",
        scope: Scope::Cluster,
        persistence: Persistence::Virtual,
        check: typed::check::<SelfSubjectRulesReview>,
        default: defaulting::rules_review,
        ..PLAIN
    },
    Definition {
        group: "coordination.k8s.io",
        plural: "leases",
        kind: "Lease",
        unconditional_update: UnconditionalUpdate::Refused,
        create_on_update: CreateOnUpdate::Allowed,
        check: typed::check_lease::<Lease>,
        default: defaulting::lease,
        validate: simple::lease,
        ..PLAIN
    },
];
