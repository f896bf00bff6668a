//! The two grounds: a namespace on the control plane, and one of the same name in a sandbox.

use std::sync::Arc;

use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Now, Options, RulesSource, Sandbox};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::plane::Plane;
use crate::site::{QUICK, Site};

/// Where a script is played.
pub(super) struct Ground<'a> {
    pub(super) runtime: Runtime,
    pub(super) client: kube::Client,
    pub(super) namespace: String,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Real(&'a Plane),
    Sandbox(Sandbox),
}

impl<'a> Ground<'a> {
    /// The story's namespace on the control plane.
    pub(super) fn real(site: &'a Site) -> Self {
        let runtime = runtime();
        let client = runtime.block_on(async {
            let kubeconfig = Kubeconfig::read_from(&site.plane.kubectl.kubeconfig).unwrap();
            let options = KubeConfigOptions::default();
            let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
            // What the server refuses is to be seen, not asked again.
            config.default_retry = false;
            kube::Client::try_from(config).unwrap()
        });
        // A controller puts this into every new namespace at some moment, which should not be a script's.
        site.kubectl(&["wait", "--for=create", "configmap/kube-root-ca.crt", "--timeout=30s"]);
        Self { runtime, client, namespace: site.namespace.clone(), kind: Kind::Real(site.plane) }
    }

    /// The same namespace in a sandbox of its own, with the same rules for its kubelet.
    pub(super) fn sandbox(site: &Site) -> Self {
        let runtime = runtime();
        let namespace = site.namespace.clone();
        let (sandbox, client) = runtime.block_on(async {
            let rules = RulesSource::Given(parse_rules("rules", QUICK).unwrap());
            let options = Options { file: None, rules, now: clock(), record_history: false };
            let sandbox = Sandbox::open(options).unwrap();
            let client = sandbox.client(&namespace);
            let body = json!({"metadata": {"name": namespace}}).to_string().into_bytes();
            let made = http::Request::post("/api/v1/namespaces").body(body).unwrap();
            client.request_text(made).await.unwrap();
            (sandbox, client)
        });
        Self { runtime, client, namespace, kind: Kind::Sandbox(sandbox) }
    }

    /// Scripts the kubelet.
    pub(super) fn script(&self, rules: &str) {
        match &self.kind {
            Kind::Real(plane) => plane.kubelet.as_ref().unwrap().script(&self.namespace, rules),
            Kind::Sandbox(sandbox) => sandbox.set_rules(parse_rules("rules", rules).unwrap()),
        }
    }

    /// Lets the server forget what was before now.
    pub(super) fn forget(&self) {
        match &self.kind {
            // The server would remember for some minutes what etcd does not.
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

/// The wall clock, which the control plane has as well.
#[expect(clippy::disallowed_methods, reason = "nothing is timed; the sandbox needs some clock")]
fn clock() -> Now {
    Arc::new(Timestamp::now)
}
