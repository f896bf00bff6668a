//! The syntax of label selectors in queries, with the API server's messages.
//!
//! See <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api>.

use std::cmp::Ordering;

use crate::sandbox::object::selector::{Operator, Requirement, Selector};
use crate::sandbox::validation::names::{key_rules, value_rules};

/// The tokens of a selector.
struct Words<'a>(std::iter::Peekable<std::vec::IntoIter<&'a str>>);

const SIGNS: &str = "=!(),<>";
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut words = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = match first {
                '=' | '!' if rest[1..].starts_with('=') => 2,
                first if SIGNS.contains(first) => 1,
                _ => rest.find(|c: char| SIGNS.contains(c) || c.is_whitespace()).unwrap_or(rest.len()),
            };
            words.push(&rest[..end]);
            rest = rest[end..].trim_start();
        }
        Self(words.into_iter().peekable())
    }

    /// The next token; empty at the end.
    fn next(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }

    fn peek(&mut self) -> &'a str {
        self.0.peek().copied().unwrap_or_default()
    }
}

fn is_identifier(word: &str) -> bool {
    !word.is_empty() && !word.starts_with(|c: char| SIGNS.contains(c))
}

pub(crate) fn parse(text: &str) -> Result<Selector, String> {
    let mut words = Words::of(text);
    let mut requirements = Vec::new();
    loop {
        match words.peek() {
            "" => return Ok(Selector::new(requirements)),
            "!" => (),
            word if is_identifier(word) => (),
            sign => return Err(format!("found '{sign}', expected: !, identifier, or 'end of string'")),
        }
        let requirement = requirement(&mut words);
        requirements.push(requirement.map_err(|problem| format!("unable to parse requirement: {problem}"))?);
        match words.next() {
            "" => return Ok(Selector::new(requirements)),
            "," if words.peek() == "!" || is_identifier(words.peek()) => (),
            "," => return Err(format!("found '{}', expected: identifier after ','", words.peek())),
            word => return Err(format!("found '{word}', expected: ',' or 'end of string'")),
        }
    }
}

fn requirement(words: &mut Words<'_>) -> Result<Requirement, String> {
    let is_absent = words.peek() == "!";
    if is_absent {
        words.next();
    }
    let key = words.next();
    if !is_identifier(key) {
        return Err(format!("found '{key}', expected: identifier"));
    }
    if let Some(rule) = key_rules(key).first() {
        return Err(format!("<nil>: Invalid value: \"{key}\": {rule}"));
    }
    let made = |operator| Ok(Requirement { key: key.to_owned(), operator });
    if is_absent {
        return made(Operator::Absent);
    }
    if ["", ","].contains(&words.peek()) {
        return made(Operator::Exists);
    }
    let operator = words.next();
    let values = match operator {
        "in" | "notin" => listed(words)?,
        "=" | "==" | "!=" | ">" | "<" => vec![exact(words)?],
        other => return Err(format!("found '{other}', expected: {OPERATORS}")),
    };
    for (at, value) in values.iter().enumerate() {
        if let Some(rule) = value_rules(value).first() {
            return Err(format!("values[{at}][{key}]: Invalid value: \"{value}\": {rule}"));
        }
    }
    let side = if operator == ">" { Ordering::Greater } else { Ordering::Less };
    match operator {
        "in" | "=" | "==" => made(Operator::In(values)),
        ">" | "<" => match values[0].parse() {
            Ok(bound) => made(Operator::Compare(side, bound)),
            Err(_) => Err(format!(
                "values[0]: Invalid value: \"{}\": for 'Gt', 'Lt' operators, the value must be an integer",
                values[0]
            )),
        },
        _ => made(Operator::NotIn(values)),
    }
}

/// The value after an operator, which may be empty.
fn exact(words: &mut Words<'_>) -> Result<String, String> {
    match words.peek() {
        "" | "," => Ok(String::new()),
        word if is_identifier(word) => Ok(words.next().to_owned()),
        sign => Err(format!("found '{sign}', expected: identifier")),
    }
}

/// Values in parentheses. A missing value is empty.
fn listed(words: &mut Words<'_>) -> Result<Vec<String>, String> {
    let open = words.next();
    if open != "(" {
        return Err(format!("found '{open}' expected: '('"));
    }
    let mut values = Vec::new();
    loop {
        let value = match words.peek() {
            word if is_identifier(word) => words.next(),
            "," | ")" => "",
            other => return Err(format!("found '{other}', expected: ',', ')' or identifier")),
        };
        values.push(value.to_owned());
        match words.next() {
            "," => (),
            ")" => return Ok(values),
            other => return Err(format!("found '{other}', expected: ',' or ')'")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queries_select_as_documented() {
        let labels = json!({"app": "web", "tier": "front"});
        let labels = labels.as_object();
        for (text, chosen) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app=web,tier!=front", false),
            ("app in (web, api)", true),
            ("app notin (web,api)", false),
            ("missing notin (web)", true),
            ("missing!=x", true),
            ("app", true),
            ("!app", false),
            ("!missing,app in (web),tier", true),
            ("app in ()", false),
            ("app=", false),
            ("app>5", false),
        ] {
            assert_eq!(parse(text).unwrap().matches(labels), chosen, "{text}");
        }
    }

    #[test]
    fn invalid_queries_are_rejected() {
        for text in [
            "app in web",
            "app near (web)",
            "=web",
            "a b",
            "app=web,",
            ",",
            "app=web!",
            "a/b/c=x",
            "app=-x",
            "app>x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
