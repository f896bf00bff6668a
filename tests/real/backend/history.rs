//! The history of a real server, collected by watches.
//!
//! A watch delivers the changes of one kind in order; the resource versions, which all come from one store, put the
//! kinds in order. A watch does not show who made a change: it is attributed to a controller if only fields of
//! controllers changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, ListParams, ObjectList, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use rollout::sandbox::fault::Verb;
use rollout::sandbox::{Actor, Change};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The kinds that are followed.
const KINDS: [(&str, &str); 8] = [
    ("", "ConfigMap"),
    ("", "Pod"),
    ("", "Service"),
    ("apps", "ControllerRevision"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
    ("coordination.k8s.io", "Lease"),
];

/// The object that every namespace has.
const OF_THE_CLUSTER: &str = "kube-root-ca.crt";

/// Everything that the watches of a namespace have delivered.
pub(super) struct History {
    kinds: Vec<(String, Api<DynamicObject>)>,
    told: ActResult,
    _watches: JoinSet<()>,
}

#[derive(Clone)]
struct RequestInfo {
    version: u64,
    kind: String,
    is_gone: bool,
    object: Arc<Value>,
}

/// The last event by kind and name.
type Last = BTreeMap<(String, String), RequestInfo>;

/// What the watches have delivered so far, and a notification for each event.
#[derive(Clone)]
struct ActResult {
    heard: Arc<Mutex<Heard>>,
    bell: watch::Sender<()>,
}

#[derive(Default)]
struct Heard {
    all: Vec<RequestInfo>,
    last: Last,
}

impl History {
    /// Starts to follow a client's namespace.
    pub(super) async fn follow(client: &Client) -> Self {
        let told = ActResult { heard: Arc::default(), bell: watch::Sender::new(()) };
        let mut watches = JoinSet::new();
        let mut kinds = Vec::new();
        for (group, kind) in KINDS {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
            let api: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
            let list = api.list(&ListParams::default()).await.unwrap();
            let begun = list.metadata.resource_version.unwrap();
            watches.spawn(told.clone().follow(resource.plural.clone(), api.clone(), begun));
            kinds.push((resource.plural, api));
        }
        Self { kinds, told, _watches: watches }
    }

    /// Every change so far, in the server's order.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut seen = self.told.heard.lock().unwrap().all.clone();
        seen.sort_by_key(|seen| seen.version);
        let mut known: BTreeMap<(String, String), Arc<Value>> = BTreeMap::new();
        let changes = seen.into_iter().map(|seen| {
            let key = (seen.kind.clone(), name(&seen.object));
            let before = known.remove(&key);
            let after = (!seen.is_gone).then(|| seen.object.clone());
            known.extend(after.clone().map(|after| (key, after)));
            let verb = match (&before, &after) {
                (_, None) => Verb::Delete,
                (None, Some(_)) => Verb::Create,
                (Some(_), Some(_)) => Verb::Patch,
            };
            let actor = actor(&seen.kind, before.as_deref(), after.as_deref());
            let name = name(&seen.object);
            // A watch shows neither the time nor the sender of a write.
            let (at, user_agent) = (Timestamp::UNIX_EPOCH, None);
            Change { at, actor, user_agent, verb, kind: seen.kind, name, before, after }
        });
        changes.collect()
    }

    /// Every object in its latest known state.
    pub(super) fn objects(&self) -> Vec<Value> {
        present(&self.told.heard.lock().unwrap().last).into_iter().cloned().collect()
    }

    /// Waits until the watches have delivered everything that has already happened.
    pub(super) async fn catch_up(&self) {
        for (kind, api) in &self.kinds {
            let list = api.list(&ListParams::default()).await.unwrap();
            self.told.until(|last| has_passed(last, kind, &list)).await;
        }
    }

    /// Waits until the objects satisfy this.
    pub(super) async fn until(&self, is_so: impl Fn(&[&Value]) -> bool) {
        self.told.until(|last| is_so(&present(last))).await;
    }
}

