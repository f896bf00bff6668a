//! Merges the fields that a trait sets into a workload.
//!
//! By KubeVela's rules: mappings are united, and an existing scalar must be equal. Lists merge position by position or,
//! with a [`Mark`], by a key of their entries. A contradiction of an existing value is a [`Clash`], and so are values
//! that the API server would reject later, such as a variable with two sources.

use std::fmt;

use serde_json::{Map, Value};

use crate::oam::manifest::quoted;

/// How a part of a patch is merged, if it differs from the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Entries of the list match if this key is equal, as do those of lists within them.
    Key(&'static str),
    /// The existing value is replaced.
    Replace,
    /// The existing list may have more entries than the patch.
    Open,
}

/// The marks of a patch: the path of field names, and the mark.
pub(super) type Marks = &'static [(&'static str, Mark)];

/// A segment of a path to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// A field of a mapping.
    Field(String),
    /// The entry of a list with this key and value.
    Entry(&'static str, String),
    /// An item of a list, counted from 0.
    Item(usize),
}

/// The path to a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ValuePath(pub(super) Vec<Segment>);

/// Two values for one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clash {
    /// The field.
    pub(super) path: ValuePath,
    /// The existing value.
    pub(super) existing: String,
    /// The value in the patch.
    pub(super) wanted: String,
}

impl ValuePath {
    /// A path of fields.
    pub(super) fn of_fields(fields: &[&str]) -> Self {
        Self(fields.iter().map(|field| Segment::Field((*field).to_owned())).collect())
    }

    /// The value at this path, if it exists.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Field(name) => value.get(name),
            Segment::Item(index) => value.get(index),
            Segment::Entry(key, wanted) => {
                value.as_array()?.iter().find(|entry| entry.get(key).and_then(Value::as_str) == Some(wanted))
            }
        })
    }

    /// The names of the fields alone, joined by dots.
    fn names(&self) -> String {
        let names = self.0.iter().filter_map(|segment| match segment {
            Segment::Field(name) => Some(name.as_str()),
            Segment::Entry(..) | Segment::Item(_) => None,
        });
        names.collect::<Vec<_>>().join(".")
    }

    fn ends_with(&self, field: &str) -> bool {
        matches!(self.0.last(), Some(Segment::Field(name)) if name == field)
    }
}

/// `spec.template.spec.containers[web].image`.
impl fmt::Display for ValuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if position == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Entry(_, value) => write!(f, "[{value}]")?,
                Segment::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Merges `patch` into the value at `at` of `root`; missing fields on the path are added. The marks' paths begin at
/// `at`.
pub(super) fn merge(root: &mut Value, at: &[&str], patch: &Value, marks: Marks) -> Result<(), Clash> {
    let base = descend(root, at)?;
    let mut merger = Merger { path: ValuePath::of_fields(at), depth: at.len(), marks };
    merger.merge(base, patch, None)
}

/// The value at a path of fields, which are added where they are missing.
pub(super) fn descend<'v>(root: &'v mut Value, at: &[&str]) -> Result<&'v mut Value, Clash> {
    let mut value = root;
    for (depth, field) in at.iter().enumerate() {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        if !value.is_object() {
            let path = ValuePath::of_fields(&at[..depth]);
            return Err(Clash { path, existing: shown(value), wanted: "a mapping".to_owned() });
        }
        value = &mut value[*field];
    }
    Ok(value)
}

struct Merger {
    /// The path from the root.
    path: ValuePath,
    /// The number of its segments before the patch.
    depth: usize,
    marks: Marks,
}

impl Merger {
    fn mark(&self) -> Option<Mark> {
        let names = ValuePath(self.path.0[self.depth..].to_vec()).names();
        self.marks.iter().find(|(path, _)| *path == names).map(|(_, mark)| *mark)
    }

    fn within<T>(
        &mut self,
        segment: Segment,
        act: impl FnOnce(&mut Self) -> Result<T, Clash>,
    ) -> Result<T, Clash> {
        self.path.0.push(segment);
        let result = act(self);
        self.path.0.pop();
        result
    }

