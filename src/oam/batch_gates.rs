//! Gates of a run in batches: the hooks, tests, metrics and times that it waits for between batches.
//!
//! Hooks are those of the `rollout` trait of KubeVela 1.3. Metrics have the names and the meaning that they have in an
//! AnalysisTemplate of Argo Rollouts. A run stores its gates in its record, so they contain no secrets: a header's
//! value can be read from the environment or a file when it is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::oam::smoke_test::SmokeTest;

/// The gates of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchGates {
    /// Hooks of the run and of every batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// How long each batch must stay ready, in seconds; 0 disables this.
    #[serde(skip_serializing_if = "is_zero")]
    pub soak_seconds: u64,
    /// Jobs that run before or after each batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub smoke_tests: Vec<SmokeTest>,
    /// The metrics that are measured after each batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// When batches may begin; `None` is at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Gates of single batches, by their zero-based index.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub batches: BTreeMap<u32, OneBatchGates>,
}

/// The gates of one batch, in addition to those of all batches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OneBatchGates {
    /// Its hooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// How long it must stay ready, in seconds; `None` is the value for all batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak_seconds: Option<u64>,
    /// Jobs that run before or after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub smoke_tests: Vec<SmokeTest>,
    /// The metrics that are measured after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl BatchGates {
    /// Describes a gate that accesses the local machine: it runs a command, or sends a variable or a file in a header.
    #[must_use]
    pub fn local_access(&self) -> Option<String> {
        let of_hook = |hook: &Hook| hook.local_access().map(|what| format!("hook `{}` {what}", hook.name));
        let of_metric = |metric: &Metric| {
            metric.provider.local_access().map(|what| format!("metric `{}` {what}", metric.name))
        };
        self.all_hooks().filter_map(of_hook).chain(self.all_metrics().filter_map(of_metric)).next()
    }

    /// The hooks of the run and of single batches.
    pub fn all_hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().chain(self.batches.values().flat_map(|batch| &batch.hooks))
    }

    /// The metrics of the run and of single batches.
    pub fn all_metrics(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().chain(self.batches.values().flat_map(|batch| &batch.metrics))
    }

    /// The smoke tests of the run and of single batches.
    pub fn all_smoke_tests(&self) -> impl Iterator<Item = &SmokeTest> {
        self.smoke_tests.iter().chain(self.batches.values().flat_map(|batch| &batch.smoke_tests))
    }

    /// Whether there are no gates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn local_header(headers: &[Header]) -> Option<String> {
    headers.iter().find_map(|header| match &header.value {
        HeaderValue::Text(_) => None,
        HeaderValue::Env(name) => Some(format!("sends the variable `{name}`")),
        HeaderValue::File(path) => Some(format!("sends the file `{path}`")),
    })
}

impl Hook {
    /// How it accesses the local machine.
    #[must_use]
    pub fn local_access(&self) -> Option<String> {
        local_header(&self.headers)
    }
}

impl Provider {
    /// The headers of its requests.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        match self {
            Self::Prometheus { headers, .. } | Self::Web { headers, .. } => headers,
            Self::Exec { .. } => &[],
        }
    }

    /// The program that it runs.
    #[must_use]
    pub fn program(&self) -> Option<&String> {
        match self {
            Self::Prometheus { .. } | Self::Web { .. } => None,
            Self::Exec { command } => command.first(),
        }
    }

    /// How it accesses the local machine.
    #[must_use]
    pub fn local_access(&self) -> Option<String> {
        let program = self.program().map(|program| format!("runs the command `{program}`"));
        program.or_else(|| local_header(self.headers()))
    }
}

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookType {
    /// Before the run changes anything.
    InitializeRollout,
    /// Before a batch.
    PreBatchRollout,
    /// After a batch, when its pods are ready.
    PostBatchRollout,
    /// At the end of the run, whether it succeeded or failed.
    FinalizeRollout,
}

impl HookType {
    /// The name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InitializeRollout => "initialize-rollout",
            Self::PreBatchRollout => "pre-batch-rollout",
            Self::PostBatchRollout => "post-batch-rollout",
            Self::FinalizeRollout => "finalize-rollout",
        }
    }
}

/// An HTTP request that must succeed before the run continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// When it is called.
    #[serde(rename = "type")]
    pub hook_type: HookType,
    /// Its name.
    pub name: String,
    /// The `http` or `https` URL.
    pub url: String,
    /// The HTTP method.
    pub method: String,
    /// The status codes that let the run continue, all below 500; if empty, all up to 202.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_status: Vec<u16>,
    /// Additional fields of the body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Its headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
}

/// A header of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HeaderValue {
    /// This text.
    Text(String),
    /// The value of an environment variable of `rollout`.
    Env(String),
    /// The content of a local file, trimmed.
    File(String),
}

/// The fields of a metric that an AnalysisTemplate of Argo Rollouts has with the same meaning.
pub const TEMPLATE_FIELDS: [&str; 9] = [
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
];

/// A metric, with the condition for good values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Seconds before the first measurement, counted from when the batch is ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub initial_delay_seconds: u64,
    /// Seconds between measurements.
    pub interval_seconds: u64,
    /// The number of measurements; at least 1.
    pub count: u32,
    /// The condition that a good value satisfies.
    #[serde(default)]
    pub condition: Condition,
    /// Bounds for the ratio of the target's value to the source's; `None` if they are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Bounds>,
    /// How many measurements may fail.
    #[serde(default)]
    pub failure_limit: u32,
    /// How many measurements may be inconclusive.
    #[serde(default)]
    pub inconclusive_limit: u32,
    /// How many measurements in a row may have no value.
    pub consecutive_error_limit: u32,
    /// Where its values come from.
    pub provider: Provider,
}

