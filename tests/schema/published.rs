//! The published schemas, made strict: they permit additional keys, which tests must not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::facts;

/// Every schema in `schema/`.
pub(crate) struct Schemas {
    pub(crate) event: Schema,
    pub(crate) status: Schema,
    pub(crate) history: Schema,
    pub(crate) revision: Schema,
    pub(crate) plan: Schema,
}

/// A schema, and the facts that documents have shown.
pub(crate) struct Schema {
    name: &'static str,
    published: Value,
    strict: Validator,
    seen: Mutex<BTreeSet<String>>,
}

impl Schemas {
    pub(crate) fn read() -> Self {
        let schemas = Self {
            event: Schema::read("event"),
            status: Schema::read("status"),
            history: Schema::read("history"),
            revision: Schema::read("revision"),
            plan: Schema::read("plan"),
        };
        let files = fs::read_dir(folder()).unwrap().count();
        assert_eq!(files, schemas.all().len(), "each file of `schema/` is put to the test");
        schemas
    }

    pub(crate) fn all(&self) -> [&Schema; 5] {
        [&self.event, &self.status, &self.history, &self.revision, &self.plan]
    }

    /// Promised facts that no document has shown.
    pub(crate) fn unseen(&self) -> Vec<String> {
        self.all().iter().flat_map(|schema| schema.unseen()).collect()
    }
}

impl Schema {
    pub(crate) fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let published: Value = serde_json::from_str(&text).unwrap();
        let mut strict = published.clone();
        close(&mut strict, Room::None);
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let strict = options.build(&strict).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        Self { name, published, strict, seen: Mutex::default() }
    }

    /// The errors of a document.
    pub(crate) fn complaints(&self, document: &Value) -> Vec<String> {
        self.strict.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Asserts that a document matches the schema, and records the facts that it shows.
    pub(crate) fn check(&self, document: &Value, source: &str) {
        let complaints = self.complaints(document);
        assert!(
            complaints.is_empty(),
            "{source}: not as {}.json says: {complaints:#?}\n{document:#}",
            self.name
        );
        self.seen.lock().unwrap().extend(facts::shown(document));
    }

    fn unseen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let unseen = facts::promised(&self.published).into_iter().filter(|fact| !seen.contains(fact));
        unseen.map(|fact| format!("{}: {fact}", self.name)).collect()
    }

    /// Properties that have no description or are not required.
    pub(crate) fn omissions(&self) -> Vec<String> {
        let mut omissions = Vec::new();
        omitted(&self.published, self.name, &mut omissions);
        omissions
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema")
}

/// Whether an object may have more properties than its schema describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    None,
    /// It may, since it is one of several, and the surrounding schema closes all of them.
    Around,
}

/// Forbids undescribed properties in all objects.
fn close(schema: &mut Value, room: Room) {
    let Some(object) = schema.as_object_mut() else { return };
    if room == Room::None && object.contains_key("properties") {
        object.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    for (key, value) in object {
        match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(|one| close(one, Room::None));
            }
            ("items", one) => close(one, Room::None),
            ("anyOf", Value::Array(several)) => several.iter_mut().for_each(|one| close(one, Room::None)),
            ("oneOf", Value::Array(several)) => several.iter_mut().for_each(|one| close(one, Room::Around)),
            _ => {}
        }
    }
}

fn omitted(schema: &Value, path: &str, omissions: &mut Vec<String>) {
    let is_kind = |key: &str, property: &Value| key == "event" && property.get("const").is_some();
    let text = |of: &Value| of["description"].as_str().is_some_and(|text| text.ends_with('.'));
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        if !is_kind(key, property) {
            if !text(property) {
                omissions.push(format!("{path}.{key} has no description"));
            }
            // Only output about several of them has this key.
            let is_of_several = ["cluster", "namespace"].contains(&key.as_str());
            if !required.contains(key.as_str()) && !is_of_several {
                omissions.push(format!("{path}.{key} is not required"));
            }
        }
        omitted(property, &format!("{path}.{key}"), omissions);
    }
    for (key, one) in schema["$defs"].as_object().into_iter().flatten() {
        omitted(one, &format!("{path}#{key}"), omissions);
    }
    omitted_of_several(schema, path, omissions);
}

fn omitted_of_several(schema: &Value, path: &str, omissions: &mut Vec<String>) {
    for (index, one) in schema["oneOf"].as_array().into_iter().flatten().enumerate() {
        if one["title"].as_str().is_none() {
            omissions.push(format!("{path}<{index}> has no title"));
        }
        omitted(one, &format!("{path}<{index}>"), omissions);
    }
}