    /// `key` identifies the entries of lists without a mark.
    fn merge(&mut self, base: &mut Value, patch: &Value, key: Option<&'static str>) -> Result<(), Clash> {
        let mark = self.mark();
        if mark == Some(Mark::Replace) || base.is_null() {
            *base = patch.clone();
            return Ok(());
        }
        match (base, patch) {
            (Value::Object(base), Value::Object(patch)) => {
                for (name, value) in patch {
                    let existing = base.entry(name).or_insert(Value::Null);
                    self.within(Segment::Field(name.clone()), |merger| merger.merge(existing, value, key))?;
                }
                Ok(())
            }
            (Value::Array(base), Value::Array(patch)) => {
                let own = match mark {
                    Some(Mark::Key(key)) => Some(key),
                    Some(Mark::Replace | Mark::Open) | None => None,
                };
                let key = own.or(key);
                match key.filter(|key| base.iter().chain(patch).all(|entry| entry[*key].is_string())) {
                    Some(key) => self.merge_by_key(base, patch, key),
                    None => self.merge_by_position(base, patch, mark),
                }
            }
            (base, patch) if base == patch => Ok(()),
            (base, patch) => Err(self.clash(shown(base), shown(patch))),
        }
    }

    fn merge_by_key(
        &mut self,
        base: &mut Vec<Value>,
        patch: &[Value],
        key: &'static str,
    ) -> Result<(), Clash> {
        let before = base.len();
        for entry in patch {
            let name = entry[key].as_str().unwrap_or_default().to_owned();
            if base[before..].contains(entry) {
                continue;
            }
            let is_same = |other: &Value| other[key].as_str() == Some(&name);
            let existing = base.iter().position(is_same);
            match existing {
                // A volume may be mounted in several directories.
                Some(position) if position >= before && self.path.ends_with("volumeMounts") => {
                    base.push(entry.clone());
                }
                Some(position) => {
                    let existing = &mut base[position];
                    let before = existing.clone();
                    self.within(Segment::Entry(key, name), |merger| {
                        merger.merge(existing, entry, Some(key))?;
                        merger.check_sources(existing, &before, entry)
                    })?;
                }
                None => base.push(entry.clone()),
            }
        }
        Ok(())
    }

    /// Checks that variables and volumes have one source.
    fn check_sources(&self, merged: &Value, before: &Value, patch: &Value) -> Result<(), Clash> {
        let list = ValuePath(self.path.0[..self.path.0.len() - 1].to_vec());
        let most = if list.ends_with("env") || list.ends_with("volumes") { 2 } else { usize::MAX };
        if merged.as_object().is_none_or(|fields| fields.len() <= most) {
            return Ok(());
        }
        let without_name = |entry: &Value| {
            let fields = entry.as_object().cloned().unwrap_or_default();
            shown(&Value::Object(fields.into_iter().filter(|(field, _)| field != "name").collect()))
        };
        Err(self.clash(without_name(before), without_name(patch)))
    }

    fn merge_by_position(
        &mut self,
        base: &mut Vec<Value>,
        patch: &[Value],
        mark: Option<Mark>,
    ) -> Result<(), Clash> {
        if patch.len() < base.len() && mark != Some(Mark::Open) {
            let count = |length: usize| format!("a list of {length}");
            return Err(self.clash(count(base.len()), count(patch.len())));
        }
        for (index, entry) in patch.iter().enumerate() {
            match base.get_mut(index) {
                Some(existing) => {
                    self.within(Segment::Item(index), |merger| merger.merge(existing, entry, None))?;
                }
                None => base.push(entry.clone()),
            }
        }
        Ok(())
    }

    fn clash(&self, existing: String, wanted: String) -> Clash {
        Clash { path: self.path.clone(), existing, wanted }
    }
}

/// A value in a message: strings as they are, other values as JSON, shortened.
pub(super) fn shown(value: &Value) -> String {
    quoted(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests;
