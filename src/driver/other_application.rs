//! Checks whether another application is done: by the run records of its components or, if it has none, by the status
//! of a KubeVela Application.

use std::collections::BTreeSet;

use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::Value;

use crate::cluster::access_review::AccessReview;
use crate::cluster::error::ClusterError;
use crate::cluster::permissions::Right;
use crate::cluster::record_store;
use crate::cluster::session::Session;
use crate::driver::outcome::Failure;
use crate::driver::prepare::PreparedComponent;
use crate::plan::record::Record;
use crate::plan::run::{Outcome, WorkflowPlace};
use crate::report::text::list_literals;

/// The phase of an Application whose workflow has succeeded and whose components are healthy.
const RUNNING: &str = "running";

/// The state of another application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OtherApplication {
    /// All its components are done.
    Done,
    /// It is not done yet, for this reason.
    Missing(String),
}

/// Describes the rights that a user lacks to read the applications, in other namespaces, that components wait for.
///
/// # Errors
/// The server's last error.
pub(super) async fn missing_reads(
    session: &Session,
    own_namespace: &str,
    components: &[PreparedComponent],
) -> Result<Option<String>, ClusterError> {
    let places = components.iter().filter_map(|prepared| prepared.workflow.as_ref());
    let namespaces: BTreeSet<&str> = places.flat_map(WorkflowPlace::awaited_namespaces).collect();
    for namespace in namespaces.into_iter().filter(|namespace| *namespace != own_namespace) {
        let reads = [Right { verb: "list", group: "", resource: "configmaps" }];
        let access = AccessReview::load(session, namespace).await?;
        if let Some(missing) = access.missing_permissions(reads.into_iter()).await? {
            return Ok(Some(missing));
        }
    }
    Ok(None)
}

/// Reads the state of an application.
///
/// # Errors
/// The server's last error, for example if this user may not read it.
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
    Ok(judge_phase(found.data.pointer("/status/status").and_then(Value::as_str)))
}

fn judge_phase(phase: Option<&str>) -> OtherApplication {
    match phase {
        Some(RUNNING) => OtherApplication::Done,
        Some(phase) => OtherApplication::Missing(format!("its status is `{phase}`")),
        None => OtherApplication::Missing("it has no status yet".to_owned()),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(component: &str, outcome: &str) -> Record {
        let spec = json!({
            "mode": "Release", "target": "v1", "sources": [], "originalSize": 0, "targetStart": 0, "targetSize": 1,
            "batches": [{"size": 1, "maxUnavailable": 0}], "partition": null, "strategy": "IncreaseFirst",
        });
        let run = json!({"spec": spec, "outcome": outcome, "by": "ci", "started": "2026-03-04T20:00:00Z"});
        let record = json!({"application": "db", "component": component, "epoch": 1, "run": run});
        serde_json::from_value(record).expect("it is a record")
    }

    #[test]
    fn all_recorded_components_have_to_be_done() {
        let missing = |text: &str| OtherApplication::Missing(text.to_owned());
        let cases = [
            (vec!["Succeeded", "Succeeded"], OtherApplication::Done),
            (vec!["Succeeded", "Held"], missing("component `c1` is not done")),
            (vec!["Failed", "Running"], missing("components `c0` and `c1` are not done")),
        ];
        for (outcomes, expected) in cases {
            let record = |(index, outcome): (usize, &&str)| record(&format!("c{index}"), outcome);
            let records: Vec<Record> = outcomes.iter().enumerate().map(record).collect();
            assert_eq!(judge(&records.iter().collect::<Vec<_>>()), expected, "{outcomes:?}");
        }
    }

    #[test]
    fn an_application_of_kubevela_has_to_be_running() {
        let missing = |text: &str| OtherApplication::Missing(text.to_owned());
        assert_eq!(judge_phase(Some("running")), OtherApplication::Done);
        assert_eq!(judge_phase(Some("unhealthy")), missing("its status is `unhealthy`"));
        assert_eq!(judge_phase(None), missing("it has no status yet"));
    }
}
