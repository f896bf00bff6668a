//! Rehearses requests: prepares a sandbox with a copy of the cluster's state, in which they can be applied.

mod gates;
mod injection;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use serde_json::Value;

use crate::cluster::clock::Clock;
use crate::cluster::error::ClusterError;
use crate::cluster::lookup::label_selector;
use crate::cluster::session::{Session, Timeouts};
use crate::cluster::{keys, workload};
use crate::driver::context::Context;
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::driver::prepare::PreparedComponent;
use crate::driver::preview::preview_request;
use crate::driver::request::{Intent, RolloutRequest};
use crate::oam::apply_order::apply_rank;
use crate::oam::exposure::Exposure;
use crate::oam::{labels, render};
use crate::probe::script::ScriptedGates;
use crate::sandbox::rules::{PodMatch, Rule, parse_rules};
use crate::sandbox::{Options, RulesSource, Sandbox};

use gates::scripted_requests;
pub use injection::{Injections, parse_injections};
use injection::{PodInjection, check_images};

/// The behaviour of pods without injected failures.
const USUAL: &str = "- {image: '*', readyAfter: 50ms}";
/// How often to read the copy until its pods are ready.
const READ_EVERY: Duration = Duration::from_millis(20);
/// The maximum number of reads.
const MAX_READS: usize = 500;

/// A sandbox with a copy of the cluster's state.
pub struct Rehearsal {
    /// The context to apply the requests with.
    pub context: Context,
    /// The requests, with only the gates that the sandbox can answer.
    pub requests: Vec<RolloutRequest>,
    /// The sandbox, which lives as long as the rehearsal.
    pub sandbox: Sandbox,
    /// How many objects were copied.
    pub copied: usize,
    /// Warnings, such as about objects that cannot be copied.
    pub warnings: Vec<String>,
}

/// Copies the objects that the requests are about to a sandbox. Only reads the cluster.
///
/// # Errors
/// The first rejection of a request, of any kind. [`FailureKind::Invalid`](crate::ops::FailureKind::Invalid): an
/// injection that matches nothing. The server's last error.
pub async fn rehearse(
    context: &Context,
    requests: &[RolloutRequest],
    injections: &Injections,
) -> Result<Rehearsal, Failure> {
    let scripted = scripted_requests(requests, &injections.gates)?;
    let (mut targets, mut warnings, mut objects) = (Vec::new(), Vec::new(), Vec::<Copied>::new());
    let mut images = BTreeSet::new();
    for request in requests {
        // Check what only the cluster knows: foreign objects, kinds that it does not serve, quotas.
        match preview_request(&context.session, request).await {
            Ok(forecasts) => {
                warnings.extend(forecasts.iter().flat_map(|forecast| forecast.warnings.iter().cloned()));
                targets.extend(forecasts.iter().filter(|forecast| forecast.is_pending()).map(Target::of));
                objects.extend(forecasts.iter().flat_map(|forecast| applied_objects(&forecast.prepared)));
                images.extend(forecasts.iter().flat_map(|forecast| target_images(&forecast.prepared)));
            }
            Err(rejections) => {
                if let Some(first) = rejections.into_iter().next() {
                    return Err(first.failure);
                }
            }
        }
    }
    // Create dependencies before their dependents.
    objects.sort_by_key(|(kind, _)| apply_rank(&kind.kind));
    for request in requests {
        objects.extend(read_objects(&context.session, request).await?);
    }
    images.extend(objects.iter().filter_map(|(_, object)| image(&object.data)));
    check_images(injections, &images)?;
    let mut known = BTreeSet::new();
    objects.retain(|(_, object)| object.metadata.uid.as_ref().is_none_or(|uid| known.insert(uid.clone())));
    warnings.extend(scripted.warnings);
    let copy = open_copy(context, objects, injections, &targets).await?;
    warnings.extend(copy.warnings);
    Ok(Rehearsal { warnings, requests: scripted.requests, ..copy })
}

/// The target revision of a run.
struct Target {
    component: String,
    revision: String,
}

impl Target {
    fn of(forecast: &PlannedComponent) -> Self {
        let (component, revision) =
            (forecast.prepared.component.clone(), forecast.prepared.desired.target.clone());
        Self { component, revision }
    }

