//! The subresource `/scale`: the size of a workload.
//!
//! See <https://kubernetes.io/docs/reference/kubernetes-api/autoscaling-resources/scale-v1/>.

use serde_json::{Value, json};

use crate::sandbox::api::options::Options;
use crate::sandbox::api::response::Response;
use crate::sandbox::api::route::Request;
use crate::sandbox::api::{json_patch, merge_patch};
use crate::sandbox::fault::Verb;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::Kind;
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::managed_fields::Writer;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::part::Part;
use crate::sandbox::store::write;

/// Whether a kind has the subresource.
pub(crate) fn has_scale(kind: Kind) -> bool {
    ["clonesets", "deployments", "replicasets", "statefulsets"].iter().any(|plural| kind.is(plural))
}

/// Reads or changes the size of a workload.
pub(crate) fn serve(store: &mut Store, request: &Request, key: &Key) -> Result<Response, StatusError> {
    let before = store.require(key)?;
    let (scale, is_patch) = match request.verb {
        Verb::Get => return Ok(Response::Json(200, scale(&before))),
        Verb::Update => (body(request)?, false),
        Verb::Patch => match request.content_type.as_str() {
            "application/json-patch+json" => (json_patch::apply(&scale(&before), &body(request)?)?, true),
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                (merge_patch::merge_patch(&scale(&before), &body(request)?)?, true)
            }
            _ => return Err(StatusError::unsupported_patch_type()),
        },
        Verb::List | Verb::Watch | Verb::Create | Verb::Delete => {
            return Err(StatusError::method_not_allowed());
        }
    };
    write::check_name(key, &scale)?;
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        number => number.as_i64().filter(|n| i32::try_from(*n).is_ok()).ok_or_else(|| {
            let cause = "spec.replicas is not a number";
            if is_patch {
                StatusError::patched_object(&scale, cause)
            } else {
                StatusError::bad_request(format!(
                    "Scale in version \"v1\" cannot be handled as a Scale: {cause}"
                ))
            }
        })?,
    };
    if replicas < 0 {
        return Err(StatusError::negative_scale(&key.name, replicas));
    }
    let mut after = (*before).clone();
    after["spec"]["replicas"] = json!(replicas);
    if let Some(version) = scale.pointer("/metadata/resourceVersion") {
        meta::metadata(&mut after).insert("resourceVersion".to_owned(), version.clone());
    }
    let dry_run = Options::of(request)?.dry_run;
    store.writer = Some(Writer { manager: request.manager(), subresource: "scale" });
    let after = write::change(store, key, &before, after, Part::Main, dry_run)?;
    Ok(Response::Json(200, self::scale(&after)))
}

fn body(request: &Request) -> Result<Value, StatusError> {
    let read = request.read().map_err(|problem| format!("error decoding patch: {problem}"));
    read.map(|(body, _)| body).map_err(StatusError::bad_request)
}

fn scale(object: &Value) -> Value {
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    // The definition of CloneSets names this field as the selector of the subresource.
    let selector = match object.pointer("/status/labelSelector").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => selector.join(","),
    };
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        metadata[field] = object["metadata"][field].clone();
    }
    let mut spec = json!({});
    if meta::number(object, "/spec/replicas") != 0 {
        spec["replicas"] = object["spec"]["replicas"].clone();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": spec,
        "status": {"replicas": meta::number(object, "/status/replicas"), "selector": selector},
    })
}
