//! Plans what applying requests would do, without writing anything.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::service::Change;
use crate::driver::checks::local_gates::{check_local_gates, untrusted_gates};
use crate::driver::checks::object_dry_run::NewObjects;
use crate::driver::checks::queries::check_queries;
use crate::driver::checks::server_dry_run::dry_run_on_server;
use crate::driver::context::Context;
use crate::driver::inherited_metadata::Metadata;
use crate::driver::object_owner::Handling;
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::driver::prepare::Rejection;
use crate::driver::preview::preview_request;
use crate::driver::request::RolloutRequest;
use crate::oam::revision::remove_last_applied;
use crate::plan::action::Action;
use crate::plan::gate_place::GatePlace;
use crate::plan::observed::Workload;
use crate::plan::step::{Refusal, Step};
use crate::plan::window::{ClosedWindow, closed_window};
use crate::report::plan::{ComponentPlan, PlannedChange, PlannedObject, PlannedRevision};

/// How a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// On the client, from the state of the cluster.
    Client,
    /// The server also validates every object that would be created.
    Server,
}

/// What applying requests would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The components that can be applied, in the requests' order.
    pub components: Vec<ComponentPlan>,
    /// Warnings about them.
    pub warnings: Vec<String>,
    /// The failures of the components that cannot be applied.
    pub rejections: Vec<Failure>,
}

/// Plans every request.
pub async fn plan(context: &Context, requests: &[RolloutRequest], dry_run: DryRun) -> Plan {
    let mut plan = Plan::default();
    for request in requests {
        match preview_request(&context.session, request).await {
            Ok(forecasts) => {
                let created = NewObjects::of(forecasts.iter().map(|forecast| &forecast.prepared));
                let checks = forecasts.iter().map(|forecast| check_queries(context, &forecast.prepared));
                let checked = join_all(checks).await;
                let held = held_dependencies(&forecasts);
                // Each forecast is dropped once it is added: with all its objects, it is far larger than the part that
                // is kept.
                let added = plan.components.len();
                for (forecast, queries) in forecasts.into_iter().zip(checked) {
                    plan.add(context, forecast, queries, dry_run, &created).await;
                }
                for component in &mut plan.components[added..] {
                    component.held_dependencies = held.get(&component.component).cloned().unwrap_or_default();
                }
            }
            Err(rejections) => {
                plan.rejections.extend(rejections.into_iter().map(|rejection| rejection.failure));
            }
        }
    }
    plan
}

/// The dependencies of each component that their runs leave held between their batches, so that the component does not
/// start.
fn held_dependencies(forecasts: &[PlannedComponent]) -> BTreeMap<String, Vec<String>> {
    let ends_held = |forecast: &PlannedComponent| {
        matches!(forecast.steps.last().map(|foreseen| &foreseen.step), Some(Step::Act(Action::Hold { .. })))
    };
    let held: BTreeSet<&String> =
        forecasts.iter().filter(|one| ends_held(one)).map(|one| &one.prepared.component).collect();
    let of_component = |forecast: &PlannedComponent| {
        let place = forecast.prepared.workflow.as_ref().filter(|_| forecast.is_pending() || forecast.is_held);
        let before = place.into_iter().flat_map(|place| &place.depends_on);
        let before: Vec<String> = before.filter(|name| held.contains(name)).cloned().collect();
        (forecast.prepared.component.clone(), before)
    };
    forecasts.iter().map(of_component).collect()
}

impl Plan {
    async fn add(
        &mut self,
        context: &Context,
        forecast: PlannedComponent,
        queries: Result<Vec<String>, Failure>,
        dry_run: DryRun,
        created: &NewObjects,
    ) {
        if let Some(Step::Refuse(Refusal::BatchSumError(sum_error))) =
            forecast.steps.last().map(|foreseen| &foreseen.step)
        {
            self.rejections.push(Failure::from(sum_error));
            return;
        }
        self.warnings.extend(forecast.prepared.warnings.iter().chain(&forecast.warnings).cloned());
        let untrusted = untrusted_gates(context, std::slice::from_ref(&forecast.prepared));
        let untrusted = untrusted.into_iter().filter(|_| forecast.is_pending());
        self.warnings.extend(untrusted.map(|Rejection { component, failure }| {
            format!("component `{component}`: {}; `apply` needs `--trust-gates`", failure.reason)
        }));
        let component = &forecast.prepared.component;
        let of_component = |failure: Failure| Failure {
            reason: format!("component `{component}`: {}", failure.reason),
            ..failure
        };
        let checked = check_local_gates(context, &forecast.prepared, &forecast.observed);
        self.rejections.extend(checked.err().map(|rejection| of_component(rejection.failure)));
        match queries {
            Ok(unknown) => self.warnings.extend(unknown),
            Err(failure) => self.rejections.push(of_component(failure)),
        }
        match dry_run {
            DryRun::Client => {}
            DryRun::Server => {
                self.rejections.extend(dry_run_on_server(&context.session, &forecast, created).await.err());
            }
        }
        self.components.push(component_plan(forecast, context.session.clock().now()));
    }

