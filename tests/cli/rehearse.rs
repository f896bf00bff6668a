//! `rollout rehearse`: shows what would happen, without changing the cluster.

use crate::support::manifest::{application, component};
use crate::support::shop::open_shop;
use crate::support::test_env::TestEnv;

#[test]
fn a_rehearsal_drives_a_copy_and_does_not_change_the_cluster() {
    let env = TestEnv::new();
    env.run_ok("apply examples/express-server-v1.yaml");
    let before = env.bytes();
    let ran = env.run_ok("rehearse examples/express-server-v2.yaml");
    assert!(ran.stderr.starts_with("rehearsal: a sandbox with a copy of 3 objects;"), "{}", ran.stderr);
    let told = "express-server: upgrade to `express-server-v2`";
    ran.says(told);
    ran.says("workload `express-server-v1` deleted");
    assert!(ran.stdout.contains("rolloutSucceed"), "{}", ran.stdout);
    assert_eq!(env.bytes(), before);
}

#[test]
fn injected_failures_are_reported_as_on_a_cluster() {
    let env = open_shop();
    let before = env.bytes();
    let ran =
        env.run_to("rehearse v2.yaml --inject ImagePullBackOff --batch-timeout 1s --on-failure undo", 3);
    ran.says("ImagePullBackOff");
    ran.says("web-v1` 3/3 ready");
    assert!(ran.stdout.contains("rolloutSucceed"), "went back: {}", ran.stdout);
    let held = env.run_to("rehearse v2.yaml --inject ImagePullBackOff --batch-timeout 1s", 3);
    assert!(!held.stderr.contains("rerun the same command"), "nothing is recorded: {}", held.stderr);
    assert_eq!(env.bytes(), before);
}

/// Neither pods of unchanged components fail, nor those of a rollback's target.
#[test]
fn injected_failures_affect_only_new_pods_of_the_run() {
    let env = TestEnv::new();
    let both = |version: u32, environment: &str| {
        let of = |name: &str, version: u32| component(name, version, 2).image("registry.example/same:1");
        let web = of("web", version).property(format!("env: [{{name: A, value: {environment}}}]"));
        application("shop", &[web, of("api", 1)])
    };
    env.write("both.yaml", both(1, "one"));
    env.run_ok("apply both.yaml");
    env.write("both.yaml", both(2, "two"));
    let ran =
        env.run_to("rehearse both.yaml --inject ImagePullBackOff --batch-timeout 1s --on-failure undo", 3);
    ran.says("api: nothing to do: 2 of 2 upgraded, 2 ready");
    ran.says("web: failed in batch 1 of 1");
    assert_eq!(ran.stdout.matches("rolloutSucceed").count(), 2, "web went back: {}", ran.stdout);
}

#[test]
fn a_cloneset_is_copied_with_its_annotations() {
    let env = TestEnv::new();
    env.run_ok("apply examples/clonset-server-v1.yaml");
    let ran = env.run_ok("rehearse examples/clonset-server-v2.yaml");
    assert!(ran.stdout.contains("rolloutSucceed"), "{}{}", ran.stdout, ran.stderr);
    ran.says("updating 2 of 5 pods of `clonset-server` to");
}

/// A Service's allocated fields are not copied, and its copy has the same name.
#[test]
fn services_are_copied() {
    let env = open_shop();
    let exposed = |name: &str| {
        let text = std::fs::read_to_string(env.path(name)).unwrap();
        let image = text.lines().find(|line| line.contains("image: ")).unwrap().to_owned();
        text.replace(&image, &format!("{image}\n        ports: [{{port: 80, expose: true}}]"))
    };
    env.write("exposed.yaml", exposed("v2.yaml"));
    env.run_ok("apply exposed.yaml");
    let ran = env.run_ok("rehearse exposed.yaml");
    assert!(ran.stderr.starts_with("rehearsal: a sandbox with a copy of 5 objects;"), "{}", ran.stderr);
}

/// Objects that are applied as a whole are copied with their field managers: unchanged ones are not written, and
/// changed ones cause no conflicts.
#[test]
fn whole_components_are_copied_with_the_managers_of_their_fields() {
    let env = TestEnv::new();
    let shop = |version: u32, level: &str| {
        let plain = component("api", version, 2).plain().exposing(80).storing(level);
        application("shop", &[plain, component("web", version, 2).storing(level)])
    };
    env.write("app.yaml", shop(1, "one"));
    env.run_ok("apply app.yaml");
    let before = env.bytes();
    let ran = env.run_ok("rehearse app.yaml");
    ran.says("api: nothing to do").says("web: nothing to do");
    env.write("app.yaml", shop(2, "two"));
    let ran = env.run_ok("rehearse app.yaml");
    ran.says("api: configmap/api-settings configured").says("api: deployment.apps/api configured");
    ran.says("web: configmap/web-settings configured");
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("service/api configured"), "{}", ran.stderr);
    assert_eq!(env.bytes(), before);
}

#[test]
fn a_rehearsal_rejects_what_apply_rejects() {
    let env = open_shop();
    env.run_to("rehearse v2.yaml --inject Gone", 2).says("`--inject`: ").says("NeverReady");
    env.run_to("rehearse v2.yaml --inject other:*=NeverReady", 2).says(
        "`--inject other:*=…`: no pod has such an image: the images are `registry.example/web:1` and \
         `registry.example/web:2`",
    );
    env.run_to("rehearse v2.yaml --batches 1,1", 4);
}

#[test]
fn components_that_are_applied_as_a_whole_are_rehearsed_again() {
    let env = TestEnv::new();
    env.run_ok("apply examples/shop.yaml");
    let shop = std::fs::read_to_string(env.path("examples/shop.yaml")).unwrap();
    env.write("v2.yaml", shop.replace("redis:7.4", "redis:8.0"));
    let before = env.bytes();
    env.run_ok("rehearse v2.yaml").says("queue: done").says("api: nothing to do").says("web: ");
    assert_eq!(env.bytes(), before);
}
