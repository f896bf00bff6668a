//! What a run holds on to is deleted under its hands, as with its whole namespace.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use rollout::driver::outcome::FailureKind;

use super::queue::{is_scaled, released};
use crate::common::manifest::{request_for, web};
use crate::common::process::Process;
use crate::common::scenario::IDENTITY;

#[tokio::test(start_paused = true)]
async fn a_record_that_vanishes_with_its_workloads_is_no_takeover() {
    let stage = released("- {image: '*', readyAfter: 1m}").await;
    let process = Process::new(IDENTITY);
    let manifest = request_for(&[web(2, 5).batches(&["2", "3"])]);
    let (run, ()) = tokio::join!(stage.run(&process, &manifest), async {
        process.heard(1, is_scaled).await;
        let records: Api<ConfigMap> = Api::default_namespaced(stage.client());
        records.delete("rollout-web", &DeleteParams::default()).await.unwrap();
        let workloads: Api<Deployment> = Api::default_namespaced(stage.client());
        for name in ["web-v1", "web-v2"] {
            workloads.delete(name, &DeleteParams::default()).await.unwrap();
        }
    });
    let failures = run.failures();
    assert_eq!(failures[0].kind, FailureKind::NotReady, "{}", run.story());
    assert!(failures[0].reason.contains("was deleted"), "{}", run.story());
    assert!(stage.sizes().is_empty() && stage.record("web").is_none(), "nothing is made anew");
}
