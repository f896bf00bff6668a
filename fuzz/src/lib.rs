//! What is fuzzed: one function for each kind of input. It may refuse its input, and must not panic, hang or use much
//! memory. `fuzz_targets` has a libFuzzer target for each; `tests/fuzz_corpus.rs` replays the corpus with any compiler.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser as _;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use rollout::cli::Cli;
use rollout::cli::connect::kubeconfig::configuration;
use rollout::cluster::clock::Clock;
use rollout::cluster::record_watch;
use rollout::cluster::session::{Session, Timeouts};
use rollout::driver::context::Context;
use rollout::driver::preview::preview_request;
use rollout::driver::request::{Overrides, RolloutRequest};
use rollout::oam::application::{Amount, Application, Batch, Strategy};
use rollout::oam::batch_gates::BatchGates;
use rollout::oam::kind::WorkloadKind;
use rollout::oam::manifest::{Source, parse_fleet, parse_manifest, parse_overridden};
use rollout::oam::quantity::{Counts, format_quantity, is_quantity, likely_quantity, parse_quantity};
use rollout::oam::render;
use rollout::oam::revision::decide_revision;
use rollout::ops::component::ComponentSelector;
use rollout::ops::delete::{Scope, inventory};
use rollout::ops::{history, status};
use rollout::plan::action::Action;
use rollout::plan::desired::Desired;
use rollout::plan::epoch::Epoch;
use rollout::plan::metric::{MetricValue, judge};
use rollout::plan::observed::{InPlace, Observed, SpecStamp, Uid, Workload};
use rollout::plan::preview::{assume, preview_steps};
use rollout::plan::run_status::run_status;
use rollout::plan::step::{Step, plan as next_step};
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Options, RulesSource, Sandbox};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime can be built"),
    );
}

/// Runs something on a clock that passes when everybody waits.
fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| runtime.block_on(future))
}

/// A clock whose time of day passes with it.
fn paused_clock() -> Clock {
    Clock::starting_at(Clock::system().now())
}

/// A manifest, whole; what it is read as is rendered.
pub fn manifest(data: &[u8]) {
    let source = Source { name: "app.yaml".to_owned(), bytes: data.to_vec() };
    match parse_manifest(&[source]) {
        Ok(applications) => applications.iter().for_each(rendered),
        Err(errors) => drop(errors.to_string()),
    }
}

/// The file of a fleet; its overrides change a manifest.
pub fn fleet(data: &[u8]) {
    let app = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: a}\nspec:\n  components:\n  \
               - name: web\n    type: webservice\n    properties: {image: x}\n    \
               traits: [{type: rollout, properties: {targetSize: 2}}]\n";
    let app = [Source { name: "app.yaml".to_owned(), bytes: app.into() }];
    match parse_fleet(&Source { name: "fleet.yaml".to_owned(), bytes: data.to_vec() }) {
        Ok(fleet) => {
            let clusters = fleet.waves.iter().flat_map(|wave| &wave.clusters);
            for overrides in clusters.filter_map(|cluster| cluster.overrides.as_ref()) {
                match parse_overridden(&app, overrides) {
                    Ok(applications) => applications.iter().for_each(rendered),
                    Err(errors) => drop(errors.to_string()),
                }
            }
        }
        Err(errors) => drop(errors.to_string()),
    }
}

/// Everything that an application renders as, which has to be the same each time.
fn rendered(application: &Application) {
    for component in &application.components {
        if component.rollout.is_some() {
            drop(render::render_workload(application, component, "default", "c-v1"));
            drop(render::render_trait_objects(application, component, "default"));
        } else {
            drop(render::render_objects(application, component, "default", "c-v1"));
        }
        let decided = decide_revision(&[], application, component, "default");
        assert_eq!(decided, decide_revision(&[], application, component, "default"));
    }
}

/// The types of traits, of which the first byte of the input chooses one.
const TRAITS: [&str; 52] = [
    "affinity",
    "annotations",
    "canary-traffic",
    "command",
    "configmap",
    "container-image",
    "container-ports",
    "cpuscaler",
    "env",
    "expose",
    "file-logs",
    "gateway",
    "grpc-route",
    "hostalias",
    "hpa",
    "http-route",
    "https-route",
    "ingress",
    "ingress-1-20",
    "init-container",
    "istio-gateway",
    "json-merge-patch",
    "json-patch",
    "k8s-update-strategy",
    "keda-auto-scaler",
    "keda-scaler",
    "kruise-rollout",
    "kustomize-json-patch",
    "kustomize-patch",
    "kustomize-strategy-merge",
    "labels",
    "lifecycle",
    "nocalhost",
    "node-affinity",
    "podsecuritycontext",
    "prometheus-scrape",
    "pure-ingress",
    "pvc",
    "resource",
    "rolling-release",
    "rollout",
    "scaler",
    "securitycontext",
    "service-account",
    "service-binding",
    "sidecar",
    "startup-probe",
    "stdout-logs",
    "storage",
    "tcp-route",
    "topologyspreadconstraints",
    "volumes",
];

