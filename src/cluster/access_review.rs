//! Checks before the first write whether this user has the rights that a run needs.
//!
//! A single SelfSubjectRulesReview suffices for almost every user. Rights that it does not list are checked one by one
//! with a SelfSubjectAccessReview, since the list may be incomplete.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use kube::api::PostParams;

use crate::cluster::error::ClusterError;
use crate::cluster::owned_objects::OwnedObject;
use crate::cluster::permissions::{Right, describe_rights};
use crate::cluster::session::Session;

/// What a user may do in a namespace, according to one rules review.
pub struct AccessReview<'a> {
    session: &'a Session,
    namespace: &'a str,
    rules: Vec<ResourceRule>,
}

impl<'a> AccessReview<'a> {
    /// Requests the rules of this user.
    ///
    /// # Errors
    /// See [`Session::read`].
    pub async fn load(session: &'a Session, namespace: &'a str) -> Result<Self, ClusterError> {
        let rules = review_rules(session, namespace).await?;
        Ok(Self { session, namespace, rules })
    }

    /// Describes which of these rights this user lacks; `None` if the user has all.
    ///
    /// # Errors
    /// See [`Session::read`].
    pub async fn missing_permissions<'r>(
        &self,
        wanted: impl Iterator<Item = Right<'r>>,
    ) -> Result<Option<String>, ClusterError> {
        let mut missing = Vec::new();
        for right in wanted {
            let is_listed = self.rules.iter().any(|rule| allows(rule, right));
            if !is_listed && !is_allowed(self.session, self.namespace, right).await? {
                missing.push(right);
            }
        }
        Ok((!missing.is_empty()).then(|| describe_missing(self.namespace, &missing)))
    }
}

/// Describes rights that a user lacks.
#[must_use]
pub fn describe_missing(namespace: &str, rights: &[Right<'_>]) -> String {
    format!("missing permissions in namespace `{namespace}`: {}", describe_rights(rights))
}

/// The rights needed to delete objects, besides reading them.
pub fn rights_of_removal(objects: &[OwnedObject]) -> impl Iterator<Item = Right<'_>> {
    let mut kinds: Vec<(&str, &str)> = objects.iter().map(OwnedObject::kind).collect();
    kinds.dedup();
    let deletes = kinds.into_iter().map(|(group, resource)| Right { verb: "delete", group, resource });
    // A component is claimed before its objects are deleted.
    let writes = [
        ("", "configmaps", &["get", "patch"][..]),
        ("coordination.k8s.io", "leases", &["get", "create", "patch", "delete"]),
    ];
    let writes = writes
        .into_iter()
        .flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| Right { verb, group, resource }));
    deletes.chain(writes)
}

async fn review_rules(session: &Session, namespace: &str) -> Result<Vec<ResourceRule>, ClusterError> {
    let api = session.cluster_wide::<SelfSubjectRulesReview>();
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let params = PostParams::default();
    match session.read(|| api.create(&params, &review)).await {
        Ok(review) => Ok(review.status.map(|status| status.resource_rules).unwrap_or_default()),
        // The server does not have this review, or does not allow it: check every right on its own.
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
    fn rules_allow_exactly_the_rights_that_they_list() {
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
}
