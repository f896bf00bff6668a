//! Parses a request: its verb, its resource and its options.
//!
//! This module interprets URLs. It must not interpret bodies or read the state.

use bytes::Bytes;
use http::{Method, request::Parts};
use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::fault::{RequestInfo, Verb};
use crate::sandbox::object::kind::{Kind, Origin, Scope};
use crate::sandbox::object::status_error::StatusError;
use crate::sandbox::validation::fields;
use crate::sandbox::validation::registry;

/// A request with its URL and headers parsed.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
    path: String,
    user_agent: String,
}

#[derive(Debug)]
pub(crate) enum Target {
    Resource(ResourcePath),
    /// A document about the server itself.
    Discovery(String),
    /// An unknown version or resource of a built-in group.
    NoSuchResource,
    /// An unknown path.
    NoSuchPath,
}

/// A collection, an object or a subresource of one.
#[derive(Debug, Clone)]
pub(crate) struct ResourcePath {
    pub(crate) kind: Kind,
    /// `None` for cluster-scoped kinds, and for all namespaces at once.
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|p| !p.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Self(pairs.collect())
    }

    /// The value of an option, unless it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// Every value of an option, empty ones included.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// Whether an option is true.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.value(name).is_some_and(|v| v == "true" || v == "1")
    }
}

impl Request {
    pub(crate) fn new(parts: &Parts, body: Bytes) -> Self {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let target = target(parts.uri.path());
        let named = matches!(&target, Target::Resource(place) if place.name.is_some());
        let verb = match parts.method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ if query.is_on("watch") && !named => Verb::Watch,
            _ if matches!(target, Target::Resource(_)) && !named => Verb::List,
            _ => Verb::Get,
        };
        let header = parts.headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let content_type = header.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let agent = parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let user_agent = agent.unwrap_or_default().to_owned();
        Self { verb, target, query, content_type, body, path, user_agent }
    }

    /// The field manager: the one in the request, or else the program that sent it.
    pub(crate) fn manager(&self) -> String {
        let program =
            || self.user_agent.split('/').next().filter(|name| !name.is_empty()).unwrap_or("unknown");
        self.query.value("fieldManager").unwrap_or_else(program).chars().take(LONGEST_MANAGER).collect()
    }

    /// The program that sent the request, if it has a user agent.
    pub(crate) fn user_agent(&self) -> Option<Arc<str>> {
        (!self.user_agent.is_empty()).then(|| Arc::from(self.user_agent.as_str()))
    }

    /// The request for faults.
    pub(crate) fn info(&self, index: usize) -> RequestInfo {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let (kind, name) = match &self.target {
            Target::Resource(place) => {
                let kind = match &place.subresource {
                    Some(subresource) => format!("{}/{subresource}", place.kind.plural),
                    None => place.kind.plural.to_owned(),
                };
                let in_body = || {
                    body.as_ref()
                        .map(crate::sandbox::object::meta::name)
                        .filter(|n| !n.is_empty())
                        .map(str::to_owned)
                };
                let name = if self.verb == Verb::Create {
                    place.name.clone().or_else(in_body)
                } else {
                    place.name.clone()
                };
                (kind, name)
            }
            Target::Discovery(_) | Target::NoSuchResource | Target::NoSuchPath => (String::new(), None),
        };
        RequestInfo { index, verb: self.verb, kind, name, path: self.path.clone(), body }
    }

    /// The body as JSON, with warnings about duplicate fields; as YAML if the content type is. The error describes
    /// what is wrong with the text.
    pub(crate) fn read(&self) -> Result<(Value, Vec<String>), String> {
        fields::read(&self.body).or_else(|error| {
            let yaml = self.content_type.contains("yaml");
            let text = std::str::from_utf8(&self.body).ok().filter(|_| yaml);
            let read: Option<Value> = text.and_then(|text| serde_yaml::from_str(text).ok());
            let words =
                if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
            read.map(|read| (read, Vec::new())).ok_or(words)
        })
    }

    /// The body of a create or an update of this kind.
    pub(crate) fn object(&self, kind: Kind) -> Result<(Value, Vec<String>), StatusError> {
        if !self.content_type.is_empty() && !OBJECT_TYPES.contains(&self.content_type.as_str()) {
            return Err(StatusError::unsupported_media_type(&OBJECT_TYPES));
        }
        let read = match self.read() {
            Ok((body, _)) if !body.is_object() => Err("it is not an object".to_owned()),
            read => read,
        };
        read.map_err(|problem| {
            StatusError::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {problem}",
                kind.kind
            ))
        })
    }
}

/// The maximum length of a field manager's name.
pub(crate) const LONGEST_MANAGER: usize = 128;

/// The content types that the server accepts. Protobuf is listed as the server lists it, but not supported.
const OBJECT_TYPES: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

fn target(path: &str) -> Target {
    let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Target::Discovery(format!("/{}", segments.join("/"))),
    };
    // A group of custom resources exists only with its kinds, so any other path in it is unknown.
    let known = registry::all_kinds().any(|kind| kind.group == group && kind.origin == Origin::BuiltIn);
    let none = if known { Target::NoSuchResource } else { Target::NoSuchPath };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !NAMESPACE_PARTS.contains(&rest[0]) => {
            (Some((*namespace).to_owned()), rest)
        }
        rest => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, None, None),
        [plural, name] => (*plural, Some((*name).to_owned()), None),
        [plural, name, sub] => (*plural, Some((*name).to_owned()), Some((*sub).to_owned())),
        _ => return none,
    };
    let Some(kind) = registry::find_resource(group, version, plural) else { return none };
    let fits = match kind.scope {
        Scope::Cluster => namespace.is_none(),
        Scope::Namespaced => namespace.is_some() || name.is_none(),
    };
    if fits { Target::Resource(ResourcePath { kind, namespace, name, subresource }) } else { none }
}

/// Subresources of a namespace itself, which follow `/namespaces/<name>` as a resource in it would.
const NAMESPACE_PARTS: [&str; 2] = ["status", "finalize"];

/// Resolves percent escapes; broken ones stand for themselves.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], escape) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
