//! The two grounds: a namespace on the control plane, and one of the same name in a sandbox.

use rollout::sandbox::Sandbox;
use rollout::sandbox::rules::parse_rules;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::control_plane::ControlPlane;
use crate::paired_sandbox;
use crate::real_env::{QUICK, RealEnv};

/// Where a script is played.
pub(super) struct Ground<'a> {
    pub(super) runtime: Runtime,
    pub(super) client: kube::Client,
    pub(super) namespace: String,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Real(&'a ControlPlane),
    Sandbox(Sandbox),
}

impl<'a> Ground<'a> {
    /// The test's namespace on the control plane.
    pub(super) fn real(site: &'a RealEnv) -> Self {
        let runtime = runtime();
        let client = runtime.block_on(site.plane.kubectl.client(&site.namespace));
        // A controller creates this in every new namespace, which should not happen during a script.
        site.kubectl(&["wait", "--for=create", "configmap/kube-root-ca.crt", "--timeout=30s"]);
        Self { runtime, client, namespace: site.namespace.clone(), kind: Kind::Real(site.plane) }
    }

    /// The same namespace in a sandbox of its own, with the same rules for its kubelet.
    pub(super) fn sandbox(site: &RealEnv) -> Self {
        let runtime = runtime();
        let namespace = site.namespace.clone();
        let (sandbox, client) = runtime.block_on(async {
            let sandbox = paired_sandbox::open(QUICK);
            let client = sandbox.client(&namespace);
            let body = json!({"metadata": {"name": namespace}}).to_string().into_bytes();
            let made = http::Request::post("/api/v1/namespaces").body(body).unwrap();
            client.request_text(made).await.unwrap();
            (sandbox, client)
        });
        Self { runtime, client, namespace, kind: Kind::Sandbox(sandbox) }
    }

    /// Sets the kubelet's rules.
    pub(super) fn script(&self, rules: &str) {
        match &self.kind {
            Kind::Real(plane) => plane.kubelet.as_ref().unwrap().script(&self.namespace, rules),
            Kind::Sandbox(sandbox) => sandbox.set_rules(parse_rules("rules", rules).unwrap()),
        }
    }

    /// Compacts the server's history up to now.
    pub(super) fn forget(&self) {
        match &self.kind {
            // The server would keep in its cache for some minutes what etcd has compacted.
            Kind::Real(plane) => {
                plane.ask(&json!({"do": "compact"}));
                plane.part("kill", "apiserver");
                plane.part("start", "apiserver");
                plane.part("wait", "apiserver");
            }
            Kind::Sandbox(sandbox) => sandbox.forget(),
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
