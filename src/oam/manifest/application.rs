//! An Application document's outer parts: kind, metadata, the list of components.

use std::collections::BTreeMap;

use crate::oam::application::{Application, Component};
use crate::oam::manifest::deploy_plan::{check_steps, depend_on_earlier_steps, plan_deployment};
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::objects::EXPORTED;
use crate::oam::manifest::problem::{did_you_mean, nearest, quoted};
use crate::oam::manifest::schema::read_as;
use crate::oam::manifest::unique_names::{SharedName, SourceNames};
use crate::oam::manifest::walk::{At, Walk, joined};
use crate::oam::manifest::{component, names, policies, traits, workflow};
use crate::oam::policies::Policies;
use crate::oam::properties::tables::{ANNOTATIONS, LABELS};
use crate::oam::workflow::WorkflowStep;

const API_VERSION: &str = "core.oam.dev/v1beta1";
const KIND: &str = "Application";

/// The validated metadata.
struct ManifestMetadata {
    name: String,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Reads a document; `None` if it is invalid.
pub(super) fn read_application(
    walk: &mut Walk<'_>,
    root: &At<'_>,
    names: &mut SourceNames<'_>,
) -> Option<Application> {
    if !matches!(root.node.value, NodeValue::Map(_)) {
        walk.mismatch(root, "an Application manifest");
        return None;
    }
    if !is_application(walk, root) {
        return None;
    }
    let document = walk.object_of(root, &["apiVersion", "kind", "metadata", "spec", "status"], |_| None)?;
    let metadata = walk
        .required(&document, "metadata", "a mapping with `name`")
        .and_then(|at| read_metadata(walk, &at, names));
    // Names of components are checked for clashes within a namespace, even if the rest of the metadata is invalid.
    let text = |name: &str| root.node.field("metadata").and_then(|at| at.field(name)?.as_text());
    let (application, namespace) = (text("name").unwrap_or_default(), text("namespace"));
    let spec = walk
        .required(&document, "spec", "a mapping with `components`")
        .and_then(|at| read_spec(walk, &at, application, namespace, names));
    let ManifestMetadata { name, namespace, labels, annotations } = metadata?;
    let origin = walk.origin(root);
    let ReadSpec { components, policies, steps, namespace: moved_to } = spec?;
    Some(Application {
        name,
        namespace: moved_to.or(namespace),
        labels,
        annotations,
        components,
        policies,
        steps,
        origin,
        warnings: walk.take_warnings(),
    })
}

/// Whether the document is an Application; the fields of other objects are not read.
fn is_application(walk: &mut Walk<'_>, root: &At<'_>) -> bool {
    let kind = root.node.field("kind").and_then(Node::as_text);
    if let (Some(kind), Some(node)) = (kind, root.node.field("kind"))
        && nearest(kind, [KIND]).is_none()
    {
        let at = At { node, path: joined(&root.path, "kind") };
        let hint = match kind {
            "ComponentDefinition" | "TraitDefinition" | "PolicyDefinition" | "WorkflowStepDefinition" => {
                "`rollout` does not evaluate definitions: what one renders goes into a `k8s-objects` component"
            }
            "Kustomization" => {
                "convert what it builds to an Application: `kustomize build DIR | rollout convert -`"
            }
            _ => "`rollout` reads only Applications; `rollout convert` makes one of other objects",
        };
        walk.refuse_with(&at, format!("found {}, expected `{KIND}`", quoted(kind)), hint);
        return false;
    }
    let good = [("apiVersion", API_VERSION), ("kind", KIND)]
        .map(|(field, wanted)| is_exactly(walk, root, field, wanted))
        .iter()
        .all(|good| *good);
    // With a wrong version or kind, it is probably still meant as an Application, and is checked further.
    good || root.node.field("spec").is_some_and(|spec| spec.field("components").is_some())
}

fn is_exactly(walk: &mut Walk<'_>, root: &At<'_>, field: &str, wanted: &str) -> bool {
    let node = root.node.field(field);
    let at = At { node: node.unwrap_or(root.node), path: joined(&root.path, field) };
    match node.map(|node| node.as_text()) {
        Some(Some(text)) if text == wanted => return true,
        Some(Some(text)) => {
            let hint = did_you_mean(text, [wanted]);
            walk.report(&at, format!("found {}, expected `{wanted}`", quoted(text)), hint);
        }
        Some(None) => walk.mismatch(&at, &format!("`{wanted}`")),
        None => walk.refuse(&at, format!("missing, expected `{wanted}`")),
    }
    false
}

fn read_metadata(walk: &mut Walk<'_>, at: &At<'_>, names: &mut SourceNames<'_>) -> Option<ManifestMetadata> {
    let known = ["name", "namespace", "labels", "annotations"];
    let all: Vec<&str> = known.into_iter().chain(EXPORTED).chain(["finalizers"]).collect();
    let metadata = walk.object_of(at, &all, |name| match name {
        "generateName" => Some("an application is identified by its `name`"),
        _ => None,
    })?;
    let namespace = walk.optional_text(&metadata, "namespace", names::LABEL);
    let name = walk.required(&metadata, "name", names::SHORT_SUBDOMAIN.expected).and_then(|at| {
        let name = walk.checked(&at, names::SHORT_SUBDOMAIN)?;
        names.note(walk, &at, SharedName::Application, namespace.as_ref().and_then(Option::as_deref), name);
        Some(name.to_owned())
    });
    let labels = metadata.optional("labels", |at| read_as(walk, at, &LABELS));
    let annotations = metadata.optional("annotations", |at| read_as(walk, at, &ANNOTATIONS));
    Some(ManifestMetadata {
        name: name?,
        namespace: namespace?,
        labels: labels?.unwrap_or_default(),
        annotations: annotations?.unwrap_or_default(),
    })
}

/// The content of the spec.
struct ReadSpec {
    components: Vec<Component>,
    policies: Policies,
    steps: Vec<WorkflowStep>,
    /// The namespace that a policy moves everything to.
    namespace: Option<String>,
}

fn read_spec(
    walk: &mut Walk<'_>,
    at: &At<'_>,
    application: &str,
    namespace: Option<&str>,
    names: &mut SourceNames<'_>,
) -> Option<ReadSpec> {
    let spec = walk.object_of(at, &["components", "policies", "workflow"], |_| None)?;
    let policies = policies::read_policies(walk, &spec);
    let workflow = workflow::read_workflow(walk, &spec);
    let expected = "a list of components";
    let list = walk.required(&spec, "components", expected)?;
    if walk.list(&list, expected)?.is_empty() {
        walk.refuse(&list, "found an empty list, expected at least one component");
        return None;
    }
    let deployment = policies.as_ref().zip(workflow);
    let deployment =
        deployment.and_then(|(policies, workflow)| plan_deployment(walk, &list, policies, workflow));
    let moved_to = deployment.as_ref().and_then(|deployment| deployment.namespace.as_deref());
    let namespace = moved_to.or(namespace);
    // If policies or steps are invalid, the components are checked nevertheless.
    let applied = deployment.as_ref().map_or(list.node, |deployment| &deployment.components);
    let items = walk.list(&At { node: applied, path: list.path.clone() }, expected)?;
    let read: Vec<Option<Component>> =
        items.iter().map(|item| component::read_component(walk, item, namespace, names)).collect();
    component::check_order(walk, &items);
    component::check_job_names(walk, &items, application);
    traits::check_all_traits(walk, &items, &read, application, namespace);
    let steps = deployment.as_ref().map(|deployment| deployment.steps.clone()).unwrap_or_default();
    check_steps(walk, &items, &steps);
    let mut components = read.into_iter().collect::<Option<Vec<Component>>>()?;
    depend_on_earlier_steps(&mut components, &steps);
    let namespace = deployment?.namespace;
    Some(ReadSpec { components, policies: policies?.policies, steps, namespace })
}
