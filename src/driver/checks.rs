//! Checks before the first write of a run: what prevents it from succeeding, and what interferes with it.
//!
//! [`manifest`] checks an application in its namespace, `run_state` and `target` the recorded run and the resolved
//! target, [`objects`] and [`collisions`] names, owners and immutable fields. [`check_cluster`] checks what only the
//! cluster knows: quotas, autoscalers, disruption budgets, admission. A run that cannot succeed is refused. Conditions
//! that may change before they matter are warnings, and so are checks that this user has no permission for.

mod budget;
pub mod collisions;
pub(in crate::driver) mod immutable;
pub mod local_gates;
pub mod manifest;
pub mod object_dry_run;
pub mod objects;
mod pod_dry_run;
pub mod queries;
mod quota;
pub(in crate::driver) mod refusal;
pub(crate) mod run_state;
pub mod server_dry_run;
pub(in crate::driver) mod target;

use std::rc::Rc;

use futures::{FutureExt as _, StreamExt as _, stream};
use k8s_openapi::api::core::v1::ResourceQuota;

use crate::cluster::access_review;
use crate::cluster::autoscalers::{self, AutoscaledWorkload};
use crate::cluster::constraints::{self, IfPermitted, NamespacePhase};
use crate::cluster::error::ClusterError;
use crate::cluster::permissions::Right;
use crate::cluster::session::Session;
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::oam::kind::WorkloadKind;

use pod_dry_run::PodVerdict;

/// How many pods are dry-run at once, which is as many requests as can be in flight anyway.
const TRIALS: usize = 16;

/// Something that a user should know before a run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The component that it is about; `None` if it is about all components.
    pub component: Option<String>,
    /// The text of the warning.
    pub message: String,
}

/// Checks the planned runs of a namespace against the cluster. Sends no request if nothing would be written.
///
/// # Errors
/// A condition under which no run can succeed, and the server's last error.
pub async fn check_cluster(
    session: &Session,
    namespace: &str,
    planned: &[PlannedComponent],
) -> Result<Vec<Warning>, Failure> {
    let pending: Vec<&PlannedComponent> = planned.iter().filter(|planned| planned.is_pending()).collect();
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    // Components that are applied as a whole get their sizes from the manifest or an autoscaler.
    let is_batched = |planned: &&PlannedComponent| planned.prepared.objects.is_none();
    let pending: Vec<&PlannedComponent> = pending.into_iter().filter(is_batched).collect();
    let workloads = workloads(&pending);
    let quotas = constraints::list_quotas(session, namespace).map(Rc::new).shared();
    let dry_runs = session.for_dry_runs();
    let trials = pending.iter().map(|planned| try_pod(&dry_runs, namespace, planned, quotas.clone()));
    let (presence, autoscaled, quotas, budgets, trials) = tokio::join!(
        constraints::namespace_phase(session, namespace),
        autoscalers::list_autoscalers(session, namespace, &workloads),
        quotas.clone(),
        constraints::list_disruption_budgets(session, namespace),
        stream::iter(trials).buffered(TRIALS).collect::<Vec<_>>(),
    );
    let mut denied = Vec::new();
    refuse_absent(namespace, known(presence?, &mut denied))?;
    if let Some(AutoscaledWorkload { autoscaler, kind, workload }) =
        known(autoscaled?, &mut denied).and_then(|found| found.into_iter().next())
    {
        let noun = kind.noun();
        return Err(Failure::refused(format!(
            "horizontalpodautoscaler `{autoscaler}` sets the size of {noun} `{workload}`"
        ))
        .hint("delete it for the duration of the rollout; otherwise each would undo the other's changes"));
    }
    let quotas = known(quotas.as_ref().clone()?, &mut denied);
    let budgets = known(budgets?, &mut denied).unwrap_or_default();
    let mut warnings = Vec::new();
    let mut demands = Vec::new();
    for (planned, tried) in pending.iter().zip(trials) {
        let PodDryRun { verdict, demand } = tried?;
        let about = |message| Warning { component: Some(planned.prepared.component.clone()), message };
        match known(verdict, &mut denied) {
            Some(PodVerdict::Refused(failure)) => return Err(failure),
            Some(PodVerdict::Doubtful(message)) => warnings.push(about(message)),
            // The sums below give the exact shortfall of each quota.
            Some(PodVerdict::OverQuota(message)) if quotas.is_none() => warnings.push(about(message)),
            Some(PodVerdict::OverQuota(_) | PodVerdict::Fine) | None => {}
        }
        demands.extend(demand);
        warnings.extend(budget::warnings(&budgets, planned).into_iter().map(about));
    }
    let exceeded = quota::exceeded(&quotas.unwrap_or_default(), &demands);
    warnings.extend(exceeded.into_iter().map(|message| Warning { component: None, message }));
    denied.sort_unstable();
    denied.dedup();
    if !denied.is_empty() {
        let message = format!(
            "{}; the preflight checks that need them are skipped: `rollout rbac` prints the permissions",
            access_review::describe_missing(namespace, &denied)
        );
        warnings.push(Warning { component: None, message });
    }
    Ok(warnings)
}

