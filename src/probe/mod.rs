//! What a run asks outside the cluster: hooks, and the providers of metrics.
//!
//! It asks from where `rollout` runs, so a private address is as good as any. Certificates are checked, no redirect is
//! followed, and no proxy is used. A rehearsal asks a script instead.

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

/// What texts of a gate may name in double braces, and what it stands for: see
/// [`PLACEHOLDERS`](crate::oam::batch_gates::PLACEHOLDERS).
pub type GateValues = BTreeMap<&'static str, String>;

/// Calls hooks and measures, however long that takes.
pub trait Probe {
    /// Calls a hook once.
    fn call_hook<'a>(&'a self, hook: &'a Hook, call: &'a HookCall<'_>) -> LocalBoxFuture<'a, HookAnswer>;

    /// Takes one measurement. Where there is no value, it says why.
    fn measure<'a>(
        &'a self,
        metric: &'a Metric,
        values: &'a GateValues,
    ) -> LocalBoxFuture<'a, Result<MetricValue, String>>;

    /// Has the provider of a metric parse its query, without a measurement.
    fn parse_query<'a>(&'a self, metric: &'a Metric) -> LocalBoxFuture<'a, ParsedQuery>;
}

/// What a provider says of the syntax of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedQuery {
    /// It is sound, or there is none.
    Sound,
    /// It is not, for this reason.
    Malformed(String),
    /// Nothing, for this reason.
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
}

/// Asks questions.
pub trait Transport {
    /// Asks one and waits for its answer, however long that takes.
    ///
    /// # Errors
    /// Why there is no answer.
    fn send(&self, request: ProbeRequest) -> LocalBoxFuture<'_, Result<ProbeResponse, ProbeError>>;
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeRequest {
    /// An HTTP request.
    Http {
        /// The method.
        method: String,
        /// The address.
        url: String,
        /// The headers; their values are looked up when they are sent.
        headers: Vec<Header>,
        /// The body; `None` is none.
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

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResponse {
    /// The HTTP status, or the exit code of a command; -1 where a signal ended it.
    pub status: i32,
    /// The body, or what the command printed on stdout.
    pub body: String,
    /// What the command printed on stderr, its last line.
    pub stderr: String,
}

/// Why there is no answer. The text names no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ProbeError(pub String);
