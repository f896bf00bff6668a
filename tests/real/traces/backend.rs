//! The two backends: a namespace on the control plane, and one of the same name in a sandbox.

use rollout::sandbox::Sandbox;

use crate::paired_sandbox;
use crate::real_env::RealEnv;

/// The pod rules of both kubelets.
pub(super) const RULES: &str =
    "- {image: 'web:bad', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 600ms}\n";

/// Where a script is played.
pub(super) struct Backend {
    pub(super) client: kube::Client,
    /// Time passes in a sandbox only while this exists.
    _sandbox: Option<Sandbox>,
}

impl Backend {
    pub(super) async fn real(env: &RealEnv<'_>) -> Self {
        env.script(RULES);
        Self { client: env.plane.kubectl.client(&env.namespace).await, _sandbox: None }
    }

    pub(super) fn sandbox(env: &RealEnv<'_>) -> Self {
        let sandbox = paired_sandbox::open(RULES);
        Self { client: sandbox.client(&env.namespace), _sandbox: Some(sandbox) }
    }
}
