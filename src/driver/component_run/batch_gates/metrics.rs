//! Measures all metrics of a point concurrently, each at its own interval.

use std::time::Duration;

use futures::future::{join, join_all};

use crate::cluster::clock::Moment;
use crate::driver::component_run::ComponentRun;
use crate::driver::component_run::batch_gates::{GateTurn, place};
use crate::driver::outcome::{Failure, FailureKind, GateCause, HoldPoint};
use crate::oam::batch_gates::{Bounds, Metric};
use crate::plan::gate_place::{MAX_RESULTS, MetricResult, Phase};
use crate::plan::gate_point::GatePoint;
use crate::plan::metric::{Measurement, MetricRun};
use crate::plan::observed::Observed;
use crate::plan::phrase::list_literals;
use crate::plan::run::{Run, RunSpec};
use crate::probe::{GateValues, Probe};
use crate::report::event::EventKind;

/// The progress of a metric.
pub(super) struct MetricProgress {
    run: MetricRun,
    due: Moment,
    end: Option<Phase>,
    /// The last measurement.
    last: Option<Measurement>,
}

/// The combined state of the metrics of a point.
enum MetricsPhase {
    /// The metric at this index fails the run.
    Failed(usize),
    /// All have ended, and the metric at this index was inconclusive.
    Inconclusive(usize),
    /// All have succeeded.
    Successful,
    /// More measurements are needed; the next is due at this time.
    Running(Moment),
}

fn metrics_phase(progress: &[MetricProgress]) -> MetricsPhase {
    let ended = |phase: Phase| progress.iter().position(|one| one.end == Some(phase));
    if let Some(at) = ended(Phase::Failed).or_else(|| ended(Phase::Error)) {
        return MetricsPhase::Failed(at);
    }
    match progress.iter().filter(|one| one.end.is_none()).map(|one| one.due).min() {
        Some(next) => MetricsPhase::Running(next),
        None => ended(Phase::Inconclusive).map_or(MetricsPhase::Successful, MetricsPhase::Inconclusive),
    }
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
        let mut progress = self.metrics_under_way(metrics);
        let Some(measured) = self.measure(probe, observed, point, (metrics, &progress)).await? else {
            if let Some(visit) = &mut self.gates.visit {
                visit.metrics = progress;
            }
            return Ok(GateTurn::Again);
        };
        self.take_measurements(measured, observed, point, (metrics, &mut progress));
        match metrics_phase(&progress) {
            MetricsPhase::Failed(at) => {
                let results = self.results(point, metrics, &progress);
                self.amend(|run| keep_results(run, &results)).await?;
                let reason = explanation(metrics[at], &progress[at], point, &spec);
                Err(Failure::new(FailureKind::GateFailed, reason))
            }
            MetricsPhase::Inconclusive(at) => {
                let results = self.results(point, metrics, &progress);
                let reason = explanation(metrics[at], &progress[at], point, &spec);
                let keep = |run: &mut Run| keep_results(run, &results);
                self.hold_at_gate(observed, point, metrics.len(), &reason, keep).await?;
                let cause = GateCause::Inconclusive { metric: metrics[at].name.clone() };
                Ok(GateTurn::Held(HoldPoint::Gate { cause, reason }))
            }
            MetricsPhase::Successful => {
                let results = self.results(point, metrics, &progress);
                self.amend(|run| keep_results(run, &results)).await?;
                self.advance_gate(metrics.len());
                Ok(GateTurn::Again)
            }
            MetricsPhase::Running(next) => {
                let on = measurements(metrics, &progress);
                if let Some(visit) = &mut self.gates.visit {
                    visit.metrics = progress;
                }
                let left = next.saturating_since(self.context.session.clock().moment());
                if !left.is_zero() {
                    self.wait_at_gate(observed, point, on, left).await?;
                }
                Ok(GateTurn::Again)
            }
        }
    }

    /// Takes the progress of the metrics of this visit, or starts them.
    fn metrics_under_way(&mut self, metrics: &[&Metric]) -> Vec<MetricProgress> {
        let now = self.context.session.clock().moment();
        let progress =
            self.gates.visit.as_mut().map(|visit| std::mem::take(&mut visit.metrics)).unwrap_or_default();
        if !progress.is_empty() {
            return progress;
        }
        let begun = |metric: &&Metric| MetricProgress {
            run: MetricRun::default(),
            due: now.plus(Duration::from_secs(metric.initial_delay_seconds)),
            end: None,
            last: None,
        };
        metrics.iter().map(begun).collect()
    }

    /// Takes all measurements that are due, concurrently; each result has the index of its metric. Returns `None` if
    /// the run has to plan again first.
    async fn measure(
        &mut self,
        probe: &dyn Probe,
        observed: &Observed,
        point: GatePoint,
        (metrics, progress): (&[&Metric], &[MetricProgress]),
    ) -> Result<Option<Vec<(usize, Measurement)>>, Failure> {
        let context = self.context;
        let now = context.session.clock().moment();
        let due: Vec<usize> =
            (0..metrics.len()).filter(|at| progress[*at].end.is_none() && progress[*at].due <= now).collect();
        if due.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let of_target = self.gate_values(observed, point);
        let of_source = self.source_values(observed, &of_target);
        let measured = join_all(due.iter().map(|at| async {
            let metric = metrics[*at];
            let measure = async |values| {
                context.in_time(probe.measure(metric, values)).await.and_then(|measured| measured)
            };
            let measurement = match of_source.as_ref().filter(|_| metric.baseline.is_some()) {
                None => Measurement::new(metric, measure(&of_target).await, None),
                Some(of_source) => {
                    let (target, source) = join(measure(&of_target), measure(of_source)).await;
                    Measurement::new(metric, target, Some(source))
                }
            };
            (*at, measurement)
        }));
        self.ask_at_gate(observed, point, measurements(metrics, progress), measured, None).await
    }

    /// Adds the measurements to the progress, and reports them.
    fn take_measurements(
        &self,
        measured: Vec<(usize, Measurement)>,
        observed: &Observed,
        point: GatePoint,
        (metrics, progress): (&[&Metric], &mut [MetricProgress]),
    ) {
        let taken = self.context.session.clock().moment();
        let place = place(observed, point);
        for (at, judged) in measured {
            let (metric, one) = (metrics[at], &mut progress[at]);
            one.end = one.run.take(metric, &judged);
            one.due = taken.plus(Duration::from_secs(metric.interval_seconds));
            self.emit(EventKind::Measured {
                metric: metric.name.clone(),
                phase: judged.phase,
                value: judged.value.clone(),
                taken: one.run.taken,
                count: metric.count,
                values: one.run.values.clone(),
                point: place.clone(),
            });
            one.last = Some(judged);
        }
    }

    /// The values that texts of a gate may refer to.
    pub(super) fn gate_values(&self, observed: &Observed, point: GatePoint) -> GateValues {
        let prepared = self.prepared;
        let spec = observed.record.as_ref().map(|record| &record.run.spec);
        GateValues::from([
            ("application", prepared.application.clone()),
            ("component", prepared.component.clone()),
            ("namespace", prepared.namespace.clone()),
            ("revision", spec.map(|spec| spec.target.clone()).unwrap_or_default()),
            ("source", spec.and_then(|spec| spec.sources.first().cloned()).unwrap_or_default()),
            ("batch", point.batch().map_or(0, |batch| batch + 1).to_string()),
        ])
    }

    /// The same values for the source revision; `None` if the source has no pods to compare with.
    fn source_values(&self, observed: &Observed, of_target: &GateValues) -> Option<GateValues> {
        let source = of_target.get("source").filter(|source| !source.is_empty())?;
        let has_pods = self.progress(observed).source > 0;
        has_pods.then(|| {
            let mut values = of_target.clone();
            values.insert("revision", source.clone());
            values
        })
    }

    /// How the metrics ended, for the record.
    fn results(
        &self,
        point: GatePoint,
        metrics: &[&Metric],
        progress: &[MetricProgress],
    ) -> Vec<MetricResult> {
        let at = self.context.session.clock().now();
        let batch = point.batch().and_then(|batch| u32::try_from(batch).ok()).unwrap_or(0);
        let result = |(metric, one): (&&Metric, &MetricProgress)| {
            let (phase, values) = (one.end?, one.run.values.clone());
            Some(MetricResult { name: metric.name.clone(), batch, phase, values, at })
        };
        metrics.iter().zip(progress).filter_map(result).collect()
    }
}

