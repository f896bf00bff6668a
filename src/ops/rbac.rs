//! Generates the Roles that operations need, and their bindings to a service account, as YAML documents.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ApiResource;
use serde_json::{Value, json};

use crate::cluster::permissions::{self, ObjectRights, RightPurpose};
use crate::cluster::served_kind::guess_kind;
use crate::oam::application::Application;
use crate::oam::kind::WorkloadKind;
use crate::oam::object::ObjectRef;
use crate::oam::render::{render_objects, render_trait_objects, services};
use crate::oam::workflow::StepAction;
use crate::plan::object_readiness::has_readiness_rule;
use crate::report::structured;

pub use crate::cluster::permissions::Operation;

const APPLICATION_GROUP: &str = "core.oam.dev";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Whether the Role permits writing the optional views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Views {
    /// It does not.
    None,
    /// It does.
    Shown,
}

/// The purpose of a Role.
#[derive(Debug, Clone, Copy)]
pub struct RoleRequest<'a> {
    /// The Role's name.
    pub name: &'a str,
    /// The namespace; `None` means that of the manifests, or the one that the Role is applied to.
    pub namespace: Option<&'a str>,
    /// The operations that it permits.
    pub operations: &'a [Operation],
    /// Whether they include writing the views.
    pub views: Views,
    /// The applications that it is for; without any, it has rules for every kind of workload, and none for other
    /// objects.
    pub applications: &'a [Application],
}

/// Where a Role is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum RoleScope {
    /// In this namespace; `None` means the one that it is applied to.
    Namespace(Option<String>),
    /// Cluster-wide.
    Cluster,
}

/// The rights needed in a scope.
#[derive(Debug, Default)]
struct Needs {
    /// Whether applications are in it, and not only some of their objects.
    is_home: bool,
    /// The kinds that components run as.
    kinds: BTreeSet<WorkloadKind>,
    has_services: bool,
    has_smoke_tests: bool,
    objects: Vec<ObjectRights>,
    /// The rules of Roles among the objects: Kubernetes does not allow users to grant rights that they do not have.
    granted: Vec<Value>,
}

/// The Role, the Roles for objects in other namespaces, and a ClusterRole for cluster-scoped objects; with `account`,
/// also the account and the bindings.
#[must_use]
pub fn roles(request: RoleRequest<'_>, account: Option<&str>) -> String {
    let RoleRequest { name, operations, .. } = request;
    let needs = needs_of(request);
    let (homes, others): (Vec<_>, Vec<_>) = needs.iter().partition(|(_, needs)| needs.is_home);
    let mut documents = Vec::new();
    for (place, needs) in homes.iter().chain(&others) {
        let is_any = request.applications.is_empty();
        let is_wanted = |purpose: RightPurpose| match purpose {
            RightPurpose::Runs | RightPurpose::Diagnosis | RightPurpose::Checks => needs.is_home,
            RightPurpose::Workloads(kind) => is_any || needs.kinds.contains(&kind),
            RightPurpose::Services => is_any || needs.has_services,
            RightPurpose::SmokeTests => is_any || needs.has_smoke_tests,
            RightPurpose::Views => needs.is_home && request.views == Views::Shown,
        };
        let metadata = place.metadata(name, request.namespace);
        let head = json!({"apiVersion": RBAC, "kind": place.role_kind(), "metadata": metadata});
        let mut rules = permissions::role_rules(operations, is_wanted, &needs.objects);
        for rule in &needs.granted {
            rules += &format!("  - {rule} # granted by the manifest\n");
        }
        documents.push(structured::to_yaml(&head) + &rules);
    }
    if let (Some(account), Some((RoleScope::Namespace(Some(home)), _))) = (account, homes.first()) {
        let account_object = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account, "namespace": home},
        });
        documents.push(structured::to_yaml(&account_object));
        let places = homes.iter().chain(&others).map(|(place, _)| place);
        documents.extend(places.map(|place| structured::to_yaml(&place.binding(name, account, home))));
    }
    documents.join("---\n")
}