    /// Matches its pods that are created after `since`.
    fn pods(&self, since: Timestamp) -> PodMatch {
        let labels = [(labels::COMPONENT, &self.component), (labels::REVISION, &self.revision)];
        let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        PodMatch { labels, since }
    }
}

/// The kubelet's rules for pods from a moment on: the injected failures, followed by the usual behaviour.
fn pod_rules(injections: &Injections, targets: &[Target], since: Timestamp, usual: &[Rule]) -> Vec<Rule> {
    let of = |PodInjection { rule, is_of_run }: &PodInjection| match is_of_run {
        false => vec![rule.clone()],
        true => targets.iter().map(|one| Rule { only: Some(one.pods(since)), ..rule.clone() }).collect(),
    };
    injections.pods.iter().flat_map(of).chain(usual.iter().cloned()).collect()
}

/// An object to copy, with its kind.
type Copied = (ApiResource, DynamicObject);

/// The live objects that are applied as a whole, those of traits, and those that a run would delete.
fn applied_objects(prepared: &PreparedComponent) -> impl Iterator<Item = Copied> {
    let whole = prepared.objects.iter().chain([&prepared.trait_objects]);
    whole.flat_map(|objects| {
        let applied = objects.objects.iter();
        let applied = applied.filter_map(|one| Some((one.kind.as_ref()?, one.before.as_ref()?)));
        let left = objects.leftovers.iter().map(|left| (&left.kind, &left.before));
        applied.chain(left).map(|(kind, object)| (kind.resource.clone(), object.clone()))
    })
}

/// The images by which rules identify the pods of the target.
fn target_images(prepared: &PreparedComponent) -> impl Iterator<Item = String> {
    let objects = prepared.objects.iter().chain([&prepared.trait_objects]);
    let bodies = objects.flat_map(|objects| objects.objects.iter().map(|object| &object.body));
    prepared.target.workload().into_iter().chain(bodies).filter_map(image)
}

/// The image of the first container of an object's pods.
fn image(object: &Value) -> Option<String> {
    let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"];
    let images = templates.iter().filter_map(|path| object.pointer(&format!("{path}/containers/0/image")));
    images.filter_map(Value::as_str).map(str::to_owned).next()
}

