//! Whether another application is done: by the run records of its components, or, where it has none, by the status of a
//! KubeVela Application.

use kube::api::ApiResource;
use kube::core::GroupVersionKind;

use crate::cluster::error::ClusterError;
use crate::cluster::record_store;
use crate::cluster::session::Session;
use crate::driver::outcome::Failure;
use crate::plan::record::Record;
use crate::plan::run::Outcome;
use crate::report::text::list_literals;

/// The phase of an Application whose workflow has succeeded and whose components are healthy.
const RUNNING: &str = "running";

/// How another application stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OtherApplication {
    /// All of it is done.
    Done,
    /// Not yet; what is missing.
    Missing(String),
}

/// Reads how an application stands.
///
/// # Errors
/// Whatever the server answered at last, such as that this user may not read it.
pub(super) async fn find_application(
    session: &Session,
    namespace: &str,
    name: &str,
) -> Result<OtherApplication, Failure> {
    let records =
        record_store::load_records(session, namespace).await.map_err(|error| forbidden(error, namespace))?;
    let records: Vec<Record> = records.into_iter().map(|stored| stored.record).collect();
    let of_application: Vec<&Record> = records.iter().filter(|record| record.application == name).collect();
    if !of_application.is_empty() {
        return Ok(judge(&of_application));
    }
    let kind = GroupVersionKind::gvk("core.oam.dev", "v1beta1", "Application");
    let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
    let api = session.dynamic(namespace, &resource);
    let found = match session.read(|| api.get_opt(name)).await {
        Ok(found) => found,
        // The definition is not installed.
        Err(ClusterError::NotFound(_)) => None,
        Err(ClusterError::Forbidden(_)) => {
            let missing = "it has no run records, and this user may not read applications there";
            return Ok(OtherApplication::Missing(missing.to_owned()));
        }
        Err(error) => return Err(forbidden(error, namespace)),
    };
    let Some(found) = found else { return Ok(OtherApplication::Missing("it does not exist".to_owned())) };
    Ok(match found.data.pointer("/status/status").and_then(|phase| phase.as_str()) {
        Some(RUNNING) => OtherApplication::Done,
        Some(phase) => OtherApplication::Missing(format!("its status is `{phase}`")),
        None => OtherApplication::Missing("it has no status yet".to_owned()),
    })
}

fn judge(records: &[&Record]) -> OtherApplication {
    let open = records.iter().filter(|record| record.run.outcome != Outcome::Succeeded);
    let open: Vec<&str> = open.map(|record| record.component.as_str()).collect();
    match open.as_slice() {
        [] => OtherApplication::Done,
        [only] => OtherApplication::Missing(format!("component `{only}` is not done")),
        several => OtherApplication::Missing(format!("components {} are not done", list_literals(several))),
    }
}

fn forbidden(error: ClusterError, namespace: &str) -> Failure {
    let is_forbidden = matches!(error, ClusterError::Forbidden(_));
    let failure = Failure::from(error);
    if !is_forbidden {
        return failure;
    }
    failure.hint(format!("a step `depends-on-app` reads configmaps in namespace `{namespace}`"))
}
