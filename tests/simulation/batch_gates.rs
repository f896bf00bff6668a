//! Gates between batches: those in manifests, the answers to them, and whether a run was right to pass them.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;
use rollout::cluster::clock::Clock;
use rollout::oam::batch_gates::HeaderValue;
use rollout::plan::gate_point::{BatchGate, gates_at, points_from, promoted_gates};
use rollout::probe::ProbeRequest;
use rollout::sandbox::Change;

use crate::play::Played;
use crate::support::probe::{ScriptedProbe, answer, never};
use crate::support::random::Rng;
use crate::support::rules::world;
use crate::verdict::{Failure, fail};

/// The gates in manifests, as lines of the `rollout` trait.
pub(crate) const ALL: [&str; 4] = [
    "soak: 3s",
    "rolloutWebhooks: [{type: initialize-rollout, name: start, url: 'http://hooks/start'}, \
     {type: pre-batch-rollout, name: before, url: 'http://hooks/before'}, \
     {type: post-batch-rollout, name: after, url: 'http://hooks/after'}, \
     {type: finalize-rollout, name: end, url: 'http://hooks/end'}]",
    "analysis: [{name: errors, interval: 2s, count: 2, successCondition: result < 1, failureCondition: result > 2, \
     provider: {exec: {command: [errors, '{{component}}', '{{batch}}']}}}]",
    "smokeTests: [{name: ping, spec: {template: {spec: {containers: [{name: ping, image: 'curl:1'}]}}}}]",
];

/// A request to a hook or a provider.
pub(crate) struct Asked {
    pub(crate) at: Timestamp,
    pub(crate) question: ProbeRequest,
    pub(crate) is_good: bool,
}

impl Asked {
    /// Whether it belongs to this gate of a component, after or before a batch; zero means no batch.
    fn is_about(&self, gate: BatchGate<'_>, component: &str, batch: usize) -> bool {
        match (&self.question, gate) {
            (ProbeRequest::Http { url, headers, .. }, BatchGate::Hook(hook)) => {
                let key = headers.iter().find(|header| header.key == "Idempotency-Key");
                let Some(HeaderValue::Text(key)) = key.map(|header| &header.value) else { return false };
                let mut parts = key.split('/');
                *url == hook.url
                    && parts.nth(1) == Some(component)
                    && parts.nth(1).is_some_and(|part| part.parse().unwrap_or(0) == batch)
            }
            (ProbeRequest::Exec { command }, BatchGate::Metric(_)) => {
                command[1] == component && command[2] == batch.to_string()
            }
            _ => false,
        }
    }
}

/// What hooks and providers are like for one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mood {
    /// Whether some answers are bad.
    is_moody: bool,
    /// Whether some requests are never answered.
    pub(crate) hangs: bool,
    /// Whether its machine lacks the programs of metrics.
    pub(crate) lacks_programs: bool,
}

impl Mood {
    /// The mood of a seed; a command after the disturbances has none, and all answers are good.
    pub(crate) fn new(seed: u64) -> Self {
        let mut added = Rng(!seed);
        let (hangs, lacks_programs) = (added.one_in(6), added.one_in(6));
        let is_disturbed = seed != 0;
        Self {
            is_moody: is_disturbed && Rng(seed).one_in(2),
            hangs: is_disturbed && hangs,
            lacks_programs: is_disturbed && lacks_programs,
        }
    }
}

/// Hooks and providers of a mood. They record the requests to them.
pub(crate) fn probe(seed: u64, clock: &Clock, asked: &Rc<RefCell<Vec<Asked>>>) -> Rc<ScriptedProbe> {
    let mood = Mood::new(seed);
    let (mut rng, mut added, asked, clock) = (Rng(seed), Rng(!seed), asked.clone(), clock.clone());
    rng.one_in(2);
    let script = move |question: &ProbeRequest| {
        let (status, body) = match question {
            ProbeRequest::Http { .. } => {
                (if mood.is_moody { *rng.pick(&[200, 200, 403, 503]) } else { 200 }, "")
            }
            // Good, inconclusive, bad, or without a value.
            ProbeRequest::Exec { .. } => {
                (0, if mood.is_moody { *rng.pick(&["0", "0", "0", "1.5", "3", "?"]) } else { "0" })
            }
        };
        let is_answered = !(mood.hangs && added.one_in(3));
        let is_good = is_answered && (status == 200 || body == "0");
        asked.borrow_mut().push(Asked { at: clock.now(), question: question.clone(), is_good });
        if is_answered { answer(status, body) } else { never() }
    };
    ScriptedProbe::on_machine(script, mood.lacks_programs)
}

/// Checks that a command on a machine without the programs of its metrics runs none of them: it refuses before.
pub(crate) fn of_missing_programs(played: &Played) -> Result<(), Failure> {
    let is_program = |asked: &Asked| matches!(asked.question, ProbeRequest::Exec { .. });
    match played.lacks_programs && played.asked.iter().any(is_program) {
        true => fail("missing programs", format!("a metric is measured by\n{}", played.command)),
        false => Ok(()),
    }
}

/// Checks that a run passes a gate between batches only if the answers were good or a user has promoted it.
pub(crate) fn judge(played: &Played, history: &[Change]) -> Result<(), Failure> {
    for change in history.iter().filter(|change| change.kind == "configmaps" && played.made(change)) {
        let before = change.before.as_deref().and_then(world::record);
        let (Some(before), Some(after)) = (before, change.after.as_deref().and_then(world::record)) else {
            continue;
        };
        if before.epoch != after.epoch {
            continue;
        }
        let (spec, from) = (&after.run.spec, before.run.gates.passed);
        let passed = points_from(spec, from).take_while(|point| point.ordinal(spec) < after.run.gates.passed);
        for point in passed {
            let promoted = promoted_gates(&before.run.gates, point, spec);
            let batch = point.batch().map_or(0, |batch| batch + 1);
            for gate in gates_at(&spec.gates, point).into_iter().skip(promoted) {
                let is_asked = matches!(gate, BatchGate::Hook(_) | BatchGate::Metric(_));
                let is_past = |asked: &&Asked| asked.at <= change.at;
                let is_about = |asked: &&Asked| asked.is_about(gate, &after.component, batch);
                let last = played.asked.iter().filter(is_past).rfind(is_about);
                if is_asked && last.is_none_or(|last| !last.is_good) {
                    let phrase = gate.phrase();
                    return fail(
                        "gates",
                        format!("{point:?} is passed without: {phrase}; {}", played.command),
                    );
                }
            }
        }
    }
    Ok(())
}