/// The rights that the applications need, by scope.
fn needs_of(request: RoleRequest<'_>) -> BTreeMap<RoleScope, Needs> {
    let mut needs: BTreeMap<RoleScope, Needs> = BTreeMap::new();
    if request.applications.is_empty() {
        let home = RoleScope::Namespace(request.namespace.map(str::to_owned));
        needs.insert(home, Needs { is_home: true, ..Needs::default() });
    }
    for application in request.applications {
        let namespace = request.namespace.or(application.namespace.as_deref());
        // No object depends on it, so any namespace will do.
        let rendered_in = namespace.unwrap_or("default");
        let home = RoleScope::Namespace(namespace.map(str::to_owned));
        let awaited = application.steps.iter().filter_map(|step| match &step.action {
            StepAction::DependsOnApp { namespace, .. } => Some(namespace.as_str()),
            StepAction::Apply { .. } | StepAction::Suspend { .. } => None,
        });
        for awaited in awaited.filter(|_| request.operations.iter().any(|one| one.is_run())) {
            let place = RoleScope::Namespace(Some(awaited.to_owned()));
            needs.entry(place).or_default().add_reads_of_application();
        }
        for component in &application.components {
            let of_home = needs.entry(home.clone()).or_default();
            of_home.is_home = true;
            of_home.kinds.insert(component.kind.workload().unwrap_or_default());
            of_home.has_services |=
                !services::render_services(application, component, rendered_in).is_empty();
            let gates = component.rollout.as_ref().map(|rollout| &rollout.gates);
            of_home.has_smoke_tests |= gates.is_some_and(|gates| gates.all_smoke_tests().next().is_some());
            let objects = match component.rollout {
                Some(_) => render_trait_objects(application, component, rendered_in),
                None => render_objects(application, component, rendered_in, ""),
            };
            for (object, reference) in objects.iter().filter_map(|one| Some((one, ObjectRef::of(one)?))) {
                let kind = guess_kind(&reference.api_version, &reference.kind);
                let place = match kind.namespace_of(&reference, rendered_in) {
                    None => RoleScope::Cluster,
                    Some(found) if found == rendered_in => home.clone(),
                    Some(found) => RoleScope::Namespace(Some(found.to_owned())),
                };
                let needs = needs.entry(place).or_default();
                needs.add(&kind.resource, request.operations);
                if request.operations.iter().any(|one| one.is_run()) {
                    needs.add_granted(&kind.resource, object);
                }
            }
        }
    }
    needs
}

impl Needs {
    /// Adds what a step that waits for another application reads: its run records, or the Application of KubeVela.
    fn add_reads_of_application(&mut self) {
        for (group, resource, verb) in
            [("", "configmaps", "list"), (APPLICATION_GROUP, "applications", "get")]
        {
            let rights =
                ObjectRights { group: group.to_owned(), resource: resource.to_owned(), verbs: vec![verb] };
            if !self.objects.contains(&rights) {
                self.objects.push(rights);
            }
        }
    }

    fn add_granted(&mut self, kind: &ApiResource, object: &Value) {
        if kind.group != RBAC_GROUP || !["Role", "ClusterRole"].contains(&kind.kind.as_str()) {
            return;
        }
        for rule in object["rules"].as_array().into_iter().flatten() {
            if !self.granted.contains(rule) {
                self.granted.push(rule.clone());
            }
        }
    }

    fn add(&mut self, kind: &ApiResource, operations: &[Operation]) {
        let is_awaited = has_readiness_rule(&kind.group, &kind.kind);
        let verbs: Vec<&str> = operations
            .iter()
            .flat_map(|one| permissions::verbs_on_objects(*one, is_awaited))
            .copied()
            .collect();
        let rights = ObjectRights { group: kind.group.clone(), resource: kind.plural.clone(), verbs };
        if !self.objects.contains(&rights) {
            self.objects.push(rights);
        }
    }
}

impl RoleScope {
    fn role_kind(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "Role",
            Self::Cluster => "ClusterRole",
        }
    }

    /// Objects outside the applications' namespace are also named after that namespace, since applications in another
    /// may have the same names.
    fn metadata(&self, name: &str, home: Option<&str>) -> Value {
        match (self, home) {
            (Self::Namespace(Some(namespace)), Some(home)) if namespace != home => {
                json!({"name": format!("{home}:{name}"), "namespace": namespace})
            }
            (Self::Namespace(Some(namespace)), _) => json!({"name": name, "namespace": namespace}),
            (Self::Cluster, Some(home)) => json!({"name": format!("{home}:{name}")}),
            (Self::Namespace(None) | Self::Cluster, _) => json!({"name": name}),
        }
    }

    /// The binding of its Role to an account in the namespace `home`.
    fn binding(&self, role: &str, account: &str, home: &str) -> Value {
        let role = self.metadata(role, Some(home))["name"].take();
        json!({
            "apiVersion": RBAC,
            "kind": format!("{}Binding", self.role_kind()),
            "metadata": self.metadata(account, Some(home)),
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": self.role_kind(), "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_in_the_readme_is_up_to_date() {
        let request = RoleRequest {
            name: "rollout",
            namespace: None,
            operations: &[Operation::Apply],
            views: Views::None,
            applications: &[],
        };
        let role = roles(request, None);
        assert!(include_str!("../../README.md").contains(&role), "{role}");
    }
}
