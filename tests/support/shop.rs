//! The application `shop` in the initial states of many tests.

use super::child::Child;
use super::manifest::shop;
use super::test_env::TestEnv;

/// A shop that runs `web-v1` with three replicas; `v1.yaml` and `v2.yaml` are its manifests.
pub(crate) fn open_shop() -> TestEnv {
    let env = TestEnv::new();
    env.write("v1.yaml", shop("v1", "registry.example/web:1"));
    env.write("v2.yaml", shop("v2", "registry.example/web:2"));
    env.run_ok("apply v1.yaml");
    env
}

/// A shop that was upgraded from `web-v1` to `web-v2`.
pub(crate) fn upgraded_shop() -> TestEnv {
    let env = open_shop();
    env.run_ok("apply v2.yaml");
    env
}

/// A shop whose upgrade is held after its first batch, with no process driving.
pub(crate) fn held_shop() -> TestEnv {
    let env = open_shop();
    env.run_ok("apply v2.yaml --partition 0");
    assert_eq!(env.deployments(), ["web-v1 2/2", "web-v2 1/1"]);
    env
}

/// A shop with an upgrade in which `driver` waits for a pod of the first batch, which becomes ready only once the rules
/// change.
pub(crate) fn waiting_shop() -> (TestEnv, Child) {
    open_shop().waiting("apply v2.yaml", "*:2")
}
