//! The options of a write, from its URL and, for deletions, its body. Errors name the options kind of the verb, as
//! the server's do.

use serde_json::{Value, json};

use crate::sandbox::api::route::{LONGEST_MANAGER, Query, Request};
use crate::sandbox::fault::Verb;
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::deletion::{DeleteOptions, Propagation};
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::write::DryRun;

/// The options of a create, an update or a patch.
pub(crate) struct Options {
    pub(crate) dry_run: DryRun,
    pub(crate) field_validation: FieldValidation,
}

/// What happens to unknown and duplicate fields. See
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation>.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl Options {
    /// Reads the options of a write other than a deletion.
    pub(crate) fn of(request: &Request) -> Result<Self, StatusError> {
        let kind = match request.verb {
            Verb::Update => "UpdateOptions",
            Verb::Patch => "PatchOptions",
            Verb::Create | Verb::Get | Verb::List | Verb::Watch | Verb::Delete => "CreateOptions",
        };
        let (mut errors, dry_run) = dry_run(&request.query.values("dryRun"));
        if request.query.value("fieldManager").is_some_and(|manager| manager.len() > LONGEST_MANAGER) {
            errors.push(FieldError::too_long("fieldManager", LONGEST_MANAGER));
        }
        let field_validation = match request.query.value("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                let known = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::unsupported("fieldValidation", &json!(other), &known));
                FieldValidation::Warn
            }
        };
        StatusError::check_options(kind, &errors)?;
        Ok(Self { dry_run, field_validation })
    }

    /// Turns unknown and duplicate fields into warnings or into an error.
    pub(crate) fn handle_unknown_fields(
        &self,
        store: &mut Store,
        complaints: Vec<String>,
    ) -> Result<(), String> {
        match self.field_validation {
            FieldValidation::Strict if !complaints.is_empty() => {
                return Err(format!("strict decoding error: {}", complaints.join(", ")));
            }
            FieldValidation::Warn => store.warnings.extend(complaints),
            FieldValidation::Strict | FieldValidation::Ignore => (),
        }
        Ok(())
    }
}

/// Reads the options of a deletion from the body, or else from the URL.
pub(crate) fn delete_options(request: &Request) -> Result<(DeleteOptions, DryRun), StatusError> {
    let body = if request.body.is_empty() { in_url(&request.query) } else { in_body(request)? };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let dry: Vec<&str> = meta::items(&body, "/dryRun").iter().filter_map(Value::as_str).collect();
    let (mut errors, dry_run) = dry_run(&dry);
    let wanted = text("/propagationPolicy");
    let propagation = match wanted.as_deref() {
        None => match body["orphanDependents"].as_bool() {
            Some(true) => Some(Propagation::Orphan),
            Some(false) | None => None,
        },
        Some(wanted) if body["orphanDependents"].is_boolean() => {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid("propagationPolicy", &json!(wanted), detail));
            None
        }
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            errors.push(FieldError::unsupported("propagationPolicy", &json!(other), &known));
            None
        }
    };
    StatusError::check_options("DeleteOptions", &errors)?;
    let options = DeleteOptions {
        uid: text("/preconditions/uid"),
        version: text("/preconditions/resourceVersion"),
        propagation,
        grace: body["gracePeriodSeconds"].as_i64(),
    };
    Ok((options, dry_run))
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

fn in_body(request: &Request) -> Result<Value, StatusError> {
    let undecodable = |problem: String| {
        StatusError::bad_request(format!("couldn't get version/kind; json parse error: {problem}"))
    };
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|error| undecodable(error.to_string()))?;
    if !body.is_object() {
        return Err(undecodable("it is not an object".to_owned()));
    }
    let kind = meta::text(&body, "/kind");
    if !["", "DeleteOptions"].contains(&kind) {
        let version = meta::text(&body, "/apiVersion");
        return Err(StatusError::bad_request(format!(
            "no kind \"{kind}\" is registered for version \"{version}\""
        )));
    }
    if body.get("gracePeriodSeconds").is_some_and(|grace| !grace.is_null() && !grace.is_i64()) {
        return Err(StatusError::bad_request("json: cannot read gracePeriodSeconds as a number"));
    }
    Ok(body)
}

fn dry_run(values: &[&str]) -> (Vec<FieldError>, DryRun) {
    let problem = FieldError::unsupported("dryRun", &json!(values), &["All"]);
    match values {
        [] => (Vec::new(), DryRun::Off),
        values if values.iter().all(|value| *value == "All") => (Vec::new(), DryRun::On),
        _ => (vec![problem], DryRun::Off),
    }
}
