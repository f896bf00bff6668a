//! Measuring: all metrics of a point side by side, each by its own interval.

use std::time::Duration;

use futures::future::join_all;

use crate::cluster::clock::Moment;
use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::batch_gates::GateTurn;
use crate::driver::outcome::{Failure, FailureKind, HoldPoint};
use crate::oam::batch_gates::Metric;
use crate::plan::gate_point::{GatePoint, MOST_RESULTS, MetricResult, Phase};
use crate::plan::metric::{Judged, MetricRun};
use crate::plan::observed::Observed;
use crate::plan::phrase::list_literals;
use crate::plan::run::{Outcome, RunSpec};
use crate::probe::{GateValues, Probe};
use crate::report::event::EventKind;

/// A metric under way.
pub(super) struct MetricProgress {
    run: MetricRun,
    due: Moment,
    end: Option<Phase>,
    /// The last measurement.
    last: Option<Judged>,
}

impl ComponentRun<'_> {
    /// Takes the measurements that are due, or waits for the next.
    pub(super) async fn metrics_turn(
        &mut self,
        probe: &dyn Probe,
        observed: &Observed,
        point: GatePoint,
        metrics: &[&Metric],
    ) -> Result<GateTurn, Failure> {
        let Some(spec) = observed.record.as_ref().map(|record| record.run.spec.clone()) else {
            return Ok(GateTurn::Open);
        };
        let now = self.context.session.clock().moment();
        let mut progress =
            self.gate_visit.as_mut().map(|visit| std::mem::take(&mut visit.metrics)).unwrap_or_default();
        if progress.is_empty() {
            let begun = |metric: &&Metric| MetricProgress {
                run: MetricRun::default(),
                due: now.plus(Duration::from_secs(metric.initial_delay_seconds)),
                end: None,
                last: None,
            };
            progress = metrics.iter().map(begun).collect();
        }
        let due: Vec<usize> =
            (0..metrics.len()).filter(|at| progress[*at].end.is_none() && progress[*at].due <= now).collect();
        let measured = self.measure(probe, &due, metrics, &spec, point).await;
        let taken = self.context.session.clock().moment();
        for (at, judged) in due.iter().zip(measured?) {
            let (metric, one) = (metrics[*at], &mut progress[*at]);
            one.end = one.run.take(metric, &judged);
            one.due = taken.plus(Duration::from_secs(metric.interval_seconds));
            self.emit(EventKind::Measured {
                metric: metric.name.clone(),
                phase: judged.phase,
                value: judged.value.clone(),
                taken: one.run.taken,
                count: metric.count,
                values: one.run.values.clone(),
                point: point.phrase(spec.batches.len()),
            });
            one.last = Some(judged);
        }
        let ended = |phase: Phase| (0..metrics.len()).find(|at| progress[*at].end == Some(phase));
        let bad = ended(Phase::Failed).or_else(|| ended(Phase::Error));
        let is_over = progress.iter().all(|one| one.end.is_some());
        let doubtful = ended(Phase::Inconclusive).filter(|_| is_over && bad.is_none());
        if let Some(at) = bad.or(doubtful) {
            let reason = explanation(metrics[at], &progress[at], point, &spec);
            self.record_results(point, metrics, &progress, &spec, doubtful.map(|_| reason.clone())).await?;
            if bad.is_some() {
                return Err(Failure::new(FailureKind::GateFailed, reason));
            }
            return Ok(GateTurn::Held(HoldPoint::Gate { metric: metrics[at].name.clone(), reason }));
        }
        if is_over {
            self.record_results(point, metrics, &progress, &spec, None).await?;
            self.advance_gate(metrics.len());
            return Ok(GateTurn::Again);
        }
        let open = || (0..metrics.len()).filter(|at| progress[*at].end.is_none());
        let next = open().map(|at| progress[at].due).min().unwrap_or(taken);
        let names: Vec<&str> = open().map(|at| metrics[at].name.as_str()).collect();
        if let Some(visit) = &mut self.gate_visit {
            visit.metrics = progress;
        }
        let left = next.saturating_since(self.context.session.clock().moment());
        if !left.is_zero() {
            let on = format!("measurements of {}", list_literals(&names));
            self.wait_at_gate(observed, point, on, left).await?;
        }
        Ok(GateTurn::Again)
    }

    /// Measures these metrics at once.
    async fn measure(
        &self,
        probe: &dyn Probe,
        due: &[usize],
        metrics: &[&Metric],
        spec: &RunSpec,
        point: GatePoint,
    ) -> Result<Vec<Judged>, Failure> {
        let prepared = self.prepared;
        let values = GateValues::from([
            ("application", prepared.application.clone()),
            ("component", prepared.component.clone()),
            ("namespace", prepared.namespace.clone()),
            ("revision", spec.target.clone()),
            ("source", spec.sources.first().cloned().unwrap_or_default()),
            ("batch", point.batch().map_or(0, |batch| batch + 1).to_string()),
        ]);
        let measured = join_all(due.iter().map(|at| async {
            let metric = metrics[*at];
            let measured = self.in_time(probe.measure(metric, &values)).await;
            Judged::new(&metric.condition, measured.and_then(|measured| measured))
        }));
        tokio::select! {
            biased;
            measured = measured => Ok(measured),
            () = self.context.control.stopped() => Err(Failure::new(FailureKind::Interrupted, "interrupted")),
        }
    }

    /// Keeps how the metrics ended in the record, and why they hold the run, if they do.
    async fn record_results(
        &mut self,
        point: GatePoint,
        metrics: &[&Metric],
        progress: &[MetricProgress],
        spec: &RunSpec,
        held: Option<String>,
    ) -> Result<(), Failure> {
        let at = self.context.session.clock().now();
        let batch = point.batch().and_then(|batch| u32::try_from(batch).ok()).unwrap_or(0);
        let held_at = held.is_some().then(|| point.ordinal(spec));
        let results: Vec<MetricResult> = metrics
            .iter()
            .zip(progress)
            .filter_map(|(metric, one)| {
                let (phase, values) = (one.end?, one.run.values.clone());
                Some(MetricResult { name: metric.name.clone(), batch, phase, values, at })
            })
            .collect();
        self.amend(|run| {
            let kept = &mut run.gates.results;
            kept.retain(|old| !results.iter().any(|new| (&new.name, new.batch) == (&old.name, old.batch)));
            kept.extend(results.clone());
            let surplus = kept.len().saturating_sub(MOST_RESULTS);
            kept.drain(..surplus);
            run.gates.held_at = held_at;
            if held_at.is_some() {
                run.outcome = Outcome::Held;
                run.finished = Some(at);
                run.message.clone_from(&held);
            }
        })
        .await
    }
}

/// Why a metric ends the run, or holds it.
fn explanation(metric: &Metric, progress: &MetricProgress, point: GatePoint, spec: &RunSpec) -> String {
    let value = progress.last.as_ref().map(|last| last.value.as_str()).unwrap_or_default();
    let (name, at) = (&metric.name, point.phrase(spec.batches.len()));
    match progress.end {
        Some(Phase::Error) => format!("{at}, metric `{name}` could not be measured: {value}"),
        Some(Phase::Inconclusive) => format!("{at}, metric `{name}` was inconclusive: {value}"),
        Some(Phase::Failed | Phase::Successful) | None => {
            format!("{at}, metric `{name}` was {value}{}", bounds(metric))
        }
    }
}

/// What would have been good.
fn bounds(metric: &Metric) -> String {
    let condition = &metric.condition;
    let parts: Vec<String> = [
        condition.min.as_ref().map(|min| format!("at least {min}")),
        condition.max.as_ref().map(|max| format!("at most {max}")),
        condition.success.as_ref().map(|success| format!("`{success}`")),
        condition.failure.as_ref().map(|failure| format!("not `{failure}`")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { String::new() } else { format!(", expected {}", parts.join(" and ")) }
}
