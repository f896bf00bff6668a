//! Server-side apply: a configuration merged into the live object, with field ownership.
//!
//! A field that a manager drops is removed unless another manager owns it; a field that another manager owns with
//! another value is a conflict. See
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.

use serde_json::{Value, json};

use crate::sandbox::object::field_set::FieldSet;
use crate::sandbox::object::kind::Kind;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::managed_fields::comparison::{self, Comparison};
use crate::sandbox::store::managed_fields::{self, Entry, Operation};
use crate::sandbox::store::part::Part;
use crate::sandbox::validation::registry;
use crate::sandbox::validation::structure::Place;

/// The manager of everything in an object that had no managers before its first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Who applies what, and whether it takes over fields of others.
pub(crate) struct Applier<'a> {
    pub(crate) kind: Kind,
    pub(crate) part: Part,
    pub(crate) manager: &'a str,
    pub(crate) force: Force,
    pub(crate) time: String,
}

/// What happens to fields that another manager owns with another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Force {
    Refuse,
    TakeOver,
}

/// A configuration as sent by a client, and as decoded for its kind.
pub(crate) struct Configuration<'a> {
    pub(crate) written: &'a Value,
    pub(crate) decoded: &'a Value,
}

impl Configuration<'_> {
    /// The decoded fields that were sent. Decoding adds the fields that the type always has, which are not applied.
    fn given(&self) -> Value {
        let mut given = self.decoded.clone();
        retain_sent(&mut given, self.written);
        if self.written.get("stringData").is_some() {
            given["data"] = self.decoded["data"].clone();
        }
        given
    }
}

fn retain_sent(decoded: &mut Value, sent: &Value) {
    match (decoded, sent) {
        (Value::Object(decoded), Value::Object(sent)) => {
            decoded.retain(|name, _| sent.contains_key(name));
            for (name, value) in sent {
                match decoded.get_mut(name) {
                    Some(decoded) => retain_sent(decoded, value),
                    // Decoding drops empty values.
                    None if *value == json!([]) || *value == json!({}) => {
                        decoded.insert(name.clone(), value.clone());
                    }
                    None => (),
                }
            }
        }
        (Value::Array(decoded), Value::Array(sent)) if decoded.len() == sent.len() => {
            decoded.iter_mut().zip(sent).for_each(|(decoded, sent)| retain_sent(decoded, sent));
        }
        _ => (),
    }
}

