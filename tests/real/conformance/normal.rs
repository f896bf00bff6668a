//! Equalizes the arbitrary parts of answers before they are compared.
//!
//! UIDs and resource versions become ordinals in order of first appearance, so that equal values stay equal; a version
//! that is less than an earlier one is marked. The version of a list is compared by whether it is at least as late as
//! all versions seen. Current times, allocated addresses, generated suffixes and tokens become placeholders. Of
//! `managedFields`, only fields written by requests are compared, by manager: the sandbox, as its documentation says,
//! does not track objects that controllers create. Decoder messages about unreadable text, which name Go types and
//! positions, are cut off after the server's own words. An error that the server repeats because several of its layers
//! check the same field counts once.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::talk::Exchange;

/// The exchanges of both grounds with arbitrary parts equalized.
///
/// UIDs and versions that appear at the same place and are new on both sides get the same ordinal, so that one
/// difference is reported once and not in all later exchanges.
pub(super) fn alike(real: &[Exchange], sandbox: &[Exchange]) -> [Vec<Exchange>; 2] {
    let mut sides = [Names::default(), Names::default()];
    let mut next = 0;
    let mut alike = [Vec::new(), Vec::new()];
    for at in 0..real.len().max(sandbox.len()) {
        let found = [real.get(at), sandbox.get(at)];
        if let [Some(one), Some(other)] = found {
            meet(&mut sides, &mut next, "", &one.answer, &other.answer);
        }
        for ((names, exchange), alike) in sides.iter_mut().zip(found).zip(&mut alike) {
            names.next = next;
            alike.extend(exchange.map(|exchange| names.exchange(exchange)));
            next = names.next;
        }
    }
    alike
}

