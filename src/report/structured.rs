//! Documents for programs, in JSON and YAML, which may be printed on a terminal as well.
//!
//! Values are printed as observed. Control characters and commands to CI systems are written as escape sequences, so
//! that printing a document is harmless and a parser restores the original.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::report::github::escape_commands;
use crate::report::text::is_unsafe;

/// A value as one line of JSON, with its newline. Panics if a map has keys that are not strings.
pub fn to_json_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("documents have string keys");
    format!("{}\n", escaped(&text, Escape::Utf16))
}

/// A value as an indented JSON document, ending with a newline.
pub fn to_json(value: &impl Serialize) -> String {
    format!("{}\n", pretty(value, Escape::Utf16))
}

/// A value as a YAML document, ending with a newline.
///
/// In YAML, only double-quoted strings can contain escapes. If one is needed, the whole document is written in flow
/// style, where all strings are quoted. The same applies if a string would not be read back unchanged.
pub fn to_yaml(value: &impl Serialize) -> String {
    let text = serde_yaml::to_string(value).expect("documents have string keys");
    let has_command = matches!(escape_commands(&text), Cow::Owned(_));
    let acts = has_command || text.chars().any(|character| character != '\n' && is_unsafe(character));
    let read = || serde_yaml::from_str::<serde_json::Value>(&text).ok();
    if acts || read() != serde_json::to_value(value).ok() {
        return format!("{}\n", pretty(value, Escape::CodePoint));
    }
    // Trailing newlines may belong to the last string.
    if text.ends_with('\n') { text } else { format!("{text}\n") }
}

/// How a character beyond U+FFFF is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// As in JSON: a surrogate pair.
    Utf16,
    /// As in YAML: one code point.
    CodePoint,
}

fn pretty(value: &impl Serialize, escape: Escape) -> String {
    escaped(&serde_json::to_string_pretty(value).expect("documents have string keys"), escape)
}

/// Escapes unsafe characters. JSON's syntax has none, and its writer escapes those below U+0020, so all others are
/// inside strings, where an escape is equivalent.
fn escaped(json: &str, escape: Escape) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !is_unsafe(character) {
            text.push(character);
            continue;
        }
        let code = u32::from(character);
        if escape == Escape::CodePoint && code > 0xffff {
            write!(text, "\\U{code:08x}").expect("writing to a string cannot fail");
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(text, "\\u{unit:04x}").expect("writing to a string cannot fail");
        }
    }
    // GitHub Actions interprets `##[` as a command anywhere in a line.
    text.replace("##[", "#\\u0023[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn is_harmless(text: &str) -> bool {
        !text.chars().any(|character| character != '\n' && is_unsafe(character))
    }

    #[test]
    fn commands_to_ci_systems_are_escaped() {
        let value = json!({"script": "first\n::stop-commands::x\n", "line": "##[error]no"});
        for text in [to_yaml(&value), to_json(&value), to_json_line(&value)] {
            assert!(matches!(escape_commands(&text), Cow::Borrowed(_)), "{text}");
            assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        let value = json!(["\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{e0041}\n\"\\"]);
        assert_eq!(to_json_line(&value), "[\"\\u001b[2J\\u007f\\u009b\\u202e\\udb40\\udc41\\n\\\"\\\\\"]\n");
        assert_eq!(to_yaml(&value), "[\n  \"\\u001b[2J\\u007f\\u009b\\u202e\\U000e0041\\n\\\"\\\\\"\n]\n");
    }

    #[test]
    fn other_text_is_unchanged() {
        let value = json!({"a": "größe 发布 👩‍🚀", "b": "two\nlines"});
        assert_eq!(to_json_line(&value), "{\"a\":\"größe 发布 👩‍🚀\",\"b\":\"two\\nlines\"}\n");
        assert_eq!(to_yaml(&value), "a: größe 发布 👩‍🚀\nb: |-\n  two\n  lines\n");
    }

    #[test]
    fn spaces_at_the_end_are_kept() {
        for text in ["0\u{2000}", "\n", "a\n\n", " ", "a \n "] {
            let value = json!({"list": [text], "text": text});
            assert_eq!(serde_yaml::from_str::<Value>(&to_yaml(&value)).unwrap(), value);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_harmless_and_round_trips(text in any::<String>(), other in any::<String>()) {
            let value = json!({"one": text, "list": [other, null, 3]});
            for written in [to_json_line(&value), to_json(&value)] {
                prop_assert!(is_harmless(&written), "{written:?}");
                prop_assert_eq!(&serde_json::from_str::<Value>(&written).unwrap(), &value);
            }
            let written = to_yaml(&value);
            prop_assert!(is_harmless(&written), "{written:?}");
            prop_assert_eq!(&serde_yaml::from_str::<Value>(&written).unwrap(), &value, "{}", written);
        }
    }
}