    /// Whether applying would change anything.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.components.iter().any(|plan| plan.is_pending)
    }
}

fn component_plan(mut forecast: PlannedComponent, now: Timestamp) -> ComponentPlan {
    let (place, closed_window) = way_through_gates(&forecast, now);
    if let Some(window) = &closed_window {
        forecast.steps.truncate(window.step);
    }
    let forecast = &forecast;
    let prepared = &forecast.prepared;
    let shown = |metadata: &Metadata| metadata.shown(&prepared.desired.workload);
    ComponentPlan {
        cluster: None,
        component: prepared.component.clone(),
        application: prepared.application.clone(),
        namespace: prepared.namespace.clone(),
        kind: prepared.desired.kind,
        workload: prepared.desired.workload.clone(),
        target: prepared.desired.target.clone(),
        target_size: prepared.desired.target_size,
        revision: match &prepared.new_revision {
            Some(new) => PlannedRevision::New { name: new.name.clone(), number: new.number },
            None => {
                let name = prepared.manifest_revision.as_ref().unwrap_or(&prepared.desired.target);
                PlannedRevision::Recorded { name: name.clone() }
            }
        },
        services: prepared.service_changes.iter().filter_map(planned_service).collect(),
        metadata: prepared.metadata_change.as_ref().map(|(before, after)| (shown(before), shown(after))),
        is_whole: prepared.objects.is_some(),
        objects: planned_objects(forecast),
        workloads: if prepared.objects.is_some() { (None, None) } else { forecast.workloads() },
        purpose: prepared.purpose,
        steps: forecast.steps.clone(),
        peak: forecast.peak(),
        is_pending: forecast.is_pending(),
        gates: match forecast.is_held || forecast.is_pending() {
            true => prepared.workflow.iter().flat_map(|place| &place.gates).cloned().collect(),
            false => Vec::new(),
        },
        promotion: match prepared.can_be_promoted() {
            true => format!("continue with `rollout promote {}`", prepared.application),
            false => "rerun the same command then".to_owned(),
        },
        is_held: forecast.is_held,
        held_dependencies: Vec::new(),
        passed_gates: place.passed,
        closed_window,
    }
}

/// The run's progress through its gates, and the closed window that holds it, if any.
fn way_through_gates(forecast: &PlannedComponent, now: Timestamp) -> (GatePlace, Option<ClosedWindow>) {
    let claimed = forecast.steps.iter().find_map(|foreseen| {
        let Step::Claim { spec, resumes } = &foreseen.step else { return None };
        let place = forecast.prepared.gate_place(&forecast.observed, spec, *resumes);
        let window = closed_window(&forecast.steps, spec, &place, now);
        Some((place, window))
    });
    claimed.unwrap_or_default()
}

fn planned_service(change: &Change) -> Option<PlannedObject> {
    let kind = match change {
        Change::None | Change::Foreign(_) => return None,
        Change::Create(_) => PlannedChange::Create,
        Change::Update { .. } => PlannedChange::Configure,
        Change::Remove(_) => PlannedChange::Delete,
    };
    Some(PlannedObject { name: change.name()?, change: kind, objects: change.difference()? })
}

