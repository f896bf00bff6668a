//! Rules for the kubelet: when pods with an image become ready, or how they fail. They apply to Services that need a
//! load balancer as well, as if these were pods with the image `service/NAME`: a Service gets its address when the pod
//! would be ready, and never if the pod would fail.
//!
//! This module parses rules and finds the one for a pod. It must not know how a pod's status is written.

pub mod pod_failure;

use jiff::{SignedDuration, Timestamp};
use pod_failure::{PodFailure, Prerequisite};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_yaml::Spanned;
use std::collections::BTreeMap;

/// What happens to pods whose first container has a matching image. The first matching rule applies. A rule whose
/// failure cannot happen to a pod, such as a failed mount without a volume, does not match it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// A pattern with `*` and `?`.
    pub image: String,
    /// What happens to the pod.
    pub outcome: Outcome,
    /// The log of its containers.
    pub log: Option<String>,
    /// Restricts the rule to some of these pods. Rules from YAML have no restriction.
    pub only: Option<PodMatch>,
}

/// The pods that a rule applies to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodMatch {
    /// Pods with all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Pods that were created or got a new image since then.
    pub since: Timestamp,
}

/// The properties of a pod that rules match.
#[derive(Debug, Clone, Copy)]
pub struct PodFacts<'a> {
    /// The image of its first container.
    pub image: &'a str,
    /// Its labels.
    pub labels: Option<&'a Map<String, Value>>,
    /// When it was created or last got another image.
    pub start: Timestamp,
}

/// What happens to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It becomes ready.
    Ready {
        /// This long after it was created.
        after: SignedDuration,
        /// How long it stays ready; `None` means for ever.
        lasting: Option<SignedDuration>,
    },
    /// It fails.
    Fail(PodFailure),
}

/// Rules that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct RulesError {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The column, counted from 1.
    pub column: u64,
    /// What is wrong, and what is expected.
    pub problem: String,
}

/// One entry of the YAML list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    image: Spanned<String>,
    ready_after: Option<Spanned<String>>,
    unready_after: Option<Spanned<String>>,
    fail: Option<Spanned<String>>,
    log: Option<String>,
}

/// When a pod without a matching rule becomes ready.
const DEFAULT_READY_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// Parses rules from a YAML list; the first match applies.
///
/// `name` is the file's name in messages. An empty text contains no rules.
pub fn parse_rules(name: &str, text: &str) -> Result<Vec<Rule>, RulesError> {
    let error = |line, column, problem: String| RulesError { file: name.to_owned(), line, column, problem };
    let entries: Option<Vec<Entry>> = serde_yaml::from_str(text).map_err(|e| {
        let at = e.location();
        let (line, column) = at.map_or((1, 1), |l| (l.line(), l.column()));
        let said = e.without_snippet().to_string();
        let said = said.split(" at line ").next().unwrap_or(&said).to_owned();
        let expected = "expected a list of entries such as `- {image: 'web:*', readyAfter: 20ms}`";
        error(line, column, format!("{said} ({expected})"))
    })?;
    entries.unwrap_or_default().into_iter().map(|entry| entry.rule(&error)).collect()
}

impl Entry {
    fn rule(self, error: &impl Fn(u64, u64, String) -> RulesError) -> Result<Rule, RulesError> {
        let at = |problem: String, place: &Spanned<String>| {
            error(place.referenced.line(), place.referenced.column(), problem)
        };
        let duration = |field: &str, text: &Spanned<String>| {
            let expected =
                format!("`{field}` is `{}`, expected a duration such as `20ms`, `1s` or `1h30m`", text.value);
            let parsed: SignedDuration = text.value.parse().map_err(|_| at(expected, text))?;
            if parsed.is_negative() {
                return Err(at(format!("`{field}` is negative, expected a duration of zero or more"), text));
            }
            Ok(parsed)
        };
        if self.image.value.is_empty() {
            return Err(at("`image` is empty, expected a pattern such as `web:*`".to_owned(), &self.image));
        }
        let after = self.ready_after.as_ref().map(|t| duration("readyAfter", t)).transpose()?;
        let lasting = self.unready_after.as_ref().map(|t| duration("unreadyAfter", t)).transpose()?;
        let outcome = match &self.fail {
            None => Outcome::Ready { after: after.unwrap_or(DEFAULT_READY_AFTER), lasting },
            Some(fail) => {
                if after.is_some() || lasting.is_some() {
                    let problem =
                        "`fail` stands beside `readyAfter` or `unreadyAfter`, expected one or the other";
                    return Err(at(problem.to_owned(), fail));
                }
                let Some(failure) = PodFailure::named(&fail.value) else {
                    let names: Vec<String> =
                        PodFailure::ALL.iter().map(|known| format!("`{}`", known.name())).collect();
                    let problem = format!("`fail` is `{}`, expected one of {}", fail.value, names.join(", "));
                    return Err(at(problem, fail));
                };
                Outcome::Fail(failure)
            }
        };
        Ok(Rule { image: self.image.value, outcome, log: self.log, only: None })
    }
}

