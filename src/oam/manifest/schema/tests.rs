use serde_json::{Value, json};

use super::*;
use crate::oam::manifest::node;
use crate::oam::schema::{COUNT, PORT, Rule, TEXTS, defaulted, optional, required};

const NAME: Grammar = Grammar { expected: "a name without spaces", accepts: |text| !text.contains(' ') };

const HANDLER: Table = Table::closed(
    "a mapping with `port`",
    &[
        required("port", PORT),
        defaulted("scheme", Shape::Choice(&["HTTP", "HTTPS"]), Literal::Text("HTTP")),
        optional("host", Shape::Text),
    ],
);

const VARIABLE: Table = Table::copied(
    "a variable with `name`",
    &[required("name", Shape::Checked(NAME)), optional("value", Shape::Text)],
);

const TABLE: Table = Table::open(
    "a mapping with `name`",
    &[
        required("name", Shape::Checked(NAME)),
        optional("port", PORT).deprecated("`ports`"),
        optional("ports", Shape::List { of: &PORT, expected: "a list of ports" }),
        defaulted("replicas", COUNT, Literal::Integer(1)),
        optional("suspend", Shape::Boolean),
        optional("memory", Shape::Quantity("`512Mi`")),
        optional("http", Shape::Object(&HANDLER)),
        defaulted("probe", Shape::Object(&HANDLER), Literal::Filled),
        optional("env", Shape::List { of: &Shape::Object(&VARIABLE), expected: "a list of variables" }),
        optional("command", Shape::Nullable(&TEXTS)),
        optional("labels", Shape::Map { of: &Shape::Nullable(&Shape::Text), keys: NAME, expected: "labels" }),
        optional("value", Shape::Any),
        optional("object", Shape::AnyObject),
        defaulted("modes", TEXTS, Literal::Texts(&["a"])),
        defaulted("on", Shape::Boolean, Literal::Boolean(false)),
        defaulted("env2", Shape::AnyObject, Literal::EmptyMap),
    ],
)
.with_advice(&[("image", "the image belongs into the component")]);

/// Reads a document: the value or the problems, and the warnings.
fn read(text: &str, table: &Table) -> (Result<Value, Vec<String>>, Vec<String>) {
    let root = node::parse(text).unwrap();
    let mut walk = Walk::new("app.yaml", text, 0);
    let value = read_table(&mut walk, &At { node: &root, path: "p".to_owned() }, table);
    let warnings = walk.take_warnings();
    let warnings = warnings
        .iter()
        .map(|warning| format!("{}: {}: {}", warning.origin.line, warning.path, warning.message))
        .collect();
    let problems: Vec<String> = walk.finish().iter().map(ToString::to_string).collect();
    assert!(value.is_some() || !problems.is_empty(), "a refusal has a reason");
    let value = if problems.is_empty() { value } else { None };
    (value.ok_or(problems), warnings)
}

/// The value of a document with a `name`, without the defaults.
fn value(text: &str) -> Value {
    let mut value = read(&format!("name: a\n{text}"), &TABLE).0.unwrap();
    let defaults = read("name: a", &TABLE).0.unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.retain(|name, value| defaults.get(name) != Some(value));
    json!(fields)
}

/// The problem of a document with a `name`, without its place.
fn problem(text: &str) -> String {
    let problems = read(&format!("name: a\n{text}"), &TABLE).0.unwrap_err();
    problems.join("\n")
}

#[test]
fn defaults_are_filled_in() {
    let (value, warnings) = read("name: a", &TABLE);
    let expected = json!({
        "name": "a", "replicas": 1, "probe": {"scheme": "HTTP"}, "modes": ["a"], "on": false, "env2": {},
    });
    assert_eq!((value, warnings), (Ok(expected), Vec::new()));
}

