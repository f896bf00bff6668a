//! Calls hooks and providers of metrics, which are outside the cluster's API.
//!
//! Requests are sent from the machine that `rollout` runs on, so private addresses are allowed. Certificates are
//! verified, redirects are not followed, and no proxy is used. In a rehearsal, a script answers instead.

pub mod hook;
mod live;
pub mod provider;
pub mod script;

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use thiserror::Error;

use crate::oam::batch_gates::{Header, Hook, Metric};
use crate::plan::metric::MetricValue;
use crate::probe::hook::{HookAnswer, HookCall, hook_answer, hook_request};
use crate::probe::provider::{metric_answer, metric_request, query_answer, query_request};

pub use live::{Environment, LiveProbe};

/// The placeholders that texts of a gate may contain in double braces, and their values: see
/// [`PLACEHOLDERS`](crate::oam::batch_gates::PLACEHOLDERS).
pub type GateValues = BTreeMap<&'static str, String>;

/// Calls hooks and measures metrics, without a time limit.
pub trait Probe {
    /// Calls a hook once.
    fn call_hook<'a>(&'a self, hook: &'a Hook, call: &'a HookCall<'_>) -> LocalBoxFuture<'a, HookAnswer>;

    /// Takes one measurement. The error is the reason why there is no value.
    fn measure<'a>(
        &'a self,
        metric: &'a Metric,
        values: &'a GateValues,
    ) -> LocalBoxFuture<'a, Result<MetricValue, String>>;

    /// Has the provider of a metric parse its query, without measuring.
    fn parse_query<'a>(&'a self, metric: &'a Metric) -> LocalBoxFuture<'a, ParsedQuery>;

    /// Looks up what a gate needs on this machine: the variables and files in its headers, and its program. Sends and
    /// runs nothing.
    ///
    /// # Errors
    /// What is missing.
    fn look_up(&self, headers: &[Header], program: Option<&str>) -> Result<(), ProbeError>;
}

/// The result of having a provider parse a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedQuery {
    /// The query is valid, or there is none.
    Sound,
    /// The query is invalid, for this reason.
    Malformed(String),
    /// The query could not be checked, for this reason.
    Unknown(String),
}

impl<T: Transport> Probe for T {
    fn call_hook<'a>(&'a self, hook: &'a Hook, call: &'a HookCall<'_>) -> LocalBoxFuture<'a, HookAnswer> {
        async move { hook_answer(hook, self.send(hook_request(hook, call)).await) }.boxed_local()
    }

    fn measure<'a>(
        &'a self,
        metric: &'a Metric,
        values: &'a GateValues,
    ) -> LocalBoxFuture<'a, Result<MetricValue, String>> {
        async move {
            let answer = self.send(metric_request(&metric.provider, values)).await;
            metric_answer(&metric.provider, &answer.map_err(|error| error.to_string())?)
        }
        .boxed_local()
    }

    fn parse_query<'a>(&'a self, metric: &'a Metric) -> LocalBoxFuture<'a, ParsedQuery> {
        let request = query_request(&metric.provider);
        async move {
            match request {
                None => ParsedQuery::Sound,
                Some(request) => query_answer(self.send(request).await),
            }
        }
        .boxed_local()
    }

    fn look_up(&self, headers: &[Header], program: Option<&str>) -> Result<(), ProbeError> {
        Transport::look_up(self, headers, program)
    }
}

/// Sends requests.
pub trait Transport {
    /// Sends a request and waits for its answer, without a time limit.
    ///
    /// # Errors
    /// Why there is no answer.
    fn send(&self, request: ProbeRequest) -> LocalBoxFuture<'_, Result<ProbeResponse, ProbeError>>;

    /// As [`Probe::look_up`].
    ///
    /// # Errors
    /// What is missing.
    fn look_up(&self, headers: &[Header], program: Option<&str>) -> Result<(), ProbeError>;
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeRequest {
    /// An HTTP request.
    Http {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The headers, whose values are looked up when they are sent.
        headers: Vec<Header>,
        /// The body, if any.
        body: Option<String>,
        /// Whether the body of the answer is read, or only its status.
        reads_body: bool,
    },
    /// A command.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResponse {
    /// The HTTP status, or the exit code of a command; -1 if a signal ended it.
    pub status: i32,
    /// The body, or the command's output on stdout.
    pub body: String,
    /// The last line of the command's output on stderr.
    pub stderr: String,
}

/// Why there is no answer. The text contains no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ProbeError(pub String);