/// The condition that a good value satisfies. Without any, every value is good.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Bounds for each number of the result.
    #[serde(flatten)]
    pub range: Bounds,
    /// An expression over `result` that is true for a good value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<String>,
    /// An expression over `result` that is true for a bad value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Bounds for a number, inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bounds {
    /// The minimum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// The maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
}

impl Bounds {
    /// Whether there are no bounds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Whether a number is out of bounds; false for NaN.
    #[must_use]
    pub fn excludes(&self, number: f64) -> bool {
        let bound = |bound: &Option<Number>| bound.as_ref().and_then(Number::as_f64);
        bound(&self.min).is_some_and(|min| number < min) || bound(&self.max).is_some_and(|max| number > max)
    }

    /// The bounds as text, without a verb: "at least 1", "at most 2".
    #[must_use]
    pub fn phrases(&self) -> Vec<String> {
        let min = self.min.as_ref().map(|min| format!("at least {min}"));
        let max = self.max.as_ref().map(|max| format!("at most {max}"));
        min.into_iter().chain(max).collect()
    }
}

/// The source of a metric's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Provider {
    /// An instant query to Prometheus; the result is a list of numbers, or one number.
    Prometheus {
        /// The server, such as `http://prometheus:9090`.
        address: String,
        /// The query. See [`crate::oam::batch_gates::PLACEHOLDERS`].
        query: String,
        /// Headers of the request.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<Header>,
    },
    /// JSON over HTTP.
    Web {
        /// The URL.
        url: String,
        /// The HTTP method.
        method: String,
        /// Headers of the request.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<Header>,
        /// The body of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// The part of the response that is the result, such as `{$.data.rate}`; `None` for all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        json_path: Option<String>,
    },
    /// A local command. Its JSON on stdout is the result; if it exits with a code other than 0, there is no result.
    Exec {
        /// The program and its arguments; never empty.
        command: Vec<String>,
    },
}

impl Provider {
    /// Its texts that may contain placeholders.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let (single, list): (Vec<&String>, &[String]) = match self {
            Self::Prometheus { address, query, .. } => (vec![address, query], &[]),
            Self::Web { url, body, .. } => (std::iter::once(url).chain(body).collect(), &[]),
            Self::Exec { command } => (Vec::new(), command),
        };
        single.into_iter().chain(list)
    }
}

/// The placeholders that queries, addresses, bodies and arguments may contain in double braces, such as `{{revision}}`.
pub const PLACEHOLDERS: [&str; 6] = ["application", "component", "namespace", "revision", "source", "batch"];

/// When batches may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The days, Monday first; never empty.
    pub days: Vec<Weekday>,
    /// The start, in minutes since midnight.
    pub from: u16,
    /// The end, exclusive; greater than `from`.
    pub to: u16,
    /// The time zone, an IANA name such as `Europe/Berlin`.
    pub zone: String,
    /// What a run does if it reaches a batch while the window is closed.
    #[serde(default, skip_serializing_if = "WhenClosed::is_wait")]
    pub when_closed: WhenClosed,
}

/// What a run does while its window is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenClosed {
    /// It waits.
    #[default]
    Wait,
    /// It ends, held, until it is rerun or promoted.
    Hold,
}

impl WhenClosed {
    fn is_wait(&self) -> bool {
        *self == Self::Wait
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// The JSON pointer for a path such as `{$.data.items[0].rate}`; `None` if the path is invalid.
#[must_use]
pub fn json_pointer(path: &str) -> Option<String> {
    let inner = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')).unwrap_or(path);
    let mut rest = inner.strip_prefix('$').unwrap_or(inner);
    let mut pointer = String::new();
    while !rest.is_empty() {
        let (segment, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            (index.parse::<usize>().ok()?.to_string(), after)
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            let is_name = !name.is_empty() && !name.contains(['*', '?', '(', ' ']);
            (is_name.then(|| name.replace('~', "~0").replace('/', "~1"))?, after)
        };
        pointer.push('/');
        pointer.push_str(&segment);
        rest = after;
    }
    Some(pointer)
}

/// The placeholders in a text.
pub fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

/// The first placeholder that is not one of [`PLACEHOLDERS`].
#[must_use]
pub fn unknown_placeholder(text: &str) -> Option<String> {
    placeholders(text).find(|name| !PLACEHOLDERS.contains(name)).map(str::to_owned)
}

/// Replaces the placeholders in a text.
#[must_use]
pub fn fill_in(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, inside, after)) = rest.split_once("{{").and_then(|(before, rest)| {
        let (inside, after) = rest.split_once("}}")?;
        Some((before, inside, after))
    }) {
        filled.push_str(before);
        match values.get(inside.trim()) {
            Some(value) => filled.push_str(value),
            None => filled.push_str(&format!("{{{{{inside}}}}}")),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_paths_become_json_pointers() {
        let cases = [
            ("{$.data.rate}", Some("/data/rate")),
            ("$.items[0].a/b", Some("/items/0/a~1b")),
            ("{$}", Some("")),
            ("{.a}", Some("/a")),
            ("data", None),
            ("{$.items[*].a}", None),
            ("{$..a}", None),
        ];
        for (path, pointer) in cases {
            assert_eq!(json_pointer(path).as_deref(), pointer, "{path}");
        }
    }

    #[test]
    fn placeholders_are_replaced() {
        let values = BTreeMap::from([("revision", "web-v2".to_owned())]);
        let query = "rate{pod=~\"{{ revision }}-.*\"} {{other}}";
        assert_eq!(fill_in(query, &values), "rate{pod=~\"web-v2-.*\"} {{other}}");
        assert_eq!(unknown_placeholder(query).as_deref(), Some("other"));
        assert_eq!(unknown_placeholder("{{revision}} {{batch}}"), None);
    }
}