/// Describes the metrics that have not ended.
fn measurements(metrics: &[&Metric], progress: &[MetricProgress]) -> String {
    let open = metrics.iter().zip(progress).filter(|(_, one)| one.end.is_none());
    let names: Vec<&str> = open.map(|(metric, _)| metric.name.as_str()).collect();
    format!("measurements of {}", list_literals(&names))
}

fn keep_results(run: &mut Run, results: &[MetricResult]) {
    let kept = &mut run.gates.results;
    kept.retain(|old| !results.iter().any(|new| (&new.name, new.batch) == (&old.name, old.batch)));
    kept.extend(results.iter().cloned());
    let surplus = kept.len().saturating_sub(MAX_RESULTS);
    kept.drain(..surplus);
}

/// Explains why a metric fails the run, or holds it.
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

/// Describes the values that would have succeeded.
fn bounds(metric: &Metric) -> String {
    let condition = &metric.condition;
    let of_source = metric.baseline.iter().flat_map(Bounds::phrases);
    let parts: Vec<String> = condition
        .range
        .phrases()
        .into_iter()
        .chain(condition.success.as_ref().map(|success| format!("`{success}`")))
        .chain(condition.failure.as_ref().map(|failure| format!("not `{failure}`")))
        .chain(of_source.map(|phrase| format!("{phrase} × source")))
        .collect();
    if parts.is_empty() { String::new() } else { format!(", expected {}", parts.join(" and ")) }
}
