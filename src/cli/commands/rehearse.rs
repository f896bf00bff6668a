//! `rollout rehearse`: a run in a sandbox that begins with a copy of what is there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use serde_json::Value;

use crate::cli::commands::apply::{self, OnFailure};
use crate::cli::commands::driving;
use crate::cli::connect::client::{Access, Connection};
use crate::cli::connect::setting::{self, Setting, unreachable};
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::{BatchArgs, GlobalArgs, ManifestArgs, RunOutput};
use crate::cli::flags::values;
use crate::cli::input;
use crate::cli::terminal::ui::Ui;
use crate::cluster::classify::ServerName;
use crate::cluster::clock::Clock;
use crate::cluster::error::ClusterError;
use crate::cluster::{keys, pods, workload};
use crate::driver::context::{FailFast, Limits};
use crate::driver::foresee::{Forecast, foresee};
use crate::driver::request::{Intent, RolloutRequest};
use crate::oam::{labels, render};
use crate::report::text::plural;
use crate::sandbox::rules::{PodMatch, Rule, parse_rules};
use crate::sandbox::{Options, RulesSource, Sandbox};

/// Roll out manifests in a sandbox with a copy of the current state
///
/// Only reads the cluster: copies its workloads, revisions, Services and run records to a sandbox inside this process,
/// where pods become ready at once, and drives the run there to its end. With `--inject`, pods fail as they would in the
/// cluster: this shows the messages, how the run ends, and what runs afterwards. Quotas, admission webhooks and policies,
/// and the scheduler are not copied: what they would reject succeeds here.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to rehearse.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Make pods fail with FAILURE; can be repeated
    ///
    /// FAILURE is any failure that `--sandbox-rules` supports, such as `ImagePullBackOff` or `NeverReady`. IMAGE is a
    /// pattern with `*` and `?`; without it, the new pods of the target revisions fail.
    #[arg(long, value_name = "[IMAGE=]FAILURE")]
    pub inject: Vec<String>,

    /// How it is cut.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// Give up on a batch after this time; `0` disables the limit
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub batch_timeout: jiff::SignedDuration,

    /// What to do when a component's pods do not become ready
    #[arg(long, value_name = "WHAT", default_value = "hold")]
    pub on_failure: OnFailure,

    /// Accept different content under an existing `externalRevision`
    #[arg(long)]
    pub reuse_revision: bool,

    /// Print the result in this format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: RunOutput,
}

const EXAMPLES: &str = "\
Examples:
  $ rollout rehearse app.yaml
  $ rollout rehearse app.yaml --inject ImagePullBackOff
  $ rollout rehearse app.yaml --inject 'web:5*=NeverReady' --on-failure undo";

/// What pods do about which nothing is injected.
const USUAL: &str = "- {image: '*', readyAfter: 50ms}";
/// How often it is looked whether the copy's pods are there.
const LOOK: Duration = Duration::from_millis(20);
/// How many looks that takes at most.
const MOST_LOOKS: usize = 500;

/// Runs the command.
///
/// # Errors
///
/// Whatever would stop the rollout, and a cluster that cannot be read.
pub async fn run(args: &Args, global: &GlobalArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let applications = input::applications(&args.manifests.paths(), ui)?;
    let real = setting::open(global, Access::Read, ui).await?;
    let requests = apply::requests(&real, &applications, &args.batches.overrides(args.reuse_revision))?;
    let injected = injected(&args.inject)?;
    let mut targets = Vec::new();
    for request in &requests {
        // What only the cluster knows: objects of others, kinds that it does not serve, quotas.
        match foresee(&real.session, request).await {
            Ok(forecasts) => {
                forecasts.iter().flat_map(|forecast| &forecast.warnings).for_each(|warning| ui.warn(warning));
                targets.extend(forecasts.iter().filter(|forecast| forecast.is_pending()).map(Target::of));
            }
            Err(refused) => {
                if let Some(first) = refused.into_iter().next() {
                    return Err(first.failure.into());
                }
            }
        }
    }
    let mut objects = Vec::new();
    for request in &requests {
        objects.extend(read(&real, request).await.map_err(unreachable)?);
    }
    let copied = plural(objects.len(), "object", "objects");
    ui.status(&format!("rehearsal: a sandbox with a copy of {copied}; nothing is sent to the cluster"));
    let copy = open(&real, objects, &injected, &targets).await.map_err(unreachable)?;
    let limits = Limits {
        run: Duration::ZERO,
        batch: args.batch_timeout.unsigned_abs(),
        lock: Duration::ZERO,
        fail_fast: FailFast::Off,
        on_failure: args.on_failure.into(),
        logs: pods::LOG_LINES,
    };
    driving::drive(&copy, &requests, limits, args.output, ui).await
}