/// The properties of a trait, of a component with or without the trait `rollout`.
pub fn traits(data: &[u8]) {
    let [kind, beside, properties @ ..] = data else { return };
    let Ok(properties) = std::str::from_utf8(properties) else { return };
    let kind = TRAITS[usize::from(*kind) % TRAITS.len()];
    let properties = properties.replace('\n', "\n            ");
    let rollout =
        if beside % 2 == 0 { "" } else { "\n        - {type: rollout, properties: {targetSize: 2}}" };
    let component = if beside % 4 < 2 { "webservice" } else { "worker" };
    let text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  components:\n    \
         - name: c\n      type: {component}\n      properties: {{image: x}}\n      traits:\n        - type: {kind}\n          \
         properties:\n            {properties}{rollout}\n"
    );
    manifest(text.as_bytes());
}

/// A metric's condition, and, behind a zero byte, what its provider answers.
pub fn conditions(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(condition), Some(answer)) = (parts.next(), parts.next()) else { return };
    let Ok(condition) = std::str::from_utf8(condition) else { return };
    // Ranges such as `0..9999999` take the memory that they ask for.
    if condition.contains("..") {
        return;
    }
    let text = json!({
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "a"},
        "spec": {"components": [{
            "name": "c",
            "type": "webservice",
            "properties": {"image": "x"},
            "traits": [{"type": "rollout", "properties": {
                "targetSize": 2,
                "analysis": [{"name": "m", "successCondition": condition, "provider": {"exec": {"command": ["a"]}}}],
            }}],
        }]},
    });
    let source = Source { name: "app.json".to_owned(), bytes: text.to_string().into_bytes() };
    let Ok(applications) = parse_manifest(&[source]) else { return };
    let Some(rollout) = &applications[0].components[0].rollout else { return };
    let measured = match serde_json::from_slice(answer) {
        Ok(value) => MetricValue::Json(value),
        Err(_) => MetricValue::Numbers(answer.iter().map(|byte| f64::from(*byte)).collect()),
    };
    for metric in rollout.gates.all_metrics() {
        drop(judge(&metric.condition, &measured));
    }
}

/// Numbers from the input; zero when it has ended.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: u8) -> usize {
        usize::from(self.byte() % limit)
    }

    /// Mostly small, sometimes as large as can be.
    fn count(&mut self) -> u32 {
        match self.byte() {
            255 => u32::MAX,
            254 => u32::MAX - u32::from(self.byte()),
            253 => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            small => u32::from(small % 16),
        }
    }

    fn is_so(&mut self) -> bool {
        self.byte() % 2 == 1
    }
}

/// How many steps a run may take. The longest has a write and a wait for each batch and each source.
const MAX_STEPS: usize = 400;

/// A component in any state, and a run from there, in which anything may happen between two steps.
pub fn plan(data: &[u8]) {
    let mut numbers = Numbers(data);
    let kind =
        [WorkloadKind::Deployment, WorkloadKind::CloneSet, WorkloadKind::StatefulSet][numbers.below(3)];
    let mut world = Observed::default();
    let count = if kind == WorkloadKind::Deployment { numbers.below(4) } else { numbers.below(2) };
    for index in 0..count {
        let name = if kind == WorkloadKind::Deployment { format!("v{index}") } else { "web".to_owned() };
        let uid = Uid(format!("uid-{index}"));
        world.workloads.push(Workload { name, uid, ..Workload::default() });
        disturb(&mut numbers, kind, &mut world, index);
    }
    for _ in 0..=numbers.below(3) {
        let desired = desired(&mut numbers, kind);
        world.claimed_epoch = None;
        let steps = preview_steps(&world, &desired);
        let last = &steps[steps.len().saturating_sub(6)..];
        assert!(steps.len() < MAX_STEPS, "it does not end: {last:?}, from {world:?} to {desired:?}");
        for _ in 0..MAX_STEPS {
            let step = next_step(&world, &desired);
            drop(run_status(&world));
            match &step {
                Step::Nothing | Step::Superseded { .. } | Step::ExternalChange { .. } | Step::Refuse(_) => {
                    break;
                }
                Step::Act(Action::Hold { .. } | Action::Finish) => {
                    assume(&mut world, &desired, &step);
                    break;
                }
                Step::Act(Action::Wait { .. }) if numbers.0.is_empty() => break,
                Step::Act(Action::Wait { .. }) => {}
                Step::Claim { .. } | Step::Stamp { .. } | Step::Act(_) => assume(&mut world, &desired, &step),
            }
            if !world.workloads.is_empty() && numbers.is_so() {
                let index = numbers.below(u8::try_from(world.workloads.len()).unwrap_or(u8::MAX));
                disturb(&mut numbers, kind, &mut world, index);
            }
        }
    }
}

