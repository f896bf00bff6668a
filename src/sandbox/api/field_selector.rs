//! Field selectors of queries: which fields a kind can be selected by, and whether an object matches.
//!
//! See <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>.

use serde_json::Value;

use crate::sandbox::object::kind::Kind;
use crate::sandbox::object::meta;
use crate::sandbox::object::status_error::StatusError;

/// The requirements of a `fieldSelector`: values at JSON pointers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, Comparison, String)>);

/// The fields that can select a kind, besides its name and namespace.
fn selectable(kind: Kind) -> &'static [&'static str] {
    match kind.plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ],
        "jobs" => &["status.successful"],
        "namespaces" => &["status.phase"],
        "secrets" => &["type"],
        _ => &[],
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Different,
}

impl Fields {
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, StatusError> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let split = |sign| part.split_once(sign);
            let (field, comparison, value) = if let Some((field, value)) = split("!=") {
                (field, Comparison::Different, value)
            } else if let Some((field, value)) = split("==").or_else(|| split("=")) {
                (field, Comparison::Equal, value)
            } else {
                let message = format!("invalid selector: '{part}'; can't understand '{part}'");
                return Err(StatusError::bad_request(message));
            };
            let known = ["metadata.name", "metadata.namespace"];
            if !known.contains(&field) && !selectable(kind).contains(&field) {
                return Err(StatusError::bad_request(match selectable(kind) {
                    [] => format!(
                        "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    ),
                    _ => format!("field label not supported: {field}"),
                }));
            }
            let field = format!("/{}", field.replace('.', "/"));
            terms.push((field, comparison, value.to_owned()));
        }
        Ok(Self(terms))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, comparison, value)| {
            let found = meta::text(object, field);
            match comparison {
                Comparison::Equal => found == value,
                Comparison::Different => found != value,
            }
        })
    }
}
