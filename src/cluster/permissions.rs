//! The table of rights that a run needs, by kind, with their purposes.
//!
//! The Role that `rollout rbac` prints, README's Role and the check before the first write all derive from it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::oam::kind::WorkloadKind;

/// A right on one kind of object in one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right<'a> {
    /// The verb.
    pub verb: &'a str,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The plural, with the subresource if any.
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
    /// Runs with smoke tests need them.
    SmokeTests,
    /// Runs use them to explain why a batch is late.
    Diagnosis,
    /// Runs use them for checks before the first write.
    Checks,
    /// Runs use them to update the optional views.
    Views,
}

/// An operation that needs rights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A run of a manifest.
    Apply,
    /// A run from recorded state: a rollback, a promotion, another size.
    Rerun,
    /// Deleting components and whole applications.
    Delete,
    /// Pausing a run.
    Pause,
    /// Previewing a run.
    Plan,
    /// Reading and watching the status of components.
    Status,
    /// Listing revisions and runs.
    History,
}

impl Operation {
    /// Whether it drives runs.
    #[must_use]
    pub fn is_run(self) -> bool {
        match self {
            Self::Apply | Self::Rerun => true,
            Self::Delete | Self::Pause | Self::Plan | Self::Status | Self::History => false,
        }
    }
}

/// Rights of one purpose.
struct RightRow {
    purpose: RightPurpose,
    group: &'static str,
    resources: &'static [&'static str],
    /// Verbs that the purpose requires.
    verbs: &'static [&'static str],
    /// Verbs that are used if they are granted.
    optional: &'static [&'static str],
    /// The verbs of operations other than runs.
    others: &'static [(Operation, &'static [&'static str])],
    /// The comment on the rule in the printed Role.
    note: &'static str,
}

const fn row(purpose: RightPurpose, group: &'static str, resources: &'static [&'static str]) -> RightRow {
    RightRow { purpose, group, resources, verbs: &[], optional: &[], others: &[], note: "" }
}

const COMMON: &[&str] = &["get", "list", "watch", "create", "patch"];

/// The verbs of operations other than runs on workloads.
const OTHERS: &[(Operation, &[&str])] = &[
    (Operation::Delete, &["list", "delete"]),
    (Operation::Pause, &["list"]),
    (Operation::Plan, &["get", "list"]),
    (Operation::Status, &["list", "watch"]),
    (Operation::History, &["list"]),
];

/// The table, in the order of the printed Role.
static TABLE: &[RightRow] = &[
    RightRow {
        verbs: &["get", "list", "watch", "create", "patch", "delete"],
        others: OTHERS,
        ..row(RightPurpose::Workloads(WorkloadKind::Deployment), "apps", &["deployments"])
    },
    RightRow {
        verbs: COMMON,
        others: OTHERS,
        note: "only for CloneSets",
        ..row(RightPurpose::Workloads(WorkloadKind::CloneSet), "apps.kruise.io", &["clonesets"])
    },
    RightRow {
        verbs: COMMON,
        others: OTHERS,
        note: "only for StatefulSets",
        ..row(RightPurpose::Workloads(WorkloadKind::StatefulSet), "apps", &["statefulsets"])
    },
    RightRow {
        verbs: &["get", "list", "create"],
        optional: &["delete"],
        others: &[
            (Operation::Delete, &["list", "delete"]),
            (Operation::Plan, &["get", "list"]),
            (Operation::History, &["list"]),
        ],
        ..row(RightPurpose::Runs, "apps", &["controllerrevisions"])
    },
    RightRow {
        verbs: COMMON,
        others: &[
            (Operation::Delete, &["get", "list", "patch", "delete"]),
            (Operation::Pause, &["get", "list", "patch"]),
            (Operation::Plan, &["get", "list"]),
            (Operation::Status, &["list", "watch"]),
            (Operation::History, &["list"]),
        ],
        ..row(RightPurpose::Runs, "", &["configmaps"])
    },
    RightRow {
        verbs: &["get", "create", "patch"],
        optional: &["list", "watch"],
        others: &[
            (Operation::Delete, &["get", "list", "watch", "create", "patch", "delete"]),
            (Operation::Pause, &["get"]),
            (Operation::Status, &["get"]),
        ],
        ..row(RightPurpose::Runs, "coordination.k8s.io", &["leases"])
    },
    RightRow {
        verbs: &["get", "create", "patch"],
        optional: &["delete"],
        others: &[(Operation::Delete, &["list", "delete"]), (Operation::Plan, &["get"])],
        note: "only for components that expose ports",
        ..row(RightPurpose::Services, "", &["services"])
    },
    RightRow {
        verbs: &["get", "list", "create", "delete"],
        note: "only for smoke tests",
        ..row(RightPurpose::SmokeTests, "batch", &["jobs"])
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
        others: &[(Operation::Plan, &["list"])],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "autoscaling", &["horizontalpodautoscalers"])
    },
    RightRow {
        optional: &["list"],
        others: &[(Operation::Plan, &["list"])],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "", &["resourcequotas"])
    },
    RightRow {
        optional: &["list"],
        others: &[(Operation::Plan, &["list"])],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "policy", &["poddisruptionbudgets"])
    },
    RightRow {
        optional: &["get"],
        others: &[(Operation::Plan, &["get"])],
        note: "for preflight checks",
        ..row(RightPurpose::Checks, "", &["namespaces"])
    },
    RightRow {
        optional: &["create"],
        others: &[(Operation::Plan, &["create"])],
        note: "for preflight checks: creates a pod in a dry run",
        ..row(RightPurpose::Checks, "", &["pods"])
    },
    RightRow {
        verbs: &["get", "create", "patch"],
        others: &[(Operation::Delete, &["get", "delete"])],
        note: "to show runs in the kinds of `rollout crds`",
        ..row(RightPurpose::Views, "core.oam.dev", &["applications"])
    },
    RightRow { verbs: &["patch"], ..row(RightPurpose::Views, "core.oam.dev", &["applications/status"]) },
    RightRow {
        verbs: &["get", "create", "patch"],
        others: &[(Operation::Delete, &["get", "delete"])],
        ..row(RightPurpose::Views, "standard.oam.dev", &["rollouts"])
    },
    RightRow { verbs: &["patch"], ..row(RightPurpose::Views, "standard.oam.dev", &["rollouts/status"]) },
];

