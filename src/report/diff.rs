//! Differences between two workloads or objects: unified diffs of their YAML.
//!
//! If each revision has its own Deployment, the object's name and the labels `app.oam.dev/revision` and
//! `app.oam.dev/appRevision`, which the pods have as well, always differ: they are omitted, and the names are in the
//! header. The text is always coloured; the stream removes the colours if it should have none.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::TextDiff;

use crate::oam::kind::WorkloadKind;
use crate::oam::labels;
use crate::oam::object::ObjectRef;
use crate::report::text::{sanitise, sanitise_block};

/// Lines of context around each difference.
const CONTEXT: usize = 3;

/// The difference between two workloads of a kind, either of which may be absent; empty if they are the same.
/// Sanitised.
pub fn diff_workloads(kind: WorkloadKind, before: Option<&Value>, after: Option<&Value>) -> String {
    let header = |workload: Option<&Value>| header(kind.noun(), workload);
    let (from, to) = (header(before), header(after));
    let is_by_construction = !kind.is_in_place() && before.is_some() && after.is_some() && from != to;
    let yaml = |workload: Option<&Value>| match workload {
        Some(workload) if is_by_construction => yaml(&without_revision(workload)),
        Some(workload) => yaml(workload),
        None => String::new(),
    };
    unified(&from, &to, &yaml(before), &yaml(after))
}

/// The difference between two objects of a kind, either of which may be absent. Sanitised.
pub fn diff_objects(noun: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    let text = |object: Option<&Value>| object.map(yaml).unwrap_or_default();
    unified(&header(noun, before), &header(noun, after), &text(before), &text(after))
}

/// The differences between the objects of two revisions, matched by kind and name. Sanitised.
pub fn diff_object_lists(before: &[Value], after: &[Value]) -> String {
    let find = |objects: &[Value], name: &ObjectRef| {
        let found = objects.iter().find(|object| ObjectRef::of(object).as_ref() == Some(name));
        found.map(without_revision_labels)
    };
    let mut names: Vec<ObjectRef> = Vec::new();
    for name in after.iter().chain(before).filter_map(ObjectRef::of) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let differences = names.iter().map(|name| {
        let (shown, before, after) = (name.to_string(), find(before, name), find(after, name));
        let noun = shown.split('/').next().unwrap_or(&shown);
        diff_objects(noun, before.as_ref(), after.as_ref())
    });
    differences.collect()
}

fn header(noun: &str, object: Option<&Value>) -> String {
    let name = object.and_then(|object| object.pointer("/metadata/name")?.as_str());
    name.map_or_else(|| "/dev/null".to_owned(), |name| format!("{noun}/{}", sanitise(name)))
}

fn yaml(object: &Value) -> String {
    serde_yaml::to_string(object).unwrap_or_default()
}

/// The workload without the fields that always differ between revisions.
fn without_revision(workload: &Value) -> Value {
    let mut workload = workload.clone();
    if let Some(metadata) = workload.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("name");
    }
    without_revision_labels(&workload)
}

/// An object without the labels that name its revision.
fn without_revision_labels(object: &Value) -> Value {
    let mut object = object.clone();
    for path in ["/metadata/labels", "/spec/template/metadata/labels"] {
        if let Some(map) = object.pointer_mut(path).and_then(Value::as_object_mut) {
            map.remove(labels::REVISION);
            map.remove(labels::APP_REVISION);
        }
    }
    object
}

fn unified(from: &str, to: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(CONTEXT).header(from, to).to_string();
    let safe = sanitise_block(&text);
    safe.lines().enumerate().map(|(index, line)| painted(index, line)).collect()
}

fn painted(index: usize, line: &str) -> String {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    let style = match line.as_bytes().first() {
        // The two lines of the header.
        _ if index < 2 => Style::new().bold(),
        Some(b'@') => colour(AnsiColor::Cyan),
        Some(b'-') => colour(AnsiColor::Red),
        Some(b'+') => colour(AnsiColor::Green),
        _ => return format!("{line}\n"),
    };
    format!("{style}{line}{style:#}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workload(name: &str, image: &str) -> Value {
        let labels = json!({ labels::REVISION: name });
        json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {"template": {"metadata": {"labels": labels}, "image": image}},
        })
    }

    #[test]
    fn names_and_revision_labels_are_not_compared() {
        let (one, two) = (workload("web-v1", "web:1"), workload("web-v2", "web:1"));
        assert_eq!(diff_workloads(WorkloadKind::Deployment, Some(&one), Some(&two)), "");
    }

    #[test]
    fn lines_are_coloured_and_sanitised() {
        let (one, two) = (workload("web-v1", "web:\u{202e}1"), workload("web-v2", "web:2"));
        let text = diff_workloads(WorkloadKind::Deployment, Some(&one), Some(&two));
        assert!(text.starts_with("\x1b[1m--- deployment/web-v1\x1b[0m\n"), "{text:?}");
        assert!(text.contains("\x1b[32m+    image: web:2\x1b[0m\n"), "{text:?}");
        assert!(text.contains("\x1b[36m@@ ") && text.contains("\x1b[31m-    image: "), "{text:?}");
        assert!(!text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn an_absent_workload_is_dev_null() {
        let text = diff_workloads(WorkloadKind::Deployment, None, Some(&workload("web-v1", "web:1")));
        assert!(text.contains("--- /dev/null") && text.contains("+  name: web-v1"), "{text:?}");
    }
}
