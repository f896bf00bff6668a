//! The kinds of the core group.

use k8s_openapi::api::core::v1::{
    ConfigMap, Event, LimitRange, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Service,
    ServiceAccount,
};

use super::PLAIN;
use crate::sandbox::object::kind::{
    CreateOnUpdate, Definition, DeleteResponse, Generation, NameRule, Scope, StatusSubresource,
};
use crate::sandbox::validation::{claim, defaulting, pod_spec, secret, service, simple, typed};

pub(super) static TABLE: &[Definition] = &[
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
        plural: "secrets",
        kind: "Secret",
        check: secret::check,
        default: secret::default,
        validate: secret::validate,
        ..PLAIN
    },
    Definition {
        plural: "persistentvolumeclaims",
        kind: "PersistentVolumeClaim",
        short_names: &["pvc"],
        status: StatusSubresource::Present,
        delete_response: DeleteResponse::Object,
        check: typed::check_workload::<PersistentVolumeClaim>,
        default: claim::default,
        allocate: claim::protect,
        validate: claim::validate,
        ..PLAIN
    },
    Definition {
        plural: "serviceaccounts",
        kind: "ServiceAccount",
        short_names: &["sa"],
        delete_response: DeleteResponse::Object,
        check: typed::check::<ServiceAccount>,
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
        derive: service::forget_address,
        validate: service::service,
        ..PLAIN
    },
];