fn present(last: &Last) -> Vec<&Value> {
    last.values().filter(|seen| !seen.is_gone).map(|seen| &*seen.object).collect()
}

impl ActResult {
    async fn follow(self, kind: String, api: Api<DynamicObject>, mut version: String) {
        loop {
            // A watch ends by itself after a few minutes, and is then reopened where it ended.
            let mut events = api.watch(&WatchParams::default(), &version).await.unwrap().boxed();
            while let Some(event) = events.next().await {
                let (object, is_gone) = match event.unwrap() {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                    WatchEvent::Deleted(object) => (object, true),
                    WatchEvent::Bookmark(bookmark) => {
                        version = bookmark.metadata.resource_version;
                        continue;
                    }
                    WatchEvent::Error(error) => panic!("the history has a gap: {error:?}"),
                };
                version = object.metadata.resource_version.clone().unwrap();
                if object.metadata.name.as_deref() == Some(OF_THE_CLUSTER) {
                    continue;
                }
                let object = Arc::new(serde_json::to_value(object).unwrap());
                let seen = RequestInfo { version: number(&version), kind: kind.clone(), is_gone, object };
                self.hear(seen);
            }
        }
    }

    fn hear(&self, seen: RequestInfo) {
        let mut heard = self.heard.lock().unwrap();
        heard.last.insert((seen.kind.clone(), name(&seen.object)), seen.clone());
        heard.all.push(seen);
        self.bell.send_replace(());
    }

    async fn until(&self, is_so: impl Fn(&Last) -> bool) {
        let mut bell = self.bell.subscribe();
        while !is_so(&self.heard.lock().unwrap().last) {
            bell.changed().await.unwrap();
        }
    }
}

/// Whether a kind's watch has delivered everything that a list returns.
fn has_passed(last: &Last, kind: &str, list: &ObjectList<DynamicObject>) -> bool {
    let listed: BTreeMap<&str, u64> = list
        .items
        .iter()
        .map(|object| {
            let version = number(object.metadata.resource_version.as_deref().unwrap());
            (object.metadata.name.as_deref().unwrap(), version)
        })
        .filter(|(name, _)| *name != OF_THE_CLUSTER)
        .collect();
    let until = number(list.metadata.resource_version.as_deref().unwrap());
    let of_kind = || last.iter().filter(|((of, _), _)| of == kind);
    let knows_all = listed
        .iter()
        .all(|(name, version)| of_kind().any(|((_, known), seen)| known == name && seen.version >= *version));
    let knows_no_more = of_kind()
        .all(|((_, name), seen)| seen.is_gone || seen.version > until || listed.contains_key(name.as_str()));
    knows_all && knows_no_more
}

fn number(version: &str) -> u64 {
    version.parse().unwrap()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn actor(kind: &str, before: Option<&Value>, after: Option<&Value>) -> Actor {
    match (kind, before, after) {
        ("pods" | "replicasets", _, _) => Actor::Controller,
        // Only the controller changes an existing Job.
        ("jobs", Some(_), Some(_)) => Actor::Controller,
        ("deployments", Some(before), Some(after)) if of_clients(before) == of_clients(after) => {
            Actor::Controller
        }
        _ => Actor::Client,
    }
}

/// A Deployment without the fields that its controller writes.
fn of_clients(deployment: &Value) -> Value {
    let mut object = deployment.clone();
    let fields = object.as_object_mut().unwrap();
    fields.remove("status");
    let metadata = fields["metadata"].as_object_mut().unwrap();
    for field in ["resourceVersion", "managedFields", "generation"] {
        metadata.remove(field);
    }
    // There may have been no annotations before the controller added one.
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({})).as_object_mut();
    annotations.map(|annotations| annotations.remove("deployment.kubernetes.io/revision"));
    object
}
