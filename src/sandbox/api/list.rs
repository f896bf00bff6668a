//! Lists: whole or in pages, of the present or of a past version.
//!
//! It decides which version of a collection a query requests and where its pages begin and end. The watch cache decides
//! how old a version may be. See
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::sandbox::api::filter::Filter;
use crate::sandbox::api::route::{Query, ResourcePath};
use crate::sandbox::object::field_error::FieldError;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::kind::{Kind, Origin};
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::watch_cache::WatchCache;

/// The list that a query requests.
pub(crate) fn serve(
    store: &Store,
    cache: &WatchCache,
    resource: &ResourcePath,
    query: &Query,
) -> Result<Value, StatusError> {
    check(query)?;
    let filter = Filter::of(resource, query)?;
    let limit =
        number(query, "limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let asked = version(query)?;
    let token = query.value("continue").map(ContinueToken::read).transpose()?;
    if token.is_some() && asked.is_some_and(|asked| asked > 0) {
        return Err(StatusError::bad_request(
            "specifying resource version is not allowed when using continue",
        ));
    }
    check_version_reached(store, query)?;
    let exact = query.value("resourceVersionMatch") == Some("Exact");
    let past = match &token {
        Some(token) => Some(token.version),
        None => asked.filter(|_| exact),
    };
    // As the server does, a list from the watch cache ignores the limit.
    let limit = limit.filter(|_| asked != Some(0));
    let found: Vec<(Key, Arc<Value>)> = match past {
        None => filter.select(store).map(|(key, object)| (key.clone(), Arc::clone(object))).collect(),
        Some(past) => {
            let recalled =
                cache.snapshot(store, resource.kind, past).map_err(|_| expired(token.is_some()))?;
            recalled.into_iter().filter(|(key, object)| filter.matches_at(key, object)).collect()
        }
    };
    let after = token.map(|token| token.after);
    let mut rest = found.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| sort_key(key) > *after));
    let page: Vec<&(Key, Arc<Value>)> = rest.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let version = past.unwrap_or(store.version);
    let mut metadata = json!({"resourceVersion": version.to_string()});
    let remaining = rest.count();
    if let (Some((last, _)), true) = (page.last(), remaining > 0) {
        metadata["continue"] = json!(ContinueToken { version, after: sort_key(last) }.written());
        if filter.is_plain() {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    Ok(json!({
        "kind": format!("{}List", resource.kind.kind),
        "apiVersion": resource.kind.api_version(),
        "metadata": metadata,
        "items": page.into_iter().map(|(_, object)| item(resource.kind, object)).collect::<Vec<Value>>(),
    }))
}

/// Items of built-in kinds omit `apiVersion` and `kind` in lists; custom resources keep them.
fn item(kind: Kind, object: &Value) -> Value {
    let object = &*kind.present(object);
    if kind.origin != Origin::BuiltIn {
        return object.clone();
    }
    let fields = object.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| *name != "apiVersion" && *name != "kind");
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn check(query: &Query) -> Result<(), StatusError> {
    number(query, "timeoutSeconds")?;
    let mut errors = Vec::new();
    if let Some(wanted) = query.value("resourceVersionMatch") {
        errors.extend(version_match(wanted, query.value("resourceVersion").unwrap_or_default()));
    }
    if query.value("sendInitialEvents").is_some() {
        errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    StatusError::check_options("ListOptions", &errors)
}

fn version_match(wanted: &str, version: &str) -> Option<FieldError> {
    const FIELD: &str = "resourceVersionMatch";
    match (wanted, version) {
        (_, "") => {
            let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            Some(FieldError::forbidden(FIELD, detail))
        }
        ("Exact", "0") => {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            Some(FieldError::forbidden(FIELD, detail))
        }
        ("Exact" | "NotOlderThan", _) => None,
        (other, _) => Some(FieldError::unsupported(FIELD, &json!(other), &["Exact", "NotOlderThan", ""])),
    }
}

/// An option that must be an integer.
pub(crate) fn number(query: &Query, name: &str) -> Result<Option<i64>, StatusError> {
    let parse = |text: &str| {
        let refused =
            || StatusError::bad_request(format!("strconv.ParseInt: parsing {}: invalid syntax", json!(text)));
        text.parse().map_err(|_| refused())
    };
    query.value(name).map(parse).transpose()
}

/// The resource version that a list requests.
fn version(query: &Query) -> Result<Option<u64>, StatusError> {
    let parse = |text: &str| {
        let refused =
            || StatusError::bad_request(format!("invalid resource version: {}", not_a_version(text)));
        text.parse().map_err(|_| refused())
    };
    query.value("resourceVersion").map(parse).transpose()
}

fn not_a_version(text: &str) -> String {
    let text = json!(text);
    format!("resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: invalid syntax")
}

/// The resource version that a watch or a read of one object requests.
pub(crate) fn requested_version(query: &Query) -> Result<Option<u64>, StatusError> {
    let parse = |text: &str| text.parse().map_err(|_| StatusError::unreasoned(not_a_version(text)));
    query.value("resourceVersion").map(parse).transpose()
}

/// Rejects a future resource version. A server first waits for it for some seconds.
pub(crate) fn check_version_reached(store: &Store, query: &Query) -> Result<(), StatusError> {
    let Some(asked) = requested_version(query)? else { return Ok(()) };
    if asked > store.version { Err(StatusError::too_large_version(asked, store.version)) } else { Ok(()) }
}

fn expired(is_page: bool) -> StatusError {
    StatusError::expired_list(if is_page {
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of \
         the results. Continuing with the provided token results in an inconsistent list - objects that were \
         created, modified, or deleted between the time the first chunk was returned and now may show up in the \
         list."
    } else {
        "The resourceVersion for the provided list is too old."
    })
}

/// The position of the next page.
struct ContinueToken {
    version: u64,
    /// The sort key of the last object on the previous page.
    after: String,
}

impl ContinueToken {
    /// The opaque token that clients send back.
    fn written(&self) -> String {
        let text = format!("{}/{}", self.version, self.after);
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(text: &str) -> Result<Self, StatusError> {
        let byte = |at: usize| text.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
        let plain = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let read = plain.as_deref().and_then(|plain| plain.split_once('/'));
        let token = read.and_then(|(version, after)| {
            Some(Self { version: version.parse().ok()?, after: after.to_owned() })
        });
        token.ok_or_else(|| {
            StatusError::bad_request(
                "invalid continue token: continue key is not valid: it was not given out here",
            )
        })
    }
}

/// The order of lists.
fn sort_key(key: &Key) -> String {
    format!("{}/{}", key.namespace, key.name)
}
