//! Checks the requests of a process: every write has preconditions.

use rollout::sandbox::fault::Verb;
use serde_json::Value;

use super::fault::Request;

const STAMP: &str = "/metadata/annotations/batch-rollout.dev~1epoch";

/// Panics at the first request that would change an object unconditionally.
pub(crate) fn check(requests: &[Request]) {
    for request in requests {
        let seen = &request.seen;
        let problem = match seen.verb {
            Verb::Get | Verb::List | Verb::Watch => None,
            // Reviews and dry runs are not stored.
            Verb::Create if seen.kind.ends_with("reviews") || seen.path.contains("dryRun=All") => None,
            Verb::Create => seen.name.is_none().then_some("a create without a name"),
            Verb::Update => Some("a replacement of a whole object"),
            Verb::Delete => unconditional_delete(seen.body.as_ref()),
            Verb::Patch if seen.body.as_ref().is_some_and(Value::is_object) => {
                unconditional_apply(seen.body.as_ref())
            }
            Verb::Patch => unconditional_patch(&seen.kind, seen.body.as_ref()),
        };
        if let Some(problem) = problem {
            panic!("{problem}: {}\n{:#?}", request.line(), seen.body);
        }
    }
}

fn unconditional_delete(body: Option<&Value>) -> Option<&'static str> {
    let has = |field: &str| {
        let value = body.and_then(|body| body["preconditions"][field].as_str());
        value.is_some_and(|value| !value.is_empty())
    };
    (!has("uid") || !has("resourceVersion")).then_some("a delete without uid and resourceVersion")
}

/// An apply has the UID and the version of the object that it changes; or a version that no object has, so that it can
/// only create.
fn unconditional_apply(body: Option<&Value>) -> Option<&'static str> {
    let metadata = &body?["metadata"];
    let is_creation = metadata["uid"].is_null() && metadata["resourceVersion"] == "1";
    let is_change = metadata["uid"].is_string() && metadata["resourceVersion"].is_string();
    (!is_creation && !is_change).then_some("an apply whatever there is")
}

fn unconditional_patch(kind: &str, body: Option<&Value>) -> Option<&'static str> {
    let Some(operations) = body.and_then(Value::as_array) else {
        return Some("a patch that is not a JSON Patch");
    };
    let first_change = operations.iter().position(|one| one["op"] != "test").unwrap_or(operations.len());
    let tests = |path: &str| {
        operations[..first_change]
            .iter()
            .any(|one| one["path"] == path && !one["value"].is_null() && one["value"] != "")
    };
    let is_conditional = match kind {
        "deployments" => {
            let changes_size = operations[first_change..]
                .iter()
                .any(|one| one["path"].as_str().is_some_and(|path| path.starts_with("/spec")));
            tests("/metadata/uid") && (tests("/metadata/resourceVersion") || is_fenced(&tests, changes_size))
        }
        "clonesets" | "statefulsets" => {
            let changes_spec = operations[first_change..]
                .iter()
                .any(|one| one["path"].as_str().is_some_and(|path| path.starts_with("/spec")));
            let is_fenced = tests(STAMP) && (!changes_spec || tests("/metadata/generation"));
            tests("/metadata/uid") && (tests("/metadata/resourceVersion") || is_fenced)
        }
        "configmaps" => {
            tests("/metadata/uid") && (tests("/metadata/resourceVersion") || tests("/data/epoch"))
        }
        "services" => tests("/metadata/uid") && tests("/metadata/resourceVersion"),
        "leases" => {
            tests("/metadata/resourceVersion")
                || (tests("/spec/holderIdentity") && tests("/metadata/annotations/batch-rollout.dev~1holder"))
        }
        _ => return Some("a patch of an object that a run never changes"),
    };
    (!is_conditional).then_some("a patch without its tests")
}

/// A stamp replaces only the observed stamp, and a change of the size also tests the observed size.
fn is_fenced(tests: &impl Fn(&str) -> bool, changes_size: bool) -> bool {
    tests(STAMP) && (!changes_size || tests("/spec/replicas"))
}
