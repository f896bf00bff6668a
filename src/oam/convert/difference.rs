//! The differences between two objects, and the patches that turn one into the other.

use serde_json::{Map, Value, json};

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// A place where two objects differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) path: Vec<Segment>,
    /// The value in the first object.
    pub(super) from: Option<Value>,
    /// The value in the second.
    pub(super) to: Option<Value>,
}

/// The patches that turn a rendered object into the original.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Patches {
    /// An RFC 7396 document, for differences in mappings.
    pub(super) merge: Map<String, Value>,
    /// RFC 6902 operations, for differences in a container, which a merge patch could only replace together with all
    /// others.
    pub(super) operations: Vec<Value>,
}

/// The places where `to` differs from `from`. Containers are compared one by one, other lists as a whole.
pub(super) fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(from), Some(to), &mut found);
    found
}

fn compare(path: &mut Vec<Segment>, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    match (from, to) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                path.push(Segment::Key(key.clone()));
                compare(path, old.get(key), new.get(key), found);
                path.pop();
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if path.last() == Some(&Segment::Key("containers".to_owned())) && new.len() >= old.len() =>
        {
            for index in 0..new.len() {
                path.push(Segment::Index(index));
                compare(path, old.get(index), new.get(index), found);
                path.pop();
            }
        }
        (from, to) if from == to => {}
        (from, to) => {
            found.push(Difference { path: path.clone(), from: from.cloned(), to: to.cloned() });
        }
    }
}

impl Difference {
    /// The path as in messages, such as `spec.template.spec.containers[0].image`.
    pub(super) fn shown_path(&self) -> String {
        let mut shown = String::new();
        for segment in &self.path {
            match segment {
                Segment::Index(index) => shown.push_str(&format!("[{index}]")),
                Segment::Key(key) if key.contains(['.', '/']) => shown.push_str(&format!("[{key}]")),
                Segment::Key(key) => {
                    if !shown.is_empty() {
                        shown.push('.');
                    }
                    shown.push_str(key);
                }
            }
        }
        shown
    }

    fn pointer(&self) -> String {
        let segment = |segment: &Segment| match segment {
            Segment::Index(index) => index.to_string(),
            Segment::Key(key) => key.replace('~', "~0").replace('/', "~1"),
        };
        self.path.iter().map(|one| format!("/{}", segment(one))).collect()
    }
}

impl Patches {
    /// The patches for these differences.
    pub(super) fn of(differences: &[Difference]) -> Self {
        let mut patches = Self::default();
        for difference in differences {
            let is_in_list = difference.path.iter().any(|segment| matches!(segment, Segment::Index(_)));
            if is_in_list {
                patches.operations.push(operation(difference));
            } else {
                set(&mut patches.merge, &difference.path, difference.to.clone().unwrap_or_default());
            }
        }
        patches
    }
}

fn operation(difference: &Difference) -> Value {
    let path = difference.pointer();
    match (&difference.from, &difference.to) {
        (_, None) => json!({"op": "remove", "path": path}),
        (None, Some(value)) => json!({"op": "add", "path": path, "value": value}),
        (Some(_), Some(value)) => json!({"op": "replace", "path": path, "value": value}),
    }
}

fn set(map: &mut Map<String, Value>, path: &[Segment], value: Value) {
    let [Segment::Key(key), rest @ ..] = path else { return };
    if rest.is_empty() {
        map.insert(key.clone(), value);
        return;
    }
    let below = map.entry(key.clone()).or_insert_with(|| json!({}));
    if let Some(below) = below.as_object_mut() {
        set(below, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_patched_by_operations_and_the_rest_by_a_merge() {
        let from = json!({"spec": {"a": 1, "gone": {}, "containers": [{"image": "x", "env": [1]}]}});
        let to = json!({"spec": {"a": 2, "list": [1], "containers": [{"image": "x", "env": [2], "tty": true}, {"name": "b"}]}});
        let patches = Patches::of(&differences(&from, &to));
        assert_eq!(Value::from(patches.merge), json!({"spec": {"a": 2, "gone": null, "list": [1]}}));
        assert_eq!(
            patches.operations,
            [
                json!({"op": "replace", "path": "/spec/containers/0/env", "value": [2]}),
                json!({"op": "add", "path": "/spec/containers/0/tty", "value": true}),
                json!({"op": "add", "path": "/spec/containers/1", "value": {"name": "b"}}),
            ]
        );
    }

    #[test]
    fn equal_objects_need_no_patch() {
        let object = json!({"spec": {"containers": [{"image": "x"}]}});
        assert_eq!(Patches::of(&differences(&object, &object)), Patches::default());
    }

    #[test]
    fn paths_are_printed_and_escaped() {
        let from = json!({"metadata": {"labels": {}}, "containers": [{"a/b": 1}]});
        let to = json!({"metadata": {"labels": {"x.io/y": "z"}}, "containers": [{"a/b": 2}]});
        let found = differences(&from, &to);
        let shown: Vec<String> = found.iter().map(Difference::shown_path).collect();
        assert_eq!(shown, ["containers[0][a/b]", "metadata.labels[x.io/y]"]);
        assert_eq!(Patches::of(&found).operations[0]["path"], "/containers/0/a~1b");
    }
}
