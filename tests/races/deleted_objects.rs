//! Objects that a run needs are deleted during it, as by deleting its namespace.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use rollout::driver::outcome::FailureKind;

use super::lock_queue::{is_scaled, released};
use crate::support::manifest::{request_for, web};
use crate::support::pod_rules;
use crate::support::process::Process;
use crate::support::scenario::IDENTITY;

#[tokio::test(start_paused = true)]
async fn a_record_deleted_with_its_workloads_is_no_takeover() {
    let cluster = released(pod_rules::ready_after("1m")).await;
    let process = Process::new(IDENTITY);
    let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
    let (run, ()) = tokio::join!(cluster.run(&process, &manifest), async {
        process.heard(1, is_scaled).await;
        let records: Api<ConfigMap> = Api::default_namespaced(cluster.client());
        records.delete("rollout-web", &DeleteParams::default()).await.unwrap();
        let workloads: Api<Deployment> = Api::default_namespaced(cluster.client());
        for name in ["web-v1", "web-v2"] {
            workloads.delete(name, &DeleteParams::default()).await.unwrap();
        }
    });
    let failures = run.failures();
    assert_eq!(failures[0].kind, FailureKind::NotReady, "{}", run.transcript());
    assert!(failures[0].reason.contains("was deleted"), "{}", run.transcript());
    assert!(cluster.sizes().is_empty() && cluster.record("web").is_none(), "nothing is made anew");
}
