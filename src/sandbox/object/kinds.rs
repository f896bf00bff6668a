//! The table of kinds: what the sandbox serves and how each kind differs from the others.
//!
//! A further kind is one more row here, and a controller if something should act on it. This module must not
//! know how objects are stored or changed.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, LimitRange, Namespace, Pod, ResourceQuota, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::Value;
use std::cmp::Ordering;
use std::fmt;

use crate::sandbox::object::failure::Problem;
use crate::sandbox::validation;
use crate::sandbox::validation::custom;
use crate::sandbox::validation::defaulting;
use crate::sandbox::validation::typed;
use crate::sandbox::validation::typed::Checked;

/// One row of the table.
pub(crate) struct Definition {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) short_names: &'static [&'static str],
    pub(crate) origin: Origin,
    pub(crate) scope: Scope,
    pub(crate) keeping: Keeping,
    /// Which parts of a change raise `metadata.generation`.
    pub(crate) generation: Generation,
    /// Whether `status` is a subresource, written apart from the rest.
    pub(crate) status: StatusPart,
    /// Which rule names follow.
    pub(crate) names: Names,
    /// Whether a PUT may leave out the resource version.
    pub(crate) unconditional: Unconditional,
    /// What a PUT to a missing object does.
    pub(crate) missing: PutToMissing,
    /// What a completed deletion answers.
    pub(crate) deletion: DeletionAnswer,
    /// Refuses wrongly typed bodies and drops fields the kind does not have.
    pub(crate) check: fn(Value) -> Result<Checked, String>,
    /// Fills in what the API server would.
    pub(crate) default: fn(&mut Value),
    /// Complains about an object, given the one it replaces.
    pub(crate) validate: fn(&Value, Option<&Value>) -> Vec<Problem>,
}

/// Whether the API server is built with a kind, or a definition that somebody installed describes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    BuiltIn,
    Custom,
}

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
}

/// Whether objects of a kind are stored, or answered and forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    Stored,
    Answered,
}

/// Which changes raise `metadata.generation`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    None,
    Spec,
    /// Deployments: their annotations are copied to ReplicaSets, so they count as well.
    SpecAndAnnotations,
}

/// Whether a kind has `/status`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusPart {
    None,
    Subresource,
}

/// The rule that names of a kind follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Subdomain,
    Label,
    /// The same, with a complaint of its own about dots.
    UndottedLabel,
}

/// Whether a PUT may leave out `metadata.resourceVersion`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unconditional {
    Allowed,
    Refused,
}

/// What a PUT to an object that does not exist does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutToMissing {
    NotFound,
    Creates,
}

/// What a DELETE that removed the object answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeletionAnswer {
    Status,
    Object,
}

/// A kind: a row of the table, comparable and cheap to copy.
#[derive(Clone, Copy)]
pub(crate) struct Kind(&'static Definition);

impl Kind {
    /// The kind served at `group`, `version`, `plural`.
    pub(crate) fn served(group: &str, version: &str, plural: &str) -> Option<Self> {
        TABLE.iter().find(|d| d.group == group && d.version == version && d.plural == plural).map(Self)
    }

    /// The kind called `kind` in `apiVersion`.
    pub(crate) fn named(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        TABLE.iter().find(|d| d.group == group && d.version == version && d.kind == kind).map(Self)
    }

    /// Every kind.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// The kind itself, for the controllers, which know what they work on.
    pub(crate) fn of(plural: &'static str) -> Self {
        TABLE.iter().find(|d| d.plural == plural).map(Self).expect("controllers name kinds of the table")
    }

    /// `apps/v1`, or `v1` for the core group.
    pub(crate) fn api_version(self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `deployments.apps`, as messages call the resource.
    pub(crate) fn resource(self) -> String {
        qualified(self.plural, self.group)
    }

    /// `Deployment.apps`, as messages call the kind.
    pub(crate) fn qualified_kind(self) -> String {
        qualified(self.kind, self.group)
    }
}

fn qualified(name: &str, group: &str) -> String {
    match group {
        "" => name.to_owned(),
        group => format!("{name}.{group}"),
    }
}

impl std::ops::Deref for Kind {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        self.0
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kind {}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        // Nearly all comparisons are of one row with itself.
        if std::ptr::eq(self.0, other.0) {
            return Ordering::Equal;
        }
        (self.group, self.plural).cmp(&(other.group, other.plural))
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource())
    }
}

/// What most rows have in common.
const PLAIN: Definition = Definition {
    group: "",
    version: "v1",
    plural: "",
    singular: "",
    kind: "",
    short_names: &[],
    origin: Origin::BuiltIn,
    scope: Scope::Namespaced,
    keeping: Keeping::Stored,
    generation: Generation::None,
    status: StatusPart::None,
    names: Names::Subdomain,
    unconditional: Unconditional::Allowed,
    missing: PutToMissing::NotFound,
    deletion: DeletionAnswer::Status,
    check: typed::anything,
    default: |_| (),
    validate: |_, _| Vec::new(),
};

