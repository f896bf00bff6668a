//! The reference: what an upgrade in batches takes if nothing is checked, recorded or reported.
//!
//! It creates each target, watches the Deployments of its namespaces, and sends precomputed merge patches as soon as a
//! raw event shows what they wait for: first more pods of the target, then fewer of the source. It keeps no lock, reads
//! nothing else and confirms nothing. With `from` 0 it only creates the first version and waits for its pods.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use http::{Method, Request};
use kube::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio::task::LocalSet;

use crate::client;
use crate::objects::{Fleet, deployment};

/// The argument that makes the benchmark's program this driver.
pub(crate) const COMMAND: &str = "null-driver";

/// Requests at once: more make the server queue them.
const IN_FLIGHT: usize = 32;

/// Arguments of the process that upgrades a fleet.
pub(crate) fn arguments(fleet: &Fleet, from: usize, to: usize) -> Vec<String> {
    let numbers = [from, to, fleet.components, fleet.replicas, fleet.batches];
    let numbers = numbers.iter().map(usize::to_string);
    [COMMAND.to_owned()].into_iter().chain(numbers).chain(fleet.namespaces.iter().cloned()).collect()
}

/// Where a component is in its upgrade.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For this batch's pods of the target.
    Ready(usize),
    /// For this batch's pods of the source to go.
    Gone(usize),
    Nothing,
}

struct Component {
    namespace: String,
    name: String,
    waiting: Waiting,
}

struct Driver {
    client: Client,
    permits: Semaphore,
    fleet: Fleet,
    goals: Vec<usize>,
    from: usize,
    to: usize,
    components: RefCell<HashMap<String, Component>>,
    open: RefCell<usize>,
    done: Notify,
}

#[derive(Deserialize)]
struct Event {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    labels: HashMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: usize,
    ready_replicas: usize,
}

/// Runs the driver.
pub(crate) fn main(arguments: &[String]) {
    let number = |nth: usize| arguments[nth].parse::<usize>().unwrap();
    let fleet = Fleet {
        namespaces: arguments[5..].to_vec(),
        components: number(2),
        replicas: number(3),
        batches: number(4),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, drive(fleet, number(0), number(1)));
}

async fn drive(fleet: Fleet, from: usize, to: usize) {
    let client = client::connect(COMMAND).await;
    let mut components = HashMap::new();
    for (namespace, names) in fleet.shares() {
        for name in names {
            let key = format!("{namespace}/{name}");
            components
                .insert(key, Component { namespace: namespace.to_owned(), name, waiting: Waiting::Ready(0) });
        }
    }
    let goals = if from == 0 { vec![fleet.replicas] } else { fleet.goals() };
    let driver = Rc::new(Driver {
        client,
        permits: Semaphore::new(IN_FLIGHT),
        goals,
        from,
        to,
        open: RefCell::new(components.len()),
        components: RefCell::new(components),
        fleet,
        done: Notify::new(),
    });
    for namespace in driver.fleet.namespaces.clone() {
        tokio::task::spawn_local(watch(Rc::clone(&driver), namespace));
    }
    let targets: Vec<(String, Value)> = driver
        .components
        .borrow()
        .values()
        .map(|one| (collection(&one.namespace), deployment(&one.name, to, driver.goals[0])))
        .collect();
    for (path, body) in targets {
        send(&driver, Method::POST, path, Some(body));
    }
    driver.done.notified().await;
}

fn collection(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

/// Sends a request without waiting for its answer.
fn send(driver: &Rc<Driver>, method: Method, path: String, body: Option<Value>) {
    let driver = Rc::clone(driver);
    tokio::task::spawn_local(async move {
        let _permit = driver.permits.acquire().await.unwrap();
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let is_last = method == Method::DELETE;
        let request =
            Request::builder().method(method).uri(&path).header("content-type", kind).body(body).unwrap();
        driver.client.request_text(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        if is_last {
            driver.finish_one();
        }
    });
}

async fn watch(driver: Rc<Driver>, namespace: String) {
    let path = format!("{}?watch=1&labelSelector=bench%3Dreference", collection(&namespace));
    let request = Request::get(path).body(Vec::new()).unwrap();
    let mut lines = driver.client.request_stream(request).await.unwrap().lines();
    while let Some(line) = lines.try_next().await.unwrap() {
        let event: Event = serde_json::from_str(&line).unwrap();
        see(&driver, &namespace, &event.object);
    }
    panic!("the watch ended");
}

/// Reacts to a Deployment as it is now.
fn see(driver: &Rc<Driver>, namespace: &str, object: &Object) {
    let Object { metadata, status } = object;
    if status.observed_generation < metadata.generation {
        return;
    }
    let label = |key: &str| metadata.labels.get(key).map_or("", String::as_str);
    let (name, version) = (label("component"), label("version"));
    let mut components = driver.components.borrow_mut();
    let Some(component) = components.get_mut(&format!("{namespace}/{name}")) else { return };
    let is_target = version == format!("v{}", driver.to);
    let object_of = |version: usize| format!("{}/{name}-v{version}", collection(namespace));
    let replicas = |count: usize| Some(json!({"spec": {"replicas": count}}));
    match component.waiting {
        Waiting::Ready(batch) if is_target && status.ready_replicas >= driver.goals[batch] => {
            if driver.from == 0 {
                component.waiting = Waiting::Nothing;
                driver.finish_one();
                return;
            }
            component.waiting = Waiting::Gone(batch);
            let rest = driver.fleet.replicas - driver.goals[batch];
            send(driver, Method::PATCH, object_of(driver.from), replicas(rest));
        }
        Waiting::Gone(batch)
            if version == format!("v{}", driver.from)
                && status.replicas == driver.fleet.replicas - driver.goals[batch] =>
        {
            if batch + 1 == driver.goals.len() {
                component.waiting = Waiting::Nothing;
                send(driver, Method::DELETE, object_of(driver.from), None);
            } else {
                component.waiting = Waiting::Ready(batch + 1);
                send(driver, Method::PATCH, object_of(driver.to), replicas(driver.goals[batch + 1]));
            }
        }
        Waiting::Ready(_) | Waiting::Gone(_) | Waiting::Nothing => {}
    }
}

impl Driver {
    fn finish_one(&self) {
        let mut open = self.open.borrow_mut();
        *open -= 1;
        if *open == 0 {
            self.done.notify_one();
        }
    }
}
