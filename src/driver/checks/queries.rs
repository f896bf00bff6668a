//! Has the providers of metrics parse the queries beforehand: otherwise a typo would fail the run only after its first
//! batch.

use std::time::Duration;

use futures::future::join_all;

use crate::driver::context::{Context, GateTrust};
use crate::driver::outcome::Failure;
use crate::driver::prepare::PreparedComponent;
use crate::oam::batch_gates::{Metric, Provider};
use crate::probe::ParsedQuery;

/// How long a provider may take to answer.
const WITHIN: Duration = Duration::from_secs(2);

/// Has the queries of a component parsed. Returns warnings about queries that could not be checked.
///
/// # Errors
/// The first query that its provider rejects.
pub async fn check_queries(context: &Context, prepared: &PreparedComponent) -> Result<Vec<String>, Failure> {
    let metrics = prepared.desired.gates.all_metrics();
    let parsed = join_all(metrics.map(async |metric| (metric, check_query(context, metric).await))).await;
    let mut unknown = Vec::new();
    for (metric, parsed) in parsed {
        let (component, name) = (&prepared.component, &metric.name);
        match parsed {
            ParsedQuery::Sound => {}
            ParsedQuery::Malformed(reason) => {
                let refused =
                    Failure::refused(format!("the query of metric `{name}` cannot be parsed: {reason}"));
                return Err(refused.hint("correct the manifest; nothing was changed"));
            }
            ParsedQuery::Unknown(reason) => unknown.push(format!(
                "component `{component}`: the query of metric `{name}` is not checked: {reason}"
            )),
        }
    }
    Ok(unknown)
}

async fn check_query(context: &Context, metric: &Metric) -> ParsedQuery {
    let (Some(probe), Provider::Prometheus { .. }) = (&context.probe, &metric.provider) else {
        return ParsedQuery::Sound;
    };
    if context.limits.gates == GateTrust::Untrusted
        && let Some(access) = metric.provider.local_access()
    {
        return ParsedQuery::Unknown(format!("it {access}"));
    }
    let parsed = context.session.clock().within(WITHIN, probe.parse_query(metric)).await;
    parsed.unwrap_or_else(|| ParsedQuery::Unknown(format!("no answer within {}s", WITHIN.as_secs())))
}
