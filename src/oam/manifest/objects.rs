//! Objects of any kind: those of the components `k8s-objects`, `raw` and `ref-objects`, and those of other files.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::oam::labels;
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::schema::read_any;
use crate::oam::manifest::walk::{At, Object, Walk, joined, listed};
use crate::oam::manifest::{ManifestErrors, Problem, Source, documents, names, node, syntax, text};
use crate::oam::revision::remove_last_applied;
use crate::oam::schema::Grammar;

/// Fields of metadata that the API server fills in, and that exported manifests therefore contain.
pub(super) const EXPORTED: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "ownerReferences",
];

/// The objects of a `k8s-objects` component, with lists replaced by their items. As in KubeVela, the first is named
/// like the `component` if it has no name.
pub(super) fn read_objects(walk: &mut Walk<'_>, at: &At<'_>, component: &str) -> Option<Vec<Value>> {
    let object = walk.object_of(at, &["objects"], |_| None)?;
    let list = walk.required(&object, "objects", "a list of objects")?;
    let items = walk.list(&list, "a list of objects")?;
    if items.is_empty() {
        walk.refuse(&list, "found an empty list, expected at least one object");
        return None;
    }
    read_all(walk, items, component)
}

/// The object of a `raw` component.
pub(super) fn read_raw(walk: &mut Walk<'_>, at: &At<'_>, component: &str) -> Option<Vec<Value>> {
    read_all(walk, vec![at.clone()], component)
}

/// The objects of a `ref-objects` component, if the manifest contains them.
pub(super) fn read_references(walk: &mut Walk<'_>, at: &At<'_>, component: &str) -> Option<Vec<Value>> {
    const ADVICE: &str = "write the objects out in a `k8s-objects` component";
    let object = walk.object_of(at, &["objects", "urls"], |_| None)?;
    if let Some(at) = object.get("urls") {
        walk.refuse_with(&at, "objects are not fetched from URLs", ADVICE);
        return None;
    }
    let list = walk.required(&object, "objects", "a list of objects")?;
    let items = walk.list(&list, "a list of objects")?;
    let is_whole = |node: &Node| node.field("kind").is_some() && node.field("metadata").is_some();
    if let Some(reference) = items.iter().find(|item| !is_whole(item.node)) {
        walk.refuse_with(reference, "objects are not read from a cluster", ADVICE);
        return None;
    }
    read_all(walk, items, component)
}

/// Parses all objects of all sources, in order, with lists replaced by their items: objects of any kind, from files or
/// the output of `kubectl get -o yaml`, `helm template` and `kustomize build`.
///
/// # Errors
/// If a source is not YAML, or an object has no kind or no name.
pub fn parse_objects(sources: &[Source]) -> Result<Vec<Value>, ManifestErrors> {
    let mut all = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    for source in sources {
        let text = match text(source) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        for document in documents::split(text) {
            match node::parse(document.text) {
                Err(error) => problems.push(syntax(source, document, &error)),
                Ok(root) => {
                    let mut walk = Walk::new(&source.name, document.text, document.lines_before);
                    for item in flattened(vec![At { node: &root, path: String::new() }]) {
                        let is_there = item.node.value != NodeValue::Null;
                        if is_there && read_identity(&mut walk, &item, None).is_some() {
                            all.extend(read_any(&mut walk, &item));
                        }
                    }
                    problems.extend(walk.finish());
                }
            }
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(ManifestErrors { problems }) }
}

fn read_all(walk: &mut Walk<'_>, items: Vec<At<'_>>, component: &str) -> Option<Vec<Value>> {
    let mut objects = Vec::new();
    let mut good = true;
    let mut seen = HashMap::new();
    for (index, item) in flattened(items).into_iter().enumerate() {
        let default = if index == 0 { Some(component) } else { None };
        let identity = read_identity(walk, &item, default);
        let value = read_any(walk, &item);
        let (Some(identity), Some(mut value)) = (identity, value) else {
            good = false;
            continue;
        };
        if let Some(spec) = misshapen_spec(&item, &identity.group) {
            walk.mismatch(&spec, "a mapping");
            good = false;
            continue;
        }
        remove_server_fields(walk, &item, &mut value);
        if value["metadata"]["name"].is_null() {
            if value["metadata"].is_null() {
                value["metadata"] = json!({});
            }
            value["metadata"]["name"] = json!(identity.name);
        }
        let name = format!("{} `{}`", identity.kind, identity.name);
        if let Some(first) = seen.insert(identity, item.path.clone()) {
            walk.refuse(&item, format!("{name} appears twice, first as {first}"));
            good = false;
        }
        objects.push(value);
    }
    (good && !objects.is_empty()).then_some(objects)
}

/// The `spec` of one of Kubernetes' or Kruise's kinds if it is not a mapping, which it is in all of them.
fn misshapen_spec<'n>(object: &At<'n>, group: &str) -> Option<At<'n>> {
    let is_known = !group.contains('.') || group.ends_with(".k8s.io") || group == "apps.kruise.io";
    let spec = object.node.field("spec").filter(|_| is_known)?;
    let at = At { node: spec, path: format!("{}.spec", object.path) };
    (!matches!(spec.value, NodeValue::Map(_) | NodeValue::Null)).then_some(at)
}

