//! Who owns which fields of an object: `metadata.managedFields`.
//!
//! A write other than an apply transfers the ownership of the fields that it changes to its own manager. Unlike in the
//! server, objects that controllers create have no entries. See
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>. The limit on the number of
//! managers and the upgrade of kubectl's client-side applies are not implemented.

pub(crate) mod comparison;

use serde_json::{Value, json};
use std::cmp::Ordering;

use self::comparison::Comparison;
use crate::sandbox::object::field_set::{FieldSet, field};
use crate::sandbox::object::kind::{Kind, StatusSubresource};
use crate::sandbox::object::meta;
use crate::sandbox::store::part::Part;
use crate::sandbox::validation::registry;

/// The writer of a request, as recorded in entries.
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

/// Writes the entries that own fields, in the server's order.
pub(crate) fn write(object: &mut Value, entries: &[Entry]) {
    let entries = entries.iter().filter(|entry| !entry.fields.is_empty()).map(Entry::written).collect();
    write_in_order(object, entries);
}

fn write_in_order(object: &mut Value, mut entries: Vec<Value>) {
    entries.sort_by(|one, other| {
        // The operations' names sort in their order.
        let fields = ["operation", "time", "manager", "apiVersion", "subresource"];
        let key = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        fields
            .iter()
            .map(|field| key(one, field).cmp(&key(other, field)))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    if entries.is_empty() {
        meta::metadata(object).remove("managedFields");
    } else {
        meta::metadata(object).insert("managedFields".to_owned(), Value::Array(entries));
    }
}

impl Entry {
    fn written(&self) -> Value {
        let mut written = json!({
            "operation": if self.operation == Operation::Apply { "Apply" } else { "Update" },
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.written(),
        });
        let Self { manager, subresource, time, .. } = self;
        for (field, text) in [("manager", manager), ("subresource", subresource), ("time", time)] {
            if !text.is_empty() {
                written[field] = json!(text);
            }
        }
        written
    }

    /// The manager's name in messages.
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

/// A write: the object before, and after without the fields that belong to no manager.
pub(crate) struct Change<'a> {
    pub(crate) kind: Kind,
    pub(crate) before: &'a Value,
    pub(crate) after: &'a Value,
    pub(crate) part: Part,
}

/// The entries of an object after a write, for [`set`]; `None` if the write changes no field. `entries` are the
/// previous ones.
pub(crate) fn record(
    change: &Change<'_>,
    entries: &[Value],
    writer: &Writer,
    now: &str,
) -> Option<Vec<Value>> {
    let subresource = match change.part {
        Part::Main => writer.subresource,
        Part::Status => "status",
    };
    let version = change.kind.api_version();
    let own = change.in_version(change.kind);
    // With an empty entry, a client requests to forget all managers.
    let is_entry = |entry: &&Value| entry.get("apiVersion").is_some();
    if own.is_empty() && entries.iter().all(|entry| is_entry(&entry)) {
        return None;
    }
    let (mut touched, all) = (own.touched(), own.all());
    let (mut left, mut has_owner) = (Vec::new(), false);
    for entry in entries.iter().filter(is_entry) {
        has_owner |= touched.meets(&entry["fieldsV1"]);
        let lost = match change.other_version(meta::text(entry, "/apiVersion")) {
            None => all.meets(&entry["fieldsV1"]).then(|| all.clone()),
            Some(other) => Some(change.in_version(other).all()),
        };
        let mut entry = entry.clone();
        if let Some(lost) = lost {
            let fields = FieldSet::read(&entry["fieldsV1"]).without(&lost);
            if fields.is_empty() {
                continue;
            }
            entry["fieldsV1"] = fields.written();
        }
        left.push(entry);
    }
    let is_scale = subresource == "scale";
    if is_scale && (!has_owner || meta::number(change.after, "/spec/replicas") == 0) {
        // Like the server, does not record a size that is zero or had no owner.
        touched = FieldSet::default();
    }
    let mine = Entry {
        manager: writer.manager.clone(),
        operation: Operation::Update,
        api_version: version,
        subresource: subresource.to_owned(),
        time: if is_scale { String::new() } else { now.to_owned() },
        fields: touched,
    };
    if !mine.fields.is_empty() {
        add(&mut left, mine);
    }
    Some(left)
}

/// Adds an entry, or its fields to the one of the same manager.
fn add(entries: &mut Vec<Value>, mut mine: Entry) {
    let is_mine = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        text("operation") == "Update"
            && text("manager") == mine.manager
            && text("apiVersion") == mine.api_version
            && text("subresource") == mine.subresource
    };
    if let Some(at) = entries.iter().position(is_mine) {
        mine.fields.extend(&FieldSet::read(&entries.remove(at)["fieldsV1"]));
    }
    entries.push(mine.written());
}

/// Writes recorded entries.
pub(crate) fn set(object: &mut Value, entries: Vec<Value>) {
    write_in_order(object, entries);
}

impl Change<'_> {
    /// The object's kind in the version of another manager.
    fn other_version(&self, version: &str) -> Option<Kind> {
        let is_own = version == self.kind.version || version == self.kind.api_version();
        if is_own { None } else { registry::find_kind(version, self.kind.kind) }
    }

    fn in_version(&self, kind: Kind) -> Comparison {
        let mut found = comparison::compare(kind, &kind.present(self.before), &kind.present(self.after));
        for set in [&mut found.added, &mut found.modified, &mut found.removed] {
            strip(kind, set, self.part);
        }
        found
    }
}

/// Removes the fields that no manager owns: those of the server, and those that the request cannot write.
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
            fields.children.remove(&field("status"));
        }
        Part::Main => (),
        Part::Status => drop(fields.children.remove(&field("spec"))),
    }
}

/// An object without the fields that the server allocated, which are neither in `given` nor in `before`; `None` if
/// nothing was given.
pub(crate) fn without_allocated(
    kind: Kind,
    object: &Value,
    given: Option<&Value>,
    before: &Value,
) -> Option<Value> {
    let given = given?;
    let is_allocated = |path: &str| given.pointer(path).is_none() && before.pointer(path).is_none();
    let mut object = object.clone();
    let spec = meta::object_mut(&mut object, "spec");
    let allocated: &[&str] = match kind.plural {
        "namespaces" => &["finalizers"],
        _ => &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
    };
    for name in allocated.iter().filter(|name| is_allocated(&format!("/spec/{name}"))) {
        spec.remove(*name);
    }
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for (at, port) in ports.into_iter().flatten().enumerate() {
        let port = port.as_object_mut();
        if let Some(port) = port.filter(|_| is_allocated(&format!("/spec/ports/{at}/nodePort"))) {
            port.remove("nodePort");
        }
    }
    Some(object)
}

/// Whether the server allocates fields of a kind while it completes an object.
pub(crate) fn allocates(kind: Kind) -> bool {
    kind.is("services") || kind.is("namespaces")
}
