//! A server-side dry run of a component's objects before any of them is written: the server validates each, calls its
//! webhooks, and finds the fields that other managers own.
//!
//! It covers all objects of a component that is applied as a whole. For a component that is rolled out in batches, it
//! covers the Services and the objects of the traits.

use std::collections::BTreeSet;

use futures::future::join_all;
use kube::api::DynamicObject;
use serde_json::json;

use crate::cluster::error::ClusterError;
use crate::cluster::object_writer::{ApplyResult, ConflictPolicy, WriteMode, apply_object};
use crate::cluster::served_kind::ServedKind;
use crate::cluster::service;
use crate::cluster::session::Session;
use crate::cluster::smoke_job::{SmokeJobOwner, dry_run_smoke_job, smoke_job_body};
use crate::cluster::workload::workload_resource;
use crate::driver::checks::refusal::refusal;
use crate::driver::component_services::other_revisions;
use crate::driver::field_conflict::{conflict_failure, may_take};
use crate::driver::object_owner::Handling;
use crate::driver::outcome::Failure;
use crate::driver::prepare::PreparedComponent;
use crate::driver::prepared_objects::PreparedObject;
use crate::oam::kind_scope::KindScope;
use crate::oam::object::ObjectRef;
use crate::oam::revision::render_revision;
use crate::oam::smoke_test::{smoke_job_name, smoke_job_spec};
use crate::plan::desired::Desired;
use crate::plan::epoch::Epoch;
use crate::plan::observed::Observed;

/// The name under which a workload that already exists is dry-run.
const DRY_RUN_NAME: &str = "rollout-dry-run";

/// Objects that the components of an application create and that other objects of the application need: until they
/// exist, the server cannot validate objects in such a namespace, or bindings of such a Role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewObjects {
    namespaces: BTreeSet<String>,
    /// Kinds and names of Roles and ClusterRoles.
    roles: BTreeSet<(String, String)>,
}

impl NewObjects {
    /// Collects them from all components of an application.
    pub fn of<'a>(components: impl IntoIterator<Item = &'a PreparedComponent>) -> Self {
        let mut new = Self::default();
        let created = components
            .into_iter()
            .flat_map(PreparedComponent::all_objects)
            .filter(|object| object.before.is_none());
        for ObjectRef { kind, name, .. } in created.map(|object| &object.reference) {
            match kind.as_str() {
                "Namespace" => drop(new.namespaces.insert(name.clone())),
                "Role" | "ClusterRole" => drop(new.roles.insert((kind.clone(), name.clone()))),
                _ => {}
            }
        }
        new
    }

    fn has_namespace_of(&self, object: &PreparedObject) -> bool {
        object.reference.namespace.as_ref().is_some_and(|namespace| self.namespaces.contains(namespace))
    }

    fn has_role_of(&self, object: &PreparedObject) -> bool {
        let text = |field: &str| object.body["roleRef"][field].as_str().unwrap_or_default().to_owned();
        self.roles.contains(&(text("kind"), text("name")))
    }
}

/// Validates every object that would be written with a server-side dry run.
///
/// # Errors
/// The first rejection, and the server's last error.
pub async fn dry_run_objects(
    session: &Session,
    prepared: &PreparedComponent,
    observed: &Observed,
    created: &NewObjects,
) -> Result<(), Failure> {
    let epoch = prepared.record.as_ref().map_or(Epoch(0), |stored| stored.record.epoch).next();
    let is_pending = |one: &&PreparedObject| {
        let is_same = |live: &DynamicObject| one.is_same(live);
        !created.has_namespace_of(one)
            && !created.has_role_of(one)
            && !one.before.as_ref().is_some_and(is_same)
    };
    let judged = prepared
        .all_objects()
        .filter(is_pending)
        .map(|object| async move { (object, dry_run(session, object, epoch).await) });
    let (judged, workload, services, smoke_tests) = tokio::join!(
        join_all(judged),
        dry_run_workload(session, prepared, observed),
        dry_run_services(session, prepared, observed),
        dry_run_smoke_tests(session, prepared)
    );
    for (object, judged) in judged {
        match judged {
            Err(DryRunError::Cluster(error)) => return Err(refusal(error, Some(&object.reference))),
            Err(DryRunError::Refused(failure)) => return Err(failure),
            Ok(()) => {}
        }
    }
    workload?;
    smoke_tests?;
    services.map_err(|error| refusal(error, None))
}

