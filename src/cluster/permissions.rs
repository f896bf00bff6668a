//! The table of rights: what a run asks of the server, kind by kind, and what for.
//!
//! The Role that `rollout rbac` prints, README's Role and the question before the first write all come from it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::oam::kind::WorkloadKind;

/// A right on one kind of object in one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right<'a> {
    /// What is done.
    pub verb: &'a str,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The plural, with its subresource.
    pub resource: &'a str,
}

/// What rights are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightPurpose {
    /// Every run needs them.
    Runs,
    /// Runs of a kind of workload need them.
    Workloads(WorkloadKind),
    /// Runs that expose ports need them.
    Services,
    /// A run says with them why a batch is late.
    Diagnosis,
    /// A run foresees with them what would stop it.
    Checks,
    /// Removing needs them besides.
    Removal,
    /// A run shows itself in the optional views with them.
    Views,
    /// Removing the views needs them.
    RemovalOfViews,
}

/// Rights of one purpose.
struct RightRow {
    purpose: RightPurpose,
    group: &'static str,
    resources: &'static [&'static str],
    /// Verbs without which the purpose is missed.
    verbs: &'static [&'static str],
    /// Verbs that are used where they are granted.
    optional: &'static [&'static str],
    /// What the printed Role says beside it.
    note: &'static str,
}

const fn row(purpose: RightPurpose, group: &'static str, resources: &'static [&'static str]) -> RightRow {
    RightRow { purpose, group, resources, verbs: &[], optional: &[], note: "" }
}

const COMMON: &[&str] = &["get", "list", "watch", "create", "patch"];

/// The table. Its order is that of the printed Role.
static TABLE: &[RightRow] = &[
    RightRow {
        verbs: &["get", "list", "watch", "create", "patch", "delete"],
        ..row(RightPurpose::Workloads(WorkloadKind::Deployment), "apps", &["deployments"])
    },
    RightRow {
        verbs: COMMON,
        note: "only for CloneSets",
        ..row(RightPurpose::Workloads(WorkloadKind::CloneSet), "apps.kruise.io", &["clonesets"])
    },
    RightRow {
        verbs: COMMON,
        note: "only for StatefulSets",
        ..row(RightPurpose::Workloads(WorkloadKind::StatefulSet), "apps", &["statefulsets"])
    },
    RightRow {
        verbs: &["get", "list", "create"],
        optional: &["delete"],
        ..row(RightPurpose::Runs, "apps", &["controllerrevisions"])
    },
    RightRow { verbs: COMMON, ..row(RightPurpose::Runs, "", &["configmaps"]) },
    RightRow {
        verbs: &["get", "create", "patch"],
        optional: &["list", "watch"],
        ..row(RightPurpose::Runs, "coordination.k8s.io", &["leases"])
    },
    RightRow {
        verbs: &["get", "create", "patch"],
        optional: &["delete"],
        note: "only for components that expose ports",
        ..row(RightPurpose::Services, "", &["services"])
    },
    RightRow {
        optional: &["list"],
        note: "to explain why a batch is late",
        ..row(RightPurpose::Diagnosis, "", &["pods", "events"])
    },
    RightRow {
        optional: &["get"],
        note: "to explain why a batch is late",
        ..row(RightPurpose::Diagnosis, "", &["pods/log"])
    },
    RightRow {
        optional: &["list"],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "autoscaling", &["horizontalpodautoscalers"])
    },
    RightRow {
        optional: &["list"],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "", &["resourcequotas"])
    },
    RightRow {
        optional: &["list"],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "policy", &["poddisruptionbudgets"])
    },
    RightRow {
        optional: &["get"],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "", &["namespaces"])
    },
    RightRow {
        optional: &["create"],
        note: "for preflight checks: creates a pod in a dry run",
        ..row(RightPurpose::Checks, "", &["pods"])
    },
    RightRow {
        verbs: &["delete"],
        note: "the rest is for `rollout delete`",
        ..row(RightPurpose::Removal, "apps", &["statefulsets"])
    },
    RightRow { verbs: &["delete"], ..row(RightPurpose::Removal, "apps.kruise.io", &["clonesets"]) },
    RightRow { verbs: &["delete"], ..row(RightPurpose::Removal, "", &["configmaps"]) },
    RightRow { verbs: &["list"], ..row(RightPurpose::Removal, "", &["services"]) },
    RightRow { verbs: &["delete"], ..row(RightPurpose::Removal, "coordination.k8s.io", &["leases"]) },
    RightRow {
        verbs: &["get", "create", "patch"],
        note: "to show runs in the kinds of `rollout crds`",
        ..row(RightPurpose::Views, "core.oam.dev", &["applications"])
    },
    RightRow { verbs: &["patch"], ..row(RightPurpose::Views, "core.oam.dev", &["applications/status"]) },
    RightRow {
        verbs: &["get", "create", "patch"],
        ..row(RightPurpose::Views, "standard.oam.dev", &["rollouts"])
    },
    RightRow { verbs: &["patch"], ..row(RightPurpose::Views, "standard.oam.dev", &["rollouts/status"]) },
    RightRow { verbs: &["delete"], ..row(RightPurpose::RemovalOfViews, "core.oam.dev", &["applications"]) },
    RightRow { verbs: &["delete"], ..row(RightPurpose::RemovalOfViews, "standard.oam.dev", &["rollouts"]) },
];

