//! The kinds for traffic, sizes, permissions and the API itself.

use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::autoscaling::v2;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::PLAIN;
use crate::sandbox::object::kind::{
    CreateOnUpdate, Definition, DeleteResponse, Generation, NameRule, Persistence, Scope, StatusSubresource,
    UnconditionalUpdate,
};
use crate::sandbox::validation::{
    autoscaler, defaulting, definition, disruption_budget, ingress, network_policy, rbac, simple, typed,
};

const NETWORKING: &str = "networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

const AUTOSCALER: Definition = Definition {
    group: "autoscaling",
    plural: "horizontalpodautoscalers",
    kind: "HorizontalPodAutoscaler",
    short_names: &["hpa"],
    status: StatusSubresource::Present,
    default: autoscaler::default,
    validate: autoscaler::validate,
    ..PLAIN
};

pub(super) static TABLE: &[Definition] = &[
    Definition { version: "v2", check: typed::check_workload::<v2::HorizontalPodAutoscaler>, ..AUTOSCALER },
    // An older version of the same objects.
    Definition { check: autoscaler::check_v1, convert: autoscaler::to_v1, ..AUTOSCALER },
    Definition {
        group: "policy",
        plural: "poddisruptionbudgets",
        kind: "PodDisruptionBudget",
        short_names: &["pdb"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        names: NameRule::PathSegment,
        unconditional_update: UnconditionalUpdate::Refused,
        check: typed::check::<PodDisruptionBudget>,
        default: disruption_budget::default,
        validate: disruption_budget::validate,
        ..PLAIN
    },
    Definition {
        group: NETWORKING,
        plural: "ingresses",
        kind: "Ingress",
        short_names: &["ing"],
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        check: typed::check::<Ingress>,
        default: ingress::default,
        validate: ingress::validate,
        ..PLAIN
    },
    Definition {
        group: NETWORKING,
        plural: "ingressclasses",
        kind: "IngressClass",
        scope: Scope::Cluster,
        generation: Generation::Spec,
        check: typed::check::<IngressClass>,
        validate: ingress::validate_class,
        ..PLAIN
    },
    Definition {
        group: NETWORKING,
        plural: "networkpolicies",
        kind: "NetworkPolicy",
        short_names: &["netpol"],
        generation: Generation::Spec,
        check: typed::check::<NetworkPolicy>,
        default: network_policy::default,
        validate: network_policy::validate,
        ..PLAIN
    },
    Definition {
        group: RBAC,
        plural: "roles",
        kind: "Role",
        names: NameRule::PathSegment,
        create_on_update: CreateOnUpdate::Allowed,
        check: typed::check::<Role>,
        default: rbac::default_role,
        validate: rbac::role,
        ..PLAIN
    },
    Definition {
        group: RBAC,
        plural: "rolebindings",
        kind: "RoleBinding",
        names: NameRule::PathSegment,
        create_on_update: CreateOnUpdate::Allowed,
        check: typed::check::<RoleBinding>,
        default: rbac::default_binding,
        validate: rbac::binding,
        ..PLAIN
    },
    Definition {
        group: RBAC,
        plural: "clusterroles",
        kind: "ClusterRole",
        scope: Scope::Cluster,
        names: NameRule::PathSegment,
        create_on_update: CreateOnUpdate::Allowed,
        check: typed::check::<ClusterRole>,
        default: rbac::default_role,
        validate: rbac::cluster_role,
        ..PLAIN
    },
    Definition {
        group: RBAC,
        plural: "clusterrolebindings",
        kind: "ClusterRoleBinding",
        scope: Scope::Cluster,
        names: NameRule::PathSegment,
        create_on_update: CreateOnUpdate::Allowed,
        check: typed::check::<ClusterRoleBinding>,
        default: rbac::default_binding,
        validate: rbac::cluster_binding,
        ..PLAIN
    },
    Definition {
        group: "apiextensions.k8s.io",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        short_names: &["crd", "crds"],
        scope: Scope::Cluster,
        generation: Generation::Spec,
        status: StatusSubresource::Present,
        unconditional_update: UnconditionalUpdate::Refused,
        delete_response: DeleteResponse::Object,
        check: typed::check::<CustomResourceDefinition>,
        default: definition::default,
        validate: definition::validate,
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
