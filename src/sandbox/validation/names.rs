//! The syntax of names, labels and keys, and the server's sentences about it.

use serde_json::{Map, Value, json};

use crate::sandbox::failure::Problem;
use crate::sandbox::kinds::Names;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE_LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
     alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
     validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
     must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
     for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', \
     or 'KEY_NAME', or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const LONG_SUBDOMAIN: &str = "must be no more than 253 characters";
const LONG_LABEL: &str = "must be no more than 63 characters";
/// All annotations of an object together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// The rule that a name breaks.
pub(super) fn name(rule: Names, name: &str) -> Option<&'static str> {
    match rule {
        Names::Subdomain if name.len() > 253 => Some(LONG_SUBDOMAIN),
        Names::Subdomain => (!is_subdomain(name)).then_some(SUBDOMAIN),
        Names::Label | Names::ServiceLabel if name.len() > 63 => Some(LONG_LABEL),
        Names::Label => (!is_label(name)).then_some(LABEL),
        Names::ServiceLabel => {
            let good = is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase());
            (!good).then_some(SERVICE_LABEL)
        }
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

/// Complaints about labels.
pub(super) fn labels(field: &str, labels: Option<&Map<String, Value>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in labels.into_iter().flatten() {
        if let Some(rule) = key_rule(key) {
            problems.push(Problem::invalid(field, &json!(key), &rule));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            problems.push(Problem::invalid(field, value, LONG_LABEL));
        } else if !text.is_empty() && !is_word(text) {
            problems.push(Problem::invalid(field, value, VALUE));
        }
    }
    problems
}

/// Complaints about annotations.
pub(super) fn annotations(field: &str, annotations: Option<&Map<String, Value>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        size += key.len() + value.as_str().map_or(0, str::len);
        if let Some(rule) = key_rule(&key.to_lowercase()) {
            problems.push(Problem::invalid(field, &json!(key), &rule));
        }
    }
    if size > ANNOTATIONS_LIMIT {
        problems.push(Problem::too_long(field, ANNOTATIONS_LIMIT));
    }
    problems
}

fn key_rule(key: &str) -> Option<String> {
    let word = match key.split_once('/') {
        None => key,
        Some((prefix, word)) => {
            if prefix.is_empty() {
                return Some("prefix part must be non-empty".to_owned());
            }
            if !is_subdomain(prefix) {
                return Some(format!("prefix part {SUBDOMAIN}"));
            }
            word
        }
    };
    match word {
        "" => Some(format!("name part must be non-empty; {QUALIFIED}")),
        word if word.len() > 63 => Some(format!("name part {LONG_LABEL}")),
        word => (!is_word(word)).then(|| QUALIFIED.to_owned()),
    }
}

/// The rule that a key of a ConfigMap breaks.
pub(super) fn config_key(key: &str) -> Option<&'static str> {
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (!good).then_some(CONFIG_KEY)
}
