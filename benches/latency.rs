//! How long an upgrade takes when the API server is far away, beside how long its pods take.
//!
//! `cargo bench --bench latency`. Every request and every answer of a watch's beginning is late by as much as the
//! table says; pods are ready after 100 ms each. The ratio is against the server next door.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use kube::Client;
use kube::client::Body;
use rollout::cluster::clock::Clock;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Options, RulesSource, Sandbox};
use support::manifest::{request_for, web};
use support::pod_rules;
use support::process::Process;
use tower::service_fn;

const BATCHES: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("LATENCY   SECONDS   REQUESTS   RATIO");
    let mut next_door = None;
    for milliseconds in [0, 50, 200] {
        let (taken, requests) = runtime.block_on(upgrade(Duration::from_millis(milliseconds)));
        let base: Duration = *next_door.get_or_insert(taken);
        let ratio = taken.as_secs_f64() / base.as_secs_f64();
        println!("{milliseconds:>5}ms   {:>7.2}   {requests:>8}   {ratio:>5.1}", taken.as_secs_f64());
    }
}

/// Upgrades a component of ten replicas in five batches; the time it takes, and how many requests.
async fn upgrade(latency: Duration) -> (Duration, usize) {
    let clock = Clock::system();
    let now = clock.clone();
    let sandbox = Sandbox::open(Options {
        file: None,
        rules: RulesSource::Given(parse_rules("rules", &pod_rules::ready_after("100ms")).unwrap()),
        now: Arc::new(move || now.now()),
        record_history: false,
    })
    .unwrap();
    let near = sandbox.client("default");
    drive(near.clone(), &clock, 1).await;
    let requests = Arc::new(AtomicUsize::new(0));
    let far = distant(near, latency, Arc::clone(&requests));
    let begun = clock.elapsed();
    drive(far, &clock, 2).await;
    ((clock.elapsed() - begun).unsigned_abs(), requests.load(Ordering::Relaxed))
}

async fn drive(client: Client, clock: &Clock, version: u32) {
    let web = web(version, 10).batches(&["2"; BATCHES]);
    let run = Process::new("benchmark").apply(client, clock, &request_for(&[web])).await;
    assert!(run.is_success(), "{}", run.transcript());
}

/// A client as far away as that.
fn distant(client: Client, latency: Duration, requests: Arc<AtomicUsize>) -> Client {
    let service = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        requests.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(latency).await;
            client.send(request).await
        }
    });
    Client::new(service, "default")
}