fn desired(numbers: &mut Numbers<'_>, kind: WorkloadKind) -> Desired {
    let target = format!("v{}", numbers.below(4));
    let amount = |numbers: &mut Numbers<'_>| match numbers.is_so() {
        true => Amount::Count(numbers.count()),
        false => Amount::Percent(u32::from(numbers.byte() % 101)),
    };
    let batches = numbers.below(6);
    let batches: Vec<Batch> =
        (0..batches).map(|_| Batch { replicas: amount(numbers), max_unavailable: amount(numbers) }).collect();
    Desired {
        kind,
        workload: if kind == WorkloadKind::Deployment { target.clone() } else { "web".to_owned() },
        target,
        target_size: numbers.count(),
        batches: (!batches.is_empty()).then_some(batches),
        partition: numbers.is_so().then(|| numbers.count()),
        strategy: if numbers.is_so() { Strategy::DecreaseFirst } else { Strategy::IncreaseFirst },
        gates: BatchGates::default(),
    }
}

/// Something happens to a workload.
fn disturb(numbers: &mut Numbers<'_>, kind: WorkloadKind, world: &mut Observed, index: usize) {
    let epoch = world.record.as_ref().map_or(Epoch(0), |record| record.epoch);
    let workload = &mut world.workloads[index];
    workload.replicas = numbers.count();
    workload.status_replicas = numbers.count();
    workload.ready_replicas = numbers.count();
    workload.updated_replicas = numbers.count();
    workload.generation = i64::from(numbers.count());
    workload.observed_generation =
        if numbers.is_so() { workload.generation } else { i64::from(numbers.count()) };
    workload.deleting = numbers.byte() == 1;
    workload.paused = numbers.byte() == 1;
    workload.epoch = numbers.is_so().then_some(epoch);
    if kind != WorkloadKind::Deployment {
        let revision = format!("v{}", numbers.below(4));
        let generation = workload.generation.saturating_sub(i64::from(numbers.below(2) as u8));
        workload.in_place = Some(InPlace {
            spec_stamp: numbers.is_so().then_some(SpecStamp { revision, generation, epoch }),
            partition: numbers.count(),
            updated_ready: numbers.count(),
            ..InPlace::default()
        });
    }
}

/// A quantity, such as `1.5Gi`.
pub fn quantities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(likely) = likely_quantity(text) {
        assert!(is_quantity(&likely), "{text} is not likely {likely}");
    }
    let Some(amount) = parse_quantity(text) else { return };
    assert!(is_quantity(text) && amount >= 0);
    for counts in [Counts::Bytes, Counts::Things] {
        let written = format_quantity(amount, counts);
        let again = parse_quantity(&written);
        assert!(again.is_some_and(|again| again >= amount), "{text} is written as {written}, which is less");
    }
}

/// A kubeconfig, up to the client's configuration; no plugin is run.
pub fn kubeconfig(data: &[u8]) {
    let file = scratch_file("kubeconfig");
    std::fs::write(&file, data).expect("a file can be written");
    let words = ["rollout", "status", "--kubeconfig", file.to_str().expect("the path is text")];
    for context in [None, Some("--context=a")] {
        let cli = Cli::try_parse_from(words.into_iter().chain(context)).expect("the flags are known");
        match configuration(&cli.global) {
            Ok(config) => drop(config),
            Err(error) => drop(format!("{error:?}")),
        }
    }
}

fn scratch_file(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new("/dev/shm");
    let folder = if folder.is_dir() { folder.to_owned() } else { std::env::temp_dir() };
    folder.join(format!("rollout-fuzz-{name}-{}-{:?}", std::process::id(), std::thread::current().id()))
}

/// Time limits with which nothing is tried again.
const IMPATIENT: Timeouts = Timeouts {
    request: Duration::from_secs(1),
    outage: Duration::ZERO,
    credentials: Duration::ZERO,
    webhook: Duration::ZERO,
    connect: Duration::ZERO,
};

