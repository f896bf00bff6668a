//! The display for programs: one JSON object per event and line (NDJSON).
//!
//! Every object has `version`, `elapsedSeconds`, `application`, `component` and `event`, which determines the other
//! keys; if there are several clusters or namespaces, also `cluster` or `namespace`. Batches are zero-based, as in a
//! manifest's `batchPartition`. Keys may be added without a new version, so readers must skip unknown ones.

use std::io::Write;

use serde::Serialize;

use crate::report::event::{Event, Reporter};
use crate::report::structured;

/// The version of the objects; it changes when a key is removed or changes its meaning.
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
        let line = structured::to_json_line(&EventDocument { version: VERSION, event });
        self.writer.write_all(line.as_bytes()).and_then(|()| self.writer.flush()).ok();
    }
}

#[derive(Serialize)]
struct EventDocument<'a> {
    version: u32,
    #[serde(flatten)]
    event: &'a Event,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::every_event;

    #[test]
    fn every_event_matches_the_schema() {
        let schema = serde_json::from_str(include_str!("../../schema/event.json")).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for event in every_event() {
            let event = serde_json::to_value(EventDocument { version: VERSION, event: &event }).unwrap();
            let complaints: Vec<String> = schema.iter_errors(&event).map(|error| error.to_string()).collect();
            assert_eq!(complaints, [""; 0], "{event}");
        }
    }

    #[test]
    fn each_event_is_one_object_on_one_line() {
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
        {"version":1,"elapsedSeconds":11.0,"application":"shop","component":"web","event":"waiting","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"on":"`web-v2`: 1 of 2 ready","atGate":false}
        {"version":1,"elapsedSeconds":12.0,"application":"shop","component":"web","event":"diagnosed","evidence":["pod `web-v2-x`: ErrImagePull"]}
        {"version":1,"elapsedSeconds":13.0,"application":"shop","component":"web","event":"batchReady","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3}}
        {"version":1,"elapsedSeconds":14.0,"application":"shop","component":"web","event":"batchReady","progress":{"batch":0,"batches":2,"targetSize":3,"upgraded":6,"ready":6,"source":0}}
        {"version":1,"elapsedSeconds":15.0,"application":"shop","component":"web","event":"paused","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"by":"jane"}
        {"version":1,"elapsedSeconds":16.0,"application":"shop","component":"web","event":"resumed"}
        {"version":1,"elapsedSeconds":17.0,"application":"shop","component":"web","event":"held","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":null,"hints":["continue with `rollout promote web`"]}
        {"version":1,"elapsedSeconds":18.0,"application":"shop","component":"web","event":"held","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"before batch 2 of 2, the window is closed until 2026-11-30 09:00 UTC","hints":["continue with `rollout promote web`"]}
        {"version":1,"elapsedSeconds":19.0,"application":"shop","component":"web","event":"suspended","step":"approve","message":"check the dashboard","hints":["continue with `rollout promote shop`"]}
        {"version":1,"elapsedSeconds":20.0,"application":"shop","component":"web","event":"suspended","step":"approve","message":null,"hints":[]}
        {"version":1,"elapsedSeconds":21.0,"application":"shop","component":"web","event":"dependencyHeld","on":"db","hints":["continue with `rollout promote shop`"]}
        {"version":1,"elapsedSeconds":22.0,"application":"shop","component":"web","event":"measured","metric":"errors","phase":"Successful","value":"0.02","taken":2,"count":5,"values":["0.01","0.02"],"point":"after batch 1 of 2"}
        {"version":1,"elapsedSeconds":23.0,"application":"shop","component":"web","event":"measured","metric":"errors","phase":"Error","value":"no answer after 10s","taken":0,"count":5,"values":[],"point":"after batch 1 of 2"}
        {"version":1,"elapsedSeconds":24.0,"application":"shop","component":"web","event":"gatePassed","point":"after batch 1 of 2"}
        {"version":1,"elapsedSeconds":25.0,"application":"shop","component":"web","event":"inconclusive","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"metric `errors` is inconclusive after batch 1 of 2: NaN","hints":["continue with `rollout promote web`"]}
        {"version":1,"elapsedSeconds":26.0,"application":"shop","component":"web","event":"workloadDeleted","workload":"web-v1"}
        {"version":1,"elapsedSeconds":27.0,"application":"shop","component":"web","event":"revisionsPruned","revisions":["web-v0"]}
        {"version":1,"elapsedSeconds":28.0,"application":"shop","component":"web","event":"revisionsPruned","revisions":["web-v0","web-v1"]}
        {"version":1,"elapsedSeconds":29.0,"application":"shop","component":"web","event":"serviceApplied","service":"web"}
        {"version":1,"elapsedSeconds":30.0,"application":"shop","component":"web","event":"serviceRemoved","service":"web"}
        {"version":1,"elapsedSeconds":31.0,"application":"shop","component":"web","event":"objectApplied","object":"deployment.apps/web","change":"created"}
        {"version":1,"elapsedSeconds":32.0,"application":"shop","component":"web","event":"objectDeleted","object":"ingress.networking.k8s.io/web"}
        {"version":1,"elapsedSeconds":33.0,"application":"shop","component":"web","event":"retrying","error":"connection reset","delaySeconds":2.0}
        {"version":1,"elapsedSeconds":34.0,"application":"shop","component":"web","event":"warned","message":"the image has no tag"}
        {"version":1,"elapsedSeconds":35.0,"application":"shop","component":"web","event":"succeeded","progress":{"batch":1,"batches":2,"targetSize":5,"upgraded":5,"ready":5,"source":0},"changed":true}
        {"version":1,"elapsedSeconds":36.0,"application":"shop","component":"web","event":"succeeded","progress":{"batch":1,"batches":2,"targetSize":5,"upgraded":5,"ready":5,"source":0},"changed":false}
        {"version":1,"elapsedSeconds":37.0,"application":"shop","component":"web","event":"interrupted","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"hints":["rerun the same command"]}
        {"version":1,"elapsedSeconds":38.0,"application":"shop","component":"web","event":"interrupted","progress":null,"hints":[]}
        {"version":1,"elapsedSeconds":39.0,"application":"shop","component":"web","event":"failed","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"not ready after 10m","evidence":["pod `web-v2-x`: ImagePullBackOff \u001b[31m"],"hints":["roll back with `rollout undo web`"]}
        {"version":1,"elapsedSeconds":40.0,"application":"shop","component":"web","event":"failed","progress":{"batch":0,"batches":2,"targetSize":5,"upgraded":2,"ready":1,"source":3},"reason":"batch 1 of 2 was not ready after 10m","evidence":[],"hints":[]}
        {"version":1,"elapsedSeconds":41.0,"application":"shop","component":"web","event":"waveStarted","wave":0,"waves":2}
        {"version":1,"elapsedSeconds":42.0,"application":"shop","component":"web","event":"waveSkipped","wave":1,"waves":2,"reason":"the wave before failed"}
        {"version":1,"elapsedSeconds":43.0,"application":"shop","component":"web","event":"failed","progress":null,"reason":"no such revision","evidence":[],"hints":[]}
        "#);
    }
}
