//! `analysis` and `canaryMetric`: the metrics that are measured after a batch.

use serde_json::Number;

use super::{
    ADDRESS, METHODS, is_address, read_duration, read_headers, read_list, without_login, without_twins,
};
use crate::oam::batch_gates::{
    Bounds, Condition, Metric, PLACEHOLDERS, Provider, TEMPLATE_FIELDS, fill_in, json_pointer, placeholders,
    unknown_placeholder,
};
use crate::oam::manifest::names;
use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::schema::Grammar;

/// The default limit of consecutive measurements without a value, as in Argo Rollouts.
const CONSECUTIVE_ERROR_LIMIT: u32 = 4;

/// The default interval between measurements.
const INTERVAL_SECONDS: u64 = 60;

/// The most measurements of a metric.
const MAX_NUMBER: u32 = 10_000;

/// The maximum length of a condition, in bytes. The parser is recursive, so a longer one could overflow the stack.
const MAX_CONDITION_BYTES: usize = 1_000;

const JSON_PATH: Grammar = Grammar::new("a path such as `{$.data.rate}` or `{$.items[0].value}`", |text| {
    json_pointer(text).is_some()
});

/// The field that contains a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `analysis`.
    Analysis,
    /// `canaryMetric`, as in the original.
    Canary,
}

