//! How long an upgrade takes when the API server is far away, beside how long its pods take.
//!
//! `cargo bench --bench latency`. Every request and every answer of a watch's beginning is late by as much as the
//! table says; pods are ready after 100 ms each. The ratio is against the server next door.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use kube::Client;
use kube::client::Body;
use rollout::cluster::clock::Clock;
use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::context::{Context, FailFast, Limits, OnFailure};
use rollout::driver::control;
use rollout::driver::outcome::ComponentOutcome;
use rollout::driver::request::{Overrides, RolloutRequest};
use rollout::oam::manifest::{self, Source};
use rollout::ops::apply;
use rollout::report::event::{Event, Reporter};
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Options, RulesSource, Sandbox};
use tower::service_fn;

const BATCHES: usize = 5;

struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Event) {}
}

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
        rules: RulesSource::Given(parse_rules("rules", "- {image: '*', readyAfter: 100ms}").unwrap()),
        now: Arc::new(move || now.now()),
        record_history: false,
    })
    .unwrap();
    let near = sandbox.client("default");
    drive(near.clone(), &clock, "web:1").await;
    let requests = Arc::new(AtomicUsize::new(0));
    let far = distant(near, latency, Arc::clone(&requests));
    let begun = clock.elapsed();
    drive(far, &clock, "web:2").await;
    ((clock.elapsed() - begun).unsigned_abs(), requests.load(Ordering::Relaxed))
}

async fn drive(client: Client, clock: &Clock, image: &str) {
    let batches = "                  - replicas: 2\n".repeat(BATCHES);
    let text = format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
spec:
  components:
    - name: web
      type: webservice
      properties:
        image: {image}
      traits:
        - type: rollout
          properties:
            targetSize: 10
            rolloutBatches:
{batches}"
    );
    let source = Source { name: "shop.yaml".to_owned(), bytes: text.into_bytes() };
    let application = manifest::parse(&[source]).unwrap().remove(0);
    let request = RolloutRequest::of_manifest(&application, "default".to_owned(), Overrides::default());
    // Who lets go of the stopper can stop nothing.
    let (_stopper, control) = control::control();
    let context = Context {
        session: Session::new(client, clock.clone(), Timeouts::default()),
        reporter: Rc::new(RefCell::new(Silent)),
        control,
        identity: "benchmark".to_owned(),
        limits: Limits {
            run: Duration::ZERO,
            batch: Duration::from_secs(60),
            lock: Duration::from_secs(60),
            fail_fast: FailFast::Off,
            on_failure: OnFailure::Hold,
            logs: 8,
        },
        next_check: Rc::new(Cell::new(None)),
    };
    let ends = apply::apply(&context, &[request]).await;
    let is_done = ends
        .iter()
        .flat_map(|outcome| &outcome.components)
        .all(|(_, end)| matches!(end, ComponentOutcome::Succeeded { .. }));
    assert!(is_done, "{ends:?}");
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
