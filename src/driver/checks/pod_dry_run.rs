//! Dry-runs a pod of the target, to see whether admission accepts it.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::cluster::constraints::{self, Admission, IfPermitted, NO_POD};
use crate::cluster::error::ClusterError;
use crate::cluster::session::Session;
use crate::driver::outcome::Failure;
use crate::driver::planned_component::PlannedComponent;
use crate::oam::revision;

/// The result of the dry run.
pub(super) enum DryRunPod {
    /// The answer of admission.
    Judged(Admission),
    /// The run creates no pod.
    Needless,
}

/// What the result of the dry run means for the run.
pub(super) enum PodVerdict {
    /// No problem is known.
    Fine,
    /// No pod of the target can be created.
    Refused(Failure),
    /// The quota does not allow another pod now.
    OverQuota(String),
    /// This user could not create the pod; a controller may be allowed to.
    Doubtful(String),
}

/// Parts of rejections by the server's built-in admission, which apply to every user, and the resource that explains
/// each.
const FOR_ALL: [(&str, &str); 4] = [
    (" usage per ", "limitrange"),
    (" max limit to request ratio per ", "limitrange"),
    ("must specify ", "quota"),
    ("violates PodSecurity", "namespace"),
];

/// Part of a rejection by a quota.
const OVER_QUOTA: &str = "exceeded quota";

/// Creates a pod of the target in a dry run, if the run creates any.
pub(super) async fn run(
    session: &Session,
    namespace: &str,
    planned: &PlannedComponent,
) -> Result<IfPermitted<DryRunPod>, ClusterError> {
    let Some(template) = template(planned).filter(|_| planned.makes_pods()) else {
        return Ok(IfPermitted::Known(DryRunPod::Needless));
    };
    let prefix = &planned.prepared.desired.workload;
    Ok(match constraints::dry_run_pod(session, namespace, prefix, &template).await? {
        IfPermitted::Known(admission) => IfPermitted::Known(DryRunPod::Judged(admission)),
        IfPermitted::Denied(right) => IfPermitted::Denied(right),
    })
}

/// The template of the target's pods. As a controller does, it mounts a claim for each of the workload's claim
/// templates, in place of volumes of the same name.
fn template(planned: &PlannedComponent) -> Option<Value> {
    let workload =
        revision::render_revision(&planned.prepared.target, planned.prepared.desired.target_size, 0)?;
    let mut template = workload["spec"]["template"].clone();
    let claims = workload["spec"]["volumeClaimTemplates"].as_array();
    let names = claims.into_iter().flatten().map(|claim| &claim["metadata"]["name"]);
    let claimed = |name: &Value| {
        let claim = format!("{}-{}-0", name.as_str().unwrap_or_default(), planned.prepared.desired.workload);
        json!({"name": name, "persistentVolumeClaim": {"claimName": claim}})
    };
    let claimed: Vec<Value> = names.map(claimed).collect();
    if !claimed.is_empty() {
        let mut volumes = template["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        volumes.retain(|volume| claimed.iter().all(|claim| claim["name"] != volume["name"]));
        template["spec"]["volumes"] = volumes.into_iter().chain(claimed).collect();
    }
    Some(template)
}

impl DryRunPod {
    /// What it means for the run.
    pub(super) fn verdict(&self, namespace: &str, planned: &PlannedComponent) -> PodVerdict {
        match self {
            Self::Judged(Admission::Refused(message)) => {
                judge(message, namespace, &planned.prepared.component, &planned.prepared.target.name)
            }
            Self::Judged(Admission::Admitted(_) | Admission::Unknown) | Self::Needless => PodVerdict::Fine,
        }
    }

    /// The pod as admission leaves it.
    pub(super) fn admitted(self) -> Option<Pod> {
        match self {
            Self::Judged(Admission::Admitted(pod)) => Some(*pod),
            Self::Judged(Admission::Refused(_) | Admission::Unknown) | Self::Needless => None,
        }
    }
}

/// Whether the server has found the pod itself invalid, regardless of the user who creates it.
fn is_invalid(message: &str) -> bool {
    message.starts_with(NO_POD) || (message.starts_with("Pod \"") && message.contains("\" is invalid: "))
}

fn judge(message: &str, namespace: &str, component: &str, revision: &str) -> PodVerdict {
    if message.contains(OVER_QUOTA) {
        return PodVerdict::OverQuota(format!(
            "pods of revision `{revision}` exceed the quota now: {message}"
        ));
    }
    if is_invalid(message) {
        return PodVerdict::Refused(
            Failure::refused(format!("pods of revision `{revision}` are rejected: {message}"))
                .hint(format!("correct component `{component}`, or the trait that sets the field")),
        );
    }
    match FOR_ALL.iter().find(|(words, _)| message.contains(words)) {
        Some((_, resource)) => PodVerdict::Refused(
            Failure::refused(format!("pods of revision `{revision}` are rejected: {message}")).hint(format!(
                "see `kubectl describe {resource} -n {namespace}`, and change the component or the limit"
            )),
        ),
        None => PodVerdict::Doubtful(format!("pods of revision `{revision}` may be rejected: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rejections_that_apply_to_every_user_refuse_the_run() {
        let kind = |message: &str| match judge(message, "shop", "web", "web-v2") {
            PodVerdict::Fine => "fine",
            PodVerdict::Refused(_) => "refused",
            PodVerdict::OverQuota(_) => "quota",
            PodVerdict::Doubtful(_) => "doubtful",
        };
        for (message, expected) in [
            (
                "pods \"x\" is forbidden: maximum cpu usage per Container is 100m, but limit is 500m",
                "refused",
            ),
            ("pods \"x\" is forbidden: [minimum memory usage per Pod is 1Gi, but request is 1Mi]", "refused"),
            ("pods \"x\" is forbidden: failed quota: few: must specify limits.cpu for: web", "refused"),
            ("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot", "refused"),
            ("pods \"x\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=6", "quota"),
            ("Pod \"x\" is invalid: spec.containers[0].image: Required value", "refused"),
            ("Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number", "refused"),
            ("admission webhook \"a.b\" denied the request: no", "doubtful"),
            ("admission webhook \"a.b\" denied the request: Pod \"x\" is invalid: no", "doubtful"),
        ] {
            assert_eq!(kind(message), expected, "{message}");
        }
    }
}
