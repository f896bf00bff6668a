//! The two grounds: a namespace on the control plane, and one of the same name in a sandbox.

use std::sync::Arc;

use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Now, Options, RulesSource, Sandbox};

use crate::site::Site;

/// How the kubelets of both grounds treat pods.
pub(super) const RULES: &str =
    "- {image: 'web:bad', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 600ms}\n";

/// Where a script is played.
pub(super) struct Ground {
    pub(super) client: kube::Client,
    /// Time passes in a sandbox only as long as this lives.
    _sandbox: Option<Sandbox>,
}

impl Ground {
    pub(super) async fn real(site: &Site<'_>) -> Self {
        site.script(RULES);
        let kubeconfig = Kubeconfig::read_from(&site.plane.kubectl.kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        Self { client: kube::Client::try_from(config).unwrap(), _sandbox: None }
    }

    pub(super) fn sandbox(site: &Site<'_>) -> Self {
        let rules = RulesSource::Given(parse_rules("rules", RULES).unwrap());
        let options = Options { file: None, rules, now: clock(), record_history: false };
        let sandbox = Sandbox::open(options).unwrap();
        Self { client: sandbox.client(&site.namespace), _sandbox: Some(sandbox) }
    }
}

/// The wall clock, which the control plane has as well.
#[expect(clippy::disallowed_methods, reason = "nothing is timed; the sandbox needs some clock")]
fn clock() -> Now {
    Arc::new(Timestamp::now)
}
