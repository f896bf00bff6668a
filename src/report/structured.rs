//! Documents for programs, JSON and YAML, which a terminal may be shown all the same.
//!
//! What a document says is what was observed, to the letter; but each character that does something else
//! than being seen is spelled as an escape, and so is what a CI system takes for a command, so that `cat` is harmless
//! and a parser gives the original back. Nothing here knows what a document is about.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::report::github::escape_commands;
use crate::report::text::is_unsafe;

/// A value as one line of JSON, with its newline. Maps with keys that are no strings are a mistake in the
/// caller.
pub fn to_json_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("documents have string keys");
    format!("{}\n", escaped(&text, Escape::Utf16))
}

/// A value as a JSON document to be read, ending with a newline.
pub fn to_json(value: &impl Serialize) -> String {
    format!("{}\n", pretty(value, Escape::Utf16))
}

/// A value as a YAML document, ending with a newline.
///
/// Only double-quoted text can have escapes in YAML. Where one is needed the whole document is in flow style,
/// which quotes all text so; any parser reads it. The same goes for text that would be read as something else
/// without quotes.
pub fn to_yaml(value: &impl Serialize) -> String {
    let text = serde_yaml::to_string(value).expect("documents have string keys");
    let has_command = matches!(escape_commands(&text), Cow::Owned(_));
    let acts = has_command || text.chars().any(|character| character != '\n' && is_unsafe(character));
    let read = || serde_yaml::from_str::<serde_json::Value>(&text).ok();
    if acts || read() != serde_json::to_value(value).ok() {
        return format!("{}\n", pretty(value, Escape::CodePoint));
    }
    // Newlines at the end may belong to the last text.
    if text.ends_with('\n') { text } else { format!("{text}\n") }
}

/// How a character beyond U+FFFF is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// As JSON has it, a pair of surrogates.
    Utf16,
    /// As YAML has it, one number.
    CodePoint,
}

fn pretty(value: &impl Serialize, escape: Escape) -> String {
    escaped(&serde_json::to_string_pretty(value).expect("documents have string keys"), escape)
}

/// JSON's own characters are harmless and its writer escapes what is below U+0020, so that whatever else is
/// unsafe stands inside a string, where an escape means the same.
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
    // GitHub Actions takes it for a command anywhere in a line.
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
    fn no_line_is_a_command_of_a_ci_system() {
        let value = json!({"script": "first\n::stop-commands::x\n", "line": "##[error]no"});
        for text in [to_yaml(&value), to_json(&value), to_json_line(&value)] {
            assert!(matches!(escape_commands(&text), Cow::Borrowed(_)), "{text}");
            assert_eq!(serde_yaml::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn what_would_act_is_an_escape() {
        let value = json!(["\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{e0041}\n\"\\"]);
        assert_eq!(to_json_line(&value), "[\"\\u001b[2J\\u007f\\u009b\\u202e\\udb40\\udc41\\n\\\"\\\\\"]\n");
        assert_eq!(to_yaml(&value), "[\n  \"\\u001b[2J\\u007f\\u009b\\u202e\\U000e0041\\n\\\"\\\\\"\n]\n");
    }

    #[test]
    fn other_text_stays_as_it_is() {
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
        fn whatever_it_is_it_is_harmless_and_comes_back(text in any::<String>(), other in any::<String>()) {
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
