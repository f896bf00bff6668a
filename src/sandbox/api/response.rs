//! Responses to requests.

use serde_json::Value;

/// A status code and a body.
#[derive(Debug)]
pub(crate) enum Response {
    Json(u16, Value),
    Text(u16, String),
}
