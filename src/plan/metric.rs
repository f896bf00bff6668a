//! Judges measurements: each value by the conditions of its metric, and all values of a metric by its limits.
//!
//! Conditions, limits and results have the meaning that they have in an AnalysisTemplate of Argo Rollouts.
//! `metricsRange` is a shorthand: each number of the result has to be within its bounds. NaN, such as a rate without
//! requests, is inconclusive.

use expr::{Context, Environment, Value as ExprValue};
use serde_json::Value;

use crate::oam::batch_gates::{Bounds, Condition, Metric};
use crate::plan::gate_place::Phase;

/// How many values of a metric are kept and printed.
const MAX_VALUES: usize = 10;

/// The length to which a value is truncated, in characters.
const MAX_CHARACTERS: usize = 40;

/// A provider's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// Numbers from Prometheus, which may not be representable in JSON.
    Numbers(Vec<f64>),
    /// One number.
    Number(f64),
    /// JSON.
    Json(Value),
}

/// Judges one value.
///
/// # Errors
/// Why the value cannot be judged.
pub fn judge(condition: &Condition, measured: &MetricValue) -> Result<Phase, String> {
    if !condition.range.is_empty() {
        let phase = judge_range(&condition.range, measured)?;
        if phase != Phase::Successful || (condition.success.is_none() && condition.failure.is_none()) {
            return Ok(phase);
        }
    }
    let holds = |expression: &Option<String>| {
        expression.as_ref().map(|expression| evaluate(expression, measured)).transpose()
    };
    Ok(match (holds(&condition.failure)?, holds(&condition.success)?) {
        (Some(true), _) => Phase::Failed,
        (_, Some(true)) | (Some(false), None) | (None, None) => Phase::Successful,
        (None, Some(false)) => Phase::Failed,
        (Some(false), Some(false)) => Phase::Inconclusive,
    })
}

fn judge_range(range: &Bounds, measured: &MetricValue) -> Result<Phase, String> {
    Ok(judge_numbers(range, &numbers(measured)?))
}

fn judge_numbers(range: &Bounds, numbers: &[f64]) -> Phase {
    if numbers.iter().any(|number| range.excludes(*number)) {
        Phase::Failed
    } else if numbers.iter().any(|number| number.is_nan()) {
        Phase::Inconclusive
    } else {
        Phase::Successful
    }
}

/// Judges the ratio of the target's value to the source's, and returns it. Two zeros count as equal.
fn judge_ratio(range: &Bounds, target: &MetricValue, source: &MetricValue) -> Result<(Phase, f64), String> {
    let single = |measured| match numbers(measured)?.as_slice() {
        [number] => Ok(*number),
        numbers => Err(format!("{} numbers cannot be compared, only one", numbers.len())),
    };
    let target = single(target)?;
    let source = single(source).map_err(|reason| format!("of the source: {reason}"))?;
    let ratio = if target == 0.0 && source == 0.0 { 1.0 } else { target / source };
    Ok((judge_numbers(range, &[ratio]), ratio))
}

/// A value as a number, also if it is a number in a string.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn numbers(measured: &MetricValue) -> Result<Vec<f64>, String> {
    let numbers = match measured {
        MetricValue::Numbers(numbers) => Some(numbers.clone()),
        MetricValue::Number(number) => Some(vec![*number]),
        MetricValue::Json(Value::Array(items)) => items.iter().map(number).collect(),
        MetricValue::Json(value) => number(value).map(|number| vec![number]),
    };
    match numbers {
        Some(numbers) if numbers.is_empty() => Err("the result is empty".to_owned()),
        Some(numbers) => Ok(numbers),
        None => Err(format!("the result is not a number: {}", shown(measured))),
    }
}

/// Evaluates an expression for a value.
fn evaluate(expression: &str, measured: &MetricValue) -> Result<bool, String> {
    let result = match measured {
        MetricValue::Numbers(numbers) => {
            ExprValue::Array(numbers.iter().map(|one| ExprValue::Float(*one)).collect())
        }
        MetricValue::Number(number) => ExprValue::Float(*number),
        MetricValue::Json(value) => expr::to_value(value).map_err(|error| error.to_string())?,
    };
    let mut context = Context::default();
    context.insert("result", result);
    match environment().eval(expression, &context) {
        Ok(ExprValue::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!("`{expression}` is `{other}`, which is neither true nor false")),
        Err(error) => {
            let result = described(measured);
            Err(format!("`{expression}` cannot be evaluated for {result}: {error}{}", conversion(measured)))
        }
    }
}

