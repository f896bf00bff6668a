//! A dry run, on the server, of everything that a component's run would create.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{ApiResource, DynamicObject, PostParams};
use serde_json::Value;

use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::cluster::{keys, workload};
use crate::driver::checks::object_dry_run::{NewObjects, dry_run_objects};
use crate::driver::checks::refusal::refusal;
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::oam::revision;
use crate::plan::action::Action;
use crate::plan::step::Step;

/// Validates everything that a preview would create with a server-side dry run.
///
/// # Errors
/// The server's rejection.
pub async fn dry_run_on_server(
    session: &Session,
    planned: &PlannedComponent,
    created: &NewObjects,
) -> Result<(), Failure> {
    let (prepared, session) = (&planned.prepared, &session.for_dry_runs());
    dry_run_objects(session, prepared, &planned.observed, created).await?;
    if prepared.objects.is_some() {
        return Ok(());
    }
    let refused = |error| refusal(error, None);
    if let Some(new) = &prepared.new_revision {
        let object = new.object();
        check_size(&new.name, &object)?;
        let resource = ApiResource::erase::<ControllerRevision>(&());
        try_create(session, &prepared.namespace, &resource, &object).await.map_err(refused)?;
    }
    let creates = planned.steps.iter().any(|step| step.step == Step::Act(Action::Create));
    let body = revision::render_revision(&prepared.target, prepared.desired.target_size, 0);
    if let Some(body) = body.filter(|_| creates) {
        let resource = workload::workload_resource(prepared.desired.kind);
        try_create(session, &prepared.namespace, &resource, &body).await.map_err(refused)?;
    }
    Ok(())
}

/// The default size limit of requests to etcd, which a dry run does not reach.
const MAX_BYTES: usize = 3 * 512 * 1024;

fn check_size(name: &str, object: &Value) -> Result<(), Failure> {
    let bytes = object.to_string().len();
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let reason =
        format!("revision `{name}` is too large: it has {bytes} bytes, and etcd accepts at most {MAX_BYTES}");
    Err(Failure::refused(reason).hint("keep large values in ConfigMaps, which components can reference"))
}

async fn try_create(
    session: &Session,
    namespace: &str,
    resource: &ApiResource,
    body: &Value,
) -> Result<(), ClusterError> {
    let api = session.dynamic(namespace, resource);
    let object: DynamicObject =
        serde_json::from_value(body.clone()).map_err(|error| ClusterError::Invalid(error.to_string()))?;
    let params = PostParams { dry_run: true, field_manager: Some(keys::FIELD_MANAGER.into()) };
    session.read(|| api.create(&params, &object)).await.map(|_| ())
}