/// The order in which verbs are printed.
const ORDER: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// The rights without which a purpose is missed.
pub fn required_rights(purpose: RightPurpose) -> impl Iterator<Item = Right<'static>> {
    TABLE.iter().filter(move |row| row.purpose == purpose).flat_map(|row| row.rights(row.verbs))
}

/// Every right that is used for a purpose.
pub fn used_rights(purpose: RightPurpose) -> impl Iterator<Item = Right<'static>> {
    let of_purpose = TABLE.iter().filter(move |row| row.purpose == purpose);
    of_purpose.flat_map(|row| row.rights(row.verbs).chain(row.rights(row.optional)))
}

/// The rights that a run of these kinds of workload needs.
pub fn rights_of_run(
    kinds: &BTreeSet<WorkloadKind>,
    exposes: Option<RightPurpose>,
) -> impl Iterator<Item = Right<'static>> + use<> {
    let workloads: Vec<RightPurpose> = kinds.iter().copied().map(RightPurpose::Workloads).collect();
    workloads.into_iter().chain([RightPurpose::Runs]).chain(exposes).flat_map(required_rights)
}

/// The rules of a Role with the rights of some purposes, as YAML, each with what it is for.
#[must_use]
pub fn role_rules(is_wanted: impl Fn(RightPurpose) -> bool) -> String {
    let mut text = "rules:\n".to_owned();
    for RightRow { group, resources, verbs, optional, note, .. } in
        TABLE.iter().filter(|row| is_wanted(row.purpose))
    {
        let group = if group.is_empty() { "\"\"" } else { group };
        let resources = resources.join(", ");
        let is_granted = |verb: &&&str| verbs.contains(verb) || optional.contains(verb);
        let verbs: Vec<&str> = ORDER.iter().filter(is_granted).copied().collect();
        let verbs = verbs.join(", ");
        let note = if note.is_empty() { String::new() } else { format!(" # {note}") };
        let _ =
            writeln!(text, "  - {{apiGroups: [{group}], resources: [{resources}], verbs: [{verbs}]}}{note}");
    }
    text
}

/// Rights in words, kind by kind: "`create` and `patch` `deployments.apps`".
#[must_use]
pub fn describe_rights(rights: &[Right<'_>]) -> String {
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

impl RightRow {
    fn rights(&self, verbs: &'static [&'static str]) -> impl Iterator<Item = Right<'static>> {
        let (group, resources) = (self.group, self.resources);
        let of_resource = move |resource: &'static &'static str| {
            verbs.iter().map(move |&verb| Right { verb, group, resource })
        };
        resources.iter().flat_map(of_resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_described_kind_by_kind() {
        let right = |verb, group, resource| Right { verb, group, resource };
        let rights = [
            right("create", "apps", "deployments"),
            right("patch", "apps", "deployments"),
            right("get", "", "services"),
        ];
        assert_eq!(describe_rights(&rights), "create/patch `deployments.apps`, get `services`");
    }

    #[test]
    fn every_verb_of_the_table_is_printed() {
        for row in TABLE {
            for verb in row.verbs.iter().chain(row.optional) {
                assert!(ORDER.contains(verb), "{verb}");
            }
        }
    }

    #[test]
    fn a_run_needs_what_its_kinds_take() {
        let kinds = BTreeSet::from([WorkloadKind::StatefulSet]);
        let rights: Vec<Right<'_>> = rights_of_run(&kinds, None).collect();
        let has = |verb, group, resource| rights.contains(&Right { verb, group, resource });
        assert!(has("patch", "apps", "statefulsets") && has("create", "coordination.k8s.io", "leases"));
        assert!(!has("get", "apps", "deployments") && !has("get", "", "services"));
        assert!(!has("delete", "apps", "controllerrevisions"), "pruning is no reason to refuse a run");
        let of_services: Vec<Right<'_>> = rights_of_run(&kinds, Some(RightPurpose::Services)).collect();
        assert!(of_services.contains(&Right { verb: "get", group: "", resource: "services" }));
    }
}