/// A result with its type: "the text `0.01`".
fn described(measured: &MetricValue) -> String {
    let text = shown(measured);
    match measured {
        MetricValue::Numbers(_) => format!("the list [{text}]"),
        MetricValue::Number(_) | MetricValue::Json(Value::Number(_)) => format!("the number {text}"),
        MetricValue::Json(Value::Null) => "the value null".to_owned(),
        MetricValue::Json(Value::Bool(_)) => format!("the boolean {text}"),
        MetricValue::Json(Value::String(_)) => format!("the text {text}"),
        MetricValue::Json(Value::Array(_)) => format!("the list {text}"),
        MetricValue::Json(Value::Object(_)) => format!("the object {text}"),
    }
}

/// How to compare a result that is a number in a text.
fn conversion(measured: &MetricValue) -> &'static str {
    match measured {
        MetricValue::Json(value @ Value::String(_)) if number(value).is_some() => {
            "; `asFloat(result)` is the text as a number"
        }
        MetricValue::Json(_) | MetricValue::Numbers(_) | MetricValue::Number(_) => "",
    }
}

/// The environment with the functions that Argo Rollouts adds to the expression language.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let number = |value: Option<&ExprValue>| match value {
        Some(ExprValue::Float(number)) => Some(*number),
        Some(ExprValue::Integer(number)) => format!("{number}").parse().ok(),
        Some(ExprValue::String(text)) => text.parse().ok(),
        _ => None,
    };
    environment
        .add_function("isNaN", move |call| Ok(number(call.args.first()).is_some_and(f64::is_nan).into()));
    environment.add_function("isInf", move |call| {
        Ok(number(call.args.first()).is_some_and(f64::is_infinite).into())
    });
    environment.add_function("isNil", |call| Ok(matches!(call.args.first(), Some(ExprValue::Nil)).into()));
    environment.add_function("asFloat", move |call| {
        Ok(number(call.args.first()).map_or(ExprValue::Nil, ExprValue::Float))
    });
    environment.add_function("asInt", move |call| {
        let whole =
            number(call.args.first()).and_then(|number| format!("{:.0}", number.trunc()).parse().ok());
        Ok(whole.map_or(ExprValue::Nil, ExprValue::Integer))
    });
    environment.add_function("default", |call| {
        let mut args = call.args.into_iter();
        let (first, second) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
        Ok(if first == ExprValue::Nil { second } else { first })
    });
    environment
}

/// Formats a value.
#[must_use]
pub fn shown(measured: &MetricValue) -> String {
    let text = match measured {
        MetricValue::Number(number) => round(*number),
        MetricValue::Numbers(numbers) => numbers.iter().map(|one| round(*one)).collect::<Vec<_>>().join(", "),
        MetricValue::Json(Value::Number(number)) => number.as_f64().map_or_else(|| number.to_string(), round),
        MetricValue::Json(value) => value.to_string(),
    };
    let text = if text.is_empty() { "no value".to_owned() } else { text };
    match text.char_indices().nth(MAX_CHARACTERS) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn round(number: f64) -> String {
    let digits = format!("{number:.4}");
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.').to_owned() } else { digits }
}

/// The measurements of a metric so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricRun {
    /// How many measurements had a value.
    pub taken: u32,
    failed: u32,
    inconclusive: u32,
    errors_in_row: u32,
    /// The last values, the newest last.
    pub values: Vec<String>,
}

/// A judged measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// The result.
    pub phase: Phase,
    /// The value, or why there is none.
    pub value: String,
}

impl Measurement {
    /// Judges a provider's answers about the target and, if they are compared, the source.
    #[must_use]
    pub fn new(
        metric: &Metric,
        target: Result<MetricValue, String>,
        source: Option<Result<MetricValue, String>>,
    ) -> Self {
        match judge_answers(metric, target, source) {
            Ok((phase, value)) => Self { phase, value },
            Err(reason) => Self { phase: Phase::Error, value: reason },
        }
    }
}

fn judge_answers(
    metric: &Metric,
    target: Result<MetricValue, String>,
    source: Option<Result<MetricValue, String>>,
) -> Result<(Phase, String), String> {
    let target = target?;
    let phase = judge(&metric.condition, &target)?;
    let (Some(range), Some(source)) = (&metric.baseline, source) else { return Ok((phase, shown(&target))) };
    let source = source.map_err(|reason| format!("of the source: {reason}"))?;
    let (compared, ratio) = judge_ratio(range, &target, &source)?;
    let value = format!("{} ({} × source)", shown(&target), round(ratio));
    let worse = |phase: Phase| matches!(phase, Phase::Failed).then_some(phase);
    let doubtful = |phase: Phase| matches!(phase, Phase::Inconclusive).then_some(phase);
    let phases = [phase, compared];
    let worst = phases.into_iter().find_map(worse).or_else(|| phases.into_iter().find_map(doubtful));
    Ok((worst.unwrap_or(Phase::Successful), value))
}