/// The order in which verbs are printed.
const ORDER: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// The rights that a purpose requires.
pub fn required_rights(purpose: RightPurpose) -> impl Iterator<Item = Right<'static>> {
    TABLE.iter().filter(move |row| row.purpose == purpose).flat_map(|row| row.rights(row.verbs))
}

/// All rights that are used for a purpose.
pub fn used_rights(purpose: RightPurpose) -> impl Iterator<Item = Right<'static>> {
    let of_purpose = TABLE.iter().filter(move |row| row.purpose == purpose);
    of_purpose.flat_map(|row| row.rights(row.verbs).chain(row.rights(row.optional)))
}

/// The rights that a run of these kinds of workload needs.
pub fn rights_of_run(
    operation: Operation,
    kinds: &BTreeSet<WorkloadKind>,
    besides: impl IntoIterator<Item = RightPurpose>,
) -> impl Iterator<Item = Right<'static>> {
    let workloads: Vec<RightPurpose> = kinds.iter().copied().map(RightPurpose::Workloads).collect();
    let rights = workloads.into_iter().chain([RightPurpose::Runs]).chain(besides).flat_map(required_rights);
    let rights: Vec<Right<'static>> = rights.collect();
    rights.into_iter().filter(move |right| operation != Operation::Rerun || !is_for_manifests(*right))
}

/// Whether only a run of a manifest needs a right, because it records revisions.
fn is_for_manifests(right: Right<'_>) -> bool {
    (right.verb, right.resource) == ("create", "controllerrevisions")
}

/// All rights that an operation uses for a purpose.
pub fn rights_of(operation: Operation, purpose: RightPurpose) -> Vec<Right<'static>> {
    let rows = TABLE.iter().filter(|row| row.purpose == purpose);
    rows.flat_map(|row| row.rights_of(operation)).collect()
}