/// Assigns the same ordinal to values that are new on both sides at the same place.
fn meet(sides: &mut [Names; 2], next: &mut usize, field: &str, one: &Value, other: &Value) {
    match (one, other) {
        (Value::Object(map), Value::Object(others)) => {
            for (field, value) in map {
                if let Some(other) = others.get(field) {
                    meet(sides, next, field, value, other);
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            items.iter().zip(others).for_each(|(one, other)| meet(sides, next, field, one, other));
        }
        (Value::String(one), Value::String(other)) => {
            let [left, right] = sides;
            let fresh = *next + 1;
            let versions = (one.parse::<u64>(), other.parse::<u64>());
            if let ("resourceVersion", (Ok(one), Ok(other))) = (field, versions) {
                if !left.versions.contains_key(&one) && !right.versions.contains_key(&other) {
                    left.learn(one, fresh);
                    right.learn(other, fresh);
                    *next = fresh;
                }
            } else if is_uid(one, 0) && is_uid(other, 0) {
                let is_new = !left.uids.contains_key(one) && !right.uids.contains_key(other);
                if is_new {
                    left.uids.insert(one.clone(), fresh);
                    right.uids.insert(other.clone(), fresh);
                    *next = fresh;
                }
            }
        }
        _ => (),
    }
}

/// The managers of writes other than a script's requests. The sandbox does not follow objects that they create.
const CONTROLLERS: [&str; 4] = ["kube-controller-manager", "kube-apiserver", "kubelet", "control-plane"];

/// The UIDs and versions seen so far on one side.
#[derive(Default)]
struct Names {
    uids: HashMap<String, usize>,
    versions: HashMap<u64, String>,
    latest: u64,
    next: usize,
    /// Whether the value is from an answer: a script's own values are compared literally.
    is_answer: bool,
}

impl Names {
    fn exchange(&mut self, exchange: &Exchange) -> Exchange {
        self.is_answer = false;
        let (request, said) = (self.request(&exchange.request), self.value("", &exchange.said));
        self.is_answer = true;
        Exchange { request, said, answer: self.value("", &exchange.answer) }
    }

    /// Records a version seen for the first time; the next one should be later.
    fn learn(&mut self, number: u64, ordinal: usize) {
        let older = if number < self.latest { ", an older one" } else { "" };
        self.versions.insert(number, format!("<version {ordinal}{older}>"));
        self.latest = self.latest.max(number);
    }

    fn value(&mut self, field: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => self.object(map),
            Value::Array(items) => items.iter().map(|item| self.value(field, item)).collect(),
            Value::String(text) => json!(self.string(field, text)),
            Value::Number(number) if field == "nodePort" && number.as_u64() >= Some(30_000) => {
                json!("<node port>")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) -> Value {
        let is_list = map.get("items").is_some_and(Value::is_array);
        let is_bookmark = map.get("type").is_some_and(|kind| kind == "BOOKMARK");
        let mut alike = Map::new();
        // Objects come before the version of the list or bookmark that contains them.
        for (field, value) in map.iter().filter(|(field, _)| *field != "metadata") {
            let value = if is_bookmark && field == "object" {
                let mut object = value.clone();
                self.summarise(&mut object);
                object
            } else {
                self.value(field, value)
            };
            // List items in managed fields are identified by their keys.
            let field = if field.starts_with("k:") { self.text(field) } else { field.clone() };
            alike.insert(field, value);
        }
        if let Some(metadata) = map.get("metadata") {
            let mut holder = json!({"metadata": metadata});
            if is_list {
                self.summarise(&mut holder);
            }
            alike.insert("metadata".to_owned(), self.value("metadata", &holder["metadata"]));
        }
        if let Some(entries) = alike.get_mut("managedFields").and_then(Value::as_array_mut) {
            let is_controller = |entry: &Value| CONTROLLERS.iter().any(|name| entry["manager"] == *name);
            entries.retain(|entry| !is_controller(entry));
            entries.sort_by_key(|entry| {
                ["operation", "manager", "subresource", "apiVersion"].map(|field| entry[field].to_string())
            });
        }
        // Reviews are not stored.
        if alike.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("Review"))
            && let Some(metadata) = alike.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.remove("managedFields");
        }
        if alike.get("field").is_some_and(|field| field == "patch")
            && let Some(Value::String(message)) = map.get("message")
        {
            let message = without_decoder(&format!("patch: {message}"));
            alike.insert("message".to_owned(), json!(message));
        }
        if let Some(causes) = alike.get_mut("causes").and_then(Value::as_array_mut) {
            let mut seen: Vec<Value> = Vec::new();
            causes.retain(|cause| {
                !seen.contains(cause) && {
                    seen.push(cause.clone());
                    true
                }
            });
        }
        if alike.get("managedFields").is_some_and(|entries| entries == &json!([])) {
            alike.remove("managedFields");
        }
        let prefix = alike.get("generateName").and_then(Value::as_str).map(str::to_owned);
        if let (Some(prefix), Some(Value::String(name))) = (prefix, alike.get_mut("name"))
            && name.strip_prefix(&prefix).is_some_and(|suffix| suffix.len() == 5)
        {
            *name = format!("{prefix}<suffix>");
        }
        Value::Object(alike)
    }

    /// Replaces the version of a list or bookmark, which other namespaces also change, with how late it is.
    fn summarise(&mut self, object: &mut Value) {
        let Some(Value::String(version)) = object.pointer_mut("/metadata/resourceVersion") else { return };
        let Ok(number) = version.parse::<u64>() else { return };
        let word = if number >= self.latest { "up to date" } else { "stale" };
        *version = format!("<{word}>");
    }

    fn string(&mut self, field: &str, text: &str) -> String {
        match field {
            "resourceVersion" => match text.parse() {
                Ok(number) if self.is_answer || self.versions.contains_key(&number) => self.version(number),
                Ok(_) | Err(_) => text.to_owned(),
            },
            "continue" if !text.is_empty() => "<token>".to_owned(),
            "clusterIP" | "clusterIPs" if text.starts_with("10.") => "<address>".to_owned(),
            "value" if !self.is_answer => match text.parse::<u64>() {
                Ok(number) if self.versions.contains_key(&number) => self.version(number),
                Ok(_) | Err(_) => self.text(text),
            },
            "message" => self.message(text),
            _ if is_today(text) => "<time>".to_owned(),
            _ => self.text(text),
        }
    }

    /// A request line, which may contain a version or end with a token.
    fn request(&mut self, text: &str) -> String {
        let token = text.split_once("continue=").filter(|(_, token)| !token.starts_with("nonsense"));
        let text = &token.map_or(text.to_owned(), |(before, _)| format!("{before}continue=<token>"));
        let Some((before, rest)) = text.split_once("resourceVersion=") else { return self.text(text) };
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let known = rest[..end].parse().ok().and_then(|number: u64| self.versions.get(&number));
        let version = known.cloned().unwrap_or_else(|| rest[..end].to_owned());
        self.text(&format!("{before}resourceVersion={version}{}", &rest[end..]))
    }

    fn version(&mut self, number: u64) -> String {
        if !self.versions.contains_key(&number) {
            self.next += 1;
            self.learn(number, self.next);
        }
        self.versions[&number].clone()
    }

    /// A message: versions are in brackets, and decoder messages come last.
    fn message(&mut self, text: &str) -> String {
        let text = self.text(&without_decoder(text));
        // The server's latest and oldest known versions are arbitrary.
        for mark in ["too old resource version: ", "Too large resource version: "] {
            if let Some(at) = text.find(mark) {
                return format!("{}<asked> <present>", &text[..at + mark.len()]);
            }
        }
        if !text.to_lowercase().contains("resource version") && !text.contains("ResourceVersion") {
            return text;
        }
        let mut alike = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let end = rest[at..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| at + end);
            alike.push_str(&rest[..at]);
            let known = rest[at..end].parse().ok().and_then(|number: u64| self.versions.get(&number));
            match (rest[..at].ends_with('('), known) {
                (true, Some(known)) => alike.push_str(known),
                (true, None) => alike.push_str("<version>"),
                (false, _) => alike.push_str(&rest[at..end]),
            }
            rest = &rest[end..];
        }
        alike + rest
    }

    /// Any text: UIDs in it become ordinals.
    fn text(&mut self, text: &str) -> String {
        let mut alike = String::new();
        let mut rest = text;
        while let Some(at) = (0..rest.len()).find(|at| is_uid(rest, *at)) {
            let uid = rest[at..at + UID_LENGTH].to_owned();
            let ordinal = *self.uids.entry(uid).or_insert_with(|| {
                self.next += 1;
                self.next
            });
            alike.push_str(&format!("{}<uid {ordinal}>", &rest[..at]));
            rest = &rest[at + UID_LENGTH..];
        }
        alike + rest
    }
}