/// Dry-runs the workload of a new revision if traits patch it, since nothing else validates its fields. If the workload
/// exists, the dry run uses another name. All errors except invalid fields are left to the run.
async fn dry_run_workload(
    session: &Session,
    prepared: &PreparedComponent,
    observed: &Observed,
) -> Result<(), Failure> {
    let desired = &prepared.desired;
    if prepared.objects.is_some() || prepared.new_revision.is_none() || !prepared.is_patched {
        return Ok(());
    }
    let Some(mut body) = render_revision(&prepared.target, desired.target_size, 0) else { return Ok(()) };
    if observed.workload(&desired.workload).is_some() {
        body["metadata"]["name"] = json!(DRY_RUN_NAME);
    }
    let kind = ServedKind { resource: workload_resource(desired.kind), scope: KindScope::Namespaced };
    let (namespace, mode) = (Some(prepared.namespace.as_str()), WriteMode::DryRun);
    match apply_object(session, &kind, namespace, body, None, ConflictPolicy::Report, mode).await {
        // A webhook that does not support dry runs causes the same kind of error.
        Err(ClusterError::Invalid(message)) if !message.contains("dry run") => {
            let failure = refusal(ClusterError::Invalid(message), None);
            let (noun, name) = (desired.kind.noun(), &desired.workload);
            let reason = format!("{noun} `{name}` would be rejected: {}", failure.reason);
            Err(Failure { reason, ..failure })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Dry-runs the Jobs of the smoke tests.
async fn dry_run_smoke_tests(session: &Session, prepared: &PreparedComponent) -> Result<(), Failure> {
    for test in prepared.desired.gates.all_smoke_tests() {
        let (name, spec) =
            (smoke_job_name(&prepared.component, &test.name, ""), smoke_job_spec(test, &Vec::new()));
        let owner = SmokeJobOwner {
            application: &prepared.application,
            component: &prepared.component,
            record: prepared.record.as_ref(),
        };
        let job = smoke_job_body(&name, owner, &spec);
        match dry_run_smoke_job(session, &prepared.namespace, &job).await {
            Ok(()) => {}
            Err(error) => {
                let failure = refusal(error, None);
                let reason = format!("smoke test `{}`: {}", test.name, failure.reason);
                return Err(Failure { reason, ..failure });
            }
        }
    }
    Ok(())
}

/// Dry-runs the changes of the Services: those while pods of other revisions exist, and those at the end.
async fn dry_run_services(
    session: &Session,
    prepared: &PreparedComponent,
    observed: &Observed,
) -> Result<(), ClusterError> {
    let Desired { kind, target, .. } = &prepared.desired;
    let others = other_revisions(observed, *kind, target);
    let under_way = match others.is_empty() {
        true => Vec::new(),
        false => prepared.component_services.changes(&others),
    };
    for change in under_way.iter().chain(&prepared.service_changes) {
        match service::try_change(session, &prepared.namespace, change).await {
            // Another client is changing it; the run will observe it again.
            Ok(()) | Err(ClusterError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why an object cannot be applied.
enum DryRunError {
    Cluster(ClusterError),
    Refused(Failure),
}

async fn dry_run(session: &Session, object: &PreparedObject, epoch: Epoch) -> Result<(), DryRunError> {
    let Some(kind) = &object.kind else { return Ok(()) };
    match object.handling {
        Handling::Apply | Handling::Adopt => {}
        // It is recreated, or not written at all.
        Handling::Recreate | Handling::Keep => return Ok(()),
    }
    // The server would reject it until the strategy is reset.
    if object.before.as_ref().is_some_and(|before| object.resets_strategy(before)) {
        return Ok(());
    }
    let mut on_conflict = ConflictPolicy::Report;
    loop {
        let answer = apply_object(
            session,
            kind,
            object.reference.namespace.as_deref(),
            object.stamped_body(object.before.as_ref(), epoch),
            object.before.as_ref(),
            on_conflict,
            WriteMode::DryRun,
        );
        match answer.await {
            // Another client is changing it; the run will read it again.
            Ok(ApplyResult::Applied(_)) | Err(ClusterError::Conflict(_)) => return Ok(()),
            Ok(ApplyResult::Conflicts(conflicts)) => {
                if let Some(conflict) = conflicts.iter().find(|conflict| !may_take(object, conflict)) {
                    return Err(DryRunError::Refused(conflict_failure(object, conflict)));
                }
                if on_conflict == ConflictPolicy::Force {
                    return Ok(());
                }
                // Conflicts are reported before anything else is validated, so try again with force.
                on_conflict = ConflictPolicy::Force;
            }
            Err(error) if error.is_missing_namespace() => {
                let namespace = object.reference.namespace.as_deref().unwrap_or_default();
                let failure = Failure::missing_namespace(namespace);
                let reason = format!("{}: {}", object.reference, failure.reason);
                return Err(DryRunError::Refused(Failure { reason, ..failure }));
            }
            Err(error) => session.wait_before_retry(&error).await.map_err(DryRunError::Cluster)?,
        }
    }
}
