//! The display for programs: one JSON object per event and line (NDJSON).
//!
//! The shapes here are twins of the events, so that renaming something inside changes nothing outside.
//! Every object has `version`, `elapsedSeconds`, `application`, `component` and `event`, which says which
//! other keys there are; of several clusters or namespaces also `cluster` or `namespace`. Batches are zero-based, as in
//! a manifest's `batchPartition`. Keys may be added without a new version; readers skip those they do not know.

use std::io::Write;

use jiff::SignedDuration;
use serde::Serialize;

use crate::plan::action::Side;
use crate::plan::run::Mode;
use crate::report::event::{self, Event, EventKind, Reporter};
use crate::report::structured;

/// The version of the objects; it changes when a key goes or changes its meaning.
pub const VERSION: u32 = 1;

/// Writes events to a writer.
#[derive(Debug)]
pub struct Json<W> {
    writer: W,
}

impl<W: Write> Json<W> {
    /// Reports to a writer. Its errors are ignored: a closed pipe must not stop a rollout.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) {
        let line = structured::to_json_line(&Envelope::from(event));
        self.writer.write_all(line.as_bytes()).and_then(|()| self.writer.flush()).ok();
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    version: u32,
    elapsed_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    application: &'a str,
    component: Option<&'a str>,
    #[serde(flatten)]
    payload: Payload<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Payload<'a> {
    WaveStarted {
        wave: usize,
        waves: usize,
    },
    WaveSkipped {
        wave: usize,
        waves: usize,
        reason: &'a str,
    },
    Queued {
        holder: &'a str,
    },
    DependencyAwaited {
        on: &'a [String],
    },
    RevisionCreated {
        revision: &'a str,
        number: i64,
    },
    RunStarted {
        action: JsonMode,
        from: &'a [String],
        to: &'a str,
        original_size: u32,
        target_size: u32,
        goals: &'a [u32],
        resumed: bool,
        batch_timeout_seconds: f64,
        timeout_seconds: f64,
    },
    WorkloadCreated {
        workload: &'a str,
    },
    WorkloadScaled {
        workload: &'a str,
        role: JsonSide,
        from: u32,
        to: u32,
        batch: usize,
        batches: usize,
    },
    WorkloadRolled {
        workload: &'a str,
        revision: &'a str,
        moved: u32,
        replicas: u32,
        batch: usize,
        batches: usize,
    },
    Waiting {
        progress: JsonProgress,
        on: &'a str,
    },
    Diagnosed {
        evidence: &'a [String],
    },
    BatchReady {
        progress: JsonProgress,
    },
    Paused {
        progress: JsonProgress,
        by: &'a str,
    },
    Resumed,
    Held {
        progress: JsonProgress,
        reason: Option<&'a str>,
        hints: &'a [String],
    },
    Measured {
        metric: &'a str,
        phase: &'static str,
        value: &'a str,
        taken: u32,
        count: u32,
        values: &'a [String],
        point: &'a str,
    },
    GatePassed {
        point: &'a str,
    },
    Inconclusive {
        progress: JsonProgress,
        reason: &'a str,
        hints: &'a [String],
    },
    Suspended {
        step: &'a str,
        message: Option<&'a str>,
        hints: &'a [String],
    },
    WorkloadDeleted {
        workload: &'a str,
    },
    RevisionsPruned {
        revisions: &'a [String],
    },
    ServiceApplied {
        service: &'a str,
    },
    ServiceRemoved {
        service: &'a str,
    },
    ObjectApplied {
        object: &'a str,
        change: &'static str,
    },
    ObjectDeleted {
        object: &'a str,
    },
    Retrying {
        error: &'a str,
        delay_seconds: f64,
    },
    Warned {
        message: &'a str,
    },
    Succeeded {
        progress: JsonProgress,
        changed: bool,
    },
    Interrupted {
        progress: Option<JsonProgress>,
        hints: &'a [String],
    },
    Failed {
        progress: Option<JsonProgress>,
        reason: &'a str,
        evidence: &'a [String],
        hints: &'a [String],
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonProgress {
    batch: usize,
    batches: usize,
    target_size: u32,
    upgraded: u32,
    ready: u32,
    source: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum JsonMode {
    Release,
    Upgrade,
    Scale,
    Apply,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum JsonSide {
    Target,
    Source,
}

fn seconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}

impl<'a> From<&'a Event> for Envelope<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            version: VERSION,
            elapsed_seconds: seconds(event.elapsed),
            cluster: event.cluster.as_deref(),
            namespace: event.namespace.as_deref(),
            application: &event.application,
            component: event.component.as_deref(),
            payload: Payload::from(&event.what),
        }
    }
}

