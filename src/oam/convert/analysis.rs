//! AnalysisTemplates of Argo Rollouts as the `analysis` and `smokeTests` of a `rollout` trait.
//!
//! Metrics keep their names and fields. Arguments are replaced by their values; fields without a counterpart are
//! reported.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::oam::batch_gates::TEMPLATE_FIELDS;

/// The gates of a template.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ConvertedAnalysis {
    /// Entries of `analysis`.
    pub(super) metrics: Vec<Value>,
    /// Entries of `smokeTests`.
    pub(super) smoke_tests: Vec<Value>,
    /// Comments on what could not be converted.
    pub(super) comments: Vec<String>,
}

/// Fields of a metric that Argo Rollouts takes as a number or as text.
const NUMBERS: [&str; 4] = ["count", "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit"];

/// Whether an object is an AnalysisTemplate.
pub(super) fn is_analysis_template(object: &Value) -> bool {
    let is_of_argo = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("argoproj.io/"));
    is_of_argo && matches!(object["kind"].as_str(), Some("AnalysisTemplate" | "ClusterAnalysisTemplate"))
}

impl ConvertedAnalysis {
    /// Converts all templates.
    pub(super) fn of<'a>(templates: impl Iterator<Item = &'a Value>) -> Self {
        let mut analysis = Self::default();
        for template in templates {
            analysis.add(template);
        }
        analysis
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The fields of the trait.
    pub(super) fn properties(&self) -> Map<String, Value> {
        let lists = [("analysis", &self.metrics), ("smokeTests", &self.smoke_tests)];
        let given = lists.into_iter().filter(|(_, list)| !list.is_empty());
        given.map(|(field, list)| (field.to_owned(), json!(list))).collect()
    }

    fn add(&mut self, template: &Value) {
        let spec = &template["spec"];
        let (mut values, mut open) = (BTreeMap::new(), Vec::new());
        for argument in items(&spec["args"]) {
            let name = text(&argument["name"]);
            match argument["value"].as_str() {
                Some(value) => drop(values.insert(name, value.to_owned())),
                None => open.push(format!("`{{{{args.{name}}}}}`")),
            }
        }
        if !open.is_empty() {
            self.comments.push(format!(
                "{}: replace {} by values; `{{{{revision}}}}`, `{{{{component}}}}` and `{{{{namespace}}}}` are filled in",
                super::reference(template),
                open.join(", ")
            ));
        }
        for field in ["dryRun", "measurementRetention", "templates"] {
            if !spec[field].is_null() {
                self.comments.push(format!("{}: `{field}` left out", super::reference(template)));
            }
        }
        for metric in items(&spec["metrics"]) {
            self.add_metric(&filled(metric, &values));
        }
    }

    fn add_metric(&mut self, metric: &Value) {
        let name = text(&metric["name"]);
        let provider = metric["provider"].as_object().and_then(|provider| provider.iter().next());
        let converted = match provider {
            Some((kind, given)) if kind == "job" => {
                self.smoke_tests.push(json!({"name": name, "spec": given["spec"]}));
                return;
            }
            Some((kind, given)) if kind == "prometheus" => {
                self.provider(&name, kind, given, &["address", "query", "headers"])
            }
            Some((kind, given)) if kind == "web" => {
                let mut given = given.clone();
                if let Some(body) = given.as_object_mut().and_then(|given| given.remove("jsonBody")) {
                    given["body"] = Value::from(body.to_string());
                }
                self.provider(&name, kind, &given, &["url", "method", "headers", "body", "jsonPath"])
            }
            Some((kind, _)) => {
                self.comments.push(format!(
                    "metric {name}: left out, as provider {kind} is not supported: ask it with `web` or `exec`"
                ));
                return;
            }
            None => return,
        };
        let mut fields = Map::new();
        for field in TEMPLATE_FIELDS.iter().filter(|field| !metric[**field].is_null()) {
            let value = &metric[*field];
            let number =
                value.as_str().filter(|_| NUMBERS.contains(field)).and_then(|text| text.parse::<i64>().ok());
            fields.insert((*field).to_owned(), number.map_or_else(|| value.clone(), Value::from));
        }
        if metric["count"].is_null() && !metric["interval"].is_null() {
            self.comments.push(format!(
                "metric {name}: without `count`, Argo Rollouts measures until the analysis is stopped; here it is \
                 measured once after each batch"
            ));
        }
        fields.insert("provider".to_owned(), converted);
        self.metrics.push(Value::Object(fields));
    }

    /// A provider with the fields that have a counterpart; the others are reported.
    fn provider(&mut self, metric: &str, kind: &str, given: &Value, known: &[&str]) -> Value {
        let mut kept = Map::new();
        for (field, value) in given.as_object().into_iter().flatten() {
            if known.contains(&field.as_str()) {
                kept.insert(field.clone(), value.clone());
            } else {
                self.comments.push(format!("metric {metric}: `{kind}.{field}` left out"));
            }
        }
        json!({ kind: kept })
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Replaces arguments by their values.
fn filled(value: &Value, arguments: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => {
            let fill = |text: String, (name, value): (&String, &String)| {
                text.replace(&format!("{{{{args.{name}}}}}"), value)
                    .replace(&format!("{{{{ args.{name} }}}}"), value)
            };
            Value::from(arguments.iter().fold(text.clone(), fill))
        }
        Value::Array(list) => list.iter().map(|item| filled(item, arguments)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), filled(value, arguments))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
