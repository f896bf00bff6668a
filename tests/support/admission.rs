//! What the server does not accept as it was sent: rights that are missing for a while, and policies that change or
//! deny writes, as webhooks do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use rollout::cluster::clock::Moment;
use rollout::sandbox::fault::{RequestInfo, Verb};
use serde_json::{Value, json};
use tower::BoxError;

use super::fault::{is_write, status};
use super::rules::world::WORKLOADS;
use super::tapped_client::request_info;

/// More requests than any process makes.
const ENDLESS: usize = 5_000;

/// What a policy does with the writes of every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Adds a port to each Service.
    AddPort,
    /// Adds a label to workloads and Services.
    AddLabel,
    /// Lowers the sizes of workloads to this one.
    CapSize(u32),
    /// Denies the creation of this kind.
    DenyCreation(&'static str),
}

/// The missing rights and the policies, each until some time.
#[derive(Default)]
pub(crate) struct Admission {
    denied: Mutex<Vec<(&'static str, Moment)>>,
    policies: Mutex<Vec<(Policy, Moment)>>,
}

impl Admission {
    pub(crate) fn deny(&self, kind: &'static str, until: Moment) {
        self.denied.lock().unwrap().push((kind, until));
    }

    pub(crate) fn add(&self, policy: Policy, until: Moment) {
        self.policies.lock().unwrap().push((policy, until));
    }

    pub(crate) fn lift(&self) {
        self.denied.lock().unwrap().clear();
        self.policies.lock().unwrap().clear();
    }

    /// The body of a request as it is admitted, or the answer that denies the request.
    pub(crate) fn admit(
        &self,
        seen: &RequestInfo,
        body: Bytes,
        now: Moment,
    ) -> Result<Bytes, Box<Response<Bytes>>> {
        let is_denied = |(kind, until): &(&str, Moment)| *kind == seen.kind && now < *until;
        if is_write(seen) && self.denied.lock().unwrap().iter().any(is_denied) {
            let message = format!("{} \"x\" is forbidden: User \"ci\" cannot do that", seen.kind);
            return Err(Box::new(status(403, "Forbidden", &message)));
        }
        if !matches!(seen.verb, Verb::Create | Verb::Patch) {
            return Ok(body);
        }
        let policies = self.policies.lock().unwrap();
        let mut body = body;
        for (policy, _) in policies.iter().filter(|(_, until)| now < *until) {
            if let Policy::DenyCreation(kind) = policy
                && seen.verb == Verb::Create
                && *kind == seen.kind
            {
                let message = "admission webhook \"policy.example.com\" denied the request: not now";
                return Err(Box::new(status(400, "BadRequest", message)));
            }
            let Some(mut changed) = serde_json::from_slice(&body).ok() else { continue };
            policy.change(seen, &mut changed);
            body = Bytes::from(changed.to_string());
        }
        Ok(body)
    }
}

impl Policy {
    /// A client whose writes the policy changes.
    pub(crate) fn over(self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let sent = Arc::new(AtomicUsize::new(0));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, index) = (client.clone(), sent.fetch_add(1, Ordering::Relaxed));
            async move {
                // If no time passes between requests, nothing else ends an endless loop.
                assert!(index < ENDLESS, "a process makes request after request");
                let (parts, body) = request.into_parts();
                let mut body = body.collect().await?.to_bytes();
                let seen = request_info(index, &parts.method, &parts.uri, &body);
                if let Ok(mut changed) = serde_json::from_slice(&body) {
                    self.change(&seen, &mut changed);
                    body = Bytes::from(changed.to_string());
                }
                Ok::<_, BoxError>(client.send(Request::from_parts(parts, Body::from(body))).await?)
            }
        });
        Client::new(service, namespace)
    }

    /// Changes a body: an object, or a JSON Patch.
    fn change(self, seen: &RequestInfo, body: &mut Value) {
        let is_workload = WORKLOADS.contains(&seen.kind.as_str());
        let is_service = seen.kind == "services";
        let port = json!({"name": "policy", "port": 9000, "targetPort": 9000, "protocol": "TCP"});
        match (self, body) {
            (Self::AddPort, Value::Array(patch)) if is_service => {
                let ports = patch.iter().rev().find(|one| one["path"] == "/spec/ports");
                if ports.is_some_and(|one| one["op"] != "remove") {
                    patch.push(json!({"op": "add", "path": "/spec/ports/-", "value": port}));
                }
            }
            (Self::AddPort, object) if is_service && seen.verb == Verb::Create => {
                if let Some(ports) = object["spec"]["ports"].as_array_mut() {
                    ports.push(port);
                }
            }
            (Self::AddLabel, Value::Array(patch)) if is_service || is_workload => {
                let path = "/metadata/labels/policy.example.com~1checked";
                patch.push(json!({"op": "add", "path": path, "value": "true"}));
            }
            (Self::AddLabel, object) if (is_service || is_workload) && seen.verb == Verb::Create => {
                object["metadata"]["labels"]["policy.example.com/checked"] = json!("true");
            }
            (Self::CapSize(most), Value::Array(patch)) if is_workload => {
                for operation in patch.iter_mut().filter(|one| one["op"] != "test") {
                    if operation["path"] == "/spec/replicas"
                        && operation["value"].as_u64() > Some(most.into())
                    {
                        operation["value"] = json!(most);
                    }
                }
            }
            (Self::AddPort | Self::AddLabel | Self::CapSize(_) | Self::DenyCreation(_), _) => {}
        }
    }
}