/// The objects that a run of a request may read, dependencies first.
async fn read_objects(session: &Session, request: &RolloutRequest) -> Result<Vec<Copied>, ClusterError> {
    let components = request.component_names();
    let mut lists = vec![
        (ApiResource::erase::<ConfigMap>(&()), label_selector(keys::RECORD_COMPONENT, &components)),
        (
            ApiResource::erase::<ControllerRevision>(&()),
            label_selector(labels::REVISION_COMPONENT, &components),
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
        let api = session.dynamic(&request.namespace, &resource);
        let params = ListParams::default().labels_from(&selector);
        let list = session.read(|| api.list(&params)).await?;
        objects.extend(list.items.into_iter().map(|object| (resource.clone(), object)));
    }
    // A run does not need the right to list Services, or to read them if it exposes nothing.
    let resource = ApiResource::erase::<Service>(&());
    let api = session.dynamic(&request.namespace, &resource);
    for component in &request.components {
        let is_exposing = match &component.intent {
            Intent::Manifest { component, .. } => !Exposure::of(component).ports.is_empty(),
            Intent::Revision { .. }
            | Intent::Recorded { .. }
            | Intent::Abort { .. }
            | Intent::Scale { .. } => false,
        };
        for (name, _) in render::services::service_names(&component.name, component.kind()) {
            match session.read(|| api.get_opt(&name)).await {
                Ok(found) => objects.extend(found.map(|service| (resource.clone(), service))),
                Err(ClusterError::Forbidden(_)) if !is_exposing => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(objects)
}

/// A sandbox with the objects, once their pods are ready; later pods fail as injected.
async fn open_copy(
    real: &Context,
    objects: Vec<Copied>,
    injections: &Injections,
    targets: &[Target],
) -> Result<Rehearsal, ClusterError> {
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
    let session = Session::seeded(
        fastrand::u64(..),
        sandbox.client("default"),
        clock,
        Timeouts { request: Duration::ZERO, ..Timeouts::default() },
    );
    let (mut copied, mut warnings) = (0, Vec::new());
    for (resource, object) in objects {
        let name = format!("{} `{}`", resource.kind.to_lowercase(), object.name_any());
        match copy_object(&session, &resource, object).await {
            Ok(()) => copied += 1,
            // The sandbox does not have the kind, or has a rule that the cluster does not have.
            Err(ClusterError::NotFound(reason) | ClusterError::Invalid(reason)) => {
                warnings.push(format!("{name} is not in the copy: {reason}"));
            }
            Err(error) => return Err(error),
        }
    }
    for _ in 0..MAX_READS {
        if sandbox.objects().iter().all(has_all_pods) {
            break;
        }
        session.clock().pause(READ_EVERY).await;
    }
    sandbox.set_rules(pod_rules(injections, targets, session.clock().now(), &usual));
    // A rehearsal must not call real hooks and providers.
    let probe = Rc::new(ScriptedGates::new(injections.gates.clone()));
    let context = Context { probe: Some(probe), ..Context::new(session, real.identity.clone()) };
    Ok(Rehearsal { context, requests: Vec::new(), sandbox, copied, warnings })
}

/// Creates the copy of an object. If its fields are owned through an apply, the copy keeps the managed fields:
/// otherwise, each field would conflict with the next apply.
async fn copy_object(
    session: &Session,
    resource: &ApiResource,
    object: DynamicObject,
) -> Result<(), ClusterError> {
    let managers = object.metadata.managed_fields.clone().unwrap_or_default();
    let api = session.objects(resource, object.metadata.namespace.as_deref());
    let params = PostParams::default();
    let mut copy = session.request_once(api.create(&params, &bare(object))).await?;
    if !managers.iter().any(|entry| entry.operation.as_deref() == Some("Apply")) {
        return Ok(());
    }
    loop {
        copy.metadata.managed_fields = Some(managers.clone());
        match session.request_once(api.replace(&copy.name_any(), &params, &copy)).await {
            // A controller has changed it in the meantime.
            Err(ClusterError::Conflict(_)) => copy = session.request_once(api.get(&copy.name_any())).await?,
            answer => return answer.map(drop),
        }
    }
}

/// The fields that clients wrote, without owners, which have different UIDs in the copy.
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
        // The cluster assigns a Service's addresses; `None` is not an address.
        spec.remove("clusterIPs");
        spec.retain(|field, value| field != "clusterIP" || value == "None");
        // The cluster also assigns a Job's selector, and the labels that it selects.
        if object.types.as_ref().is_some_and(|types| types.kind == "Job") {
            spec.remove("selector");
            let labels =
                spec.get_mut("template").and_then(|template| template.pointer_mut("/metadata/labels"));
            if let Some(labels) = labels.and_then(Value::as_object_mut) {
                labels.retain(|label, _| !label.ends_with("controller-uid") && !label.ends_with("job-name"));
            }
        }
    }
    object
}

/// Whether a workload has all its pods; true for objects of other kinds.
fn has_all_pods(object: &Value) -> bool {
    let is_workload = matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet" | "CloneSet"));
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    !is_workload || object["status"]["readyReplicas"].as_i64().unwrap_or(0) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injected_failures_precede_the_usual_rules() {
        let injected = parse_injections(&["web:5*=NeverReady".to_owned(), "OOMKilled".to_owned()]).unwrap();
        let target = |name: &str| Target { component: name.to_owned(), revision: format!("{name}-v2") };
        let usual = parse_rules("usual", USUAL).unwrap();
        let rules = pod_rules(&injected, &[target("web"), target("api")], Timestamp::UNIX_EPOCH, &usual);
        let about = |rule: &Rule| {
            let labels = rule.only.iter().flat_map(|only| only.labels.values().cloned());
            format!("{} {}", rule.image, labels.collect::<Vec<_>>().join(" "))
        };
        let about: Vec<String> = rules.iter().map(about).collect();
        assert_eq!(about, ["web:5* ", "* web web-v2", "* api api-v2", "* "]);
    }
}
