//! The two grounds: a namespace on the control plane, and one of the same name in a sandbox.

use rollout::sandbox::Sandbox;

use crate::site::Site;
use crate::twin;

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
        Self { client: site.plane.kubectl.client(&site.namespace).await, _sandbox: None }
    }

    pub(super) fn sandbox(site: &Site<'_>) -> Self {
        let sandbox = twin::open(RULES);
        Self { client: sandbox.client(&site.namespace), _sandbox: Some(sandbox) }
    }
}