#[test]
fn values_of_every_shape_are_read() {
    let cases = [
        ("ports: [80, 8080.0]", json!({"ports": [80, 8080]})),
        ("replicas: 0", json!({"replicas": 0})),
        ("suspend: true", json!({"suspend": true})),
        ("memory: 1.5", json!({"memory": "1.5"})),
        ("http: {port: 1, scheme: HTTPS}", json!({"http": {"port": 1, "scheme": "HTTPS"}})),
        ("http: {port: 1}", json!({"http": {"port": 1, "scheme": "HTTP"}})),
        ("env: [{name: b, more: [1, null]}]", json!({"env": [{"name": "b", "more": [1, null]}]})),
        ("command: null", json!({"command": null})),
        ("command: []", json!({"command": []})),
        ("labels: {x: null, y: z}", json!({"labels": {"x": null, "y": "z"}})),
        ("value: null", json!({"value": null})),
        ("value: 18446744073709551615", json!({"value": u64::MAX})),
        ("value: {1: 1.5, b: [true, -3]}", json!({"value": {"1": 1.5, "b": [true, -3]}})),
        ("object: {a: 1}", json!({"object": {"a": 1}})),
        // As in Kubernetes, `null` is no value.
        ("ports: null", json!({})),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn invalid_values_are_rejected_at_their_place() {
    let cases = [
        ("suspend: 1", "app.yaml:2:10: p.suspend: found 1, expected true or false"),
        (
            "replicas: 1.5",
            "app.yaml:2:11: p.replicas: found the number 1.5, expected an integer from 0 to 2147483647",
        ),
        (
            "ports: [1, '80']",
            "app.yaml:2:12: p.ports[1]: found the string `80`, expected an integer from 1 to 65535\n    did you mean 80, without quotes?",
        ),
        ("ports: 80", "app.yaml:2:8: p.ports: found 80, expected a list of ports"),
        (
            "memory: 1Gb",
            "app.yaml:2:9: p.memory: found `1Gb`, expected a quantity of 0 or more such as `512Mi`\n    did you mean `1G`?",
        ),
        (
            "http: {port: 1, scheme: http}",
            "app.yaml:2:25: p.http.scheme: found `http`, expected one of `HTTP`, `HTTPS`\n    did you mean `HTTP`?",
        ),
        ("http: {}", "app.yaml:2:7: p.http.port: missing, expected an integer from 1 to 65535"),
        ("http: [1]", "app.yaml:2:7: p.http: found a list, expected a mapping with `port`"),
        ("http: {port: 1, hots: a}", "app.yaml:2:17: p.http.hots: unknown field\n    did you mean `host`?"),
        (
            "http: {port: 1, path: a}",
            "app.yaml:2:17: p.http.path: unknown field\n    known fields: `port`, `scheme`, `host`",
        ),
        (
            "env: [{name: a b}]",
            "app.yaml:2:14: p.env[0].name: found `a b`, expected a name without spaces\n    did you mean `a-b`?",
        ),
        (
            "labels: {a: 1}",
            "app.yaml:2:13: p.labels.a: found 1, expected a string\n    did you mean \"1\", in quotes?",
        ),
        ("labels: {a b: c}", "app.yaml:2:10: p.labels[a b]: found `a b`, expected a name without spaces"),
        ("labels: []", "app.yaml:2:9: p.labels: found an empty list, expected labels"),
        ("object: {a: 1, a: 2}", "app.yaml:2:16: p.object.a: appears twice, first in line 2"),
        ("object: 3", "app.yaml:2:9: p.object: found 3, expected a mapping"),
        ("value: {a: 1, a: 2}", "app.yaml:2:15: p.value.a: appears twice, first in line 2"),
    ];
    for (text, expected) in cases {
        assert_eq!(problem(text), expected, "{text}");
    }
    let (value, _) = read("port: 1", &TABLE);
    assert_eq!(value, Err(vec!["app.yaml:1:1: p.name: missing, expected a name without spaces".to_owned()]));
    let (value, _) = read("[]", &TABLE);
    assert_eq!(
        value,
        Err(vec!["app.yaml:1:1: p: found an empty list, expected a mapping with `name`".to_owned()])
    );
}

#[test]
fn ignored_and_deprecated_fields_are_warnings() {
    let cases = [
        ("port: 80", "2: p.port: deprecated, use `ports`"),
        ("prots: 80", "2: p.prots: unknown field, ignored; did you mean `ports`?"),
        ("image: a", "2: p.image: unknown field, ignored; the image belongs into the component"),
        ("env: [{name: a, vlaue: b}]", "2: p.env[0].vlaue: unknown field; did you mean `value`?"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(&format!("name: a\n{text}"), &TABLE).1, [expected], "{text}");
    }
    let (_, warnings) = read("name: a\nsomething: else", &TABLE);
    assert!(warnings[0].starts_with("2: p.something: unknown field, ignored; known fields: `name`, `port`"));
}

#[test]
fn rules_are_checked() {
    const FIELDS: &[Field] = &[
        optional("a", Shape::Text),
        optional("b", Shape::Text),
        defaulted("kind", Shape::Text, Literal::Text("x")),
        optional("list", TEXTS),
    ];
    const EITHER: &[&str] = &["a", "b"];
    const EXACTLY: Table = Table::open("a mapping", FIELDS).with_rules(&[Rule::ExactlyOne(EITHER)]);
    const MOST: Table = Table::open("a mapping", FIELDS).with_rules(&[Rule::AtMostOne(EITHER)]);
    const LEAST: Table = Table::open("a mapping", FIELDS).with_rules(&[Rule::AtLeastOne(EITHER)]);
    const ALONE: Table = Table::open("a mapping", FIELDS).with_rules(&[Rule::Alone("list")]);
    const NEEDS: Table = Table::open("a mapping", FIELDS).with_rules(&[Rule::Needs {
        field: "kind",
        is: "x",
        needed: &["a"],
    }]);
    const NONE: Option<&str> = None;
    let neither = Some("app.yaml:1:1: p: missing one of `a`, `b`");
    let cases = [
        ("{a: x}", &EXACTLY, NONE),
        (
            "{a: x, b: z}",
            &EXACTLY,
            Some("app.yaml:1:11: p.b: cannot be used together with `a`\n    keep one of `a`, `b`"),
        ),
        ("{}", &EXACTLY, neither),
        ("{}", &MOST, NONE),
        ("{a: , b: z}", &MOST, NONE),
        ("{a: 1s, b: z}", &LEAST, NONE),
        ("{kind: z}", &LEAST, neither),
        ("{list: []}", &ALONE, NONE),
        ("{a: x, b: z}", &ALONE, NONE),
        (
            "{list: [], a: x}",
            &ALONE,
            Some(
                "app.yaml:1:12: p.a: cannot be used together with `list`\n    \
                 move it into the entries of `list`, or omit `list`",
            ),
        ),
        ("{kind: z}", &NEEDS, NONE),
        ("{a: x}", &NEEDS, NONE),
        ("{b: x}", &NEEDS, Some("app.yaml:1:1: p.a: missing, required with `kind: x`")),
    ];
    for (text, table, expected) in cases {
        let problems = read(text, table).0.err().map(|problems| problems.join("\n"));
        assert_eq!(problems.as_deref(), expected, "{text}");
    }
}