static TABLE: &[Definition] = &[
    Definition {
        plural: "configmaps",
        singular: "configmap",
        kind: "ConfigMap",
        short_names: &["cm"],
        check: typed::check::<ConfigMap>,
        validate: validation::config_map,
        ..PLAIN
    },
    Definition {
        plural: "events",
        singular: "event",
        kind: "Event",
        short_names: &["ev"],
        missing: PutToMissing::Creates,
        check: typed::check::<Event>,
        ..PLAIN
    },
    Definition {
        plural: "namespaces",
        singular: "namespace",
        kind: "Namespace",
        short_names: &["ns"],
        scope: Scope::Cluster,
        status: StatusPart::Subresource,
        names: Names::Label,
        deletion: DeletionAnswer::Object,
        check: typed::check::<Namespace>,
        default: defaulting::namespace,
        ..PLAIN
    },
    Definition {
        plural: "pods",
        singular: "pod",
        kind: "Pod",
        short_names: &["po"],
        generation: Generation::Spec,
        status: StatusPart::Subresource,
        deletion: DeletionAnswer::Object,
        check: typed::check_workload::<Pod>,
        default: defaulting::pod,
        validate: validation::pod,
        ..PLAIN
    },
    Definition {
        plural: "limitranges",
        singular: "limitrange",
        kind: "LimitRange",
        short_names: &["limits"],
        check: typed::check::<LimitRange>,
        ..PLAIN
    },
    Definition {
        plural: "resourcequotas",
        singular: "resourcequota",
        kind: "ResourceQuota",
        short_names: &["quota"],
        status: StatusPart::Subresource,
        deletion: DeletionAnswer::Object,
        check: typed::check::<ResourceQuota>,
        ..PLAIN
    },
    Definition {
        plural: "services",
        singular: "service",
        kind: "Service",
        short_names: &["svc"],
        status: StatusPart::Subresource,
        names: Names::UndottedLabel,
        missing: PutToMissing::Creates,
        deletion: DeletionAnswer::Object,
        check: typed::check::<Service>,
        default: defaulting::service,
        validate: validation::service,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "controllerrevisions",
        singular: "controllerrevision",
        kind: "ControllerRevision",
        check: typed::check::<ControllerRevision>,
        validate: validation::controller_revision,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "deployments",
        singular: "deployment",
        kind: "Deployment",
        short_names: &["deploy"],
        generation: Generation::SpecAndAnnotations,
        status: StatusPart::Subresource,
        check: typed::check_workload::<Deployment>,
        default: defaulting::deployment,
        validate: validation::deployment,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "replicasets",
        singular: "replicaset",
        kind: "ReplicaSet",
        short_names: &["rs"],
        generation: Generation::Spec,
        status: StatusPart::Subresource,
        check: typed::check_workload::<ReplicaSet>,
        default: defaulting::replica_set,
        validate: validation::replica_set,
        ..PLAIN
    },
    Definition {
        group: "apps",
        plural: "statefulsets",
        singular: "statefulset",
        kind: "StatefulSet",
        short_names: &["sts"],
        generation: Generation::Spec,
        status: StatusPart::Subresource,
        names: Names::Label,
        check: typed::check_workload::<StatefulSet>,
        default: defaulting::stateful_set,
        validate: validation::stateful_set,
        ..PLAIN
    },
    Definition {
        group: "autoscaling",
        version: "v2",
        plural: "horizontalpodautoscalers",
        singular: "horizontalpodautoscaler",
        kind: "HorizontalPodAutoscaler",
        short_names: &["hpa"],
        status: StatusPart::Subresource,
        check: typed::check::<HorizontalPodAutoscaler>,
        ..PLAIN
    },
    Definition {
        group: "policy",
        plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget",
        kind: "PodDisruptionBudget",
        short_names: &["pdb"],
        generation: Generation::Spec,
        status: StatusPart::Subresource,
        check: typed::check::<PodDisruptionBudget>,
        ..PLAIN
    },
    Definition {
        group: custom::cloneset::GROUP,
        version: "v1alpha1",
        plural: "clonesets",
        singular: "cloneset",
        kind: "CloneSet",
        short_names: &["clone"],
        origin: Origin::Custom,
        generation: Generation::Spec,
        status: StatusPart::Subresource,
        unconditional: Unconditional::Refused,
        check: custom::cloneset::check,
        validate: custom::cloneset::validate,
        ..PLAIN
    },
    Definition {
        group: "authorization.k8s.io",
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        kind: "SelfSubjectAccessReview",
        scope: Scope::Cluster,
        keeping: Keeping::Answered,
        check: typed::check::<SelfSubjectAccessReview>,
        default: defaulting::access_review,
        ..PLAIN
    },
    Definition {
        group: "authorization.k8s.io",
        plural: "selfsubjectrulesreviews",
        singular: "selfsubjectrulesreview",
        kind: "SelfSubjectRulesReview",
        scope: Scope::Cluster,
        keeping: Keeping::Answered,
        check: typed::check::<SelfSubjectRulesReview>,
        default: defaulting::rules_review,
        ..PLAIN
    },
    Definition {
        group: "coordination.k8s.io",
        plural: "leases",
        singular: "lease",
        kind: "Lease",
        unconditional: Unconditional::Refused,
        missing: PutToMissing::Creates,
        check: typed::check_lease::<Lease>,
        default: defaulting::lease,
        validate: validation::lease,
        ..PLAIN
    },
];