impl<'a> From<&'a EventKind> for Payload<'a> {
    fn from(what: &'a EventKind) -> Self {
        match what {
            EventKind::WaveStarted { wave, waves } => Self::WaveStarted { wave: *wave, waves: *waves },
            EventKind::WaveSkipped { wave, waves, reason } => {
                Self::WaveSkipped { wave: *wave, waves: *waves, reason }
            }
            EventKind::Queued { holder } => Self::Queued { holder },
            EventKind::DependencyAwaited { on } => Self::DependencyAwaited { on },
            EventKind::RevisionCreated { revision, number } => {
                Self::RevisionCreated { revision, number: *number }
            }
            EventKind::RunStarted {
                action,
                // To programs a rollback is an upgrade to an earlier revision.
                purpose: _,
                from,
                to,
                original_size,
                target_size,
                goals,
                resumed,
                batch_timeout,
                timeout,
            } => Self::RunStarted {
                action: JsonMode::from(*action),
                from,
                to,
                original_size: *original_size,
                target_size: *target_size,
                goals,
                resumed: *resumed,
                batch_timeout_seconds: seconds(*batch_timeout),
                timeout_seconds: seconds(*timeout),
            },
            EventKind::WorkloadCreated { workload } => Self::WorkloadCreated { workload },
            EventKind::WorkloadScaled { workload, role, from, to, batch, batches } => Self::WorkloadScaled {
                workload,
                role: JsonSide::from(*role),
                from: *from,
                to: *to,
                batch: *batch,
                batches: *batches,
            },
            EventKind::WorkloadRolled { workload, revision, moved, replicas, batch, batches } => {
                Self::WorkloadRolled {
                    workload,
                    revision,
                    moved: *moved,
                    replicas: *replicas,
                    batch: *batch,
                    batches: *batches,
                }
            }
            EventKind::Waiting { progress, on } => {
                Self::Waiting { progress: JsonProgress::from(progress), on }
            }
            EventKind::Diagnosed { evidence } => Self::Diagnosed { evidence },
            EventKind::BatchReady { progress } => Self::BatchReady { progress: JsonProgress::from(progress) },
            EventKind::Paused { progress, by } => Self::Paused { progress: JsonProgress::from(progress), by },
            EventKind::Resumed => Self::Resumed,
            EventKind::Held { progress, reason, hints } => {
                Self::Held { progress: JsonProgress::from(progress), reason: reason.as_deref(), hints }
            }
            EventKind::Measured { metric, phase, value, taken, count, values, point } => Self::Measured {
                metric,
                phase: phase.as_str(),
                value,
                taken: *taken,
                count: *count,
                values,
                point,
            },
            EventKind::GatePassed { point } => Self::GatePassed { point },
            EventKind::Inconclusive { progress, reason, hints } => {
                Self::Inconclusive { progress: JsonProgress::from(progress), reason, hints }
            }
            EventKind::Suspended { step, message, hints } => {
                Self::Suspended { step, message: message.as_deref(), hints }
            }
            EventKind::WorkloadDeleted { workload } => Self::WorkloadDeleted { workload },
            EventKind::RevisionsPruned { revisions } => Self::RevisionsPruned { revisions },
            EventKind::ServiceApplied { service } => Self::ServiceApplied { service },
            EventKind::ServiceRemoved { service } => Self::ServiceRemoved { service },
            EventKind::ObjectApplied { object, change } => {
                Self::ObjectApplied { object, change: change.as_str() }
            }
            EventKind::ObjectDeleted { object } => Self::ObjectDeleted { object },
            EventKind::Retrying { error, delay } => Self::Retrying { error, delay_seconds: seconds(*delay) },
            EventKind::Warned { message } => Self::Warned { message },
            EventKind::Succeeded { progress, changed } => {
                Self::Succeeded { progress: JsonProgress::from(progress), changed: *changed }
            }
            EventKind::Interrupted { progress, hints } => {
                Self::Interrupted { progress: progress.as_ref().map(JsonProgress::from), hints }
            }
            EventKind::Failed { progress, reason, evidence, hints } => {
                Self::Failed { progress: progress.as_ref().map(JsonProgress::from), reason, evidence, hints }
            }
        }
    }
}

impl From<&event::Progress> for JsonProgress {
    fn from(progress: &event::Progress) -> Self {
        let event::Progress { batch, batches, target_size, upgraded, ready, source } = *progress;
        Self { batch, batches, target_size, upgraded, ready, source }
    }
}

