//! What the server says of itself: version, health, groups and resources.

use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::api::Answer;
use super::failure::Failure;
use super::fault::Verb;
use super::kinds::{Keeping, Kind, Scope, StatusPart};

/// The document at a path outside the resources.
pub(super) fn document(path: &str, verb: Verb) -> Result<Answer, Failure> {
    if verb != Verb::Get {
        return Err(Failure::method_not_allowed());
    }
    let groups: BTreeSet<&str> =
        Kind::all().map(|kind| kind.group).filter(|group| !group.is_empty()).collect();
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
        "/healthz" | "/livez" | "/readyz" => return Ok(Answer::Text(200, "ok".to_owned())),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        "/apis" => {
            let groups: Vec<Value> = groups.iter().map(|group| describe(group)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        "/api/v1" => resources("", "v1"),
        path => match path.strip_prefix("/apis/").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some((group, "")) if groups.contains(group) => {
                let mut described = describe(group);
                described["kind"] = json!("APIGroup");
                described["apiVersion"] = json!("v1");
                described
            }
            Some((group, "v1")) if groups.contains(group) => resources(group, "v1"),
            _ => return Ok(Answer::Text(404, "404 page not found\n".to_owned())),
        },
    };
    Ok(Answer::Json(200, answer))
}

fn describe(group: &str) -> Value {
    let version = json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
    json!({"name": group, "versions": [version], "preferredVersion": version})
}

fn resources(group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    let served = Kind::all().filter(|kind| kind.group == group && kind.version == version);
    for kind in served {
        let namespaced = kind.scope == Scope::Namespaced;
        let verbs: &[&str] = match kind.keeping {
            Keeping::Stored => {
                &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
            }
            Keeping::Answered => &["create"],
        };
        let mut resource = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": namespaced,
            "kind": kind.kind,
            "verbs": verbs,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        resources.push(resource);
        if kind.status == StatusPart::Subresource {
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
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
}
