//! Publishes a run in the optional views, for `kubectl get app` and `kubectl get rollout`.

use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::status_mirror::{self, MirrorKind, StatusMirror};
use crate::driver::context::Context;
use crate::driver::outcome::{ComponentOutcome, HoldPoint};
use crate::driver::prepare::PreparedComponent;
use crate::driver::request::{Intent, RolloutRequest};
use crate::plan::run::RunSpec;
use crate::plan::run_status::RunStatus;
use crate::report::event::EventKind;

/// Writes the views of one application.
pub struct Publisher<'a> {
    context: &'a Context,
    request: &'a RolloutRequest,
    mirror: StatusMirror,
}

impl<'a> Publisher<'a> {
    /// A publisher that writes the views of `mirror`.
    #[must_use]
    pub fn new(context: &'a Context, request: &'a RolloutRequest, mirror: StatusMirror) -> Self {
        Self { context, request, mirror }
    }

    /// Shows that the application is being driven. Returns the owner reference for its new revisions.
    pub async fn begin(&self) -> Option<Value> {
        let shown = self.application("runningWorkflow", self.services(|_| false)).await;
        shown.map(|application| status_mirror::controller_reference(&application))
    }

    /// Shows how the application's components ended.
    pub async fn end(&self, ends: &[(String, ComponentOutcome)]) {
        let is_well = |end: &ComponentOutcome| match end {
            ComponentOutcome::Succeeded { .. } | ComponentOutcome::Held { .. } => true,
            ComponentOutcome::Skipped { .. } | ComponentOutcome::Failed(_) => false,
        };
        let is_healthy = |name: &str| ends.iter().any(|(of, end)| of == name && is_well(end));
        let is_suspended = |(_, end): &(String, ComponentOutcome)| {
            matches!(end, ComponentOutcome::Held { at: HoldPoint::Step { .. } })
        };
        let phase = if ends.iter().any(is_suspended) {
            "workflowSuspending"
        } else if ends.iter().all(|(_, end)| is_well(end)) {
            "running"
        } else {
            "unhealthy"
        };
        self.application(phase, self.services(is_healthy)).await;
    }

    /// Shows the state of a component's run.
    pub async fn component(&self, prepared: &PreparedComponent, run: &RunSpec, status: &RunStatus) {
        let mut status = json!({
            "rollingState": status.rolling_state,
            "batchRollingState": status.batch_state,
            "currentBatch": status.batch,
            "rolloutTargetSize": status.target_size,
            "rolloutOriginalSize": run.original_size,
            "upgradedReplicas": status.upgraded,
            "upgradedReadyReplicas": status.ready,
            "lastTargetRevision": run.target,
        });
        if let Some(source) = run.sources.first() {
            status["LastSourceRevision"] = json!(source);
        }
        let spec = rollout_spec(&prepared.component, run);
        let shown = self
            .mirror
            .write(MirrorKind::Rollout, &prepared.namespace, &prepared.component, Some(&spec), |_| status)
            .await;
        self.warn(Some(&prepared.component), shown.err());
    }

    async fn application(&self, phase: &str, services: Vec<Value>) -> Option<kube::api::DynamicObject> {
        let RolloutRequest { application, namespace, .. } = self.request;
        let spec = self.spec();
        let status = |before: &Value| {
            // A command about some of the components does not know the others.
            let services = if spec.is_some() { services } else { with_others(services, before) };
            json!({"status": phase, "services": services})
        };
        let shown =
            self.mirror.write(MirrorKind::Application, namespace, application, spec.as_ref(), status).await;
        match shown {
            Ok(shown) => shown,
            Err(error) => {
                self.warn(None, Some(error));
                None
            }
        }
    }

    /// The components as named in the manifest; `None` without a manifest.
    fn spec(&self) -> Option<Value> {
        let mut components = Vec::new();
        for request in &self.request.components {
            let Intent::Manifest { component, .. } = &request.intent else { return None };
            let mut entry = json!({"name": component.name, "type": component.kind.as_str()});
            if let Some(revision) = &component.external_revision {
                entry["externalRevision"] = json!(revision);
            }
            components.push(entry);
        }
        Some(json!({"components": components}))
    }

    fn services(&self, is_healthy: impl Fn(&str) -> bool) -> Vec<Value> {
        let names = self.request.components.iter().map(|component| component.name.as_str());
        names.map(|name| json!({"name": name, "healthy": is_healthy(name), "message": ""})).collect()
    }

    fn warn(&self, component: Option<&str>, error: Option<ClusterError>) {
        if let Some(error) = error {
            let message = format!("the view for kubectl could not be written: {error}");
            if self.context.session.warnings().is_first(&message) {
                self.context.emit(&self.request.application, component, EventKind::Warned { message });
            }
        }
    }
}

/// The entries of an Application's status with these in the places of those of the same names.
fn with_others(services: Vec<Value>, before: &Value) -> Vec<Value> {
    let mut all = before["services"].as_array().cloned().unwrap_or_default();
    for service in services {
        match all.iter_mut().find(|one| one["name"] == service["name"]) {
            Some(place) => *place = service,
            None => all.push(service),
        }
    }
    all
}

fn rollout_spec(component: &str, run: &RunSpec) -> Value {
    let batches: Vec<Value> = run.batches.iter().map(|batch| json!({"replicas": batch.size})).collect();
    let mut plan = json!({
        "rolloutStrategy": run.strategy,
        "targetSize": run.target_size,
        "rolloutBatches": batches,
    });
    if let Some(partition) = run.partition {
        plan["batchPartition"] = json!(partition);
    }
    json!({"componentName": component, "targetRevisionName": run.target, "rolloutPlan": plan})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_replace_those_of_their_names_and_leave_the_others() {
        let entry = |name: &str, healthy: bool| json!({"name": name, "healthy": healthy, "message": ""});
        let before = json!({"status": "running", "services": [entry("api", true), entry("web", true)]});
        let merged = with_others(vec![entry("web", false), entry("job", true)], &before);
        assert_eq!(merged, [entry("api", true), entry("web", false), entry("job", true)]);
        assert_eq!(with_others(vec![entry("web", true)], &Value::Null), [entry("web", true)]);
    }
}
