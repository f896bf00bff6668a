//! Writes an application as YAML, with fields in the usual order and with comments.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A component to write.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct WrittenComponent {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) properties: Map<String, Value>,
    pub(super) traits: Vec<(&'static str, Value)>,
    pub(super) depends_on: Vec<String>,
    /// Comments, such as the differences from the original object.
    pub(super) comments: Vec<String>,
    /// Whether a workload of the same name has to be deleted before this one can be created.
    pub(super) replaces_workload: bool,
    /// Whether its workloads are named after their revisions, and are created next to the existing one.
    pub(super) joins_workload: bool,
}

impl WrittenComponent {
    pub(super) fn is_rolled_out(&self) -> bool {
        self.traits.iter().any(|(kind, _)| *kind == "rollout")
    }

    /// The entry of `spec.components`.
    pub(super) fn manifest(&self) -> Value {
        let traits =
            self.traits.iter().map(|(kind, properties)| json!({"type": kind, "properties": properties}));
        json!({
            "name": self.name,
            "type": self.kind,
            "properties": self.properties,
            "traits": traits.collect::<Vec<Value>>(),
        })
    }
}

/// Keys that come first; the others follow in alphabetical order.
const FIRST: [&str; 7] = ["apiVersion", "kind", "metadata", "name", "namespace", "image", "op"];

/// The application's manifest.
pub(super) fn written(
    name: &str,
    namespace: Option<&str>,
    labels: &Map<String, Value>,
    comments: &[String],
    components: &[WrittenComponent],
) -> String {
    let mut text = String::new();
    write_comments(&mut text, "#", comments);
    text.push_str("apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n");
    let _ = writeln!(text, "  name: {}", scalar(name));
    if let Some(namespace) = namespace {
        let _ = writeln!(text, "  namespace: {}", scalar(namespace));
    }
    if !labels.is_empty() {
        text.push_str("  labels:\n");
        write_map(&mut text, "    ", labels);
    }
    text.push_str("spec:\n  components:\n");
    for component in components {
        write_component(&mut text, component);
    }
    text
}

/// Writes an object unchanged.
pub(super) fn written_object(object: &Value) -> String {
    let mut text = String::new();
    object.as_object().into_iter().for_each(|fields| write_map(&mut text, "", fields));
    text
}

/// Writes only the gates of a `rollout` trait.
pub(super) fn written_gates(comments: &[String], gates: &Map<String, Value>) -> String {
    let mut text = "# For the properties of a `rollout` trait, beside `targetSize`.\n".to_owned();
    write_comments(&mut text, "#", comments);
    write_map(&mut text, "", gates);
    text
}

fn write_comments(text: &mut String, start: &str, comments: &[String]) {
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        let _ = writeln!(text, "{start} {line}");
    }
}

fn write_component(text: &mut String, component: &WrittenComponent) {
    if !component.comments.is_empty() {
        text.push_str("    # Not carried over:\n");
        write_comments(text, "    #  ", &component.comments);
    }
    let _ = writeln!(text, "    - name: {}", scalar(&component.name));
    let _ = writeln!(text, "      type: {}", component.kind);
    if !component.depends_on.is_empty() {
        let names: Vec<String> = component.depends_on.iter().map(|name| scalar(name)).collect();
        let _ = writeln!(text, "      dependsOn: [{}]", names.join(", "));
    }
    text.push_str("      properties:\n");
    write_map(text, "        ", &component.properties);
    if component.traits.is_empty() {
        return;
    }
    text.push_str("      traits:\n");
    for (kind, properties) in &component.traits {
        let _ = writeln!(text, "        - type: {kind}\n          properties:");
        if let Some(properties) = properties.as_object() {
            write_map(text, "            ", properties);
        }
    }
}

fn write_map(text: &mut String, indent: &str, map: &Map<String, Value>) {
    let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| (rank(key), (*key).clone()));
    for (key, value) in entries {
        let _ = write!(text, "{indent}{}:", scalar(key));
        write_value(text, indent, value);
    }
}

/// Writes a value after `key:`.
fn write_value(text: &mut String, indent: &str, value: &Value) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            write_map(text, &format!("{indent}  "), map);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                write_item(text, &format!("{indent}  "), item);
            }
        }
        Value::String(lines) if lines.contains('\n') && is_block(lines) => {
            write_block(text, indent, lines);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            let _ = writeln!(text, " {}", flow(value));
        }
    }
}

fn write_item(text: &mut String, indent: &str, item: &Value) {
    let map = item.as_object().filter(|map| !map.is_empty());
    let Some(map) = map else {
        let _ = writeln!(text, "{indent}- {}", flow(item));
        return;
    };
    let mut inner = String::new();
    write_map(&mut inner, &format!("{indent}  "), map);
    let _ = write!(text, "{indent}- {}", inner.trim_start());
}

/// Whether a text of several lines can be written as a block scalar.
fn is_block(text: &str) -> bool {
    let is_plain = |char: char| char == '\n' || char == '\t' || !char.is_control();
    text.chars().all(is_plain) && !text.starts_with([' ', '\n', '\t']) && !text.contains('\u{feff}')
}

fn write_block(text: &mut String, indent: &str, lines: &str) {
    let body = lines.trim_end_matches('\n');
    let mark = match lines.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let _ = writeln!(text, " {mark}");
    let whole = if mark == "|+" { lines.strip_suffix('\n').unwrap_or(lines) } else { body };
    for line in whole.split('\n') {
        if line.is_empty() {
            text.push('\n');
        } else {
            let _ = writeln!(text, "{indent}  {line}");
        }
    }
}

/// A value on one line. JSON is YAML.
fn flow(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), scalar)
}

/// A string, in quotes if it would parse as something else without them.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 12] =
        ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~", ".nan", ".inf"];
    let is_word = WORDS.contains(&text.to_lowercase().as_str());
    let starts = text.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '/');
    let is_plain = text.chars().all(|char| char.is_ascii_alphanumeric() || "-_./@:+=, ()%$".contains(char));
    let is_safe =
        !text.contains(": ") && !text.ends_with(':') && !text.ends_with(' ') && !text.contains(" #");
    if starts && is_plain && is_safe && !is_word {
        return text.to_owned();
    }
    Value::from(text).to_string()
}
