//! The options of a write, from its URL and, for deletions, its body: read, checked, and refused as the API
//! server does, in the name of the verb's own options.

use serde_json::{Value, json};

use crate::sandbox::api::route::{Query, Request};
use crate::sandbox::fault::Verb;
use crate::sandbox::object::failure::Failure;
use crate::sandbox::object::field_error::Problem;
use crate::sandbox::object::meta;
use crate::sandbox::store::deletion::{Deletion, Propagation};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::Persist;

/// The longest name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// The options of a create, an update or a patch.
pub(crate) struct Options {
    pub(crate) persist: Persist,
    pub(crate) strictness: Strictness,
}

/// What happens to fields that a kind does not have, or that are there twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    Ignore,
    Warn,
    Strict,
}

impl Options {
    /// Reads the options of a write other than a deletion.
    pub(crate) fn of(request: &Request) -> Result<Self, Failure> {
        let kind = match request.verb {
            Verb::Update => "UpdateOptions",
            Verb::Patch => "PatchOptions",
            _ => "CreateOptions",
        };
        let (mut problems, persist) = dry_run(&request.query.values("dryRun"));
        if request.query.value("fieldManager").is_some_and(|manager| manager.len() > LONGEST_MANAGER) {
            problems.push(Problem::too_long("fieldManager", LONGEST_MANAGER));
        }
        let strictness = match request.query.value("fieldValidation") {
            None | Some("Warn") => Strictness::Warn,
            Some("Ignore") => Strictness::Ignore,
            Some("Strict") => Strictness::Strict,
            Some(other) => {
                let known = ["", "Ignore", "Strict", "Warn"];
                problems.push(Problem::unsupported("fieldValidation", &json!(other), &known));
                Strictness::Warn
            }
        };
        refuse(kind, &problems)?;
        Ok(Self { persist, strictness })
    }

    /// Warns of complaints about fields, or says how they are refused.
    pub(crate) fn judge(&self, store: &mut Store, complaints: Vec<String>) -> Result<(), String> {
        match self.strictness {
            Strictness::Strict if !complaints.is_empty() => {
                return Err(format!("strict decoding error: {}", complaints.join(", ")));
            }
            Strictness::Warn => store.warnings.extend(complaints),
            Strictness::Strict | Strictness::Ignore => (),
        }
        Ok(())
    }
}

/// Reads the options of a deletion: from the body, or else from the URL.
pub(crate) fn of_deletion(request: &Request) -> Result<(Deletion, Persist), Failure> {
    let body = if request.body.is_empty() { in_url(&request.query) } else { in_body(request)? };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let dry: Vec<&str> = meta::items(&body, "/dryRun").iter().filter_map(Value::as_str).collect();
    let (mut problems, persist) = dry_run(&dry);
    let wanted = text("/propagationPolicy");
    let propagation = match wanted.as_deref() {
        None => match body["orphanDependents"].as_bool() {
            Some(true) => Some(Propagation::Orphan),
            Some(false) | None => None,
        },
        Some(wanted) if body["orphanDependents"].is_boolean() => {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            problems.push(Problem::invalid("propagationPolicy", &json!(wanted), detail));
            None
        }
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            problems.push(Problem::unsupported("propagationPolicy", &json!(other), &known));
            None
        }
    };
    refuse("DeleteOptions", &problems)?;
    let options = Deletion {
        uid: text("/preconditions/uid"),
        version: text("/preconditions/resourceVersion"),
        propagation,
        grace: body["gracePeriodSeconds"].as_i64(),
    };
    Ok((options, persist))
}

fn in_url(query: &Query) -> Value {
    let mut options = json!({"dryRun": query.values("dryRun")});
    if let Some(policy) = query.value("propagationPolicy") {
        options["propagationPolicy"] = json!(policy);
    }
    if let Some(grace) = query.value("gracePeriodSeconds").and_then(|grace| grace.parse::<i64>().ok()) {
        options["gracePeriodSeconds"] = json!(grace);
    }
    if let Some(orphan) = query.value("orphanDependents") {
        options["orphanDependents"] = json!(orphan == "true");
    }
    options
}

fn in_body(request: &Request) -> Result<Value, Failure> {
    let unreadable = |problem: String| {
        Failure::bad_request(format!("couldn't get version/kind; json parse error: {problem}"))
    };
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| unreadable(error.to_string()))?;
    if !body.is_object() {
        return Err(unreadable("it is not an object".to_owned()));
    }
    let kind = meta::text(&body, "/kind");
    if !["", "DeleteOptions"].contains(&kind) {
        let version = meta::text(&body, "/apiVersion");
        return Err(Failure::bad_request(format!(
            "no kind \"{kind}\" is registered for version \"{version}\""
        )));
    }
    if body.get("gracePeriodSeconds").is_some_and(|grace| !grace.is_null() && !grace.is_i64()) {
        return Err(Failure::bad_request("json: cannot read gracePeriodSeconds as a number"));
    }
    Ok(body)
}

fn dry_run(values: &[&str]) -> (Vec<Problem>, Persist) {
    let problem = Problem::unsupported("dryRun", &json!(values), &["All"]);
    match values {
        [] => (Vec::new(), Persist::Keep),
        values if values.iter().all(|value| *value == "All") => (Vec::new(), Persist::Discard),
        _ => (vec![problem], Persist::Keep),
    }
}

fn refuse(kind: &str, problems: &[Problem]) -> Result<(), Failure> {
    if problems.is_empty() { Ok(()) } else { Err(Failure::invalid_options(kind, problems)) }
}