/// A message without a decoder's message and without a whole patched object.
fn without_decoder(text: &str) -> String {
    const STRICT: &str = "strict decoding error: ";
    let marks = [
        " cannot be handled as a ",
        "error decoding patch: ",
        "error decoding YAML: ",
        "json parse error: ",
        "continue key is not valid: ",
        "patch: Invalid value: ",
    ];
    let text = text.split(" in scheme ").next().unwrap_or_default();
    if text.starts_with("json: ") {
        return "<a decoder's words>".to_owned();
    }
    let Some((mark, at)) = marks.iter().find_map(|mark| Some((mark, text.find(mark)?))) else {
        return text.to_owned();
    };
    let mut end = at + mark.len();
    if *mark == marks[0] {
        end += text[end..].find(": ").map_or(0, |at| at + 2);
    }
    let strict = text.find(STRICT).map_or("<a decoder's words>", |at| &text[at..]);
    format!("{}{strict}", &text[..end])
}

const UID_LENGTH: usize = 36;

/// The scripts' own UIDs begin with ones, and are kept.
fn is_uid(text: &str, at: usize) -> bool {
    text.get(at..at + UID_LENGTH).is_some_and(|word| {
        !word.starts_with("11111111")
            && word.bytes().enumerate().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    })
}

/// Whether a text is a current time; times in scripts are long past.
fn is_today(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok() && *text >= *"2025"
}