impl MetricRun {
    /// Counts a measurement. Returns the result of the metric, if this ends it.
    pub fn take(&mut self, metric: &Metric, judged: &Measurement) -> Option<Phase> {
        match judged.phase {
            Phase::Error => {
                self.errors_in_row += 1;
                return (self.errors_in_row > metric.consecutive_error_limit).then_some(Phase::Error);
            }
            Phase::Failed => self.failed += 1,
            Phase::Inconclusive => self.inconclusive += 1,
            Phase::Successful => {}
        }
        self.errors_in_row = 0;
        self.taken += 1;
        self.values.push(judged.value.clone());
        if self.values.len() > MAX_VALUES {
            self.values.remove(0);
        }
        if self.failed > metric.failure_limit {
            Some(Phase::Failed)
        } else if self.inconclusive > metric.inconclusive_limit {
            Some(Phase::Inconclusive)
        } else {
            (self.taken >= metric.count).then_some(Phase::Successful)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oam::batch_gates::Provider;
    use serde_json::{Number, json};

    fn condition(success: Option<&str>, failure: Option<&str>) -> Condition {
        Condition {
            success: success.map(str::to_owned),
            failure: failure.map(str::to_owned),
            ..Condition::default()
        }
    }

    fn range(min: Option<f64>, max: Option<f64>) -> Condition {
        let bound = |bound: Option<f64>| bound.and_then(Number::from_f64);
        Condition { range: Bounds { min: bound(min), max: bound(max) }, ..Condition::default() }
    }

    #[test]
    fn conditions_are_evaluated_as_in_argo_rollouts() {
        let numbers = |numbers: &[f64]| MetricValue::Numbers(numbers.to_vec());
        let both = condition(Some("result[0] >= 0.95"), Some("result[0] < 0.9"));
        let good = condition(Some("result[0] >= 0.95"), None);
        let bad = condition(None, Some("result[0] >= 0.05"));
        let cases = [
            (&good, numbers(&[0.97]), Phase::Successful),
            (&good, numbers(&[0.94]), Phase::Failed),
            (&good, numbers(&[f64::NAN]), Phase::Failed),
            (&bad, numbers(&[0.01]), Phase::Successful),
            (&bad, numbers(&[0.06]), Phase::Failed),
            (&both, numbers(&[0.96]), Phase::Successful),
            (&both, numbers(&[0.92]), Phase::Inconclusive),
            (&both, numbers(&[0.5]), Phase::Failed),
            (
                &condition(Some("isNaN(result[0]) || result[0] > 1"), None),
                numbers(&[f64::NAN]),
                Phase::Successful,
            ),
            (&condition(Some("len(result) == 0"), None), numbers(&[]), Phase::Successful),
            (&condition(Some("result > 3"), None), MetricValue::Number(4.0), Phase::Successful),
            (
                &condition(Some("result.ok && result.rate < 0.5"), None),
                MetricValue::Json(json!({"ok": true, "rate": 0.25})),
                Phase::Successful,
            ),
            (
                &condition(Some("asFloat(result) > 1.5"), None),
                MetricValue::Json(json!("1.75")),
                Phase::Successful,
            ),
        ];
        for (condition, measured, phase) in cases {
            assert_eq!(judge(condition, &measured), Ok(phase), "{condition:?} {measured:?}");
        }
        for expression in ["result[0] > 1", "result", "nothing(result)"] {
            assert!(judge(&condition(Some(expression), None), &numbers(&[])).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_result_of_another_type_is_named_with_its_type() {
        let of = |measured| judge(&condition(Some("result < 1"), None), &measured).unwrap_err();
        let cases = [
            (
                MetricValue::Json(json!("0.01")),
                "the text \"0.01\": ",
                "; `asFloat(result)` is the text as a number",
            ),
            (MetricValue::Json(json!("low")), "the text \"low\": ", ""),
            (MetricValue::Json(json!(null)), "the value null: ", ""),
            (MetricValue::Json(json!([1])), "the list [1]: ", ""),
            (MetricValue::Numbers(vec![0.5]), "the list [0.5]: ", ""),
        ];
        for (measured, named, advice) in cases {
            let reason = of(measured);
            assert!(reason.starts_with(&format!("`result < 1` cannot be evaluated for {named}")), "{reason}");
            assert!(reason.ends_with(advice) && reason.contains("asFloat") != advice.is_empty(), "{reason}");
        }
    }

    #[test]
    fn every_number_has_to_be_within_the_bounds() {
        let of = |measured| judge(&range(Some(1.0), Some(2.0)), &measured);
        assert_eq!(of(MetricValue::Numbers(vec![1.0, 2.0])), Ok(Phase::Successful));
        assert_eq!(of(MetricValue::Numbers(vec![1.5, 2.1])), Ok(Phase::Failed));
        assert_eq!(of(MetricValue::Number(f64::NAN)), Ok(Phase::Inconclusive));
        assert_eq!(of(MetricValue::Json(json!("1.5"))), Ok(Phase::Successful));
        assert_eq!(of(MetricValue::Numbers(Vec::new())), Err("the result is empty".to_owned()));
        assert!(of(MetricValue::Json(json!({}))).is_err());
        assert_eq!(judge(&range(Some(1.0), None), &MetricValue::Number(9.0)), Ok(Phase::Successful));
    }

    fn metric(count: u32, failure_limit: u32) -> Metric {
        Metric {
            name: "errors".to_owned(),
            initial_delay_seconds: 0,
            interval_seconds: 1,
            count,
            condition: range(None, Some(1.0)),
            baseline: None,
            failure_limit,
            inconclusive_limit: 0,
            consecutive_error_limit: 1,
            provider: Provider::Exec { command: vec!["true".to_owned()] },
        }
    }

    /// The results of a metric after each of these answers; an answer of `None` means no value.
    fn end(metric: &Metric, answers: &[Option<f64>]) -> Vec<Option<Phase>> {
        let mut run = MetricRun::default();
        let answer = |one: &Option<f64>| one.map(MetricValue::Number).ok_or_else(|| "no answer".to_owned());
        answers.iter().map(|one| run.take(metric, &Measurement::new(metric, answer(one), None))).collect()
    }

    #[test]
    fn a_metric_ends_when_a_limit_is_exceeded() {
        assert_eq!(end(&metric(2, 0), &[Some(0.5), Some(0.5)]), [None, Some(Phase::Successful)]);
        assert_eq!(end(&metric(3, 1), &[Some(2.0), Some(0.5), Some(2.0)]), [None, None, Some(Phase::Failed)]);
        assert_eq!(end(&metric(1, 0), &[Some(f64::NAN)]), [Some(Phase::Inconclusive)]);
        // A measurement without a value is not counted, and ends the metric only after several in a row.
        let answers = [None, Some(0.5), None, Some(0.5)];
        assert_eq!(end(&metric(2, 0), &answers), [None, None, None, Some(Phase::Successful)]);
        assert_eq!(end(&metric(2, 0), &[None, None]), [None, Some(Phase::Error)]);
    }

    #[test]
    fn a_value_is_compared_with_that_of_the_source() {
        let bound = |number: f64| Number::from_f64(number);
        let compared = Metric {
            baseline: Some(Bounds { min: bound(0.5), max: bound(1.5) }),
            condition: range(None, Some(10.0)),
            ..metric(1, 0)
        };
        let of = |target: f64, source: Result<f64, &str>| {
            let source = source.map(MetricValue::Number).map_err(str::to_owned);
            let judged = Measurement::new(&compared, Ok(MetricValue::Numbers(vec![target])), Some(source));
            (judged.phase, judged.value)
        };
        assert_eq!(of(3.0, Ok(2.0)), (Phase::Successful, "3 (1.5 × source)".to_owned()));
        assert_eq!(of(4.0, Ok(2.0)).0, Phase::Failed);
        assert_eq!(of(11.0, Ok(11.0)).0, Phase::Failed);
        assert_eq!(of(0.0, Ok(0.0)).0, Phase::Successful);
        assert_eq!(of(1.0, Ok(0.0)), (Phase::Failed, "1 (inf × source)".to_owned()));
        assert_eq!(of(1.0, Ok(f64::NAN)).0, Phase::Inconclusive);
        assert_eq!(of(1.0, Err("no answer")), (Phase::Error, "of the source: no answer".to_owned()));
        let several = Measurement::new(
            &compared,
            Ok(MetricValue::Numbers(vec![1.0, 2.0])),
            Some(Ok(MetricValue::Number(1.0))),
        );
        assert_eq!(several.value, "2 numbers cannot be compared, only one");
        // Without a source, only the value itself counts.
        assert_eq!(Measurement::new(&compared, Ok(MetricValue::Number(3.0)), None).phase, Phase::Successful);
    }

    #[test]
    fn long_values_are_truncated() {
        assert_eq!(shown(&MetricValue::Number(0.031_249_9)), "0.0312");
        assert_eq!(shown(&MetricValue::Numbers(vec![1.0, f64::NAN])), "1, NaN");
        assert_eq!(shown(&MetricValue::Numbers(Vec::new())), "no value");
        assert_eq!(shown(&MetricValue::Json(json!("x".repeat(100)))).chars().count(), 41);
    }
}
