//! A container's environment.

use std::collections::HashMap;

use serde_json::Value;

use crate::oam::manifest::names;
use crate::oam::manifest::properties::optional;
use crate::oam::manifest::walk::{At, Object, Release, Walk, listed};
use crate::oam::properties::{EnvValue, EnvVar, KeyRef};

/// Reads `env`.
pub(super) fn read_env(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<EnvVar>> {
    let Some(at) = object.get("env") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of variables, each with `name` and `value`")?;
    let mut variables: Vec<EnvVar> = Vec::new();
    let mut good = true;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(variable) = read_variable(walk, item) else {
            good = false;
            continue;
        };
        if let Some(first) = seen.insert(variable.name.clone(), index) {
            let message = format!("variable `{}` appears twice, first as env[{first}]", variable.name);
            match walk.release() {
                Release::InBatches => {
                    walk.refuse(item, message);
                    good = false;
                }
                // Pods take the last value, and server-side apply takes each name once.
                Release::AsAWhole => {
                    walk.warn(item, format!("{message}; the last one counts"));
                    variables.retain(|other| other.name != variable.name);
                }
            }
        }
        variables.push(variable);
    }
    good.then_some(variables)
}

fn read_variable(walk: &mut Walk<'_>, at: &At<'_>) -> Option<EnvVar> {
    let object = walk.open_object_of(at, &["name", "value", "valueFrom"], |_| None)?;
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

const SOURCES: [&str; 4] = ["secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"];

fn read_source(walk: &mut Walk<'_>, at: &At<'_>) -> Option<EnvValue> {
    let object = walk.object_of(at, &SOURCES, |_| None)?;
    let given: Vec<&str> = SOURCES.into_iter().filter(|name| object.get(name).is_some()).collect();
    let [name] = given.as_slice() else {
        let found = if given.is_empty() { "no source".to_owned() } else { listed(&given) };
        walk.refuse(at, format!("found {found}, expected one of {}", listed(&SOURCES)));
        return None;
    };
    let at = object.get(name)?;
    match *name {
        "secretKeyRef" => read_key(walk, &at).map(EnvValue::Secret),
        "configMapKeyRef" => read_key(walk, &at).map(EnvValue::ConfigMap),
        // KubeVela declares neither of them and copies them: they are in use.
        "fieldRef" => {
            let fields = [("fieldPath", Needed::Always), ("apiVersion", Needed::Optional)];
            read_reference(walk, &at, &fields).map(EnvValue::Field)
        }
        _ => {
            let fields = [
                ("resource", Needed::Always),
                ("containerName", Needed::Optional),
                ("divisor", Needed::Optional),
            ];
            read_reference(walk, &at, &fields).map(EnvValue::Resource)
        }
    }
}

fn read_key(walk: &mut Walk<'_>, at: &At<'_>) -> Option<KeyRef> {
    let object = walk.object_of(at, &["name", "key", "optional"], |_| None)?;
    let name = walk
        .required(&object, "name", names::SUBDOMAIN)
        .and_then(|at| walk.checked(&at, names::SUBDOMAIN, names::is_subdomain).map(str::to_owned));
    let key = walk
        .required(&object, "key", names::DATA_KEY)
        .and_then(|at| walk.checked(&at, names::DATA_KEY, names::is_data_key).map(str::to_owned));
    let optional = optional(&object, "optional", |at| walk.boolean(&at));
    Some(KeyRef { name: name?, key: key?, optional: optional? })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Always,
    Optional,
}

/// A mapping of strings, as it is spelled.
fn read_reference(walk: &mut Walk<'_>, at: &At<'_>, fields: &[(&str, Needed)]) -> Option<Value> {
    let known: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let object = walk.object_of(at, &known, |_| None)?;
    let mut reference = serde_json::Map::new();
    let mut good = true;
    for (name, needed) in fields {
        let at = match needed {
            Needed::Always => walk.required(&object, name, "a string"),
            Needed::Optional => object.get(name),
        };
        match (at.map(|at| walk.text(&at, "a string").map(str::to_owned)), needed) {
            (Some(Some(text)), _) => {
                reference.insert((*name).to_owned(), text.into());
            }
            (Some(None), _) | (None, Needed::Always) => good = false,
            (None, Needed::Optional) => {}
        }
    }
    good.then_some(Value::Object(reference))
}
