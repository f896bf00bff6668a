//! Discovery: version, health, groups and resources.
//!
//! See <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>. Aggregated discovery is not
//! implemented.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::sandbox::api::response::Response;
use crate::sandbox::api::scale;
use crate::sandbox::fault::Verb;
use crate::sandbox::object::kind::{Kind, Origin, Persistence, Scope, StatusSubresource};
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::objects::{Store, definition_of};
use crate::sandbox::validation::registry;

/// The kinds of the category `all`, which `kubectl get all` lists.
const EVERYBODYS: [&str; 9] = [
    "pods",
    "services",
    "daemonsets",
    "deployments",
    "replicasets",
    "statefulsets",
    "jobs",
    "cronjobs",
    "horizontalpodautoscalers",
];

/// The document at a path that is not a resource.
pub(crate) fn document(store: &Store, path: &str, verb: Verb) -> Result<Response, StatusError> {
    if verb != Verb::Get {
        return Err(StatusError::method_not_allowed());
    }
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in registry::all_kinds().filter(|kind| !kind.group.is_empty() && store.serves(*kind)) {
        let versions = groups.entry(kind.group).or_default();
        if !versions.contains(&kind.version) {
            versions.push(kind.version);
        }
    }
    let answer = match path {
        "/version" => json!({
            "major": "1",
            "minor": "36",
            "gitVersion": "v1.36.0+sandbox",
            "gitCommit": "",
            "gitTreeState": "",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "",
            "platform": "",
        }),
        "/healthz" | "/livez" | "/readyz" => return Ok(Response::Text(200, "ok".to_owned())),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        "/apis" => {
            let groups: Vec<Value> =
                groups.iter().map(|(group, versions)| describe(group, versions)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        "/api/v1" => resources(store, "", "v1"),
        path => {
            let rest = path.strip_prefix("/apis/").unwrap_or_default();
            let (group, asked) = rest.split_once('/').unwrap_or((rest, ""));
            match groups.get(group) {
                Some(versions) if asked.is_empty() => {
                    let mut described = describe(group, versions);
                    described["kind"] = json!("APIGroup");
                    described["apiVersion"] = json!("v1");
                    described
                }
                Some(versions) if versions.contains(&asked) => resources(store, group, asked),
                Some(_) => return Err(StatusError::no_such_resource()),
                None if path.starts_with("/api/") => return Err(StatusError::no_such_resource()),
                None => return Ok(Response::Text(404, "404 page not found\n".to_owned())),
            }
        }
    };
    Ok(Response::Json(200, answer))
}

/// A group with its versions, of which the first is preferred.
fn describe(group: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions[0]})
}

fn resources(store: &Store, group: &str, version: &str) -> Value {
    let mut resources: Vec<Value> = Vec::new();
    let served = registry::all_kinds()
        .filter(|kind| kind.group == group && kind.version == version && store.serves(*kind));
    for kind in served {
        let namespaced = kind.scope == Scope::Namespaced;
        let verbs: &[&str] = match kind.persistence {
            Persistence::Stored if kind.is("namespaces") => {
                &["create", "delete", "get", "list", "patch", "update", "watch"]
            }
            Persistence::Stored => {
                &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
            }
            Persistence::Virtual => &["create"],
        };
        let mut resource = json!({
            "name": kind.plural,
            "singularName": kind.singular(),
            "namespaced": namespaced,
            "kind": kind.kind,
            "verbs": verbs,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        let categories = categories(store, kind);
        if !categories.is_empty() {
            resource["categories"] = json!(categories);
        }
        resources.push(resource);
        if scale::has_scale(kind) {
            resources.push(json!({
                "name": format!("{}/scale", kind.plural),
                "singularName": "",
                "namespaced": namespaced,
                "group": "autoscaling",
                "version": "v1",
                "kind": "Scale",
                "verbs": ["get", "patch", "update"],
            }));
        }
        if kind.status == StatusSubresource::Present {
            resources.push(json!({
                "name": format!("{}/status", kind.plural),
                "singularName": "",
                "namespaced": namespaced,
                "kind": kind.kind,
                "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
    if !group.is_empty() {
        list["apiVersion"] = json!("v1");
    }
    list
}

/// The categories of a kind, by which clients list it together with others.
fn categories(store: &Store, kind: Kind) -> Vec<Value> {
    match kind.origin {
        Origin::Defined => {
            let definition = store.object(&definition_of(kind));
            definition.map(|d| meta::items(d, "/spec/names/categories").to_vec()).unwrap_or_default()
        }
        Origin::BuiltIn | Origin::Custom if EVERYBODYS.contains(&kind.plural) => vec![json!("all")],
        Origin::BuiltIn if kind.is("customresourcedefinitions") => vec![json!("api-extensions")],
        Origin::BuiltIn | Origin::Custom => Vec::new(),
    }
}
