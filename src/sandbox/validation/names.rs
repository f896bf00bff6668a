//! The syntax of names, labels and keys, with the server's messages.

use serde_json::{Map, Value, json};

use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::kind::NameRule;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
     must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
     for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
     or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const LONG_SUBDOMAIN: &str = "must be no more than 253 characters";
const LONG_LABEL: &str = "must be no more than 63 characters";
const LONG_WORD: &str = "must be no more than 63 bytes";
const TOO_MANY_PARTS: &str = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must \
     start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
     validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' \
     (e.g. 'example.com/MyName')";
/// The limit of all annotations of an object together, in bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// The server\'s message about the rule that a name breaks.
pub(super) fn name(rule: NameRule, name: &str) -> Option<&'static str> {
    match rule {
        NameRule::Subdomain if name.len() > 253 => Some(LONG_SUBDOMAIN),
        NameRule::Subdomain => (!is_subdomain(name)).then_some(SUBDOMAIN),
        NameRule::PathSegment => path_segment(name),
        NameRule::Label | NameRule::UndottedLabel if name.len() > 63 => Some(LONG_LABEL),
        NameRule::UndottedLabel if name.contains('.') => Some("must not contain dots"),
        NameRule::Label | NameRule::UndottedLabel => (!is_label(name)).then_some(LABEL),
    }
}

fn path_segment(name: &str) -> Option<&'static str> {
    match name {
        "." => Some("may not be '.'"),
        ".." => Some("may not be '..'"),
        name if name.contains('/') => Some("may not contain '/'"),
        name => name.contains('%').then_some("may not contain '%'"),
    }
}

fn is_label(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_word(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(inner)
}

pub(super) fn labels(field: &str, labels: Option<&Map<String, Value>>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.into_iter().flatten() {
        errors.extend(key_rules(key).iter().map(|rule| FieldError::invalid(field, &json!(key), rule)));
        let rules = value_rules(value.as_str().unwrap_or_default());
        errors.extend(rules.iter().map(|rule| FieldError::invalid(field, value, rule)));
    }
    errors
}

/// The server\'s message about the rule that the value of a label breaks.
pub(crate) fn value_rules(value: &str) -> Vec<&'static str> {
    let long = (value.len() > 63).then_some(LONG_WORD);
    let odd = (!value.is_empty() && !is_word(value)).then_some(VALUE);
    long.into_iter().chain(odd).collect()
}

pub(super) fn annotations(field: &str, annotations: Option<&Map<String, Value>>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        size += key.len() + value.as_str().map_or(0, str::len);
        let rules = key_rules(&key.to_lowercase());
        errors.extend(rules.iter().map(|rule| FieldError::invalid(field, &json!(key), rule)));
    }
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long(field, ANNOTATIONS_LIMIT));
    }
    errors
}

/// The errors in finalizers of an object.
pub(super) fn finalizers(field: &str, finalizers: &[Value]) -> Vec<FieldError> {
    let standard = ["kubernetes", "orphan", "foregroundDeletion"];
    let mut errors = Vec::new();
    for (at, name) in finalizers.iter().enumerate() {
        let text = name.as_str().unwrap_or_default();
        errors.extend(key_rules(text).iter().map(|rule| FieldError::invalid(field, name, rule)));
        if !text.contains('/') && !standard.contains(&text) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(format!("{field}[{at}]"), name, detail));
        }
    }
    errors
}

/// The server\'s message about the rule that a qualified name breaks.
pub(crate) fn key_rules(key: &str) -> Vec<String> {
    let mut rules = Vec::new();
    let word = match key.split('/').collect::<Vec<_>>().as_slice() {
        [word] => *word,
        ["", word] => {
            rules.push("prefix part must be non-empty".to_owned());
            *word
        }
        [prefix, word] => {
            if !is_subdomain(prefix) {
                rules.push(format!("prefix part {SUBDOMAIN}"));
            }
            *word
        }
        _ => return vec![TOO_MANY_PARTS.to_owned()],
    };
    match word.len() {
        0 => rules.push("name part must be non-empty".to_owned()),
        1..=63 => (),
        _ => rules.push(format!("name part {LONG_WORD}")),
    }
    if !is_word(word) {
        rules.push(QUALIFIED.to_owned());
    }
    rules
}

/// The server\'s message about the rule that a key of a ConfigMap breaks.
pub(super) fn config_key(key: &str) -> Option<&'static str> {
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match key {
        _ if !good => Some(CONFIG_KEY),
        "." => Some("must not be '.'"),
        ".." => Some("must not be '..'"),
        _ => key.starts_with("..").then_some("must not start with '..'"),
    }
}

/// The server\'s message about the rule that the name of a port breaks.
pub(super) fn port_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() > 15 {
        Some("must be no more than 15 characters")
    } else if name.is_empty() || !name.chars().all(plain) {
        Some("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    } else if !name.contains(|c: char| c.is_ascii_lowercase()) {
        Some("must contain at least one letter (a-z)")
    } else if name.contains("--") {
        Some("must not contain consecutive hyphens")
    } else {
        let edged = name.starts_with('-') || name.ends_with('-');
        edged.then_some("must not begin or end with a hyphen")
    }
}
