//! Scripts the answers of hooks and metrics in a rehearsal, by the name of the gate.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde_json::Value;

use crate::oam::batch_gates::{Header, Hook, Metric, Provider};
use crate::plan::metric::{MetricValue, number};
use crate::probe::hook::{HookAnswer, HookCall, hook_answer};
use crate::probe::{GateValues, ParsedQuery, Probe, ProbeError, ProbeResponse};

/// The answers of a gate, one after the other; the last is repeated forever.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptedAnswers<T> {
    answers: Vec<T>,
}

impl<T> ScriptedAnswers<T> {
    /// The answers of a gate; `None` if the list is empty.
    #[must_use]
    pub fn new(answers: Vec<T>) -> Option<Self> {
        (!answers.is_empty()).then_some(Self { answers })
    }

    fn nth(&self, index: usize) -> &T {
        &self.answers[index.min(self.answers.len() - 1)]
    }
}

/// A value of a metric; `Err` is the reason why there is none.
pub type ScriptedValue = Result<Value, String>;

/// The answers of the gates of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GateScript {
    /// Values, by the name of the metric.
    pub metrics: BTreeMap<String, ScriptedAnswers<ScriptedValue>>,
    /// HTTP statuses, by the name of the hook.
    pub hooks: BTreeMap<String, ScriptedAnswers<i32>>,
}

/// A probe that answers from a script.
#[derive(Debug)]
pub struct ScriptedGates {
    script: GateScript,
    /// How many answers each gate has given, by kind, since a hook and a metric may share a name.
    given: RefCell<BTreeMap<(GateKind, String), usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum GateKind {
    Hook,
    Metric,
}

impl ScriptedGates {
    /// A probe that starts with the first answers.
    #[must_use]
    pub fn new(script: GateScript) -> Self {
        Self { script, given: RefCell::default() }
    }

    /// Counts an answer, and returns its index.
    fn next(&self, kind: GateKind, name: &str) -> usize {
        let mut given = self.given.borrow_mut();
        let count = given.entry((kind, name.to_owned())).or_default();
        *count += 1;
        *count - 1
    }
}

impl Probe for ScriptedGates {
    fn call_hook<'a>(&'a self, hook: &'a Hook, _: &'a HookCall<'_>) -> LocalBoxFuture<'a, HookAnswer> {
        let index = self.next(GateKind::Hook, &hook.name);
        let status = self.script.hooks.get(&hook.name).map_or(200, |answers| *answers.nth(index));
        let answer = ProbeResponse { status, body: String::new(), stderr: String::new() };
        async move { hook_answer(hook, Ok(answer)) }.boxed_local()
    }

    fn measure<'a>(
        &'a self,
        metric: &'a Metric,
        _: &'a GateValues,
    ) -> LocalBoxFuture<'a, Result<MetricValue, String>> {
        let index = self.next(GateKind::Metric, &metric.name);
        let value = self.script.metrics.get(&metric.name).map(|answers| answers.nth(index).clone());
        let value = value.unwrap_or_else(|| Err("it is not in the script".to_owned()));
        async move { value.map(|value| measured(&metric.provider, value)) }.boxed_local()
    }

    /// A script has no query.
    fn parse_query<'a>(&'a self, _: &'a Metric) -> LocalBoxFuture<'a, ParsedQuery> {
        async { ParsedQuery::Sound }.boxed_local()
    }

    /// A script needs nothing on this machine.
    fn look_up(&self, _: &[Header], _: Option<&str>) -> Result<(), ProbeError> {
        Ok(())
    }
}

/// A value in the form of its provider's answers: Prometheus answers a query with a list.
fn measured(provider: &Provider, value: Value) -> MetricValue {
    let numbers = match (provider, &value) {
        (Provider::Prometheus { .. }, Value::Array(items)) => items.iter().map(number).collect(),
        (Provider::Prometheus { .. }, value) => number(value).map(|number| vec![number]),
        (Provider::Web { .. } | Provider::Exec { .. }, _) => None,
    };
    numbers.map_or(MetricValue::Json(value), MetricValue::Numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prometheus() -> Provider {
        let (address, query) = ("http://prometheus".to_owned(), "up".to_owned());
        Provider::Prometheus { address, query, headers: Vec::new() }
    }

    #[test]
    fn values_have_the_form_of_their_provider() {
        let exec = Provider::Exec { command: vec!["true".to_owned()] };
        assert_eq!(measured(&prometheus(), json!(0.5)), MetricValue::Numbers(vec![0.5]));
        assert_eq!(measured(&prometheus(), json!([1, "2"])), MetricValue::Numbers(vec![1.0, 2.0]));
        assert!(
            matches!(measured(&prometheus(), json!("NaN")), MetricValue::Numbers(one) if one[0].is_nan())
        );
        assert_eq!(measured(&exec, json!({"ok": true})), MetricValue::Json(json!({"ok": true})));
    }

    #[test]
    fn the_last_answer_is_repeated() {
        let answers = ScriptedAnswers::new(vec![1, 2]).unwrap();
        assert_eq!([0, 1, 2, 9].map(|index| *answers.nth(index)), [1, 2, 2, 2]);
        assert_eq!(ScriptedAnswers::<i32>::new(Vec::new()), None);
    }
}
