//! The grammars of names that Kubernetes checks.

use crate::oam::schema::Grammar;

/// A DNS-1123 label, as for namespaces, containers and Services.
pub(crate) const LABEL: Grammar =
    Grammar::new("a DNS label (lower-case letters, digits and `-`, at most 63 characters)", is_label);
/// A DNS-1123 label with room for `-v` and a number.
pub(super) const COMPONENT: Grammar = Grammar::new(
    "a DNS label of at most 52 characters (lower-case letters, digits and `-`), to leave room for a suffix such as `-v1`",
    is_component,
);
/// A DNS-1123 subdomain that also fits in a label's value.
pub(crate) const SHORT_SUBDOMAIN: Grammar = Grammar::new(
    "a DNS name (lower-case letters, digits, `-` and `.`, at most 63 characters)",
    is_short_subdomain,
);
/// A DNS-1123 subdomain.
pub(crate) const SUBDOMAIN: Grammar = Grammar::new(
    "a DNS name (lower-case letters, digits, `-` and `.`, at most 253 characters)",
    is_subdomain,
);
/// The key of a label or annotation.
pub(crate) const KEY: Grammar = Grammar::new(
    "a key such as `team` or `example.com/team` (letters, digits, `-`, `_` and `.`, \
     at most 63 characters after the `/`)",
    is_key,
);
/// The value of a label.
pub(crate) const LABEL_VALUE: Grammar =
    Grammar::new("a label value (letters, digits, `-`, `_` and `.`, at most 63 characters)", is_label_value);
/// The name of an environment variable.
pub(crate) const ENV: Grammar = Grammar::new(
    "an environment variable's name (letters, digits, `_`, `-` and `.`, not starting with a digit)",
    is_env,
);
/// The key of an entry of a ConfigMap or Secret.
pub(crate) const DATA_KEY: Grammar =
    Grammar::new("a key of letters, digits, `-`, `_` and `.`, at most 253 characters", is_data_key);
/// The name of a port.
pub(crate) const PORT: Grammar = Grammar::new(
    "a port name (lower-case letters, digits and single `-`, at least one letter, \
     at most 15 characters)",
    is_port_name,
);

pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// Whether a text is a label of any length: Kubernetes limits the length of a subdomain, but not of its parts.
fn is_part(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().all(|byte| inner(byte) || byte == b'-')
        && text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
}

pub(super) fn is_component(text: &str) -> bool {
    text.len() <= 52 && is_label(text)
}

/// The component's name if its name in the manifest is not a DNS label.
pub(super) fn component_name(text: &str) -> String {
    if is_component(text) { text.to_owned() } else { text.to_lowercase().replace(['.', '_'], "-") }
}

/// A definition's name and revision, as in `webservice@v2`. The revision is ignored: `rollout` has only one.
pub(super) fn definition(text: &str) -> (&str, Option<&str>) {
    let is_revision = |text: &str| {
        text.strip_prefix('v')
            .is_some_and(|digits| digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
    };
    match text.split_once('@') {
        Some((name, revision)) if is_revision(revision) => (name, Some(revision)),
        Some(_) | None => (text, None),
    }
}

pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

pub(crate) fn is_short_subdomain(text: &str) -> bool {
    text.len() <= 63 && is_subdomain(text)
}

pub(crate) fn is_key(text: &str) -> bool {
    let name = match text.split_once('/') {
        None => text,
        Some((prefix, name)) if is_subdomain(prefix) => name,
        Some(_) => return false,
    };
    !name.is_empty() && is_label_value(name)
}

pub(crate) fn is_label_value(text: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= 63
        && text.bytes().all(|byte| edge(byte) || matches!(byte, b'-' | b'_' | b'.'))
        && text.bytes().next().is_none_or(edge)
        && text.bytes().last().is_none_or(edge)
}

pub(crate) fn is_env(text: &str) -> bool {
    is_file_name(text) && !text.starts_with(|first: char| first.is_ascii_digit())
}

pub(crate) fn is_data_key(text: &str) -> bool {
    text.len() <= 253 && is_file_name(text)
}

fn is_file_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(inner) && text != "." && !text.starts_with("..")
}

pub(crate) fn is_port_name(text: &str) -> bool {
    text.len() <= 15
        && is_label(text)
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.contains("--")
}