/// A failure to inject.
struct Injected {
    rule: Rule,
    /// Whether it is about the pods that the run makes, of whatever image.
    is_of_run: bool,
}

/// What `--inject` asks for.
fn injected(words: &[String]) -> Result<Vec<Injected>, Failure> {
    let read = |word: &String| {
        let (image, failure) = word.rsplit_once('=').unwrap_or(("*", word));
        // JSON's strings are YAML's.
        let text = format!("- {{image: {}, fail: {}}}\n", Value::from(image), Value::from(failure));
        let rules = parse_rules("--inject", &text)
            .map_err(|error| Failure::message(Kind::Usage, format!("`--inject`: {}", error.problem)))?;
        let is_of_run = !word.contains('=');
        Ok(rules.into_iter().map(move |rule| Injected { rule, is_of_run }).collect::<Vec<_>>())
    };
    Ok(words.iter().map(read).collect::<Result<Vec<_>, Failure>>()?.into_iter().flatten().collect())
}

/// A revision that a run goes to.
struct Target {
    component: String,
    revision: String,
}

impl Target {
    fn of(forecast: &Forecast) -> Self {
        let (component, revision) =
            (forecast.prepared.component.clone(), forecast.prepared.desired.target.clone());
        Self { component, revision }
    }

    /// Its pods, as far as they are new.
    fn pods(&self, since: Timestamp) -> PodMatch {
        let labels = [(labels::COMPONENT, &self.component), (labels::REVISION, &self.revision)];
        let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        PodMatch { labels, since }
    }
}

/// The kubelet's rules for pods from a moment on: what is injected, and the usual after it.
fn rules(injected: &[Injected], targets: &[Target], since: Timestamp, usual: &[Rule]) -> Vec<Rule> {
    let of = |Injected { rule, is_of_run }: &Injected| match is_of_run {
        false => vec![rule.clone()],
        true => targets.iter().map(|one| Rule { only: Some(one.pods(since)), ..rule.clone() }).collect(),
    };
    injected.iter().flat_map(of).chain(usual.iter().cloned()).collect()
}

/// An object to copy, with its kind.
type Copied = (ApiResource, DynamicObject);