impl From<Mode> for JsonMode {
    fn from(action: Mode) -> Self {
        match action {
            Mode::Release => Self::Release,
            Mode::Upgrade => Self::Upgrade,
            Mode::Scale => Self::Scale,
            Mode::Apply => Self::Apply,
        }
    }
}

impl From<Side> for JsonSide {
    fn from(role: Side) -> Self {
        match role {
            Side::Target => Self::Target,
            Side::Source => Self::Source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::every_event;

    #[test]
    fn every_event_is_as_its_schema_says() {
        let schema = serde_json::from_str(include_str!("../../schema/event.json")).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for event in every_event() {
            let event = serde_json::to_value(Envelope::from(&event)).unwrap();
            let complaints: Vec<String> = schema.iter_errors(&event).map(|error| error.to_string()).collect();
            assert_eq!(complaints, [""; 0], "{event}");
        }
    }

    #[test]
    fn one_object_per_event_and_line() {
        let mut bytes = Vec::new();
        let mut json = Json::new(&mut bytes);
        every_event().iter().for_each(|event| json.event(event));
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r#"
        {"version":1,"elapsedSeconds":0.0,"application":"shop","component":null,"event":"queued","holder":"ci/job/7"}
        {"version":1,"elapsedSeconds":1.0,"application":"shop","component":"web","event":"dependencyAwaited","on":["db","cache"]}
        {"version":1,"elapsedSeconds":2.0,"application":"shop","component":"web","event":"revisionCreated","revision":"web-v2","number":2}
        {"version":1,"elapsedSeconds":3.0,"application":"shop","component":"web","event":"runStarted","action":"release","from":[],"to":"web-v2","originalSize":0,"targetSize":5,"goals":[2,5],"resumed":false,"batchTimeoutSeconds":600.0,"timeoutSeconds":0.0}
        {"version":1,"elapsedSeconds":4.0,"application":"shop","component":"web","event":"runStarted","action":"upgrade","from":["web-v1"],"to":"web-v2","originalSize":5,"targetSize":5,"goals":[2,5],"resumed":false,"batchTimeoutSeconds":600.0,"timeoutSeconds":0.0}
        {"version":1,"elapsedSeconds":5.0,"application":"shop","component":"web","event":"runStarted","action":"upgrade","from":["web-v0","web-v1"],"to":"web-v2","originalSize":5,"targetSize":5,"goals":[2,5],"resumed":true,"batchTimeoutSeconds":600.0,"timeoutSeconds":3600.0}
        {"version":1,"elapsedSeconds":6.0,"application":"shop","component":"web","event":"runStarted","action":"upgrade","from":[],"to":"web-v2","originalSize":5,"targetSize":5,"goals":[5],"resumed":false,"batchTimeoutSeconds":600.0,"timeoutSeconds":0.0}
        {"version":1,"elapsedSeconds":7.0,"application":"shop","component":"web","event":"runStarted","action":"scale","from":[],"to":"web-v2","originalSize":7,"targetSize":3,"goals":[6,3],"resumed":false,"batchTimeoutSeconds":600.0,"timeoutSeconds":0.0}
        {"version":1,"elapsedSeconds":8.0,"application":"shop","component":"web","event":"workloadCreated","workload":"web-v2"}
        {"version":1,"elapsedSeconds":9.0,"application":"shop","component":"web","event":"workloadScaled","workload":"web-v2","role":"target","from":0,"to":2,"batch":0,"batches":2}
        {"version":1,"elapsedSeconds":10.0,"application":"shop","component":"web","event":"workloadRolled","workload":"web","revision":"web-v2","moved":2,"replicas":5,"batch":0,"batches":2}
        {"version":1,"elapsedSeconds":11.0,"application":"shop","component":"web","event":"waiting","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"on":"`web-v2`: 1 of 2 ready"}
        {"version":1,"elapsedSeconds":12.0,"application":"shop","component":"web","event":"diagnosed","evidence":["pod `web-v2-x`: ErrImagePull"]}
        {"version":1,"elapsedSeconds":13.0,"application":"shop","component":"web","event":"batchReady","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3}}
        {"version":1,"elapsedSeconds":14.0,"application":"shop","component":"web","event":"batchReady","progress":{"batch":0,"batches":2,"targetSize":3,"upgraded":6,"ready":6,"source":0}}
        {"version":1,"elapsedSeconds":15.0,"application":"shop","component":"web","event":"paused","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"by":"jane"}
        {"version":1,"elapsedSeconds":16.0,"application":"shop","component":"web","event":"resumed"}
        {"version":1,"elapsedSeconds":17.0,"application":"shop","component":"web","event":"held","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":null,"hints":["continue with `rollout promote web`"]}
        {"version":1,"elapsedSeconds":18.0,"application":"shop","component":"web","event":"held","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"before batch 2 of 2, the window is closed until 2026-11-30 09:00 UTC","hints":["continue with `rollout promote web`"]}
        {"version":1,"elapsedSeconds":19.0,"application":"shop","component":"web","event":"suspended","step":"approve","message":"check the dashboard","hints":["continue with `rollout promote shop`"]}
        {"version":1,"elapsedSeconds":20.0,"application":"shop","component":"web","event":"suspended","step":"approve","message":null,"hints":[]}
        {"version":1,"elapsedSeconds":21.0,"application":"shop","component":"web","event":"measured","metric":"errors","phase":"Successful","value":"0.02","taken":2,"count":5,"values":["0.01","0.02"],"point":"after batch 1 of 2"}
        {"version":1,"elapsedSeconds":22.0,"application":"shop","component":"web","event":"measured","metric":"errors","phase":"Error","value":"no answer after 10s","taken":0,"count":5,"values":[],"point":"after batch 1 of 2"}
        {"version":1,"elapsedSeconds":23.0,"application":"shop","component":"web","event":"gatePassed","point":"after batch 1 of 2"}
        {"version":1,"elapsedSeconds":24.0,"application":"shop","component":"web","event":"inconclusive","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"metric `errors` is inconclusive after batch 1 of 2: NaN","hints":["continue with `rollout promote web`"]}
        {"version":1,"elapsedSeconds":25.0,"application":"shop","component":"web","event":"workloadDeleted","workload":"web-v1"}
        {"version":1,"elapsedSeconds":26.0,"application":"shop","component":"web","event":"revisionsPruned","revisions":["web-v0"]}
        {"version":1,"elapsedSeconds":27.0,"application":"shop","component":"web","event":"revisionsPruned","revisions":["web-v0","web-v1"]}
        {"version":1,"elapsedSeconds":28.0,"application":"shop","component":"web","event":"serviceApplied","service":"web"}
        {"version":1,"elapsedSeconds":29.0,"application":"shop","component":"web","event":"serviceRemoved","service":"web"}
        {"version":1,"elapsedSeconds":30.0,"application":"shop","component":"web","event":"objectApplied","object":"deployment.apps/web","change":"created"}
        {"version":1,"elapsedSeconds":31.0,"application":"shop","component":"web","event":"objectDeleted","object":"ingress.networking.k8s.io/web"}
        {"version":1,"elapsedSeconds":32.0,"application":"shop","component":"web","event":"retrying","error":"connection reset","delaySeconds":2.0}
        {"version":1,"elapsedSeconds":33.0,"application":"shop","component":"web","event":"warned","message":"the image has no tag"}
        {"version":1,"elapsedSeconds":34.0,"application":"shop","component":"web","event":"succeeded","progress":{"batch":1,"batches":2,"targetSize":5,"upgraded":5,"ready":5,"source":0},"changed":true}
        {"version":1,"elapsedSeconds":35.0,"application":"shop","component":"web","event":"succeeded","progress":{"batch":1,"batches":2,"targetSize":5,"upgraded":5,"ready":5,"source":0},"changed":false}
        {"version":1,"elapsedSeconds":36.0,"application":"shop","component":"web","event":"interrupted","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"hints":["rerun the same command"]}
        {"version":1,"elapsedSeconds":37.0,"application":"shop","component":"web","event":"interrupted","progress":null,"hints":[]}
        {"version":1,"elapsedSeconds":38.0,"application":"shop","component":"web","event":"failed","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"not ready after 10m","evidence":["pod `web-v2-x`: ImagePullBackOff \u001b[31m"],"hints":["roll back with `rollout undo web`"]}
        {"version":1,"elapsedSeconds":39.0,"application":"shop","component":"web","event":"failed","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"batch 1 of 2 was not ready after 10m","evidence":[],"hints":[]}
        {"version":1,"elapsedSeconds":40.0,"application":"shop","component":"web","event":"waveStarted","wave":0,"waves":2}
        {"version":1,"elapsedSeconds":41.0,"application":"shop","component":"web","event":"waveSkipped","wave":1,"waves":2,"reason":"the wave before failed"}
        {"version":1,"elapsedSeconds":42.0,"application":"shop","component":"web","event":"failed","progress":null,"reason":"no such revision","evidence":[],"hints":[]}
        "#);
    }
}