/// Reads both lists.
pub(super) fn read_metrics(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<Metric>> {
    let mut read = |field, form| {
        read_list(walk, object, (field, "a list of metrics"), |walk, at| read_metric(walk, at, form))
    };
    let (analysis, canary) = (read("analysis", Form::Analysis), read("canaryMetric", Form::Canary));
    without_twins(walk, object, "metric", [analysis?, canary?].concat(), |metric| &metric.name)
}

fn read_metric(walk: &mut Walk<'_>, at: &At<'_>, form: Form) -> Option<Metric> {
    let known = match form {
        Form::Analysis => [&TEMPLATE_FIELDS[..], &["metricsRange", "baselineRange", "provider"]].concat(),
        Form::Canary => vec!["name", "interval", "metricsRange", "provider"],
    };
    let object = walk.object_of(at, &known, |name| match (name, form) {
        ("templateRef", Form::Canary) => Some("write the query in `provider`"),
        _ => None,
    })?;
    let name = walk.required_text(&object, "name", names::LABEL);
    let interval = object.optional("interval", |at| read_interval(walk, at));
    let initial_delay = object.optional("initialDelay", |at| read_duration(walk, at));
    let mut number = |name: &str, least: u32| {
        object.optional(name, |at| walk.integer(at, least..=MAX_NUMBER, "an integer"))
    };
    let (count, failure_limit) = (number("count", 1), number("failureLimit", 0));
    let (inconclusive_limit, errors) = (number("inconclusiveLimit", 0), number("consecutiveErrorLimit", 0));
    let baseline = object.optional("baselineRange", |at| read_bounds(walk, at));
    let condition = read_condition(walk, &object, form);
    let provider = walk
        .required(&object, "provider", "one of `prometheus`, `web`, `exec`")
        .and_then(|at| read_provider(walk, &at));
    if let (Some(at), Some(provider)) = (object.get("baselineRange"), &provider)
        && !provider.texts().any(|text| placeholders(text).any(|name| name == "revision"))
    {
        walk.refuse_with(
            &at,
            "the provider measures the same for the target and the source",
            "name `{{revision}}` in its query, address or arguments: it is filled in with the one and the other",
        );
        return None;
    }
    Some(Metric {
        name: name?,
        initial_delay_seconds: initial_delay?.unwrap_or(0),
        interval_seconds: interval?.unwrap_or(INTERVAL_SECONDS),
        count: count?.unwrap_or(1),
        condition: condition?,
        baseline: baseline?,
        failure_limit: failure_limit?.unwrap_or(0),
        inconclusive_limit: inconclusive_limit?.unwrap_or(0),
        consecutive_error_limit: errors?.unwrap_or(CONSECUTIVE_ERROR_LIMIT),
        provider: provider?,
    })
}

/// A duration of at least a second.
fn read_interval(walk: &mut Walk<'_>, at: &At<'_>) -> Option<u64> {
    let seconds = read_duration(walk, at)?;
    if seconds == 0 {
        walk.refuse(at, format!("found {}, expected at least `1s`", walk.found(at.node)));
        return None;
    }
    Some(seconds)
}

fn read_condition(walk: &mut Walk<'_>, object: &Object<'_>, form: Form) -> Option<Condition> {
    let range = object.optional("metricsRange", |at| read_bounds(walk, at));
    let success = object.optional("successCondition", |at| read_expression(walk, at));
    let failure = object.optional("failureCondition", |at| read_expression(walk, at));
    let condition = Condition { range: range?.unwrap_or_default(), success: success?, failure: failure? };
    if condition == Condition::default() && object.get("baselineRange").is_none() {
        let expected = match form {
            Form::Analysis => {
                "missing one of `successCondition`, `failureCondition`, `metricsRange`, `baselineRange`"
            }
            Form::Canary => "missing `metricsRange` with `min` or `max`",
        };
        walk.refuse(&object.at, expected);
        return None;
    }
    Some(condition)
}

fn read_bounds(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Bounds> {
    let range = walk.object_of(at, &["min", "max"], |_| None)?;
    let min = range.optional("min", |at| read_bound(walk, at));
    let max = range.optional("max", |at| read_bound(walk, at));
    let bounds = Bounds { min: min?, max: max? };
    if bounds.is_empty() {
        walk.refuse(at, "missing one of `min`, `max`");
        return None;
    }
    Some(bounds)
}

/// Reads a bound, which may be a number or a string, as in the original.
fn read_bound(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Number> {
    let number = match &at.node.value {
        NodeValue::Int(number) => i64::try_from(*number).ok().map(Number::from),
        NodeValue::Float(number) => Number::from_f64(*number),
        NodeValue::Text(text) => text.parse().ok().and_then(Number::from_f64),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::List(_) | NodeValue::Map(_) => None,
    };
    if number.is_none() {
        walk.mismatch(at, "a number");
    }
    number
}

fn read_expression(walk: &mut Walk<'_>, at: &At<'_>) -> Option<String> {
    let expected = "an expression over `result`, such as `result[0] < 0.05`";
    let text = walk.text(at, expected)?;
    if text.len() > MAX_CONDITION_BYTES {
        let message =
            format!("found {} bytes, expected an expression of at most {MAX_CONDITION_BYTES}", text.len());
        walk.refuse(at, message);
        return None;
    }
    if has_map(text) {
        walk.refuse_with(
            at,
            "maps such as `{a: 1}` are not supported",
            "compare their fields, as in `result.a == 1`",
        );
        return None;
    }
    if expr::compile(text).is_err() {
        walk.refuse_with(
            at,
            format!("found {}, expected {expected}", walk.found(at.node)),
            "the language is that of Argo Rollouts' conditions: https://expr-lang.org",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Whether an expression contains a map with entries. The library parses `{a: 1 + 2}` as `{a: 1}`, and panics on `{a:
/// -1}`.
fn has_map(expression: &str) -> bool {
    expression.split('{').skip(1).any(|rest| {
        let rest = without_comments(rest);
        let key = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(0, |end| end + 2),
            _ => rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_$#".contains(c))).unwrap_or(0),
        };
        key > 0 && without_comments(&rest[key..]).starts_with(':')
    })
}

/// The text after leading white space and comments.
fn without_comments(text: &str) -> &str {
    let text = text.trim_start();
    let end = match text.get(..2) {
        Some("//") => text.find('\n'),
        Some("/*") => text.find("*/").map(|end| end + 2),
        _ => None,
    };
    end.map_or(text, |end| without_comments(&text[end..]))
}

fn read_provider(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Provider> {
    let object = walk.object_of(at, &["prometheus", "web", "exec"], |name| match name {
        "job" | "kayenta" | "datadog" | "newRelic" | "wavefront" | "cloudWatch" | "graphite" | "influxdb"
        | "skywalking" | "plugin" => Some("ask it with `web`, or with a command in `exec`"),
        _ => None,
    })?;
    let mut given = object.entries();
    let (Some((name, _, value)), None) = (given.next(), given.next()) else {
        walk.refuse(at, "expected one of `prometheus`, `web`, `exec`");
        return None;
    };
    match name {
        "prometheus" => read_prometheus(walk, &value),
        "web" => read_web(walk, &value),
        "exec" => read_exec(walk, &value),
        _ => None,
    }
}

fn read_prometheus(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Provider> {
    let object = walk.object_of(at, &["address", "query", "headers"], |_| None)?;
    let address = walk
        .required(&object, "address", "the address of the server, such as `http://prometheus:9090`")
        .and_then(|at| read_address_template(walk, &at));
    let query = walk.required(&object, "query", "a query").and_then(|at| read_template(walk, &at, "a query"));
    let headers = read_headers(walk, &object);
    Some(Provider::Prometheus { address: address?, query: query?, headers: headers? })
}

fn read_web(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Provider> {
    let object =
        walk.object_of(at, &["url", "method", "headers", "body", "jsonPath"], |name| match name {
            "jsonBody" => Some("write it as text in `body`"),
            "timeoutSeconds" => Some("a request may take 10 seconds"),
            "insecure" => Some("certificates are always checked"),
            _ => None,
        })?;
    let url = walk.required(&object, "url", ADDRESS).and_then(|at| read_address_template(walk, &at));
    let method = object.optional("method", |at| walk.choice(at, &METHODS));
    let body = object.optional("body", |at| read_template(walk, at, "text"));
    let json_path = walk.optional_text(&object, "jsonPath", JSON_PATH);
    let headers = read_headers(walk, &object);
    Some(Provider::Web {
        url: url?,
        method: method?.unwrap_or("GET").to_owned(),
        headers: headers?,
        body: body?,
        json_path: json_path?,
    })
}

fn read_exec(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Provider> {
    let object = walk.object_of(at, &["command"], |_| None)?;
    let expected = "a list of the program and its arguments";
    let at = walk.required(&object, "command", expected)?;
    let command =
        read_list(walk, &object, ("command", expected), |walk, at| read_template(walk, at, "an argument"))?;
    if command.is_empty() {
        walk.refuse(&at, format!("found an empty list, expected {expected}"));
        return None;
    }
    Some(Provider::Exec { command })
}

/// Reads a URL that may contain placeholders.
fn read_address_template(walk: &mut Walk<'_>, at: &At<'_>) -> Option<String> {
    let text = read_template(walk, at, ADDRESS)?;
    let filled = fill_in(&text, &PLACEHOLDERS.iter().map(|name| (*name, "x".to_owned())).collect());
    if is_address(&filled) {
        return without_login(walk, at, &filled).then_some(text);
    }
    walk.refuse(at, format!("found {}, expected {ADDRESS}", walk.found(at.node)));
    None
}

/// Reads text that may contain placeholders.
fn read_template(walk: &mut Walk<'_>, at: &At<'_>, expected: &str) -> Option<String> {
    let text = walk.text(at, expected)?;
    let Some(unknown) = unknown_placeholder(text) else { return Some(text.to_owned()) };
    let known: Vec<String> = PLACEHOLDERS.iter().map(|name| format!("`{{{{{name}}}}}`")).collect();
    walk.refuse(at, format!("found `{{{{{unknown}}}}}`, expected one of {}", known.join(", ")));
    None
}