fn planned_objects(forecast: &PlannedComponent) -> Vec<PlannedObject> {
    let prepared = &forecast.prepared;
    let objects = prepared.objects.as_ref().unwrap_or(&prepared.trait_objects);
    let applied = objects.objects.iter().map(|object| {
        let change = match &object.before {
            None if object.handling == Handling::Keep => PlannedChange::Await,
            None => PlannedChange::Create,
            Some(live) if object.is_same(live) => PlannedChange::Keep,
            Some(live) if object.is_to_be_recreated(live) => PlannedChange::Recreate,
            Some(_) => PlannedChange::Configure,
        };
        let before = object.before.as_ref().map(|live| match object.applied_before(live) {
            Some(applied) => without_secret_values(applied),
            None => without_secret_values(&fields_of(&json!(live), &object.body)),
        });
        let objects = match change {
            PlannedChange::Keep | PlannedChange::Await => (None, None),
            PlannedChange::Create
            | PlannedChange::Configure
            | PlannedChange::Recreate
            | PlannedChange::Delete => (before, Some(without_secret_values(&object.body))),
        };
        PlannedObject { name: object.reference.to_string(), change, objects }
    });
    let deleted = objects.leftovers.iter().filter(|leftover| !leftover.holds_data());
    let leftovers = deleted.map(|leftover| PlannedObject {
        name: leftover.reference.to_string(),
        change: PlannedChange::Delete,
        objects: (None, None),
    });
    // Workloads of revisions that were rolled out in batches are deleted like the others.
    let is_left =
        |workload: &&Workload| prepared.objects.is_some() && workload.name != prepared.desired.workload;
    let kind = prepared.desired.kind;
    let workloads = forecast.observed.workloads.iter().filter(is_left).map(|workload| PlannedObject {
        name: format!("{}.{}/{}", kind.noun(), kind.group(), workload.name),
        change: PlannedChange::Delete,
        objects: (None, None),
    });
    applied.chain(leftovers).chain(workloads).collect()
}

/// The fields of a live value that are also in the body that is about to be applied, without defaults of the cluster
/// and items that others have added to a list by name.
fn fields_of(live: &Value, body: &Value) -> Value {
    match (live, body) {
        (Value::Object(live), Value::Object(body)) => {
            // The items of a list have no API version and kind.
            let field = |(name, wanted): (&String, &Value)| match live.get(name) {
                Some(live) if !live.is_null() => Some((name.clone(), fields_of(live, wanted))),
                _ => matches!(name.as_str(), "apiVersion" | "kind").then(|| (name.clone(), wanted.clone())),
            };
            body.iter().filter_map(field).collect()
        }
        (Value::Array(live), Value::Array(body)) => {
            let is_named = |item: &Value| item["name"].is_string();
            if !body.is_empty() && body.iter().all(is_named) {
                let same = |wanted: &Value| live.iter().find(|item| item["name"] == wanted["name"]);
                return body.iter().filter_map(|wanted| Some(fields_of(same(wanted)?, wanted))).collect();
            }
            let fields = |(index, item): (usize, &Value)| match body.get(index) {
                Some(wanted) => fields_of(item, wanted),
                None => item.clone(),
            };
            live.iter().enumerate().map(fields).collect()
        }
        (live, _) => live.clone(),
    }
}

/// The object as it may be printed, without the values of a Secret.
fn without_secret_values(object: &Value) -> Value {
    let mut object = object.clone();
    if object["kind"] == "Secret" {
        remove_last_applied(&mut object);
        for field in ["data", "stringData"] {
            let entries = object.get_mut(field).and_then(Value::as_object_mut);
            for value in entries.into_iter().flat_map(|entries| entries.values_mut()) {
                *value = json!("***");
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_objects_are_compared_by_the_applied_fields() {
        let body = json!({"kind": "Deployment", "metadata": {"name": "web", "labels": {"team": "a"}}, "spec": {
            "replicas": 2,
            "containers": [{"name": "web", "image": "web:2", "args": ["one"]}],
        }});
        let live = json!({"metadata": {"name": "web", "uid": "1"}, "status": {}, "spec": {
            "replicas": 1,
            "containers": [{"name": "side"}, {"name": "web", "image": "web:1", "args": ["one", "two"], "tty": false}],
        }});
        let shown = json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replicas": 1,
            "containers": [{"name": "web", "image": "web:1", "args": ["one", "two"]}],
        }});
        assert_eq!(fields_of(&live, &body), shown);
    }

    #[test]
    fn values_of_secrets_are_masked_without_adding_fields() {
        let secret = json!({"kind": "Secret", "stringData": {"key": "word"}});
        assert_eq!(without_secret_values(&secret), json!({"kind": "Secret", "stringData": {"key": "***"}}));
        let noted = json!({"kind": "Secret", "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "word",
        }}});
        assert_eq!(without_secret_values(&noted), json!({"kind": "Secret", "metadata": {}}));
        let empty = json!({"kind": "Secret"});
        assert_eq!(without_secret_values(&empty), empty);
    }
}
