//! The peers that are built from the Go module proxy: where they are, and how they are started.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use http::Request;
use serde_json::Value;

use crate::plane::Plane;
use crate::{build, client};

/// The argument that makes the benchmark's program wait for an Argo Rollout.
pub(crate) const WAIT: &str = "wait-for-argo";

/// The programs of the peers, built once.
pub(crate) struct Peers;

impl Peers {
    pub(crate) fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers")
    }

    /// Builds what is missing; the names of those that could not be built.
    pub(crate) fn missing() -> Vec<&'static str> {
        let is_missing = |name: &&'static str| !Self::folder().join(name).exists();
        if ["helm", "argo-rollouts"].iter().any(is_missing) {
            build::say("building Helm and Argo Rollouts, which takes some minutes the first time");
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/build");
            let status = Command::new(script).arg(Self::folder()).stdin(Stdio::null()).status();
            if !status.is_ok_and(|status| status.success()) {
                build::say("LEFT OUT: a peer could not be built");
            }
        }
        ["helm", "argo-rollouts"].into_iter().filter(is_missing).collect()
    }
}

/// Argo's controller, which ends when this is dropped.
pub(crate) struct ArgoController(Child);

impl ArgoController {
    pub(crate) fn start(plane: &Plane) -> Self {
        let crds = Peers::folder().join("argo-crds").display().to_string();
        plane.run_kubectl(&["apply", "--server-side", "-f", &crds]);
        // Before a definition has conditions, `kubectl wait` for one fails.
        let wait = ["wait", "--for=jsonpath={.status.acceptedNames.kind}=Rollout"];
        plane.run_kubectl(&[&wait[..], &["crd/rollouts.argoproj.io", "--timeout=60s"]].concat());
        plane.run_kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd/rollouts.argoproj.io",
            "--timeout=60s",
        ]);
        let port = |flag: &str| {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            format!("--{flag}={free}")
        };
        let log = || fs::File::create(plane.folder().join("argo-controller.log")).unwrap();
        let child = Command::new(Peers::folder().join("argo-rollouts"))
            .arg("--kubeconfig")
            .arg(&plane.kubeconfig)
            .args(["--leader-elect=false", &port("metricsport"), &port("healthzPort")])
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for ArgoController {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Arguments of the process that waits until a version is rolled out.
pub(crate) fn wait_arguments(namespace: &str, version: usize) -> [String; 3] {
    [WAIT.to_owned(), namespace.to_owned(), format!("web:{version}")]
}

/// Waits for an Argo Rollout by a watch, which is quicker than a `kubectl wait`.
pub(crate) fn wait(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(wait_until_healthy(&arguments[0], &arguments[1]));
}

async fn wait_until_healthy(namespace: &str, image: &str) {
    let client = client::connect(WAIT).await;
    let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts?watch=1");
    let mut lines =
        client.request_stream(Request::get(path).body(Vec::new()).unwrap()).await.unwrap().lines();
    while let Some(line) = lines.try_next().await.unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap();
        let object = &event["object"];
        let (metadata, status) = (&object["metadata"], &object["status"]);
        // It is text, which a number is never equal to.
        let generation = metadata["generation"].to_string();
        let is_fresh = status["observedGeneration"].as_str() == Some(&generation);
        let is_stable = status["stableRS"].is_string() && status["stableRS"] == status["currentPodHash"];
        let is_version = object["spec"]["template"]["spec"]["containers"][0]["image"] == image;
        if is_fresh && is_stable && is_version && status["phase"] == "Healthy" {
            return;
        }
    }
    panic!("the watch ended");
}

/// A chart with one workload, whose image's tag is a value.
pub(crate) fn chart(plane: &Plane, deployment: &Value) -> PathBuf {
    let folder = plane.folder().join("chart");
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 0.1.0\n").unwrap();
    let text = deployment.to_string().replace("web:0", "web:{{ .Values.version }}");
    fs::write(folder.join("templates/deployment.yaml"), text).unwrap();
    folder
}
