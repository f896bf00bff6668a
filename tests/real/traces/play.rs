//! Plays a script: makes each write and waits for its effect, while a watch is recorded.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams, WatchParams};
use kube::core::WatchEvent;
use serde_json::{Value, json};
use similar::TextDiff;

use super::backend::Backend;
use super::{normal, shapes};
use crate::real_env::RealEnv;

/// A workload at one moment, as a watch delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestInfo {
    pub(super) generation: i64,
    pub(super) observed: i64,
    pub(super) partition: i64,
    pub(super) size: i64,
    pub(super) replicas: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
    pub(super) updated: i64,
    pub(super) updated_ready: i64,
    pub(super) updated_available: i64,
    pub(super) expected: i64,
    pub(super) of_current: i64,
    pub(super) update: String,
    pub(super) current: String,
}

impl RequestInfo {
    fn read(object: &DynamicObject) -> Self {
        let number = |part: &str, pointer: &str| {
            object.data[part].pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
        };
        let text = |field: &str| object.data["status"][field].as_str().unwrap_or_default().to_owned();
        let status = |field: &str| number("status", &format!("/{field}"));
        let strategy = |path: &str| number("spec", &format!("/updateStrategy/{path}partition"));
        Self {
            generation: object.metadata.generation.unwrap_or_default(),
            observed: status("observedGeneration"),
            partition: strategy("") + strategy("rollingUpdate/"),
            size: number("spec", "/replicas"),
            replicas: status("replicas"),
            ready: status("readyReplicas"),
            available: status("availableReplicas"),
            updated: status("updatedReplicas"),
            updated_ready: status("updatedReadyReplicas"),
            updated_available: status("updatedAvailableReplicas"),
            expected: status("expectedUpdatedReplicas"),
            of_current: status("currentReplicas"),
            update: text("updateRevision"),
            current: text("currentRevision"),
        }
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.observed >= self.generation
    }
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, observed, partition, size, replicas, ready, available, updated, .. } = self;
        write!(f, "gen {generation}/{observed} part {partition} size {size} all {replicas} ready {ready} ")?;
        write!(f, "avail {available} upd {updated} updready {} ", self.updated_ready)?;
        write!(f, "updavail {} exp {} cur {} ", self.updated_available, self.expected, self.of_current)?;
        write!(f, "{}/{}", self.update, self.current)
    }
}

/// A write, and the status that it leads to.
pub(super) struct Step {
    pub(super) write: Write,
    /// The numbers of all pods, available ones and updated ones.
    pub(super) until: [i64; 3],
}

/// A write to the one workload of a script, or to one of its pods.
pub(super) enum Write {
    Create(Value),
    Merge(Value),
    DeletePod(&'static str),
}

/// CloneSets, as a client names them.
pub(super) fn clone_set() -> ApiResource {
    ApiResource {
        group: "apps.kruise.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "apps.kruise.io/v1alpha1".to_owned(),
        kind: "CloneSet".to_owned(),
        plural: "clonesets".to_owned(),
    }
}

/// StatefulSets, as a client names them.
pub(super) fn stateful_set() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::apps::v1::StatefulSet>(&())
}

/// Plays a script on both backends and compares the traces and the end states.
pub(super) fn compare(env: &RealEnv, kind: &ApiResource, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (real, sandbox) = runtime.block_on(async {
        let real = Played::on(&Backend::real(env).await, env, kind, steps).await;
        (real, Played::on(&Backend::sandbox(env), env, kind, steps).await)
    });
    for (at, (real, sandbox)) in real.traces.iter().zip(&sandbox.traces).enumerate() {
        let (expected, found) = (normal::form(real), normal::form(sandbox));
        assert_eq!(
            found,
            expected,
            "step {at} leads elsewhere in the sandbox (left)\nthe real one:\n{}\nthe sandbox:\n{}",
            normal::told(real),
            normal::told(sandbox)
        );
    }
    let (expected, found) = (text(&real.left), text(&sandbox.left));
    let difference = TextDiff::from_lines(&expected, &found);
    let difference = difference.unified_diff().header("real", "sandbox").to_string();
    assert!(difference.is_empty(), "something else is left in the end:\n{difference}");
}

fn text(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("{}\n", serde_json::to_string_pretty(object).unwrap())).collect()
}

/// The results of a script.
struct Played {
    traces: Vec<Vec<RequestInfo>>,
    left: Vec<Value>,
}

impl Played {
    async fn on(backend: &Backend, env: &RealEnv<'_>, kind: &ApiResource, steps: &[Step]) -> Self {
        let traces = play(backend, env, kind, steps).await;
        let left = shapes::of(&backend.client, &env.namespace, kind).await;
        Self { traces, left }
    }
}

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a script; returns the trace after each write.
async fn play(
    backend: &Backend,
    env: &RealEnv<'_>,
    kind: &ApiResource,
    steps: &[Step],
) -> Vec<Vec<RequestInfo>> {
    let client = &backend.client;
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &env.namespace, kind);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &env.namespace);
    let version = api.list(&Default::default()).await.unwrap().metadata.resource_version.unwrap();
    let watch = api.watch(&WatchParams::default(), &version).await.unwrap();
    let mut watch = pin!(watch);
    let mut traces = Vec::new();
    for step in steps {
        match &step.write {
            Write::Create(body) => {
                let mut body = body.clone();
                body["apiVersion"] = json!(kind.api_version);
                body["kind"] = json!(kind.kind);
                let object: DynamicObject = serde_json::from_value(body).unwrap();
                api.create(&PostParams::default(), &object).await.unwrap();
            }
            Write::Merge(change) => {
                api.patch("web", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
            }
            Write::DeletePod(name) => drop(pods.delete(name, &Default::default()).await.unwrap()),
        }
        let mut trace = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, async {
            read(&mut watch, step, &mut trace).await;
            let [replicas, ready, _] = step.until;
            broken(&pods, replicas - ready).await;
        })
        .await;
        assert!(reading.is_ok(), "{:?} does not come about:\n{}", step.until, normal::told(&trace));
        traces.push(trace);
    }
    traces
}

/// Waits until the kubelet has reported this many pods as broken, since controllers count them as unready before that.
async fn broken(pods: &Api<Pod>, number: i64) {
    let is_broken = |pod: &Pod| {
        let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
        status.state.as_ref()?.waiting.as_ref()?.reason.as_ref().map(|reason| reason == "ImagePullBackOff")
    };
    loop {
        let list = pods.list(&Default::default()).await.unwrap();
        let found = list.iter().filter(|pod| is_broken(pod) == Some(true)).count();
        if i64::try_from(found) == Ok(number) {
            return;
        }
        let version = list.metadata.resource_version.unwrap();
        let changes = pods.watch(&WatchParams::default(), &version).await.unwrap();
        pin!(changes).try_next().await.unwrap();
    }
}

/// Records the trace until the step's status is reached.
async fn read<W>(watch: &mut W, step: &Step, trace: &mut Vec<RequestInfo>)
where
    W: Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + Unpin,
{
    while let Some(event) = watch.try_next().await.unwrap() {
        let object = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
            WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(error) => panic!("{error:?}"),
        };
        let seen = RequestInfo::read(&object);
        let [replicas, ready, updated] = step.until;
        let is_there = seen.is_fresh()
            && [seen.replicas, seen.ready, seen.available, seen.updated] == [replicas, ready, ready, updated]
            // The status before the write may look the same.
            && !(trace.is_empty() && matches!(step.write, Write::DeletePod(_)));
        if trace.last() != Some(&seen) {
            trace.push(seen);
        }
        if is_there {
            return;
        }
    }
    panic!("the watch ended");
}