impl Applier<'_> {
    /// The configuration as a new object.
    pub(crate) fn create(
        &self,
        live: &Value,
        configuration: &Configuration<'_>,
    ) -> Result<Value, StatusError> {
        self.apply(live, Vec::new(), configuration)
    }

    /// Merges the configuration into the live object. The manager owns what it wrote, empty values included.
    pub(crate) fn update(
        &self,
        live: &Value,
        configuration: &Configuration<'_>,
    ) -> Result<Value, StatusError> {
        let mut entries = managed_fields::read(live);
        if entries.is_empty() {
            let mut fields = comparison::compare(self.kind, &json!({}), live).added;
            managed_fields::strip(self.kind, &mut fields, self.part);
            entries.push(Entry {
                manager: BEFORE_FIRST_APPLY.to_owned(),
                operation: Operation::Update,
                api_version: self.kind.api_version(),
                subresource: String::new(),
                time: self.time.clone(),
                fields,
            });
        }
        self.apply(live, entries, configuration)
    }

    fn apply(
        &self,
        live: &Value,
        entries: Vec<Entry>,
        configuration: &Configuration<'_>,
    ) -> Result<Value, StatusError> {
        let all = comparison::contained(self.kind, configuration.written);
        let mut fields = all.clone();
        managed_fields::strip(self.kind, &mut fields, self.part);
        let (own, mut others): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| self.is_own(entry));
        let mut object = live.clone();
        let given = configuration.given();
        if let (Some(object), Some(given)) = (object.as_object_mut(), given.as_object()) {
            comparison::merge(Place::root(self.kind), object, given);
        }
        if let Some(last) = own.first() {
            // Every configuration contains the object's name, so its metadata is never pruned.
            self.prune(&mut object, &last.fields, &all, &others);
        }
        let changes = comparison::compare(self.kind, live, &object);
        let mut conflicts = Vec::new();
        for entry in &mut others {
            let changes = self.changes_in(&entry.api_version, live, &object, &changes);
            let conflict = entry.fields.common(&changes.touched());
            conflicts.extend(conflict.paths().into_iter().map(|path| (entry.title(), path)));
            entry.fields = entry.fields.without(&conflict).without(&changes.removed);
        }
        if !conflicts.is_empty() && self.force == Force::Refuse {
            conflicts.sort();
            return Err(StatusError::apply_conflict(&conflicts));
        }
        let is_same = changes.is_empty() && own.first().is_some_and(|last| last.fields == fields);
        if is_same {
            return Ok(live.clone());
        }
        // The time is that of the last change of the object, not of its owners.
        let last = own.into_iter().next().map(|last| last.time).unwrap_or_default();
        let time = if changes.is_empty() { last } else { self.time.clone() };
        others.push(Entry {
            manager: self.manager.to_owned(),
            operation: Operation::Apply,
            api_version: self.kind.api_version(),
            subresource: self.subresource().to_owned(),
            time,
            fields,
        });
        managed_fields::write(&mut object, &others);
        Ok(object)
    }

    fn is_own(&self, entry: &Entry) -> bool {
        entry.operation == Operation::Apply
            && entry.manager == self.manager
            && entry.subresource == self.subresource()
    }

    fn subresource(&self) -> &'static str {
        match self.part {
            Part::Main => "",
            Part::Status => "status",
        }
    }

    /// Removes what the manager applied before, does not apply now, and shares with no other manager.
    fn prune(&self, object: &mut Value, last: &FieldSet, fields: &FieldSet, others: &[Entry]) {
        let root = Place::root(self.kind);
        let mut kept = fields.clone();
        for entry in others {
            kept.extend(&entry.fields);
        }
        let dropped = comparison::with_parents(root, last).without(&comparison::with_parents(root, &kept));
        if let Some(object) = object.as_object_mut() {
            comparison::remove(root, object, &dropped);
        }
    }

    /// The changes, converted to another version of a manager.
    fn changes_in(&self, version: &str, live: &Value, object: &Value, own: &Comparison) -> Comparison {
        let other = registry::find_kind(version, self.kind.kind).filter(|other| *other == self.kind);
        let Some(other) = other.filter(|other| other.version != self.kind.version) else {
            return own.clone();
        };
        let stored = |object: &Value| (self.kind.check)(object.clone()).map(|decoded| decoded.object);
        match (stored(live), stored(object)) {
            (Ok(live), Ok(object)) => {
                comparison::compare(other, &other.present(&live), &other.present(&object))
            }
            _ => own.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(manager: &'static str, force: Force) -> Applier<'static> {
        let time = "2026-01-01T00:00:00Z".to_owned();
        Applier { kind: registry::kind("configmaps"), part: Part::Main, manager, force, time }
    }

    fn update(live: &Value, body: &Value, applier: &Applier<'_>) -> Result<Value, StatusError> {
        applier.update(live, &Configuration { written: body, decoded: body })
    }

    fn create(body: &Value, manager: &'static str) -> Value {
        let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        by(manager, Force::Refuse).create(&live, &Configuration { written: body, decoded: body }).unwrap()
    }

    fn config(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
    }

    #[test]
    fn dropped_fields_are_removed_and_foreign_fields_stay() {
        let foreign = config(&json!({"foreign": "1"}));
        let live = update(&foreign, &config(&json!({"a": "1", "b": "2"})), &by("me", Force::Refuse)).unwrap();
        let live = update(&live, &config(&json!({"a": "3"})), &by("me", Force::Refuse)).unwrap();
        assert_eq!(live["data"], json!({"foreign": "1", "a": "3"}));
        let managers = managed_fields::read(&live);
        let managers: Vec<&str> = managers.iter().map(|entry| entry.manager.as_str()).collect();
        assert_eq!(managers, ["me", "before-first-apply"]);
    }

    #[test]
    fn fields_of_another_applier_are_taken_by_force_only() {
        let live = create(&config(&json!({"a": "1"})), "one");
        let failure = update(&live, &config(&json!({"a": "2"})), &by("two", Force::Refuse)).unwrap_err();
        assert_eq!(failure.message(), "Apply failed with 1 conflict: conflict with \"one\": .data.a");
        let live = update(&live, &config(&json!({"a": "2"})), &by("two", Force::TakeOver)).unwrap();
        assert_eq!(live["data"], json!({"a": "2"}));
    }

    #[test]
    fn reapplying_changes_nothing() {
        let applied = config(&json!({"a": "1"}));
        let once = create(&applied, "me");
        assert_eq!(update(&once, &applied, &by("me", Force::Refuse)).unwrap(), once);
    }

    #[test]
    fn dropping_everything_keeps_the_metadata() {
        let mut applied = config(&json!({"a": "1"}));
        applied["metadata"]["labels"] = json!({"b": "c"});
        let once = create(&applied, "me");
        let bare = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        let live = update(&once, &bare, &by("me", Force::Refuse)).unwrap();
        assert_eq!(live, bare);
    }
}