/// A client for which these are the answers, one after the other; after the last, nothing is answered.
fn answering(answers: Vec<Response<Body>>, is_over: Arc<Notify>) -> Client {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let service = tower::service_fn(move |_: Request<Body>| {
        let next = answers.lock().map(|mut answers| answers.next()).unwrap_or_default();
        let is_over = is_over.clone();
        async move {
            match next {
                Some(answer) => Ok::<_, Infallible>(answer),
                None => {
                    is_over.notify_one();
                    std::future::pending().await
                }
            }
        }
    });
    Client::new(service, "default")
}

/// The answers that an input consists of: a byte for the code, one for the type, and the body up to a zero.
fn answers_of(data: &[u8]) -> Vec<Response<Body>> {
    const CODES: [u16; 16] = [200, 200, 200, 200, 201, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 302];
    const TYPES: [&str; 4] = ["application/json", "text/plain", "text/html", ""];
    let of = |part: &[u8]| {
        let [code, kind, body @ ..] = part else { return None };
        let answer = Response::builder()
            .status(CODES[usize::from(*code) % CODES.len()])
            .header("content-type", TYPES[usize::from(*kind) % TYPES.len()])
            .header("retry-after", "1");
        answer.body(Body::from(Bytes::copy_from_slice(body))).ok()
    };
    data.split(|byte| *byte == 0).filter_map(of).take(8).collect()
}

/// Answers of a server to commands that read.
pub fn answers(data: &[u8]) {
    let Some((command, data)) = data.split_first() else { return };
    in_paused_time(async {
        let is_over = Arc::new(Notify::new());
        let client = answering(answers_of(data), is_over.clone());
        let context = Context::new(Session::new(client, paused_clock(), IMPATIENT), "me".to_owned());
        let component = ComponentSelector { namespace: "default".to_owned(), name: None };
        let work = async {
            match command % 4 {
                0 => drop(status::statuses_with_drivers(&context, "default", None).await),
                1 => drop(history::history(&context, &component).await),
                2 => {
                    let scope = Scope {
                        namespace: "default".to_owned(),
                        application: "shop".to_owned(),
                        component: None,
                    };
                    drop(inventory::take(&context.session, &scope).await);
                }
                _ => drop(preview_request(&context.session, &request()).await),
            }
        };
        tokio::select! {
            () = work => {}
            () = is_over.notified() => {}
        }
    });
}

fn request() -> RolloutRequest {
    let text = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n    \
                - {name: web, type: webservice, properties: {image: 'web:1', ports: [{port: 80, expose: true}]}, \
                traits: [{type: rollout, properties: {targetSize: 3}}]}\n";
    let source = Source { name: "app.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let applications = parse_manifest(&[source]).expect("the manifest is right");
    RolloutRequest::of_manifest(&applications[0], "default".to_owned(), Overrides::default())
}

/// The stream of a watch: one JSON document a line.
pub fn watch_stream(data: &[u8]) {
    in_paused_time(async {
        let is_over = Arc::new(Notify::new());
        let answer = Response::builder().header("content-type", "application/json");
        let answer = answer.body(Body::from(Bytes::copy_from_slice(data))).expect("it is an answer");
        let client = answering(vec![answer], is_over.clone());
        let session = Session::new(client, paused_clock(), IMPATIENT);
        let heard = AtomicUsize::new(0);
        let on_heard = |_| {
            heard.fetch_add(1, Ordering::Relaxed);
        };
        tokio::select! {
            () = record_watch::watch_records(&session, "default", Some("1".to_owned()), on_heard) => {}
            () = is_over.notified() => {}
        }
    });
}

/// The file of a sandbox, which is opened and read from.
pub fn sandbox_file(data: &[u8]) {
    let file = scratch_file("sandbox");
    std::fs::write(&file, data).expect("a file can be written");
    in_paused_time(async {
        let clock = paused_clock();
        let now = clock.clone();
        let options = Options {
            file: Some(file.clone()),
            rules: RulesSource::Stored,
            now: Arc::new(move || now.now()),
            record_history: false,
        };
        match Sandbox::open(options) {
            Ok(sandbox) => {
                let session = Session::new(sandbox.client("default"), clock, IMPATIENT);
                let context = Context::new(session, "me".to_owned());
                drop(status::statuses(&context, "default").await);
            }
            Err(error) => drop(error.to_string()),
        }
    });
}

/// The rules of a sandbox's kubelet.
pub fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_rules("rules.yaml", text) {
        Ok(rules) => drop(rules),
        Err(error) => drop(error.to_string()),
    }
}