/// The result of dry-running one of a run's pods.
struct PodDryRun {
    /// The verdict of admission.
    verdict: IfPermitted<PodVerdict>,
    /// What all pods of the run take from quotas; `None` if there are no quotas.
    demand: Option<quota::Demand>,
}

/// The quotas, once they are listed.
type ListedQuotas = Rc<Result<IfPermitted<Vec<ResourceQuota>>, ClusterError>>;

/// Dry-runs one pod of a component, and drops the pod afterwards: a thousand components would hold one each.
async fn try_pod(
    session: &Session,
    namespace: &str,
    planned: &PlannedComponent,
    quotas: impl Future<Output = ListedQuotas>,
) -> Result<PodDryRun, ClusterError> {
    let tried = pod_dry_run::run(session, namespace, planned).await?;
    let are_limited = matches!(quotas.await.as_ref(), Ok(IfPermitted::Known(quotas)) if !quotas.is_empty());
    let (verdict, pod) = match tried {
        IfPermitted::Known(tried) => {
            (IfPermitted::Known(tried.verdict(namespace, planned)), tried.admitted())
        }
        IfPermitted::Denied(right) => (IfPermitted::Denied(right), None),
    };
    Ok(PodDryRun { verdict, demand: are_limited.then(|| quota::demand(planned, pod.as_ref())) })
}

/// The value if the user was permitted to read it; otherwise adds the missing right to `denied`.
fn known<T>(asked: IfPermitted<T>, denied: &mut Vec<Right<'static>>) -> Option<T> {
    match asked {
        IfPermitted::Known(value) => Some(value),
        IfPermitted::Denied(right) => {
            denied.push(right);
            None
        }
    }
}

/// The workloads whose sizes the runs set.
fn workloads(pending: &[&PlannedComponent]) -> Vec<(WorkloadKind, String)> {
    let of_component = |planned: &&PlannedComponent| {
        let desired = &planned.prepared.desired;
        let live = planned.observed.workloads.iter().map(|workload| workload.name.clone());
        let kind = desired.kind;
        live.chain([desired.workload.clone()]).map(move |name| (kind, name)).collect::<Vec<_>>()
    };
    pending.iter().flat_map(of_component).collect()
}

fn refuse_absent(namespace: &str, presence: Option<NamespacePhase>) -> Result<(), Failure> {
    match presence {
        None | Some(NamespacePhase::Active) => Ok(()),
        Some(NamespacePhase::Missing) => Err(Failure::missing_namespace(namespace)),
        Some(NamespacePhase::Terminating) => {
            Err(Failure::refused(format!("namespace `{namespace}` is being terminated"))
                .hint("use another `--namespace`, or recreate this one once it is deleted"))
        }
    }
}
