//! A container's environment.

use std::collections::HashMap;

use crate::oam::manifest::names;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::properties::{EnvValue, EnvVar, KeyRef};

/// Reads `env`.
pub(super) fn read_env(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<EnvVar>> {
    let Some(at) = object.get("env") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of variables, each with `name` and `value`")?;
    let mut variables = Vec::new();
    let mut good = true;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(variable) = read_variable(walk, item) else {
            good = false;
            continue;
        };
        if let Some(first) = seen.insert(variable.name.clone(), index) {
            walk.refuse(item, format!("variable `{}` appears twice, first as env[{first}]", variable.name));
            good = false;
        }
        variables.push(variable);
    }
    good.then_some(variables)
}

fn read_variable(walk: &mut Walk<'_>, at: &At<'_>) -> Option<EnvVar> {
    let object = walk.object_of(at, &["name", "value", "valueFrom"], |_| None)?;
    let name = walk
        .required(&object, "name", names::ENV)
        .and_then(|at| walk.checked(&at, names::ENV, names::is_env).map(str::to_owned));
    let literal = object.get("value");
    let source = object.get("valueFrom");
    let value = match (literal, source) {
        (None, None) => Some(EnvValue::Unset),
        (Some(at), None) => walk.text(&at, "a string").map(|text| EnvValue::Literal(text.to_owned())),
        (None, Some(at)) => read_source(walk, &at),
        (Some(_), Some(at)) => {
            walk.refuse(&at, "found `value` and `valueFrom` together, expected one of them");
            None
        }
    };
    Some(EnvVar { name: name?, value: value? })
}

fn read_source(walk: &mut Walk<'_>, at: &At<'_>) -> Option<EnvValue> {
    let object = walk.object_of(at, &["secretKeyRef", "configMapKeyRef"], |name| match name {
        "fieldRef" | "resourceFieldRef" => Some("only keys of a Secret or ConfigMap are supported"),
        _ => None,
    })?;
    match (object.get("secretKeyRef"), object.get("configMapKeyRef")) {
        (Some(at), None) => read_key(walk, &at).map(EnvValue::Secret),
        (None, Some(at)) => read_key(walk, &at).map(EnvValue::ConfigMap),
        (None, None) => {
            walk.refuse(at, "found no source, expected `secretKeyRef` or `configMapKeyRef`");
            None
        }
        (Some(_), Some(_)) => {
            walk.refuse(at, "found `secretKeyRef` and `configMapKeyRef` together, expected one of them");
            None
        }
    }
}

fn read_key(walk: &mut Walk<'_>, at: &At<'_>) -> Option<KeyRef> {
    let object = walk.object_of(at, &["name", "key"], |_| None)?;
    let name = walk
        .required(&object, "name", names::SUBDOMAIN)
        .and_then(|at| walk.checked(&at, names::SUBDOMAIN, names::is_subdomain).map(str::to_owned));
    let key = walk
        .required(&object, "key", names::DATA_KEY)
        .and_then(|at| walk.checked(&at, names::DATA_KEY, names::is_data_key).map(str::to_owned));
    Some(KeyRef { name: name?, key: key? })
}
