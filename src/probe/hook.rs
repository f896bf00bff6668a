//! Builds the requests of hooks, and decides which answers let the run continue.

use serde_json::json;

use crate::oam::batch_gates::{Header, HeaderValue, Hook};
use crate::probe::{ProbeError, ProbeRequest, ProbeResponse};

/// The header that identifies a call, with the same value for every attempt, even by a process that resumes the run.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCall<'a> {
    /// The component, which is also the name of its view for kubectl.
    pub component: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// The original's name for the state of the run.
    pub phase: &'a str,
    /// Identifies this call among all others.
    pub key: String,
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAnswer {
    /// The run may continue.
    Accepted,
    /// The run may not continue: the status is not an expected one.
    Refused(i32),
    /// There was no answer.
    Unreached(String),
}

/// The request of a call.
#[must_use]
pub fn hook_request(hook: &Hook, call: &HookCall<'_>) -> ProbeRequest {
    let mut body = json!({"name": call.component, "namespace": call.namespace, "phase": call.phase});
    if !hook.metadata.is_empty() {
        body["metadata"] = json!(hook.metadata);
    }
    let key = Header { key: IDEMPOTENCY_KEY.to_owned(), value: HeaderValue::Text(call.key.clone()) };
    ProbeRequest::Http {
        method: hook.method.clone(),
        url: hook.url.clone(),
        headers: std::iter::once(key).chain(hook.headers.iter().cloned()).collect(),
        body: Some(body.to_string()),
        reads_body: false,
    }
}

/// Judges the response. As in the original, a status of 500 or above is an error even if it is expected, and without
/// `expectedStatus`, every status up to 202 is accepted.
#[must_use]
pub fn hook_answer(hook: &Hook, answer: Result<ProbeResponse, ProbeError>) -> HookAnswer {
    let status = match answer {
        Ok(answer) => answer.status,
        Err(ProbeError(reason)) => return HookAnswer::Unreached(reason),
    };
    let is_expected = match hook.expected_status.is_empty() {
        true => status <= 202,
        false => hook.expected_status.iter().any(|expected| i32::from(*expected) == status),
    };
    if is_expected && status < 500 { HookAnswer::Accepted } else { HookAnswer::Refused(status) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oam::batch_gates::HookType;

    fn hook(expected_status: &[u16]) -> Hook {
        Hook {
            hook_type: HookType::PreBatchRollout,
            name: "check".to_owned(),
            url: "http://10.0.0.1/check".to_owned(),
            method: "POST".to_owned(),
            expected_status: expected_status.to_vec(),
            metadata: [("team".to_owned(), "tea".to_owned())].into(),
            headers: Vec::new(),
        }
    }

    #[test]
    fn statuses_are_judged_as_in_the_original() {
        let of = |expected: &[u16], status| {
            let answer = ProbeResponse { status, body: String::new(), stderr: String::new() };
            hook_answer(&hook(expected), Ok(answer))
        };
        assert_eq!(of(&[], 200), HookAnswer::Accepted);
        assert_eq!(of(&[], 202), HookAnswer::Accepted);
        assert_eq!(of(&[], 204), HookAnswer::Refused(204));
        assert_eq!(of(&[], 302), HookAnswer::Refused(302));
        assert_eq!(of(&[204, 409], 409), HookAnswer::Accepted);
        assert_eq!(of(&[204], 200), HookAnswer::Refused(200));
        assert_eq!(of(&[503], 503), HookAnswer::Refused(503));
        let lost = hook_answer(&hook(&[]), Err(ProbeError("connection refused".to_owned())));
        assert_eq!(lost, HookAnswer::Unreached("connection refused".to_owned()));
    }

    #[test]
    fn a_call_contains_the_component_and_its_phase() {
        let call =
            HookCall { component: "web", namespace: "shop", phase: "batchInitializing", key: "k".to_owned() };
        let ProbeRequest::Http { method, headers, body, .. } = hook_request(&hook(&[]), &call) else {
            panic!()
        };
        assert_eq!((method.as_str(), headers[0].key.as_str()), ("POST", IDEMPOTENCY_KEY));
        let body: serde_json::Value = serde_json::from_str(&body.unwrap()).unwrap();
        let wanted = json!({
            "name": "web", "namespace": "shop", "phase": "batchInitializing", "metadata": {"team": "tea"},
        });
        assert_eq!(body, wanted);
    }
}
