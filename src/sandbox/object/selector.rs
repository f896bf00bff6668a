//! Label selectors: whether labels match.
//!
//! See <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>.

use serde_json::{Map, Value};
use std::cmp::Ordering;

use crate::sandbox::object::meta;

/// Requirements that labels must all meet.
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
    /// The value is a number less or greater than this.
    Compare(Ordering, i64),
}

impl Selector {
    pub(crate) fn new(requirements: Vec<Requirement>) -> Self {
        Self(requirements)
    }

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

    /// The selector in the syntax of queries, sorted by key.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_support_match_expressions() {
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
