//! Parses what to inject into a rehearsal: failures of pods, and answers of gates.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::driver::outcome::{Failure, FailureKind};
use crate::probe::script::{GateScript, ScriptedAnswers, ScriptedValue};
use crate::report::text::list_literals;
use crate::sandbox::rules::{Rule, parse_rules};

/// The failures and answers to inject.
#[derive(Debug, Clone, Default)]
pub struct Injections {
    /// Failures of pods; the first that matches applies.
    pub(super) pods: Vec<PodInjection>,
    /// Answers of gates.
    pub(super) gates: GateScript,
}

/// A failure of pods.
#[derive(Debug, Clone)]
pub(super) struct PodInjection {
    pub(super) rule: Rule,
    /// Whether it applies to the pods that the run creates, with any image.
    pub(super) is_of_run: bool,
}

/// Parses what to inject: `FAILURE` for the pods that the run creates, `IMAGE=FAILURE` for those of an image,
/// `metric/NAME=VALUE,…` and `hook/NAME=STATUS,…` for a gate.
///
/// # Errors
/// [`FailureKind::Invalid`], with what is expected.
pub fn parse_injections(words: &[String]) -> Result<Injections, Failure> {
    let mut injections = Injections::default();
    for word in words {
        let gate = |kind: &str| word.strip_prefix(kind).and_then(|rest| rest.split_once('='));
        if let Some((name, values)) = gate("metric/") {
            injections.gates.metrics.insert(name.to_owned(), answers(word, values, read_value)?);
        } else if let Some((name, statuses)) = gate("hook/") {
            injections.gates.hooks.insert(name.to_owned(), answers(word, statuses, read_status)?);
        } else {
            injections.pods.extend(pod_injections(word)?);
        }
    }
    Ok(injections)
}

fn pod_injections(word: &str) -> Result<impl Iterator<Item = PodInjection>, Failure> {
    let (image, failure) = word.rsplit_once('=').unwrap_or(("*", word));
    // JSON strings are valid YAML.
    let text = format!("- {{image: {}, fail: {}}}\n", Value::from(image), Value::from(failure));
    let rules = parse_rules("--inject", &text)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("`--inject`: {}", error.problem)))?;
    let is_of_run = !word.contains('=');
    Ok(rules.into_iter().map(move |rule| PodInjection { rule, is_of_run }))
}

/// Refuses a failure for an image that no pod has.
pub(super) fn check_images(injections: &Injections, images: &BTreeSet<String>) -> Result<(), Failure> {
    let fits_none = |one: &&PodInjection| !images.iter().any(|image| one.rule.fits_image(image));
    let Some(unfit) = injections.pods.iter().filter(|one| !one.is_of_run).find(fits_none) else {
        return Ok(());
    };
    let there = match images.is_empty() {
        true => "no component has pods".to_owned(),
        false => format!("the images are {}", list_literals(&images.iter().collect::<Vec<_>>())),
    };
    let reason = format!("`--inject {}=…`: no pod has such an image: {there}", unfit.rule.image);
    Err(Failure::new(FailureKind::Invalid, reason))
}

/// The answers in a list such as `0.01,0.2`.
fn answers<T>(
    word: &str,
    list: &str,
    read: fn(&str) -> Result<T, &'static str>,
) -> Result<ScriptedAnswers<T>, Failure> {
    // A comma inside an object or a list does not end a value.
    let items: Vec<String> = match serde_json::from_str::<Vec<Value>>(&format!("[{list}]")) {
        Ok(values) => values.iter().map(Value::to_string).collect(),
        Err(_) => list.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    let refused = |reason: &str| Failure::new(FailureKind::Invalid, format!("`--inject {word}`: {reason}"));
    let read = |item: &String| {
        read(item).map_err(|expected| refused(&format!("found `{item}`, expected {expected}")))
    };
    let answers = items.iter().map(read).collect::<Result<Vec<T>, Failure>>()?;
    ScriptedAnswers::new(answers).ok_or_else(|| refused("expected at least one answer after `=`"))
}

fn read_value(item: &str) -> Result<ScriptedValue, &'static str> {
    match item {
        "error" => Ok(Err("no answer, as the rehearsal injects it".to_owned())),
        "NaN" => Ok(Ok(item.into())),
        item => serde_json::from_str(item).map(Ok).map_err(|_| "a number, JSON, `NaN` or `error`"),
    }
}

fn read_status(item: &str) -> Result<i32, &'static str> {
    let status = item.parse().ok().filter(|status| (100..600).contains(status));
    status.ok_or("an HTTP status such as 200")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(word: &str) -> String {
        parse_injections(&[word.to_owned()]).unwrap_err().reason
    }

    #[test]
    fn gates_give_the_injected_answers_in_order() {
        let words = [
            "metric/errors=0.01,NaN,error",
            "metric/json={\"a\":[1,2]},2",
            "hook/check=503, 200",
            "OOMKilled",
        ];
        let injections = parse_injections(&words.map(str::to_owned)).unwrap();
        assert_eq!(injections.pods.len(), 1);
        let values = vec![
            Ok(Value::from(0.01)),
            Ok(Value::from("NaN")),
            Err("no answer, as the rehearsal injects it".to_owned()),
        ];
        assert_eq!(injections.gates.metrics.get("errors"), ScriptedAnswers::new(values).as_ref());
        let values = vec![Ok(serde_json::json!({"a": [1, 2]})), Ok(Value::from(2))];
        assert_eq!(injections.gates.metrics.get("json"), ScriptedAnswers::new(values).as_ref());
        assert_eq!(injections.gates.hooks.get("check"), ScriptedAnswers::new(vec![503, 200]).as_ref());
    }

    #[test]
    fn invalid_injections_are_refused_with_the_expected_form() {
        let text = refusal("*=Gone");
        assert!(text.starts_with("`--inject`: ") && text.contains("NeverReady"), "{text}");
        assert_eq!(
            refusal("metric/errors=good"),
            "`--inject metric/errors=good`: found `good`, expected a number, JSON, `NaN` or `error`"
        );
        assert_eq!(
            refusal("metric/errors="),
            "`--inject metric/errors=`: expected at least one answer after `=`"
        );
        assert!(refusal("hook/check=99").ends_with("found `99`, expected an HTTP status such as 200"));
    }
}
