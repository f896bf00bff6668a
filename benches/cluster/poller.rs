//! The loop of the original, a controller that looks every five seconds: after each step it looks at once, and then
//! every five seconds until the step has had its effect. Steps and order are those of the null driver.

use std::thread;
use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use crate::client;
use crate::objects::{Fleet, deployment};

/// The argument that makes the benchmark's program this driver.
pub(crate) const COMMAND: &str = "poller";

/// How often a reconciler of the original looks (KubeVela 1.3, `rolloutReconcileWaitTime`).
const INTERVAL: Duration = Duration::from_secs(5);

/// Arguments of the process that upgrades a fleet of one component.
pub(crate) fn arguments(fleet: &Fleet, from: usize, to: usize) -> Vec<String> {
    let numbers = [from, to, fleet.replicas, fleet.batches].map(|number| number.to_string());
    [COMMAND.to_owned(), fleet.namespaces[0].clone()].into_iter().chain(numbers).collect()
}

/// Runs the driver.
pub(crate) fn main(arguments: &[String]) {
    let number = |nth: usize| arguments[nth].parse::<usize>().unwrap();
    let fleet = Fleet::one(&arguments[0], number(3), number(4));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(drive(&fleet, number(1), number(2)));
}

async fn drive(fleet: &Fleet, from: usize, to: usize) {
    let client = client::connect(COMMAND).await;
    let collection = format!("/apis/apps/v1/namespaces/{}/deployments", fleet.namespaces[0]);
    let name = &fleet.shares()[0].1[0];
    let object = |version: usize| format!("{collection}/{name}-v{version}");
    send(&client, Method::POST, &collection, Some(deployment(name, to, 0))).await;
    for goal in fleet.goals() {
        send(&client, Method::PATCH, &object(to), Some(json!({"spec": {"replicas": goal}}))).await;
        until(&client, &object(to), "readyReplicas", goal).await;
        let rest = fleet.replicas - goal;
        send(&client, Method::PATCH, &object(from), Some(json!({"spec": {"replicas": rest}}))).await;
        until(&client, &object(from), "replicas", rest).await;
    }
    send(&client, Method::DELETE, &object(from), None).await;
}

async fn until(client: &Client, path: &str, field: &str, count: usize) {
    loop {
        let object = send(client, Method::GET, path, None).await;
        let (status, metadata) = (&object["status"], &object["metadata"]);
        let is_fresh = status["observedGeneration"].as_i64() >= metadata["generation"].as_i64();
        if is_fresh && status[field].as_u64().unwrap_or(0) as usize == count {
            return;
        }
        thread::sleep(INTERVAL);
    }
}

async fn send(client: &Client, method: Method, path: &str, body: Option<Value>) -> Value {
    let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let request =
        Request::builder().method(method).uri(path).header("content-type", kind).body(body).unwrap();
    client.request(request).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}