/// A rule in the sandbox's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredRule {
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unready_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only: Option<PodMatch>,
}

impl From<&Rule> for StoredRule {
    fn from(rule: &Rule) -> Self {
        let (ready_after, unready_after, fail) = match rule.outcome {
            Outcome::Ready { after, lasting } => {
                (Some(after.to_string()), lasting.map(|l| l.to_string()), None)
            }
            Outcome::Fail(failure) => (None, None, Some(failure.name().to_owned())),
        };
        let (image, log, only) = (rule.image.clone(), rule.log.clone(), rule.only.clone());
        Self { image, ready_after, unready_after, fail, log, only }
    }
}

impl StoredRule {
    /// The rule; `None` if the file was edited by hand and is invalid.
    pub(crate) fn rule(self) -> Option<Rule> {
        let outcome = match self.fail.as_deref() {
            Some(fail) => Outcome::Fail(PodFailure::named(fail)?),
            None => Outcome::Ready {
                after: self.ready_after.map_or(Some(DEFAULT_READY_AFTER), |t| t.parse().ok())?,
                lasting: self.unready_after.map(|t| t.parse()).transpose().ok()?,
            },
        };
        Some(Rule { image: self.image, outcome, log: self.log, only: self.only })
    }
}

/// The outcome and the log of a pod. `has` tells whether the pod has the prerequisite of a failure.
pub fn outcome<'a>(
    rules: &'a [Rule],
    pod: PodFacts<'_>,
    has: impl Fn(Prerequisite) -> bool,
) -> (Outcome, Option<&'a str>) {
    let can_happen = |rule: &Rule| match rule.outcome {
        Outcome::Ready { .. } => true,
        Outcome::Fail(failure) => failure.prerequisite().is_none_or(&has),
    };
    let is_about =
        |rule: &Rule| matches(&rule.image, pod.image) && rule.only.as_ref().is_none_or(|only| only.has(pod));
    match rules.iter().find(|rule| is_about(rule) && can_happen(rule)) {
        Some(rule) => (rule.outcome, rule.log.as_deref()),
        None => (Outcome::Ready { after: DEFAULT_READY_AFTER, lasting: None }, None),
    }
}

impl Rule {
    /// Whether the rule matches pods with this image.
    pub fn fits_image(&self, image: &str) -> bool {
        matches(&self.image, image)
    }
}

impl PodMatch {
    fn has(&self, pod: PodFacts<'_>) -> bool {
        let is_so = |(key, value): (&String, &String)| {
            pod.labels.and_then(|labels| labels.get(key)).is_some_and(|label| label == value)
        };
        pod.start >= self.since && self.labels.iter().all(is_so)
    }
}

