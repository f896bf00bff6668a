//! Label selectors: those of queries, written as text, and those of objects.
//!
//! This module decides whether labels match. It must not know where labels come from.

use serde_json::{Map, Value};
use std::cmp::Ordering;

use crate::sandbox::api::label_query;
use crate::sandbox::object::failure::Failure;
use crate::sandbox::object::kinds::Kind;
use crate::sandbox::object::meta;

/// Requirements that labels must meet, all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Requirement {
    pub(crate) key: String,
    pub(crate) operator: Operator,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    /// The value is a number on one side of this.
    Compare(Ordering, i64),
}

impl Selector {
    /// Reads the `labelSelector` of a query.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        label_query::parse(text).map(Self).map_err(Failure::bad_request)
    }

    /// Reads the `spec.selector` of a workload.
    pub(crate) fn of(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            let values = vec![value.as_str().unwrap_or_default().to_owned()];
            requirements.push(Requirement { key: key.clone(), operator: Operator::In(values) });
        }
        for expression in meta::items(selector, "/matchExpressions") {
            let values =
                || meta::items(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned);
            let operator = match meta::text(expression, "/operator") {
                "In" => Operator::In(values().collect()),
                "NotIn" => Operator::NotIn(values().collect()),
                "DoesNotExist" => Operator::Absent,
                _ => Operator::Exists,
            };
            requirements.push(Requirement { key: meta::text(expression, "/key").to_owned(), operator });
        }
        Self(requirements)
    }

    /// The requirements as a query would write them, in the order of their keys.
    pub(crate) fn text(&self) -> String {
        let mut parts: Vec<String> = self.0.iter().map(Requirement::text).collect();
        parts.sort();
        parts.join(",")
    }

    pub(crate) fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.and_then(|l| l.get(&requirement.key)).and_then(Value::as_str);
            match &requirement.operator {
                Operator::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
                Operator::NotIn(values) => value.is_none_or(|v| values.iter().all(|w| w != v)),
                Operator::Exists => value.is_some(),
                Operator::Absent => value.is_none(),
                Operator::Compare(side, bound) => value
                    .and_then(|value| value.parse::<i64>().ok())
                    .is_some_and(|number| number.cmp(bound) == *side),
            }
        })
    }
}

impl Requirement {
    fn text(&self) -> String {
        let key = &self.key;
        match &self.operator {
            Operator::In(values) if values.len() == 1 => format!("{key}={}", values[0]),
            Operator::In(values) => format!("{key} in ({})", values.join(",")),
            Operator::NotIn(values) => format!("{key} notin ({})", values.join(",")),
            Operator::Exists => key.clone(),
            Operator::Absent => format!("!{key}"),
            Operator::Compare(Ordering::Less, bound) => format!("{key}<{bound}"),
            Operator::Compare(_, bound) => format!("{key}>{bound}"),
        }
    }
}

/// What a `fieldSelector` asks of an object: the values at JSON pointers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, Comparison, String)>);

/// The fields by which the API server lets some kinds be selected, beside the two that all have.
fn selectable(kind: Kind) -> &'static [&'static str] {
    match kind.plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ],
        "namespaces" => &["status.phase"],
        _ => &[],
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Different,
}

impl Fields {
    /// Reads the `fieldSelector` of a query.
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, Failure> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let split = |sign| part.split_once(sign);
            let (field, comparison, value) = if let Some((field, value)) = split("!=") {
                (field, Comparison::Different, value)
            } else if let Some((field, value)) = split("==").or_else(|| split("=")) {
                (field, Comparison::Equal, value)
            } else {
                let message = format!("invalid selector: '{part}'; can't understand '{part}'");
                return Err(Failure::bad_request(message));
            };
            let known = ["metadata.name", "metadata.namespace"];
            if !known.contains(&field) && !selectable(kind).contains(&field) {
                return Err(Failure::bad_request(match selectable(kind) {
                    [] => format!(
                        "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    ),
                    _ => format!("field label not supported: {field}"),
                }));
            }
            let field = format!("/{}", field.replace('.', "/"));
            terms.push((field, comparison, value.to_owned()));
        }
        Ok(Self(terms))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, comparison, value)| {
            let found = meta::text(object, field);
            match comparison {
                Comparison::Equal => found == value,
                Comparison::Different => found != value,
            }
        })
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
            assert_eq!(Selector::parse(text).unwrap().matches(labels), chosen, "{text}");
        }
    }

    #[test]
    fn broken_queries_are_refused() {
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
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn selectors_of_objects_know_expressions() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["back"]},
            {"key": "old", "operator": "DoesNotExist"},
        ]});
        let selector = Selector::of(&selector);
        assert!(selector.matches(json!({"app": "web"}).as_object()));
        assert!(!selector.matches(json!({"app": "web", "tier": "back"}).as_object()));
        assert!(!selector.matches(json!({"app": "web", "old": ""}).as_object()));
    }
}