/// The rules of a Role with the rights of operations for some purposes, as YAML with a comment on each. `objects` are
/// rights on other kinds, in their order.
#[must_use]
pub fn role_rules(
    operations: &[Operation],
    is_wanted: impl Fn(RightPurpose) -> bool,
    objects: &[ObjectRights],
) -> String {
    let mut text = "rules:\n".to_owned();
    for row in TABLE.iter().filter(|row| is_wanted(row.purpose)) {
        let rights: Vec<Right<'_>> = operations.iter().flat_map(|one| row.rights_of(*one)).collect();
        let verbs: Vec<&str> = rights.iter().map(|right| right.verb).collect();
        add_rule(&mut text, row.group, row.resources, &verbs, row.note);
    }
    let granted = granted_rights(operations, &is_wanted);
    for ObjectRights { group, resource, verbs } in objects {
        let is_new = |verb: &&str| !granted.contains(&Right { verb, group, resource });
        let verbs: Vec<&str> = verbs.iter().copied().filter(is_new).collect();
        add_rule(&mut text, group, &[resource], &verbs, "for objects of the manifest");
    }
    text
}

fn granted_rights(operations: &[Operation], is_wanted: impl Fn(RightPurpose) -> bool) -> Vec<Right<'static>> {
    let rows = TABLE.iter().filter(|row| is_wanted(row.purpose));
    rows.flat_map(|row| operations.iter().flat_map(|one| row.rights_of(*one))).collect()
}

/// The verbs of an operation on objects that are applied as a whole, and on those of traits.
#[must_use]
pub fn verbs_on_objects(operation: Operation, is_awaited: bool) -> &'static [&'static str] {
    match (operation, is_awaited) {
        (Operation::Apply | Operation::Rerun, true) => &ORDER,
        (Operation::Apply | Operation::Rerun, false) => &["get", "create", "patch", "delete"],
        (Operation::Status, true) => &["get", "list", "watch"],
        (Operation::Status, false) | (Operation::Plan, _) => &["get"],
        (Operation::Delete, _) => &["get", "delete"],
        (Operation::Pause | Operation::History, _) => &[],
    }
}

/// The rights of a Role on a kind of objects in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRights {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// The verbs.
    pub verbs: Vec<&'static str>,
}

fn add_rule(text: &mut String, group: &str, resources: &[&str], verbs: &[&str], note: &str) {
    let verbs: Vec<&str> = ORDER.into_iter().filter(|verb| verbs.contains(verb)).collect();
    if verbs.is_empty() {
        return;
    }
    let group = if group.is_empty() { "\"\"" } else { group };
    let (resources, verbs) = (resources.join(", "), verbs.join(", "));
    let note = if note.is_empty() { String::new() } else { format!(" # {note}") };
    let _ = writeln!(text, "  - {{apiGroups: [{group}], resources: [{resources}], verbs: [{verbs}]}}{note}");
}

/// Describes rights kind by kind: "`create` and `patch` `deployments.apps`".
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
    fn rights_of(&self, operation: Operation) -> Vec<Right<'static>> {
        match operation {
            Operation::Apply => self.rights(self.verbs).chain(self.rights(self.optional)).collect(),
            Operation::Rerun => {
                let rights = self.rights(self.verbs).chain(self.rights(self.optional));
                rights.filter(|right| !is_for_manifests(*right)).collect()
            }
            Operation::Delete
            | Operation::Pause
            | Operation::Plan
            | Operation::Status
            | Operation::History => {
                let others = self.others.iter().filter(|(of, _)| *of == operation);
                others.flat_map(|(_, verbs)| self.rights(verbs)).collect()
            }
        }
    }

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
            for verb in
                row.verbs.iter().chain(row.optional).chain(row.others.iter().flat_map(|(_, verbs)| *verbs))
            {
                assert!(ORDER.contains(verb), "{verb}");
            }
        }
    }

    #[test]
    fn a_run_needs_only_the_rights_of_its_kinds() {
        let kinds = BTreeSet::from([WorkloadKind::StatefulSet]);
        let rights: Vec<Right<'_>> = rights_of_run(Operation::Apply, &kinds, None).collect();
        let has = |verb, group, resource| rights.contains(&Right { verb, group, resource });
        assert!(has("patch", "apps", "statefulsets") && has("create", "coordination.k8s.io", "leases"));
        assert!(!has("get", "apps", "deployments") && !has("get", "", "services"));
        assert!(!has("delete", "apps", "controllerrevisions"), "pruning is no reason to refuse a run");
        let of_services: Vec<Right<'_>> =
            rights_of_run(Operation::Apply, &kinds, Some(RightPurpose::Services)).collect();
        assert!(of_services.contains(&Right { verb: "get", group: "", resource: "services" }));
    }
}