/// What a run of a request may see, dependents after what they depend on.
async fn read(setting: &Setting, request: &RolloutRequest) -> Result<Vec<Copied>, ClusterError> {
    let components = request.component_names();
    let names = components.join(",");
    let mut lists = vec![
        (ApiResource::erase::<ConfigMap>(&()), format!("{} in ({names})", keys::RECORD_COMPONENT)),
        (
            ApiResource::erase::<ControllerRevision>(&()),
            format!("{} in ({names})", labels::REVISION_COMPONENT),
        ),
    ];
    lists.extend(
        request
            .kinds()
            .into_iter()
            .map(|kind| (workload::workload_resource(kind), workload::component_selector(&components))),
    );
    let mut objects = Vec::new();
    for (resource, selector) in lists {
        let api = setting.session.dynamic(&request.namespace, &resource);
        let params = ListParams::default().labels(&selector);
        let list = setting.session.read(|| api.list(&params)).await?;
        objects.extend(list.items.into_iter().map(|object| (resource.clone(), object)));
    }
    // A run need not be allowed to list Services, nor to see them where it exposes nothing.
    let resource = ApiResource::erase::<Service>(&());
    let api = setting.session.dynamic(&request.namespace, &resource);
    for component in &request.components {
        let is_exposing = match &component.intent {
            Intent::Manifest { component, .. } => component.properties.ports.iter().any(|port| port.expose),
            Intent::Revision { .. }
            | Intent::Recorded { .. }
            | Intent::Abort { .. }
            | Intent::Scale { .. } => false,
        };
        for (name, _) in render::services::names(&component.name, component.kind()) {
            match setting.session.read(|| api.get_opt(&name)).await {
                Ok(found) => objects.extend(found.map(|service| (resource.clone(), service))),
                Err(ClusterError::Forbidden(_)) if !is_exposing => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(objects)
}

/// A sandbox with the objects, once their pods are there, of which the pods to come fail as injected.
async fn open(
    real: &Setting,
    objects: Vec<Copied>,
    injected: &[Injected],
    targets: &[Target],
) -> Result<Setting, ClusterError> {
    let clock = Clock::system();
    let now = clock.clone();
    let usual = parse_rules("usual", USUAL).map_err(|error| ClusterError::Other(error.to_string()))?;
    let sandbox = Sandbox::open(Options {
        file: None,
        rules: RulesSource::Given(usual.clone()),
        now: Arc::new(move || now.now()),
        record_history: false,
    })
    .map_err(|error| ClusterError::Other(error.to_string()))?;
    let connection = Connection {
        client: sandbox.client("default"),
        server: ServerName::default(),
        sandbox: Some(sandbox.clone()),
        namespaces: real.connection.namespaces.clone(),
        request_timeout: None,
    };
    let setting = Setting::over(connection, clock, real.identity.clone());
    for (resource, object) in objects {
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let api = setting.session.dynamic(&namespace, &resource);
        setting.session.request_once(api.create(&PostParams::default(), &bare(object))).await?;
    }
    for _ in 0..MOST_LOOKS {
        if sandbox.objects().iter().all(is_ready) {
            break;
        }
        setting.session.clock().pause(LOOK).await;
    }
    sandbox.set_rules(rules(injected, targets, setting.session.clock().now(), &usual));
    Ok(setting)
}

/// What somebody wrote of an object. Owners have other identities in the copy.
fn bare(mut object: DynamicObject) -> DynamicObject {
    let seen = std::mem::take(&mut object.metadata);
    object.metadata.name = seen.name;
    object.metadata.namespace = seen.namespace;
    object.metadata.labels = seen.labels;
    object.metadata.annotations = seen.annotations;
    if let Some(fields) = object.data.as_object_mut() {
        fields.remove("status");
    }
    if let Some(spec) = object.data.get_mut("spec").and_then(Value::as_object_mut) {
        // A Service's addresses are the cluster's to give; `None` is no address.
        spec.remove("clusterIPs");
        spec.retain(|field, value| field != "clusterIP" || value == "None");
    }
    object
}

/// Whether a workload has all its pods; whatever else has none.
fn is_ready(object: &Value) -> bool {
    let is_workload = matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet" | "CloneSet"));
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    !is_workload || object["status"]["readyReplicas"].as_i64().unwrap_or(0) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_injected_comes_before_the_usual() {
        let injected = injected(&["web:5*=NeverReady".to_owned(), "OOMKilled".to_owned()]).unwrap();
        let target = |name: &str| Target { component: name.to_owned(), revision: format!("{name}-v2") };
        let usual = parse_rules("usual", USUAL).unwrap();
        let rules = rules(&injected, &[target("web"), target("api")], Timestamp::UNIX_EPOCH, &usual);
        let about = |rule: &Rule| {
            let labels = rule.only.iter().flat_map(|only| only.labels.values().cloned());
            format!("{} {}", rule.image, labels.collect::<Vec<_>>().join(" "))
        };
        let about: Vec<String> = rules.iter().map(about).collect();
        assert_eq!(about, ["web:5* ", "* web web-v2", "* api api-v2", "* "]);
    }

    #[test]
    fn an_unknown_failure_is_refused_with_those_that_there_are() {
        let Err(failure) = injected(&["*=Gone".to_owned()]) else { panic!("there is no such failure") };
        let text = failure.error.to_string();
        assert!(text.starts_with("`--inject`: ") && text.contains("NeverReady"), "{text}");
        assert_eq!(failure.kind, Kind::Usage);
    }
}