/// Whether `text` matches a pattern with `*` and `?`. Only the last `*` is retried, so time is at most quadratic.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(image: &str) -> PodFacts<'_> {
        PodFacts { image, labels: None, start: Timestamp::UNIX_EPOCH }
    }

    fn ready(after: &str) -> Outcome {
        Outcome::Ready { after: after.parse().unwrap(), lasting: None }
    }

    #[test]
    fn rules_are_parsed() {
        let text = "- {image: 'web:2*', readyAfter: 20ms}\n- {image: 'web:3', fail: CrashLoopBackOff, log: 'boom'}\n- image: '*'\n  unreadyAfter: 5s\n";
        let rules = parse_rules("rules.yaml", text).unwrap();
        let found = |image: &str| outcome(&rules, pod(image), |_| false);
        assert_eq!(found("web:2.1"), (ready("20ms"), None));
        assert_eq!(found("web:3"), (Outcome::Fail(PodFailure::CrashLoopBackOff), Some("boom")));
        let lasting = Some(SignedDuration::from_secs(5));
        assert_eq!(found("other").0, Outcome::Ready { after: DEFAULT_READY_AFTER, lasting });
        assert_eq!(outcome(&[], pod("other"), |_| false).0, ready("1s"));
        assert_eq!(parse_rules("rules.yaml", "").unwrap(), []);
    }

    #[test]
    fn a_rule_skips_pods_without_the_prerequisite_of_its_failure() {
        let text = "- {image: '*', fail: FailedMount}\n- {image: '*', fail: InitCrashLoopBackOff}\n- {image: '*', fail: CreateContainerConfigError}\n- {image: '*', fail: OOMKilled}\n";
        let rules = parse_rules("rules.yaml", text).unwrap();
        let found = |has: &[Prerequisite]| {
            outcome(&rules, pod("web:1"), |prerequisite| has.contains(&prerequisite)).0
        };
        for (has, failure) in [
            (&[][..], PodFailure::OomKilled),
            (&[Prerequisite::Environment], PodFailure::CreateContainerConfigError),
            (&[Prerequisite::InitContainer, Prerequisite::Environment], PodFailure::InitCrashLoopBackOff),
            (&[Prerequisite::InitContainer, Prerequisite::Volume], PodFailure::FailedMount),
        ] {
            assert_eq!(found(has), Outcome::Fail(failure), "{has:?}");
        }
    }

    fn only() -> PodMatch {
        let labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
        PodMatch { labels, since: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(5) }
    }

    #[test]
    fn a_rule_can_be_restricted_to_new_pods_with_labels() {
        let mut rules = parse_rules("rules.yaml", "- {image: '*', fail: NeverReady}\n").unwrap();
        rules[0].only = Some(only());
        let found = |tier: &str, seconds: i64| {
            let labels =
                Map::from_iter([("tier".to_owned(), Value::from(tier)), ("a".to_owned(), "b".into())]);
            let start = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
            outcome(&rules, PodFacts { image: "web:1", labels: Some(&labels), start }, |_| false).0
        };
        assert_eq!(found("front", 5), Outcome::Fail(PodFailure::NeverReady));
        assert_eq!((found("front", 4), found("back", 5)), (ready("1s"), ready("1s")));
    }

    #[test]
    fn stored_rules_round_trip() {
        let text =
            "- {image: a, readyAfter: 1h30m, unreadyAfter: 5s}\n- {image: b, fail: NeverReady, log: x}\n";
        let mut rules = parse_rules("rules.yaml", text).unwrap();
        rules[0].only = Some(only());
        let back: Vec<Rule> = rules.iter().filter_map(|r| StoredRule::from(r).rule()).collect();
        assert_eq!(back, rules);
    }

    #[test]
    fn errors_name_their_position() {
        for (text, place, part) in [
            ("- {image: a, readyAfter: soon}", "r.yaml:1:26: ", "expected a duration"),
            ("- {image: a, readyAfter: -1s}", "r.yaml:1:26: ", "negative"),
            ("- {image: a, readyAfter: 20}", "r.yaml:1:26: ", "expected a duration"),
            (
                "- {image: a}\n- image: b\n  fail: Sometimes",
                "r.yaml:3:9: ",
                "expected one of `Unschedulable`",
            ),
            ("- {image: a}\n- image: b\n  ready: 1s", "r.yaml:3:3: ", "readyAfter"),
            ("- readyAfter: 1s", "r.yaml:1:", "image"),
            ("image: a", "r.yaml:1:", "expected a list"),
            ("- {image: a, fail: NeverReady, readyAfter: 1s}", "r.yaml:1:20: ", "one or the other"),
        ] {
            let message = parse_rules("r.yaml", text).unwrap_err().to_string();
            assert!(message.starts_with(place) && message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn patterns_match() {
        for (pattern, text, found) in [
            ("*", "", true),
            ("web:*", "web:1", true),
            ("web:?", "web:12", false),
            ("*/web:1.*", "a/b/web:1.2", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b", "aXc", false),
        ] {
            assert_eq!(matches(pattern, text), found, "{pattern} {text}");
        }
    }
}
