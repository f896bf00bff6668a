//! Which namespace the application has, and which objects stay in others. No object is moved to another namespace.

use serde_json::Value;

use crate::oam::convert::reference;
use crate::oam::convert::workload::fit;
use crate::oam::kind_scope::{KindScope, built_in_scope};
use crate::oam::object::ObjectRef;

/// The namespace of the application: the requested one or, by default, that of the first workload. `None` if any object
/// has none: such objects, and so the application, are in the namespace of the command that applies them.
pub(super) fn namespace_of(given: &[Value], requested: Option<&str>) -> Option<String> {
    let is_unplaced =
        |object: &Value| own_namespace(object).is_none() && scope_of(object) == Some(KindScope::Namespaced);
    if requested.is_some() || given.iter().any(is_unplaced) {
        return requested.map(str::to_owned);
    }
    let workloads = given.iter().filter(|object| fit(object, None).is_some());
    let namespaced = workloads.chain(given).filter(|object| scope_of(object) != Some(KindScope::Cluster));
    namespaced.filter_map(own_namespace).next().map(str::to_owned)
}

/// Removes the namespace of objects that are in that of the application, and the namespace itself, without which the
/// application cannot be applied. Adds comments about what the user has to do.
pub(super) fn placed(
    given: Vec<Value>,
    namespace: Option<&str>,
    requested: Option<&str>,
    comments: &mut Vec<String>,
) -> Vec<Value> {
    let mut placed = Vec::new();
    for mut object in given {
        let is_core = object["apiVersion"] == "v1";
        if is_core && object["kind"] == "Namespace" && object["metadata"]["name"].as_str() == namespace {
            let reason = "left out, as the application is in it: apply it first";
            comments.push(format!("{}: {reason}", reference(&object)));
            continue;
        }
        match (own_namespace(&object), namespace) {
            (own @ Some(_), _) if own == namespace => {
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.remove("namespace");
                }
            }
            (None, Some(namespace)) if requested.is_none() && scope_of(&object).is_none() => {
                comments.push(format!(
                    "{}: has no namespace: if its kind has namespaces, it is applied to `{namespace}`",
                    reference(&object)
                ));
            }
            _ => {}
        }
        placed.push(object);
    }
    placed
}

/// The namespace that an object names.
pub(super) fn own_namespace(object: &Value) -> Option<&str> {
    object["metadata"]["namespace"].as_str().filter(|namespace| !namespace.is_empty())
}

/// `None` for kinds that are not built in.
fn scope_of(object: &Value) -> Option<KindScope> {
    if fit(object, None).is_some() {
        return Some(KindScope::Namespaced);
    }
    let reference = ObjectRef::of(object)?;
    built_in_scope(reference.group(), &reference.kind)
}
