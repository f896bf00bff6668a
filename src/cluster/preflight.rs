//! Whether this user may do what a run needs, asked before the first write.
//!
//! One rules review answers for almost every user. What it does not show to be allowed is asked for one by
//! one, since its list may be incomplete and a missing line proves nothing.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use kube::api::PostParams;

use crate::cluster::error::ClusterError;
use crate::cluster::owned::Owned;
use crate::cluster::session::Session;
use crate::oam::kind::WorkloadKind;

/// A right on one kind of object in one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right<'a> {
    /// What is done.
    pub verb: &'a str,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The plural.
    pub resource: &'a str,
}

/// Whether a run touches Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// A component exposes ports.
    Touched,
    /// None does.
    Untouched,
}

/// What every run needs of the kinds that its components run as.
const OF_WORKLOADS: &[&str] = &["get", "list", "watch", "create", "patch"];
/// What every run needs besides: kind by kind, group, plural, verbs.
const NEEDED: [(&str, &str, &[&str]); 3] = [
    ("apps", "controllerrevisions", &["get", "list", "create"]),
    ("", "configmaps", &["get", "list", "watch", "create", "patch"]),
    ("coordination.k8s.io", "leases", &["get", "create", "patch"]),
];
/// What a run with exposed ports needs besides.
const SERVICES: (&str, &str, &[&str]) = ("", "services", &["get", "create", "patch"]);

/// Which of these rights this user lacks in a namespace, as a sentence; `None` where it is none.
///
/// # Errors
/// What the server answered at last.
pub async fn lack<'a>(
    session: &Session,
    namespace: &str,
    needed: impl Iterator<Item = Right<'a>>,
) -> Result<Option<String>, ClusterError> {
    let rules = rules(session, namespace).await?;
    let mut missing = Vec::new();
    for right in needed {
        if !rules.iter().any(|rule| allows(rule, right)) && !is_allowed(session, namespace, right).await? {
            missing.push(right);
        }
    }
    let told = || format!("this user lacks rights in namespace `{namespace}`: {}", describe(&missing));
    Ok((!missing.is_empty()).then(told))
}

/// The rights that a run needs.
pub fn of_run(kinds: &BTreeSet<WorkloadKind>, services: Services) -> impl Iterator<Item = Right<'static>> {
    let more = (services == Services::Touched).then_some(SERVICES);
    let workloads = kinds.iter().map(|kind| (kind.group(), kind.plural(), OF_WORKLOADS));
    // Drained sources are deleted; an in-place workload never is.
    let drained = kinds.contains(&WorkloadKind::Deployment).then_some((
        "apps",
        WorkloadKind::Deployment.plural(),
        &["delete"][..],
    ));
    workloads
        .chain(drained)
        .chain(NEEDED)
        .chain(more)
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| Right { verb, group, resource }))
}

/// The rights that removing objects takes, besides reading them.
pub fn of_removal(objects: &[Owned]) -> impl Iterator<Item = Right<'_>> {
    let mut kinds: Vec<(&str, &str)> = objects.iter().map(Owned::kind).collect();
    kinds.dedup();
    let deletes = kinds.into_iter().map(|(group, resource)| Right { verb: "delete", group, resource });
    // A removal claims what it removes.
    let writes = [
        ("", "configmaps", &["patch"][..]),
        ("coordination.k8s.io", "leases", &["get", "create", "patch", "delete"]),
    ];
    let writes = writes
        .into_iter()
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| Right { verb, group, resource }));
    deletes.chain(writes)
}

async fn rules(session: &Session, namespace: &str) -> Result<Vec<ResourceRule>, ClusterError> {
    let api = session.cluster_wide::<SelfSubjectRulesReview>();
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let params = PostParams::default();
    match session.read(|| api.create(&params, &review)).await {
        Ok(review) => Ok(review.status.map(|status| status.resource_rules).unwrap_or_default()),
        // A server without this review, or one that keeps it from us: every right is asked for.
        Err(ClusterError::NotFound(_) | ClusterError::Forbidden(_) | ClusterError::Invalid(_)) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn allows(rule: &ResourceRule, right: Right<'_>) -> bool {
    let has = |list: &[String], wanted: &str| list.iter().any(|item| item == "*" || item == wanted);
    let of_any_name = rule.resource_names.as_ref().is_none_or(Vec::is_empty);
    of_any_name
        && has(&rule.verbs, right.verb)
        && has(rule.api_groups.as_deref().unwrap_or_default(), right.group)
        && has(rule.resources.as_deref().unwrap_or_default(), right.resource)
}

async fn is_allowed(session: &Session, namespace: &str, right: Right<'_>) -> Result<bool, ClusterError> {
    let api = session.cluster_wide::<SelfSubjectAccessReview>();
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                namespace: Some(namespace.to_owned()),
                resource: Some(right.resource.to_owned()),
                verb: Some(right.verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let params = PostParams::default();
    let review = session.read(|| api.create(&params, &review)).await?;
    Ok(review.status.is_some_and(|status| status.allowed))
}

/// Rights in words, kind by kind: "`create` and `patch` `deployments.apps`".
fn describe(rights: &[Right<'_>]) -> String {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for right in rights {
        let kind = if right.group.is_empty() {
            right.resource.to_owned()
        } else {
            format!("{}.{}", right.resource, right.group)
        };
        match kinds.last_mut() {
            Some((last, verbs)) if *last == kind => verbs.push(right.verb),
            _ => kinds.push((kind, vec![right.verb])),
        }
    }
    let words: Vec<String> =
        kinds.iter().map(|(kind, verbs)| format!("{} `{kind}`", verbs.join("/"))).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> ResourceRule {
        let owned = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        ResourceRule {
            verbs: owned(verbs),
            api_groups: Some(owned(groups)),
            resources: Some(owned(resources)),
            resource_names: Some(owned(names)),
        }
    }

    #[test]
    fn a_rule_allows_what_it_names_in_full() {
        let right = Right { verb: "patch", group: "apps", resource: "deployments" };
        assert!(allows(&rule(&["get", "patch"], &["apps"], &["deployments"], &[]), right));
        assert!(allows(&rule(&["*"], &["*"], &["*"], &[]), right));
        assert!(!allows(&rule(&["get"], &["apps"], &["deployments"], &[]), right));
        assert!(!allows(&rule(&["patch"], &[""], &["deployments"], &[]), right));
        assert!(!allows(&rule(&["patch"], &["apps"], &["deployments/scale"], &[]), right));
        assert!(
            !allows(&rule(&["patch"], &["apps"], &["deployments"], &["one"]), right),
            "one name is not all"
        );
    }

    #[test]
    fn rights_are_told_kind_by_kind() {
        let right = |verb, group, resource| Right { verb, group, resource };
        let rights = [
            right("create", "apps", "deployments"),
            right("patch", "apps", "deployments"),
            right("get", "", "services"),
        ];
        assert_eq!(describe(&rights), "create/patch `deployments.apps`, get `services`");
    }
}
