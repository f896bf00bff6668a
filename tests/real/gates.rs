//! Gates between batches with real providers: Prometheus, and a server with TLS.

use crate::build;
use crate::prometheus::Prometheus;
use crate::real_env::RealEnv;
use crate::support::manifest::{application, web};
use crate::support::test_env::CommandOutput;

/// A version of `web` with three pods in two batches and these gates.
fn gated(env: &RealEnv, version: u32, gates: &str) -> String {
    let web = web(version, 3).batches(&["1", "2"]).rollout(gates);
    let text = application("shop", &[web]);
    env.file(&format!("web-{version}.yaml"), &text).to_str().unwrap().to_owned()
}

fn sizes(env: &RealEnv) -> String {
    let sizes = "jsonpath={range .items[*]}{.metadata.name} {.status.readyReplicas}/{.spec.replicas};{end}";
    env.kubectl(&["get", "deployments", "-o", sizes])
}

pub(crate) fn of_a_prometheus(env: &RealEnv) {
    let prometheus = Prometheus::start(&build::prometheus(env.plane.program()));
    let metric = |query: &str| {
        format!(
            "analysis: [{{name: errors, interval: 1s, metricsRange: {{min: 0, max: 0.05}}, provider: {{prometheus: {{address: \
             'http://{}', query: '{query}'}}}}}}]",
            prometheus.address
        )
    };
    prometheus.set("errors", "0.01");
    let released = env.rollout(&["apply", &gated(env, 1, &metric("sum(errors)"))]);
    assert_eq!(released.code, Some(0), "{released:#?}");
    released.says("metric `errors` after batch 1 of 2: 0.01, 1 of 1: Successful");
    released.says("metric `errors` after batch 2 of 2: 0.01, 1 of 1: Successful");

    for command in ["plan", "apply"] {
        let refused = env.rollout(&[command, &gated(env, 2, &metric("sum(errors"))]);
        assert_eq!(refused.code, Some(4), "{refused:#?}");
        refused.says("the query of metric `errors` cannot be parsed").says("unclosed left parenthesis");
    }
    assert_eq!(sizes(env), "web-v1 3/3;");

    let unknown = env.rollout(&["apply", &gated(env, 2, &metric("sum(unknown)"))]);
    assert_eq!(unknown.code, Some(3), "{unknown:#?}");
    unknown.says("metric `errors` could not be measured: the result is empty");

    prometheus.set("errors", "0.5");
    let failed = env.rollout(&["apply", &gated(env, 3, &metric("sum(errors)")), "--on-failure", "undo"]);
    assert_eq!(failed.code, Some(3), "{failed:#?}");
    failed.says("metric `errors` was 0.5, expected at least 0 and at most 0.05").says("rollback to `web-v1`");
    assert_eq!(sizes(env), "web-v1 3/3;");
}

/// The API server answers health checks without authentication, with a certificate that only its own authority has
/// signed.
pub(crate) fn of_a_server_over_tls(env: &RealEnv) {
    let server = env.kubectl(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let hook = format!(
        "rolloutWebhooks: [{{type: post-batch-rollout, name: alive, method: GET, expectedStatus: [200], url: '{server}/livez'}}]"
    );
    let file = gated(env, 1, &hook);
    let distrusting = env.rollout(&["apply", &file, "--batch-timeout", "4s"]);
    assert_eq!(distrusting.code, Some(3), "{distrusting:#?}");
    distrusting.says("certificate");
    let mut command = env.command(&["apply", &file]);
    command.env("SSL_CERT_FILE", env.plane.ca());
    let trusting = CommandOutput::of(command.output().unwrap());
    assert_eq!(trusting.code, Some(0), "{trusting:#?}");
    assert_eq!(sizes(env), "web-v1 3/3;");
}
