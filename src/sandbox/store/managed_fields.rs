//! Who owns which fields of an object: `metadata.managedFields`.
//!
//! A write that is no apply takes what it changes from all managers and gives it to its own. Objects that controllers
//! create are not followed; the server follows them as well. See
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>. Left out are the limit on the
//! number of managers and the upgrade of kubectl's client-side applies.

pub(crate) mod comparison;

use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;

use self::comparison::Comparison;
use crate::sandbox::object::field_set::{FieldSet, field};
use crate::sandbox::object::kind::{Kind, StatusSubresource};
use crate::sandbox::object::meta;
use crate::sandbox::store::write::Part;
use crate::sandbox::validation::registry;

/// Who writes, as the entries name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) subresource: &'static str,
}

impl Writer {
    pub(crate) fn named(manager: &str) -> Self {
        Self { manager: manager.to_owned(), subresource: "" }
    }
}

/// One manager of an object's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) manager: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
    pub(crate) fields: FieldSet,
}

/// How a manager got its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// The entries of an object.
pub(crate) fn read(object: &Value) -> Vec<Entry> {
    let entry = |entry: &Value| {
        let text = |field: &str| meta::text(entry, &format!("/{field}")).to_owned();
        Entry {
            manager: text("manager"),
            operation: if entry["operation"] == "Apply" { Operation::Apply } else { Operation::Update },
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields: FieldSet::read(&entry["fieldsV1"]),
        }
    };
    meta::items(object, "/metadata/managedFields").iter().map(entry).collect()
}

/// Writes the entries that own something, in the server's order.
pub(crate) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(Entry::order);
    let entry = |entry: &Entry| {
        let mut written = json!({
            "operation": if entry.operation == Operation::Apply { "Apply" } else { "Update" },
            "apiVersion": entry.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": entry.fields.written(),
        });
        let Entry { manager, subresource, time, .. } = entry;
        for (field, text) in [("manager", manager), ("subresource", subresource), ("time", time)] {
            if !text.is_empty() {
                written[field] = json!(text);
            }
        }
        written
    };
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    if entries.is_empty() {
        meta::metadata(object).remove("managedFields");
    } else {
        meta::metadata(object).insert("managedFields".to_owned(), Value::Array(entries));
    }
}

impl Entry {
    fn order(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| {
            let Entry { manager, operation, api_version, subresource, time, .. } = entry;
            (*operation, time.clone(), manager.clone(), api_version.clone(), subresource.clone())
        };
        key(self).cmp(&key(other))
    }

    /// The manager as messages name it.
    pub(crate) fn title(&self) -> String {
        let mut title = json!(self.manager).to_string();
        if !self.subresource.is_empty() {
            title.push_str(&format!(" with subresource {}", json!(self.subresource)));
        }
        if self.operation == Operation::Update {
            title.push_str(&format!(" using {}", self.api_version));
        }
        title
    }
}

/// Gives a writer the fields in which `seen` differs from `before`.
pub(crate) fn record(
    kind: Kind,
    before: &Value,
    after: &mut Value,
    seen: &Value,
    writer: &Writer,
    part: Part,
    now: &str,
) {
    let subresource = match part {
        Part::Main => writer.subresource,
        Part::Status => "status",
    };
    let version = kind.api_version();
    let mut changes = Changes { kind, before, after: seen, part, by_version: BTreeMap::new() };
    let own = changes.in_version(&version).clone();
    if own.is_empty() {
        return;
    }
    let mut entries = read(after);
    // An entry without anything is how a client asks to forget all managers.
    entries.retain(|entry| !entry.api_version.is_empty());
    let has_owner = entries.iter().any(|entry| !entry.fields.common(&own.touched()).is_empty());
    for entry in &mut entries {
        let changes = changes.in_version(&entry.api_version);
        entry.fields = entry.fields.without(&changes.touched()).without(&changes.removed);
    }
    let mut touched = own.touched();
    let mut now = now;
    if subresource == "scale" {
        // As the server records a size: without a time, and not at all if it is zero or had no owner.
        now = "";
        if !has_owner || meta::number(seen, "/spec/replicas") == 0 {
            touched = FieldSet::default();
        }
    }
    if !touched.is_empty() {
        let is_own = |entry: &&mut Entry| {
            entry.operation == Operation::Update
                && entry.manager == writer.manager
                && entry.api_version == version
                && entry.subresource == subresource
        };
        match entries.iter_mut().find(is_own) {
            Some(entry) => {
                entry.fields.extend(&touched);
                now.clone_into(&mut entry.time);
            }
            None => entries.push(Entry {
                manager: writer.manager.clone(),
                operation: Operation::Update,
                api_version: version,
                subresource: subresource.to_owned(),
                time: now.to_owned(),
                fields: touched,
            }),
        }
    }
    write(after, entries);
}

/// What a write changes, in each version in which managers know the object.
struct Changes<'a> {
    kind: Kind,
    before: &'a Value,
    after: &'a Value,
    part: Part,
    by_version: BTreeMap<String, Comparison>,
}

impl Changes<'_> {
    fn in_version(&mut self, version: &str) -> &Comparison {
        let Self { kind, before, after, part, by_version } = self;
        by_version.entry(version.to_owned()).or_insert_with(|| {
            let kind = registry::find_kind(version, kind.kind).unwrap_or(*kind);
            let mut changes = comparison::compare(kind, &kind.present(before), &kind.present(after));
            for set in [&mut changes.added, &mut changes.modified, &mut changes.removed] {
                strip(kind, set, *part);
            }
            changes
        })
    }
}

/// Removes the fields that belong to no manager: those of the server, and those that the request cannot write.
pub(crate) fn strip(kind: Kind, fields: &mut FieldSet, part: Part) {
    for name in ["apiVersion", "kind"] {
        fields.children.remove(&field(name));
    }
    let metadata = field("metadata");
    if let Some(below) = fields.children.get_mut(&metadata) {
        below.is_member = false;
        for name in [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            below.children.remove(&field(name));
        }
        if below.is_empty() {
            fields.children.remove(&metadata);
        }
    }
    match part {
        Part::Main if kind.status == StatusSubresource::Present => {
            drop(fields.children.remove(&field("status")))
        }
        Part::Main => (),
        Part::Status => drop(fields.children.remove(&field("spec"))),
    }
}

/// A new object without what the server allocated for it, as `given` was before. Of a change, what the object had
/// before stays.
pub(crate) fn without_allocated(kind: Kind, object: &Value, given: &Value, before: &Value) -> Value {
    let mut object = object.clone();
    let is_allocated = |path: &str| given.pointer(path).is_none() && before.pointer(path).is_none();
    let allocated: &[&str] = match kind.plural {
        "services" => &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
        "namespaces" => &["finalizers"],
        _ => &[],
    };
    for name in allocated.iter().filter(|name| is_allocated(&format!("/spec/{name}"))) {
        meta::object_mut(&mut object, "spec").remove(*name);
    }
    let ports = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for (at, port) in ports.into_iter().flatten().enumerate().filter(|_| kind.is("services")) {
        if let Some(port) =
            port.as_object_mut().filter(|_| is_allocated(&format!("/spec/ports/{at}/nodePort")))
        {
            port.remove("nodePort");
        }
    }
    if kind.is("namespaces")
        && object["spec"] == json!({})
        && let Some(object) = object.as_object_mut()
    {
        object.remove("spec");
    }
    object
}