/// Removes the fields that only the API server writes, and that it rejects in requests.
fn remove_server_fields(walk: &mut Walk<'_>, at: &At<'_>, object: &mut Value) {
    let mut removed: Vec<&str> = Vec::new();
    let mut remove = |parent: Option<&mut Map<String, Value>>, name: &'static str| {
        if parent.and_then(|fields| fields.remove(name)).is_some_and(|value| !value.is_null()) {
            removed.push(name);
        }
    };
    for name in EXPORTED {
        remove(object.get_mut("metadata").and_then(Value::as_object_mut), name);
    }
    remove(object.as_object_mut(), "status");
    if !removed.is_empty() {
        walk.warn(at, format!("the API server sets {}; ignored", listed(&removed)));
    }
    if remove_last_applied(object) {
        walk.warn(at, format!("kubectl sets `{}`; ignored", labels::KUBECTL_LAST_APPLIED));
    }
}

/// The items, with each `List` replaced by its items, as in kubectl.
pub(super) fn flattened(items: Vec<At<'_>>) -> Vec<At<'_>> {
    items.into_iter().flat_map(items_of).collect()
}

fn items_of(item: At<'_>) -> Vec<At<'_>> {
    let kind = item.node.field("kind").and_then(Node::as_text).unwrap_or_default();
    let items = item.node.field("items").map(|node| &node.value);
    let (true, Some(NodeValue::List(items))) = (kind.ends_with("List"), items) else { return vec![item] };
    let list = joined(&item.path, "items");
    let place = |(index, node)| At { node, path: format!("{list}[{index}]") };
    flattened(items.iter().enumerate().map(place).collect())
}

/// The identity of an object.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// The identity of an object; `default` is its name if it has none.
fn read_identity(walk: &mut Walk<'_>, at: &At<'_>, default: Option<&str>) -> Option<Identity> {
    let object = walk.object(at)?;
    let version = Grammar::new("a version such as `v1` or `apps/v1`", is_api_version);
    let api_version = walk.required_text(&object, "apiVersion", version);
    let kind = walk.required_text(&object, "kind", Grammar::new("a kind such as `ConfigMap`", is_kind));
    let metadata = match (object.get("metadata"), default) {
        (None, Some(_)) => None,
        (None, None) => {
            walk.required(&object, "metadata", "a mapping with `name`");
            return None;
        }
        (Some(at), _) => Some(walk.object(&at)?),
    };
    let have_strings = metadata.as_ref().is_none_or(|metadata| have_only_strings(walk, metadata));
    let field = |name: &str| metadata.as_ref().and_then(|metadata| metadata.get(name));
    if let (Some(at), None) = (field("generateName"), field("name")) {
        walk.refuse_with(&at, "not supported", "an object is identified by its `name`; give it one");
        return None;
    }
    let name = match (field("name"), default) {
        (None, Some(default)) => Some(default),
        (None, None) => {
            let metadata = metadata.as_ref()?;
            walk.required(metadata, "name", "a name");
            None
        }
        (Some(at), _) => walk.checked(&at, Grammar::new("a name, without `/` and `%`", is_path_segment)),
    };
    let namespace = metadata
        .as_ref()
        .map_or(Some(None), |metadata| walk.optional_text(metadata, "namespace", names::LABEL));
    if !have_strings {
        return None;
    }
    Some(Identity {
        group: api_version?.rsplit_once('/').map_or("", |(group, _)| group).to_owned(),
        kind: kind?,
        namespace: namespace?,
        name: name?.to_owned(),
    })
}

/// Whether the labels and annotations are mappings of strings, or absent.
fn have_only_strings(walk: &mut Walk<'_>, metadata: &Object<'_>) -> bool {
    let mut good = true;
    for at in ["labels", "annotations"].into_iter().filter_map(|field| metadata.get(field)) {
        if !matches!(at.node.value, NodeValue::Map(_)) {
            walk.mismatch(&at, "a mapping of strings");
            good = false;
            continue;
        }
        let Some(map) = walk.object(&at) else { return false };
        // A key without a value has an empty string.
        for (_, _, value) in map.entries().filter(|(_, _, value)| value.node.value != NodeValue::Null) {
            good &= walk.text(&value, "a string").is_some();
        }
    }
    good
}

fn is_api_version(text: &str) -> bool {
    match text.split_once('/') {
        Some((group, version)) => names::is_subdomain(group) && names::is_label(version),
        None => names::is_label(text),
    }
}

fn is_kind(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a name can be a path segment of the object's URL, which is required for all kinds.
fn is_path_segment(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '%'])
}
